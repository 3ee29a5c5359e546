package ceremony_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// aloneIn permits evidence alone to one channel.
type aloneIn liuma.ChannelID

func (l aloneIn) For(_ liuma.Region, ch liuma.ChannelID) policy.Policy {
	p := policy.National()
	p.AllowStandInEvidence = true
	p.EvidenceAlone = ch == liuma.ChannelID(l)
	return p
}

func newAlone(t *testing.T) *phoned {
	t.Helper()
	return newPhoned(t, testkit.Options{Rules: aloneIn("zj-hrss")})
}

func (x *phoned) pushAlone() ceremony.Push {
	q := x.push(liuma.ActionVerify)
	q.Alone = true
	return q
}

// TestEvidenceAloneProvesAService: the page asks for evidence and not for a PIN; the
// token says so; no guess is counted, and the link is no better known by it.
func TestEvidenceAloneProvesAService(t *testing.T) {
	for _, first := range []bool{true, false} { // evidence with the first push, or midway
		x := newAlone(t)
		x.card = x.linkAgain(x.ch, goodPIN, false) // evidence would make it known at once
		id := cardRow(t, x.Env, x.ch, x.card).ID
		spent, link := counted(t, x.Env, id), x.link(x.card)
		q := x.pushAlone()
		if first {
			q = x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(x.card)}, &x.who)
			q.Alone = true
		}
		p, h := x.OpenPage(x.ch, q)
		if !first {
			x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
			p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
		}
		x.want(p, ceremony.StepConfirm, "")
		if p.AAD != nil || p.SealKeyID != "" || !p.Alone {
			t.Errorf("the page has a pad: %+v", p)
		}
		p, err := x.Authority().Agree(t.Context(), p.ID, h)
		if err != nil {
			t.Fatal(err)
		}
		x.want(p, ceremony.StepDone, "")
		if p.EveryUse != nil || p.RemindChange || len(p.Ways) != 0 {
			t.Errorf("the last page offers settings that take a PIN: %+v", p)
		}
		if _, err := x.Authority().NoticeEveryUse(t.Context(), p.ID, h, false); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
			t.Errorf("notices turned off without a PIN: %v", err)
		}
		if _, err := x.Authority().SendCode(t.Context(), p.ID, h, liuma.ByText); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
			t.Errorf("a code to confirm the phone: %v", err)
		}
		g := x.Return(x.ch, p, h)
		if g.ACR != "urn:liuma:acr:evidence" || slices.Contains(g.AMR, "pin") || len(g.AMR) != 1 {
			t.Errorf("the token says %s %v", g.ACR, g.AMR)
		}
		if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.Verdict != liuma.Right || !v.Redeemed || v.ACR != "urn:liuma:acr:evidence" {
			t.Errorf("by business number: %+v, %v", v, err)
		}
		if now := counted(t, x.Env, id); !slices.Equal(now, spent) {
			t.Errorf("the keepers counted %v, before %v", now, spent)
		}
		if now := x.link(x.card); now != link {
			t.Errorf("the link was %+v and is %+v", link, now)
		}
		if n := countEvents(t, x.Env, audit.EvidenceProved, "ok"); n != 1 {
			t.Errorf("%d entries", n)
		}
	}
}

// TestEvidenceAloneAsksForNoConsent: a text that changed meanwhile does not stand
// on the page, which sets nothing; like every verification it is not held up.
func TestEvidenceAloneAsksForNoConsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "consent.json")
	withConsent(t, path, "7")
	x := newPhoned(t, testkit.Options{Rules: aloneIn("zj-hrss"), Configure: func(c *config.Config) { c.Consent = path }})
	x.Close()
	withConsent(t, path, "8")
	x.Open()
	q := x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(x.card)}, &x.who)
	q.Alone = true
	p, h := x.OpenPage(x.ch, q)
	x.want(p, ceremony.StepConfirm, "")
	if p.Consent != nil || p.ConsentHash != "" {
		t.Errorf("the page shows %+v", p.Consent)
	}
	h.Consent = ""
	p, err := x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	x.want(p, ceremony.StepDone, "")
	if all := x.consents(); len(all) != 1 || all[0].Version != "7" {
		t.Errorf("the card says %+v", all)
	}
}

// TestWhoMayProveByEvidenceAlone: the channel that the policy names, to verify, and
// nobody else.
func TestWhoMayProveByEvidenceAlone(t *testing.T) {
	x := newAlone(t)
	other := x.Channel("national")
	v, err := x.Authority().Link(t.Context(), other, x.LinkRequest(other, x.who, goodPIN))
	if err != nil {
		t.Fatal(err)
	}
	q := x.PushFor(other, liuma.ActionVerify, envelope.Subject{Card: string(v.Card)}, nil)
	q.Alone = true
	if _, err := x.Authority().Push(t.Context(), other, q); liuma.CodeOf(err) != liuma.CodeForbidden {
		t.Errorf("a channel that is not named: %v", err)
	}
	q.Alone = false
	if _, err := x.Authority().Push(t.Context(), other, q); err != nil {
		t.Errorf("the number was used up by the refusal: %v", err)
	}
	for _, a := range []liuma.Action{liuma.ActionChange, liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze} {
		q := x.push(a)
		q.Alone = true
		if _, err := x.Authority().Push(t.Context(), x.ch, q); liuma.CodeOf(err) != liuma.CodeBadRequest {
			t.Errorf("%s: %v", a, err)
		}
	}
}

// TestEvidenceAloneAndTheCardsStanding: frozen, reported and cancelled cards serve
// nobody; while the physical card is lost PIN and evidence are wanted together; and a
// verdict is stale once the card is not what it was.
func TestEvidenceAloneAndTheCardsStanding(t *testing.T) {
	for name, change := range map[string]struct {
		do   func(*store.Card)
		step ceremony.Step
		code liuma.Code
	}{
		"frozen":    {func(c *store.Card) { c.Frozen = true }, ceremony.StepRefused, liuma.CodeFrozen},
		"reported":  {func(c *store.Card) { c.ReportedUntil = c.CreatedAt.Add(400 * day) }, ceremony.StepRefused, liuma.CodeLossReported},
		"cancelled": {func(c *store.Card) { c.Physical = liuma.PhysicalCancelled }, ceremony.StepRefused, liuma.CodeCancelled},
		"lost":      {func(c *store.Card) { c.Physical = liuma.PhysicalLost }, ceremony.StepPIN, ""},
		"active":    {func(*store.Card) {}, ceremony.StepDone, ""},
	} {
		t.Run(name, func(t *testing.T) {
			x := newAlone(t)
			turn := func() {
				id := cardRow(t, x.Env, x.ch, x.card).ID
				tamper(t, x.Env, func(tx store.Tx) error {
					card, err := tx.Card(id)
					if err != nil {
						return err
					}
					change.do(&card)
					return tx.UpdateCard(card)
				})
			}
			q := x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(x.card)}, &x.who)
			q.Alone = true
			p, h := x.OpenPage(x.ch, q)
			turn()
			p, err := x.Authority().Agree(t.Context(), p.ID, h)
			if err != nil {
				t.Fatal(err)
			}
			x.want(p, change.step, change.code)
			if name == "lost" {
				p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
				if g := x.Return(x.ch, p, h); g.ACR != "urn:liuma:acr:pin-evidence" {
					t.Errorf("PIN and evidence give %s", g.ACR)
				}
				return
			}
			if name != "active" {
				return
			}
			if _, err := physical(x.Env, x.RegistryClient("mohrss"), x.who, authority.PhysicalLost, ""); err != nil {
				t.Fatal(err)
			}
			back := x.WayBack(p, h)
			if _, err := x.Authority().RedeemCode(t.Context(), x.ch, back.Get("code"), testkit.RedirectURI, testkit.Verifier); liuma.CodeOf(err) != liuma.CodeReceiptStale {
				t.Errorf("redeemed although the card was lost since: %v", err)
			}
		})
	}
}

// TestEvidenceAloneIsOfItsBrowser: whoever takes over after the consent gets no
// verdict (I-14).
func TestEvidenceAloneIsOfItsBrowser(t *testing.T) {
	x := newAlone(t)
	q := x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(x.card)}, &x.who)
	q.Alone = true
	p, h := x.OpenPage(x.ch, q)
	p, err := x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	x.want(p, ceremony.StepDone, "")
	if _, err := x.Authority().WayBack(t.Context(), p.ID, ceremony.Hand{Secret: "another"}); liuma.CodeOf(err) != liuma.CodeCeremonyElsewhere {
		t.Errorf("another browser: %v", err)
	}
}

// TestEvidenceAloneStaysWithItsPage: who pushes again takes over the page, and not the
// only proof that was given for it. With evidence of their own they go on.
func TestEvidenceAloneStaysWithItsPage(t *testing.T) {
	x := newAlone(t)
	q := x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(x.card)}, &x.who)
	q.Alone = true
	p, _ := x.OpenPage(x.ch, q)
	x.want(p, ceremony.StepConfirm, "")
	q.Challenge, q.Evidence = "", ""
	p, h := x.OpenPage(x.ch, q)
	x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	if _, err := x.Authority().Agree(t.Context(), p.ID, h); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("agreed without evidence: %v", err)
	}
	p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
	x.want(p, ceremony.StepConfirm, "")
	p, err := x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	x.want(p, ceremony.StepDone, "")
	x.Return(x.ch, p, h)
}

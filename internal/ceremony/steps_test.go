package ceremony_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// stepped is a policy whose variants a test may change while the system runs.
type stepped struct{ steps atomic.Pointer[policy.Steps] }

func (s *stepped) For(liuma.Region, liuma.ChannelID) policy.Policy {
	p := policy.National()
	p.AllowStandInEvidence = true
	if steps := s.steps.Load(); steps != nil {
		p.Steps = *steps
	}
	return p
}

func newStepped(t *testing.T, steps policy.Steps) (*phoned, *stepped) {
	t.Helper()
	s := &stepped{}
	x := newPhoned(t, testkit.Options{Rules: s})
	s.steps.Store(&steps)
	return x, s
}

// number gives the number of the physical card on a page.
func (x *phoned) number(p ceremony.Page, h ceremony.Hand, number string) ceremony.Page {
	x.T.Helper()
	h.Form = p.Form
	p, err := x.Authority().GiveCardNo(x.T.Context(), p.ID, h, number)
	if err != nil {
		x.T.Fatal(err)
	}
	return p
}

// TestActsTakeTheNationsProofs: what the table of acts says is what the first variant
// of each asks for.
func TestActsTakeTheNationsProofs(t *testing.T) {
	for _, a := range []liuma.Action{liuma.ActionEnroll, liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze} {
		act, _ := ceremony.ActOf(a)
		has := slices.DeleteFunc(slices.Clone(act.Proofs), func(p ceremony.Proof) bool { return p == ceremony.ProofCardNo })
		var asks []ceremony.Proof
		for _, p := range (policy.Steps{}).Of(a) {
			if p == policy.ProofNewCode {
				p = ceremony.ProofCode
			}
			asks = append(asks, p)
		}
		if !slices.Equal(has, asks) {
			t.Errorf("%s takes %v, and the nation's variant asks for %v", a, has, asks)
		}
	}
}

func TestResetWithTheNumberBeside(t *testing.T) {
	x, _ := newStepped(t, policy.Steps{Reset: "code-card-evidence"})
	q := x.push(liuma.ActionReset)
	p, h := x.agreed(q)
	if !p.Steps.Asks(liuma.ActionReset, policy.ProofCardNo) {
		t.Error("the page does not know that the number will be asked for")
	}
	p = x.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepCardNo, "")
	p = x.number(p, h, "Z99999999")
	x.want(p, ceremony.StepCardNo, liuma.CodeCardNoWrong)
	restart(x.Env) // what was proved, and what the ceremony began with, are in the store
	p, err := x.Authority().Look(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	p = x.number(p, h, x.who.CardNo)
	x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	if p.CardNoAllowed {
		t.Error("the number would take the place of evidence")
	}
	p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
	x.want(p, ceremony.StepPIN, "")
	x.want(x.GivePIN(p, h, liuma.RoleNew, otherPIN), ceremony.StepDone, "")
	if v := x.Verify(x.ch, x.card, otherPIN); v.Verdict != liuma.Right {
		t.Errorf("the new PIN: %+v", v)
	}
}

// TestTheNumberIsOfItsBrowser: another browser that goes on gives code and number
// again, and evidence alone brings nobody past them.
func TestTheNumberIsOfItsBrowser(t *testing.T) {
	x, _ := newStepped(t, policy.Steps{Reset: "code-card-evidence"})
	q := x.push(liuma.ActionReset)
	p, h := x.agreed(q)
	p = x.number(x.Code(p, h, x.who.Phone), h, x.who.CardNo)
	x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	p, h = x.WithEvidence(x.ch, q, x.who, p, h, ceremony.Hand{})
	x.want(p, ceremony.StepCode, "")
	x.Clock.Advance(time.Minute)
	p = x.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepCardNo, "")
	if after := x.GivePINAt(p, h, otherPIN); liuma.CodeOf(after) != liuma.CodeCeremonyMoved {
		t.Errorf("a PIN before the number: %v", after)
	}
	x.want(x.number(p, h, x.who.CardNo), ceremony.StepPIN, "")
}

// GivePINAt sends a new PIN from a page that has no pad.
func (x *phoned) GivePINAt(p ceremony.Page, h ceremony.Hand, _ string) error {
	_, err := x.Authority().GivePIN(x.T.Context(), p.ID, h, ceremony.Given{Try: p.Try})
	return err
}

// TestWrongNumbersAreRationed: three a day of a card, over all ceremonies and acts.
func TestWrongNumbersAreRationed(t *testing.T) {
	x, _ := newStepped(t, policy.Steps{Reset: "code-card-evidence", Rebind: "pin-card-evidence-code"})
	p, h := x.agreed(x.push(liuma.ActionReset))
	p = x.Code(p, h, x.who.Phone)
	for range 2 {
		p = x.number(p, h, "Z99999999")
		x.want(p, ceremony.StepCardNo, liuma.CodeCardNoWrong)
	}
	again := x.number(ceremony.Page{ID: p.ID, Form: "1"}, h, "Z99999999") // the last form, posted again
	x.want(again, ceremony.StepCardNo, liuma.CodeCardNoWrong)
	p, h = x.agreed(x.push(liuma.ActionRebind))
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepCardNo, "")
	p = x.number(p, h, "Z99999998")
	x.want(p, ceremony.StepCardNo, liuma.CodeCardNoWrong)
	x.want(x.number(p, h, x.who.CardNo), ceremony.StepRefused, liuma.CodeCardNoSpent)
	p, _ = x.agreed(x.push(liuma.ActionReset))
	x.want(p, ceremony.StepRefused, liuma.CodeCardNoSpent) // nobody is asked for a code in vain
	x.Clock.Advance(24 * time.Hour)
	p, h = x.agreed(x.push(liuma.ActionReset))
	x.want(x.number(x.Code(p, h, x.who.Phone), h, x.who.CardNo), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
}

func TestRebindWithTheNumberBeside(t *testing.T) {
	x, _ := newStepped(t, policy.Steps{Rebind: "pin-card-evidence-code"})
	q := x.push(liuma.ActionRebind)
	p, h := x.agreed(q)
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepCardNo, "")
	if _, err := x.Authority().GivePhone(t.Context(), p.ID, h, newNumber); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("a phone before the number: %v", err)
	}
	p = x.number(p, h, x.who.CardNo)
	x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
	x.want(p, ceremony.StepPhone, "")
	p, err := x.Authority().GivePhone(t.Context(), p.ID, h, newNumber)
	if err != nil {
		t.Fatal(err)
	}
	x.want(x.Code(p, h, newNumber), ceremony.StepDone, "")
}

func TestUnfreezeWithMoreProofs(t *testing.T) {
	for _, variant := range []policy.Variant{"code-pin", "code-card-pin", "code-evidence-pin", "code-card-evidence-pin"} {
		t.Run(string(variant), func(t *testing.T) {
			steps := policy.Steps{Unfreeze: variant}
			x, _ := newStepped(t, steps)
			freezeIn(x)
			q := x.push(liuma.ActionUnfreeze)
			p, h := x.agreed(q)
			p = x.Code(p, h, x.who.Phone)
			if steps.Asks(liuma.ActionUnfreeze, policy.ProofCardNo) {
				x.want(p, ceremony.StepCardNo, "")
				p = x.number(p, h, x.who.CardNo)
			}
			if steps.Asks(liuma.ActionUnfreeze, policy.ProofEvidence) {
				x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
				p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
			}
			x.want(p, ceremony.StepPIN, "")
			x.want(x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), ceremony.StepDone, "")
			if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
				t.Errorf("after it: %+v", v)
			}
		})
	}
}

// TestEnrollWithTheNumberBeside: hosted, with and without codes; the native door has
// no step that takes the number, and refuses.
func TestEnrollWithTheNumberBeside(t *testing.T) {
	for _, phones := range []bool{true, false} {
		s := &stepped{}
		s.steps.Store(&policy.Steps{Enroll: "evidence-code-card"})
		env := testkit.New(t, testkit.Options{Rules: s, Phones: phones})
		x := &phoned{Env: env, ch: env.Channel("zj-hrss"), who: env.People[0]}
		p, h := x.agreed(env.PushFor(x.ch, liuma.ActionEnroll, identity(x.who), &x.who))
		if phones {
			p = x.Code(p, h, x.who.Phone)
		}
		x.want(p, ceremony.StepCardNo, "")
		p = x.number(p, h, "Z99999999")
		x.want(p, ceremony.StepCardNo, liuma.CodeCardNoWrong)
		p = x.number(p, h, x.who.CardNo)
		x.want(p, ceremony.StepPIN, "")
		x.want(x.GivePIN(p, h, liuma.RoleNew, goodPIN), ceremony.StepDone, "")

		other := env.People[1]
		if _, err := env.Authority().Enroll(t.Context(), x.ch, env.EnrollRequest(x.ch, other, goodPIN)); liuma.CodeOf(err) != liuma.CodeCardNoNeeded {
			t.Errorf("native enrolment: %v", err)
		}
		// Three wrong numbers of a person are all, also before there is a card.
		q := env.PushFor(x.ch, liuma.ActionEnroll, identity(other), &other)
		p, h = x.agreed(q)
		if phones {
			p = x.Code(p, h, other.Phone)
		}
		for range 3 {
			p = x.number(p, h, "Z99999997")
		}
		x.want(x.number(p, h, other.CardNo), ceremony.StepRefused, liuma.CodeCardNoSpent)
		p, _ = x.agreed(env.PushFor(x.ch, liuma.ActionEnroll, identity(other), &other))
		x.want(p, ceremony.StepRefused, liuma.CodeCardNoSpent)
	}
}

// TestACeremonyKeepsItsSteps: a policy that changes meanwhile changes nothing for a
// ceremony that is under way, in either direction, and holds for the next.
func TestACeremonyKeepsItsSteps(t *testing.T) {
	x, s := newStepped(t, policy.Steps{Reset: "code-card-evidence"})
	q := x.push(liuma.ActionReset)
	p, h := x.agreed(q)
	s.steps.Store(&policy.Steps{})
	p = x.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepCardNo, "")
	q2 := x.push(liuma.ActionReset)
	p2, h2 := x.agreed(q2)
	s.steps.Store(&policy.Steps{Reset: "code-card-evidence"})
	x.Clock.Advance(time.Minute)
	p2 = x.Code(p2, h2, x.who.Phone)
	x.want(p2, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	p2, h2 = x.WithEvidence(x.ch, q2, x.who, p2, h2, h2)
	x.want(x.GivePIN(p2, h2, liuma.RoleNew, otherPIN), ceremony.StepDone, "")
}

// TestANumberThatNobodyKnows: where the registry holds no number of a physical card,
// nobody is asked for codes and evidence in vain.
func TestANumberThatNobodyKnows(t *testing.T) {
	x, _ := newStepped(t, policy.Steps{Reset: "code-card-evidence", Unfreeze: "code-card-pin"})
	x.forgetNumber()
	p, _ := x.agreed(x.push(liuma.ActionReset))
	x.want(p, ceremony.StepRefused, liuma.CodeCardNoNeeded)
	freezeIn(x)
	p, _ = x.agreed(x.push(liuma.ActionUnfreeze))
	x.want(p, ceremony.StepRefused, liuma.CodeCardNoNeeded)
}

// TestStepsFollowTheCardsRegion: the region of a push is the channel's word; the
// steps are those of the card's region.
func TestStepsFollowTheCardsRegion(t *testing.T) {
	for _, cards := range []liuma.Region{"330500", "440100"} {
		x := newPhoned(t, testkit.Options{Rules: threeProofsIn("330500")})
		x.moveCard(cards)
		q := x.push(liuma.ActionReset)
		q.Region = "440100"
		p, h := x.agreed(q)
		p = x.Code(p, h, x.who.Phone)
		if strict := p.Step == ceremony.StepCardNo; strict != (cards == "330500") {
			t.Errorf("a card of %s: step %s", cards, p.Step)
		}
	}
}

// TestStepsOfWhoIsRegisteredLater: who was not in the registry when the channel pushed
// applies by the proofs of their own region, not of the one that the channel named.
func TestStepsOfWhoIsRegisteredLater(t *testing.T) {
	for _, home := range []liuma.Region{"3305", "4401"} {
		env := testkit.New(t, testkit.Options{Rules: threeProofsIn("3305"), Phones: true})
		x := &phoned{Env: env, ch: env.Channel("zj-hrss"), who: env.People[0]}
		x.who.IDNumber, x.who.Name, x.who.Phone, x.who.CardNo = "330521195503070026", "王淑珍", "13512340000", "Q98765432"
		q := env.PushFor(x.ch, liuma.ActionEnroll, identity(x.who), &x.who)
		q.Region = "440100"
		pushed, err := x.Authority().Push(t.Context(), x.ch, q)
		if err != nil {
			t.Fatal(err)
		}
		file := "id_number,name,phone,card_no,region\n" + strings.Join([]string{x.who.IDNumber, x.who.Name, x.who.Phone, x.who.CardNo, string(home)}, ",") + "\n"
		if sum, err := x.System.Registry.Import(t.Context(), strings.NewReader(file), registry.ImportConfig{}); err != nil || sum.Kept != 1 {
			t.Fatalf("%+v, %v", sum, err)
		}
		p, err := x.Authority().LookAt(t.Context(), x.ch.Client.ID, pushed.RequestURI, ceremony.Hand{})
		if err == nil {
			p, err = x.Authority().Begin(t.Context(), p.ID, ceremony.Hand{RequestURI: pushed.RequestURI})
		}
		h := ceremony.Hand{Secret: p.Bound, Consent: p.ConsentHash}
		if err == nil {
			p, err = x.Authority().Agree(t.Context(), p.ID, h)
		}
		if err != nil {
			t.Fatal(err)
		}
		x.want(p, ceremony.StepCode, "")
		p = x.Code(p, h, x.who.Phone)
		if strict := p.Step == ceremony.StepCardNo; strict != (home == "3305") {
			t.Errorf("a person of %s: step %s", home, p.Step)
		}
	}
}

// threeProofsIn asks for the card's number in one region.
type threeProofsIn liuma.Region

func (l threeProofsIn) For(r liuma.Region, _ liuma.ChannelID) policy.Policy {
	p := policy.National()
	p.AllowStandInEvidence = true
	if r == liuma.Region(l) {
		p.Steps.Reset, p.Steps.Enroll = "code-card-evidence", "evidence-code-card"
	}
	return p
}

var _ authority.Rules = threeProofsIn("")

// forgetNumber takes the card's number out of what the registry says of the holder.
func (x *phoned) forgetNumber() {
	x.T.Helper()
	f := x.who
	f.CardNo = ""
	plain, err := f.Marshal()
	if err != nil {
		x.T.Fatal(err)
	}
	holder := x.System.Vault.Index(vault.IndexIDNumber, f.IDNumber)
	sealed, err := x.System.Vault.Seal(vault.PersonFacts, holder[:], plain)
	if err != nil {
		x.T.Fatal(err)
	}
	tamper(x.T.(*testing.T), x.Env, func(tx store.Tx) error {
		person, err := tx.Person(holder)
		person.Sealed = sealed
		return errors.Join(err, tx.UpsertPerson(person))
	})
}

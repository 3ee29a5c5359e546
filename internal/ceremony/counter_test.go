package ceremony_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

const deskNumber = "13900139001"

// atDesk is a card with a bound phone and known link, and a counter.
func atDesk(t *testing.T, o testkit.Options) (*phoned, *testkit.Desk) {
	t.Helper()
	x := newPhoned(t, o)
	return x, x.Desk("huzhou")
}

// ticket is a ticket's row.
func ticket(d *testkit.Desk, id liuma.TicketID) (t store.Ticket) {
	d.T.Helper()
	if err := d.System.Store.View(d.T.Context(), func(r store.Reader) (err error) {
		t, err = r.Ticket(id)
		return err
	}); err != nil {
		d.T.Fatal(err)
	}
	return t
}

// boundTo is the number that is bound to a person's card; empty: none is.
func boundTo(env *testkit.Env, f registry.Facts) (number string) {
	env.T.Helper()
	if err := env.System.Store.View(env.T.Context(), func(r store.Reader) error {
		card, err := r.CardByHolder(env.System.Vault.Index(vault.IndexIDNumber, f.IDNumber))
		if err == nil {
			_, number, err = env.System.Authority.Contact(r, card.ID)
		}
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}); err != nil {
		env.T.Fatal(err)
	}
	return number
}

// cardOf is the row of a person's card.
func cardOf(env *testkit.Env, f registry.Facts) (card store.Card) {
	env.T.Helper()
	if err := env.System.Store.View(env.T.Context(), func(r store.Reader) (err error) {
		card, err = r.CardByHolder(env.System.Vault.Index(vault.IndexIDNumber, f.IDNumber))
		return err
	}); err != nil {
		env.T.Fatal(err)
	}
	return card
}

// TestAResetAtTheCounter: it ends a lock, the old PIN and what was open, confirms no
// phone, and is told.
func TestAResetAtTheCounter(t *testing.T) {
	x, d := atDesk(t, testkit.Options{Shape: "2/3"})
	x.lock()
	open, hand := x.agreed(x.push(liuma.ActionReset))
	before := cardOf(x.Env, x.who)
	p, h := d.Begin(x.who, liuma.TicketReset)
	c := p.Counter
	if p.NameMasked != x.who.MaskedName() || p.IDMasked == "" || p.Action != liuma.ActionCounter || c == nil || c.Kind != liuma.TicketReset ||
		c.Clerk != string(d.Clerk) || c.Agency != "huzhou" || p.PhoneMasked != "" || p.CardNoMasked != "" {
		t.Errorf("the first page: %+v, %+v", p, c)
	}
	p, err := x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	x.want(p, ceremony.StepCode, "")
	p = d.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepPIN, "")
	p = x.GivePIN(p, h, liuma.RoleNew, otherPIN)
	x.want(p, ceremony.StepDone, "")
	if !p.Counter.PINFrom.IsZero() || p.EveryUse != nil {
		t.Errorf("the last page: %+v, %+v", p, p.Counter)
	}
	for secret, want := range map[string]liuma.Verdict{otherPIN: liuma.Right, goodPIN: liuma.Wrong} {
		if v := x.Verify(x.ch, x.card, secret); v.Verdict != want {
			t.Errorf("%s: %+v", secret, v)
		}
	}
	if is := ticket(d, p.Counter.Ticket); is.State != store.TicketUsed || is.Card != before.ID {
		t.Errorf("the ticket: %+v", is)
	}
	if got, err := x.Authority().Look(t.Context(), open.ID, hand); err != nil || got.Step != ceremony.StepRefused || got.Code != liuma.CodePINReset {
		t.Errorf("what was open: %s (%s), %v", got.Step, got.Code, err)
	}
	if !slices.Contains(x.Notices(x.who.Phone), "pin_reset") {
		t.Errorf("the holder was told: %v", x.Notices(x.who.Phone))
	}
	if _, err := x.Authority().WayBack(t.Context(), p.ID, h); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("a way back: %v", err)
	}
	for name, again := range map[string]func() error{
		"every use": func() error { _, err := x.Authority().NoticeEveryUse(t.Context(), p.ID, h, false); return err },
		"freeze":    func() error { _, err := x.Authority().FreezeOwn(t.Context(), p.ID, h); return err },
	} {
		if err := again(); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
			t.Errorf("%s on the last page: %v", name, err)
		}
	}
	x.Clock.Advance(time.Hour)
	if err := x.System.Ceremonies.MaintainOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := x.row(p.ID), error(nil); err != nil || v.Step != string(ceremony.StepDone) {
		t.Errorf("an hour later: %+v", v)
	}
}

// TestAPhoneAtTheCounter: the code goes to the new number, the old one is told, and the
// new one resets nothing online for three days.
func TestAPhoneAtTheCounter(t *testing.T) {
	for _, kind := range []liuma.TicketKind{liuma.TicketRebind, liuma.TicketRebindReset} {
		t.Run(string(kind), func(t *testing.T) {
			x, d := atDesk(t, testkit.Options{})
			p := d.Served(x.who, kind, deskNumber, otherPIN)
			if got := boundTo(x.Env, x.who); got != deskNumber {
				t.Errorf("bound is %s", got)
			}
			old, fresh := []string{"pin_set", "ticket_opened", "phone_changed_old"}, []string{"phone_changed_new"}
			if kind == liuma.TicketRebindReset {
				old[2], fresh[0] = "phone_pin_changed", "phone_pin_changed"
			}
			if !slices.Equal(x.Notices(x.who.Phone), old) || !slices.Equal(x.Notices(deskNumber), fresh) {
				t.Errorf("told: %v, %v", x.Notices(x.who.Phone), x.Notices(deskNumber))
			}
			want := goodPIN
			if kind == liuma.TicketRebindReset {
				want = otherPIN
			}
			if v := x.Verify(x.ch, x.card, want); v.Verdict != liuma.Right {
				t.Errorf("the PIN: %+v", v)
			}
			if is := ticket(d, p.Counter.Ticket); is.State != store.TicketUsed {
				t.Errorf("the ticket: %+v", is)
			}
			reset, _ := x.agreed(x.push(liuma.ActionReset))
			x.want(reset, ceremony.StepRefused, liuma.CodePhoneLate)
		})
	}
}

// TestAThawAtTheCounter ends a freeze, also one that was made while the phone was new.
func TestAThawAtTheCounter(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	freezeIn(x)
	p := d.Served(x.who, liuma.TicketUnfreeze, "", "")
	if is := ticket(d, p.Counter.Ticket); is.State != store.TicketUsed {
		t.Errorf("the ticket: %+v", is)
	}
	if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("the PIN: %+v", v)
	}
	if !slices.Contains(x.Notices(x.who.Phone), "card_unfrozen") {
		t.Errorf("told: %v", x.Notices(x.who.Phone))
	}
	if _, err := d.Asked(x.who, liuma.TicketUnfreeze, false); err == nil {
		t.Error("a card that is not frozen is thawed again")
	}
}

// TestAFirstPINAtTheCounter: with the registry's number in hand it counts at once, with
// another or with none three days later.
func TestAFirstPINAtTheCounter(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	for i, number := range []string{x.People[1].Phone, deskNumber, ""} {
		who := x.People[1+i]
		p := d.Served(who, liuma.TicketEnroll, number, goodPIN)
		if got := boundTo(x.Env, who); got != number {
			t.Errorf("%d: bound is %q", i, got)
		}
		card := cardOf(x.Env, who)
		at := x.Clock.Now().Add(72 * time.Hour)
		if i == 0 {
			at = time.Time{}
		}
		if !card.PINFrom.Equal(at) || !p.Counter.PINFrom.Equal(at) || card.Version == 0 || len(card.Consents) != 1 {
			t.Errorf("%d: counts from %v on, and the page says %v; want %v: %+v", i, card.PINFrom, p.Counter.PINFrom, at, card)
		}
		if is := ticket(d, p.Counter.Ticket); is.State != store.TicketUsed || is.Card != card.ID {
			t.Errorf("%d: the ticket: %+v", i, is)
		}
		v, err := x.Authority().Link(t.Context(), x.ch, x.LinkRequest(x.ch, who, goodPIN))
		if (v.Verdict == liuma.Right) != (i == 0) || err != nil || i > 0 && v.Code != liuma.CodeRefused {
			t.Errorf("%d: linking at once: %+v, %v", i, v, err)
		}
		if card = cardOf(x.Env, who); i > 0 && card.Tally.Spent != 0 {
			t.Errorf("%d: a guess was counted: %+v", i, card.Tally)
		}
	}
	x.Clock.Advance(72 * time.Hour)
	for _, who := range x.People[2:4] {
		if v, err := x.Authority().Link(t.Context(), x.ch, x.LinkRequest(x.ch, who, goodPIN)); err != nil || v.Verdict != liuma.Right {
			t.Errorf("three days later: %+v, %v", v, err)
		}
	}
}

// TestAFirstPINNeedsAConsent: nothing goes on from a page whose text was not agreed to.
func TestAFirstPINNeedsAConsent(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	p, h := d.Begin(x.People[1], liuma.TicketEnroll)
	if p.Consent == nil {
		t.Fatal("no text")
	}
	h.Consent = ""
	if _, err := x.Authority().Agree(t.Context(), p.ID, h); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("without it: %v", err)
	}
}

// waiting is a card without a phone whose PIN was set at the counter and does not count
// yet, linked at home from before.
func waiting(t *testing.T, o testkit.Options) (*phoned, *testkit.Desk) {
	t.Helper()
	o.Phones = true
	env := testkit.New(t, o)
	x := &phoned{Env: env, ch: env.Channel("zj-hrss"), who: env.People[0]}
	x.card = env.Enroll(x.ch, x.who, goodPIN) // at the native door, which binds no phone
	env.Clock.Advance(73 * time.Hour)
	d := env.Desk("huzhou")
	d.Served(x.who, liuma.TicketReset, "", otherPIN)
	return x, d
}

// TestAPINThatDoesNotCountYet: until its time every attempt at every door is
// refused with the time, counts nowhere and takes no business number.
func TestAPINThatDoesNotCountYet(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		x, _ := waiting(t, testkit.Options{Shape: shape})
		from := x.Clock.Now().Add(72 * time.Hour)
		before := counted(t, x.Env, cardOf(x.Env, x.who).ID)
		verify := x.VerifyRequest(x.ch, x.card, otherPIN)
		proved := x.VerifyRequest(x.ch, x.card, otherPIN)
		proved.Evidence = x.Evidence(x.who, proved.Challenge)
		change := x.ChangeRequest(x.ch, x.card, otherPIN, "730146")
		change.Evidence = x.Evidence(x.who, change.Challenge)
		for name, err := range map[string]error{
			"verify":               second(x.Authority().Verify(t.Context(), x.ch, verify)),
			"verify with evidence": second(x.Authority().Verify(t.Context(), x.ch, proved)),
			"change with evidence": second(x.Authority().Change(t.Context(), x.ch, change)),
		} {
			if e := wantCode(t, err, liuma.CodePINNotYet); !e.Until.Equal(from) {
				t.Errorf("%s: until %v, want %v", name, e.Until, from)
			}
		}
		for _, a := range []liuma.Action{liuma.ActionVerify, liuma.ActionChange} {
			p, _ := x.OpenPage(x.ch, x.push(a))
			if x.want(p, ceremony.StepRefused, liuma.CodePINNotYet); !p.Until.Equal(from) {
				t.Errorf("page of %s: until %v", a, p.Until)
			}
		}
		far := x.Channel("far")
		if v, err := x.Authority().Link(t.Context(), far, x.LinkRequest(far, x.who, otherPIN)); err != nil || v.Code != liuma.CodeRefused || v.Verdict != "" {
			t.Errorf("link: %+v, %v", v, err)
		}
		if now := counted(t, x.Env, cardOf(x.Env, x.who).ID); !slices.Equal(now, before) || cardOf(x.Env, x.who).Tally.Spent != 0 {
			t.Errorf("counted: %v, were %v", now, before)
		}
		x.Clock.Advance(72 * time.Hour)
		verify = x.VerifyRequest(x.ch, x.card, otherPIN)
		if v, err := x.Authority().Verify(t.Context(), x.ch, verify); err != nil || v.Verdict != liuma.Right {
			t.Errorf("from then on: %+v, %v", v, err)
		}
	}
}

func second(_ authority.Verification, err error) error { return err }

// TestAWaitingPINsNumberStaysFree: the same request is decided when the PIN counts, as
// far as its challenge lasts.
func TestAWaitingPINsNumberStaysFree(t *testing.T) {
	x, _ := waiting(t, testkit.Options{})
	x.Clock.Advance(72*time.Hour - time.Minute)
	q := x.VerifyRequest(x.ch, x.card, otherPIN)
	_, err := x.Authority().Verify(t.Context(), x.ch, q)
	wantCode(t, err, liuma.CodePINNotYet)
	x.Clock.Advance(time.Minute)
	if v, err := x.Authority().Verify(t.Context(), x.ch, q); err != nil || v.Verdict != liuma.Right {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestAPadFromBeforeTheCounter: a pad that was opened before the counter set a PIN that
// waits does not try the one that is typed there.
func TestAPadFromBeforeTheCounter(t *testing.T) {
	env := testkit.New(t, testkit.Options{Phones: true})
	x := &phoned{Env: env, ch: env.Channel("zj-hrss"), who: env.People[0]}
	x.card = env.Enroll(x.ch, x.who, goodPIN)
	d := env.Desk("huzhou")
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	g := ceremony.Given{Try: p.Try, Current: x.SealPage(p, liuma.RoleCurrent, otherPIN)}
	d.Served(x.who, liuma.TicketReset, "", otherPIN)
	p, err := x.Authority().GivePIN(t.Context(), p.ID, h, g)
	if err != nil || p.Step != ceremony.StepRefused || p.Code != liuma.CodePINNotYet && p.Code != liuma.CodePINReset {
		t.Errorf("the page is at %s (%s), %v", p.Step, p.Code, err)
	}
	if got := cardOf(env, x.who).Tally.Spent; got != 0 {
		t.Errorf("%d guesses were counted", got)
	}
}

// TestAWaitingPINThatIsStopped: who finds out that a PIN waits has the card
// frozen, and nothing but the counter makes that PIN count.
func TestAWaitingPINThatIsStopped(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	who := x.People[1]
	d.Served(who, liuma.TicketEnroll, deskNumber, goodPIN)
	hotline := authority.Caller{Client: x.AddClient(store.Client{ID: "h12333", Kind: store.ClientHotline}, x.NewKey())}
	if _, err := x.Authority().FreezeByHotline(t.Context(), hotline, authority.HotlineFreeze{BusinessNo: x.BusinessNo(), IDNumber: who.IDNumber}); err != nil {
		t.Fatal(err)
	}
	x.Clock.Advance(80 * time.Hour)
	// A link that its thief made would be needed first, and no link takes a frozen card's PIN.
	v, err := x.Authority().Link(t.Context(), x.ch, x.LinkRequest(x.ch, who, goodPIN))
	if err != nil || v.Code != liuma.CodeRefused {
		t.Fatalf("link: %+v, %v", v, err)
	}
	d.Served(who, liuma.TicketUnfreeze, "", "")
	if v, err := x.Authority().Link(t.Context(), x.ch, x.LinkRequest(x.ch, who, goodPIN)); err != nil || v.Verdict != liuma.Right {
		t.Errorf("after the counter: %+v, %v", v, err)
	}
}

// TestAStoppedWaitingPINIsNotThawedOnline: the phone that was bound with it thaws nothing.
func TestAStoppedWaitingPINIsNotThawedOnline(t *testing.T) {
	env := testkit.New(t, testkit.Options{Phones: true})
	x := &phoned{Env: env, ch: env.Channel("zj-hrss"), who: env.People[0]}
	x.card = env.Enroll(x.ch, x.who, goodPIN)
	env.Clock.Advance(73 * time.Hour)
	d := env.Desk("huzhou")
	d.Served(x.who, liuma.TicketRebindReset, deskNumber, otherPIN)
	freezeIn(x)
	env.Clock.Advance(80 * time.Hour)
	p, _ := x.agreed(x.push(liuma.ActionUnfreeze))
	x.want(p, ceremony.StepRefused, liuma.CodePINStopped)
	d.Served(x.who, liuma.TicketUnfreeze, "", "")
	if v := x.Verify(x.ch, x.card, otherPIN); v.Verdict != liuma.Right {
		t.Errorf("after the counter: %+v", v)
	}
}

// TestASecondTicketEndsNoWait: a phone that a pair bound a moment ago is nobody who
// was told, so a second ticket does not end the wait of the first.
func TestASecondTicketEndsNoWait(t *testing.T) {
	const third = "13700137000"
	for name, first := range map[string]func(x *phoned, d *testkit.Desk) registry.Facts{
		"after a first PIN": func(x *phoned, d *testkit.Desk) registry.Facts {
			d.Served(x.People[1], liuma.TicketEnroll, deskNumber, goodPIN)
			return x.People[1]
		},
		"after a phone": func(x *phoned, d *testkit.Desk) registry.Facts {
			d.Served(x.who, liuma.TicketRebind, deskNumber, "")
			return x.who
		},
		"after two phones": func(x *phoned, d *testkit.Desk) registry.Facts {
			d.Served(x.who, liuma.TicketRebind, deskNumber, "")
			x.Clock.Advance(time.Hour)
			d.Served(x.who, liuma.TicketRebind, third, "")
			return x.who
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := testkit.New(t, testkit.Options{Phones: true})
			x := &phoned{Env: env, ch: env.Channel("zj-hrss"), who: env.People[0]}
			x.card = env.Enroll(x.ch, x.who, goodPIN) // at the native door, which binds no phone
			d := env.Desk("huzhou")
			who := first(x, d)
			env.Clock.Advance(time.Hour)
			p := d.Served(who, liuma.TicketReset, "", otherPIN)
			want := env.Clock.Now().Add(72 * time.Hour)
			if from := cardOf(env, who).PINFrom; !from.Equal(want) || !p.Counter.PINFrom.Equal(want) {
				t.Errorf("the PIN counts from %v, and the page says %v; want %v", from, p.Counter.PINFrom, want)
			}
			env.Clock.Advance(72 * time.Hour)
			d.Served(who, liuma.TicketReset, "", goodPIN)
			if from := cardOf(env, who).PINFrom; !from.IsZero() {
				t.Errorf("a phone of three days ago is not told: the PIN counts from %v", from)
			}
		})
	}
}

// TestATicketIsOneBrowsers: whoever has the code too comes too late, and the browser that
// has it finds its page again.
func TestATicketIsOneBrowsers(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	id, code := d.Ticket(x.who, liuma.TicketReset, false)
	p, err := x.Authority().BeginTicket(t.Context(), code[:4]+" "+code[4:], ceremony.Hand{})
	if err != nil {
		t.Fatal(err)
	}
	h := ceremony.Hand{Secret: p.Bound, Consent: p.ConsentHash}
	for name, other := range map[string]ceremony.Hand{"another browser": {}, "a wrong secret": {Secret: "x"}} {
		if q, err := x.Authority().Look(t.Context(), p.ID, other); err != nil || !q.Elsewhere || q.NameMasked != "" {
			t.Errorf("%s looks: %+v, %v", name, q, err)
		}
	}
	again, err := x.Authority().BeginTicket(t.Context(), code, h)
	if err != nil || again.ID != p.ID || again.Bound != "" {
		t.Errorf("again: %+v, %v", again, err)
	}
	if is := ticket(d, id); is.State != store.TicketAsked || is.Ceremony != p.ID {
		t.Errorf("the ticket: %+v", is)
	}
	left, err := x.Authority().Leave(t.Context(), p.ID, h)
	if err != nil || left.Step != ceremony.StepLeft || left.NameMasked != "" {
		t.Errorf("left: %+v, %v", left, err)
	}
	if is := ticket(d, id); is.State != store.TicketStopped || is.Ended != store.TicketEndedLeft {
		t.Errorf("the ticket that was left: %+v", is)
	}
	if _, err := x.Authority().BeginTicket(t.Context(), code, ceremony.Hand{}); liuma.CodeOf(err) != liuma.CodeTicketUnknown {
		t.Errorf("after it was left: %v", err)
	}
}

// TestATicketFallsWithWhatItStandsOn: at each step of the longest way, whatever takes the
// ticket away ends the ceremony there, and nothing comes about.
func TestATicketFallsWithWhatItStandsOn(t *testing.T) {
	for name, fall := range map[string]struct {
		do   func(x *phoned, d *testkit.Desk, id liuma.TicketID)
		want liuma.Code
	}{
		"a freeze":              {func(x *phoned, _ *testkit.Desk, _ liuma.TicketID) { freezeIn(x) }, liuma.CodeTicketEnded},
		"the clerk's end":       {func(_ *phoned, d *testkit.Desk, _ liuma.TicketID) { d.Suspend(d.Clerk) }, liuma.CodeTicketEnded},
		"the supervisor's end":  {func(_ *phoned, d *testkit.Desk, _ liuma.TicketID) { d.Suspend(d.Supervisor) }, liuma.CodeTicketEnded},
		"a withdrawal":          {withdraw, liuma.CodeTicketEnded},
		"fifteen minutes":       {func(x *phoned, _ *testkit.Desk, _ liuma.TicketID) { x.Clock.Advance(15 * time.Minute) }, liuma.CodeCeremonyExpired},
		"a cancelled card":      {func(x *phoned, _ *testkit.Desk, _ liuma.TicketID) { x.cancel() }, ""},
		"another reset of hers": {func(x *phoned, _ *testkit.Desk, _ liuma.TicketID) { x.stopAndThaw() }, liuma.CodeTicketEnded},
	} {
		for _, at := range []ceremony.Step{ceremony.StepConfirm, ceremony.StepPhone, ceremony.StepCode, ceremony.StepPIN} {
			t.Run(name+" at "+string(at), func(t *testing.T) {
				x, d := atDesk(t, testkit.Options{})
				d.Away = true
				p, h := d.Begin(x.who, liuma.TicketRebindReset)
				a, ctx := x.Authority(), t.Context()
				must := func(next ceremony.Page, err error) {
					if p = next; err != nil {
						t.Fatal(err)
					}
				}
				if at != ceremony.StepConfirm {
					must(a.Agree(ctx, p.ID, h))
				}
				if at == ceremony.StepCode || at == ceremony.StepPIN {
					must(a.GivePhone(ctx, p.ID, h, deskNumber))
					must(a.SendCode(ctx, p.ID, h, liuma.ByText))
				}
				if at == ceremony.StepPIN {
					must(a.GiveCode(ctx, p.ID, h, x.LastCode(deskNumber)))
				}
				if p.Step != at {
					t.Fatalf("at %s", p.Step)
				}
				before := cardOf(x.Env, x.who).Version
				fall.do(x, d, p.Counter.Ticket)
				var err error
				switch at {
				case ceremony.StepConfirm:
					p, err = a.Agree(ctx, p.ID, h)
				case ceremony.StepPhone:
					p, err = a.GivePhone(ctx, p.ID, h, deskNumber)
				case ceremony.StepCode:
					p, err = a.GiveCode(ctx, p.ID, h, x.LastCode(deskNumber))
				default:
					p, err = a.GivePIN(ctx, p.ID, h, ceremony.Given{Try: p.Try, New: x.SealPage(p, liuma.RoleNew, otherPIN)})
				}
				code := p.Code
				if err != nil {
					code = liuma.CodeOf(err)
				}
				if p.Step == ceremony.StepDone || code == "" || fall.want != "" && code != fall.want {
					t.Errorf("%s (%s), %v", p.Step, code, err)
				}
				if cardOf(x.Env, x.who).Version != before || boundTo(x.Env, x.who) != x.who.Phone {
					t.Error("something came about")
				}
				if p.NameMasked != "" {
					t.Error("the page names its holder still")
				}
			})
		}
	}
}

func withdraw(x *phoned, d *testkit.Desk, id liuma.TicketID) {
	if err := d.System.Counter.Withdraw(context.Background(), d.Clerk, id); err != nil {
		x.T.Fatal(err)
	}
}

// cancel has the registry cancel the physical card.
func (x *phoned) cancel() {
	x.T.Helper()
	tamper(x.T.(*testing.T), x.Env, func(tx store.Tx) error {
		card, err := tx.CardByHolder(x.System.Vault.Index(vault.IndexIDNumber, x.who.IDNumber))
		card.Physical = liuma.PhysicalCancelled
		return errors.Join(err, tx.UpdateCard(card))
	})
}

// stopAndThaw is a freeze and its end: what was opened before it stands no more.
func (x *phoned) stopAndThaw() {
	x.T.Helper()
	freezeIn(x)
	tamper(x.T.(*testing.T), x.Env, func(tx store.Tx) error {
		card, err := tx.CardByHolder(x.System.Vault.Index(vault.IndexIDNumber, x.who.IDNumber))
		return errors.Join(err, tx.UpdateCard(card.Thawed()))
	})
}

// TestAFreezeWhileAPINIsBeingSet: keepers hold the PIN already, so it is set; but the
// card stays frozen, no phone is bound, and nothing online makes the PIN count.
func TestAFreezeWhileAPINIsBeingSet(t *testing.T) {
	env, hook := hookedPhones(t)
	x := &phoned{Env: env, ch: env.Channel("zj-hrss"), who: env.People[0]}
	x.card = env.EnrollPhone(x.ch, x.who, goodPIN)
	env.Clock.Advance(73 * time.Hour)
	d := env.Desk("huzhou")
	p, h := d.Agreed(x.who, liuma.TicketRebindReset)
	p = d.Pad(p, h, deskNumber)
	hook.set(nil, once(func() { freezeIn(x) }))
	if _, err := x.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: p.Try, New: x.SealPage(p, liuma.RoleNew, otherPIN)}); err != nil {
		t.Fatal(err)
	}
	hook.set(nil, nil)
	card := cardOf(env, x.who)
	if !card.Frozen || card.PINFrom.IsZero() || boundTo(env, x.who) != x.who.Phone {
		t.Errorf("frozen %v, counts from %v, bound %s", card.Frozen, card.PINFrom, boundTo(env, x.who))
	}
	env.Clock.Advance(80 * time.Hour)
	u, _ := x.agreed(x.push(liuma.ActionUnfreeze))
	x.want(u, ceremony.StepRefused, liuma.CodePINStopped)
}

// hookedPhones is hooked with an outbox.
func hookedPhones(t *testing.T) (*testkit.Env, *hooks) {
	t.Helper()
	h := &hooks{}
	return testkit.New(t, testkit.Options{Phones: true, Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, h} }}), h
}

// TestNoChannelPushesACounter: the act is the service's own.
func TestNoChannelPushesACounter(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	d.Ticket(x.who, liuma.TicketReset, false)
	q := x.push(liuma.ActionCounter)
	greedy := x.ch
	greedy.Client.Actions = append(slices.Clone(greedy.Client.Actions), liuma.ActionCounter)
	for name, c := range map[string]authority.Caller{"a channel": x.ch, "one that was given it": greedy,
		"the counter's own client": {Client: store.Client{ID: store.CounterClient, Kind: store.ClientCounter}}} {
		if _, err := x.Authority().Push(t.Context(), c, q); liuma.CodeOf(err) != liuma.CodeBadRequest && liuma.CodeOf(err) != liuma.CodeForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	own := authority.Caller{Client: store.Client{ID: store.CounterClient, Kind: store.ClientCounter}}
	if _, err := x.Authority().Verify(t.Context(), own, x.VerifyRequest(x.ch, x.card, goodPIN)); liuma.CodeOf(err) != liuma.CodeForbidden {
		t.Errorf("the counter verifies: %v", err)
	}
	if _, err := liuma.ParseAction(string(liuma.ActionCounter)); err == nil {
		t.Error("a channel can be registered for it")
	}
}

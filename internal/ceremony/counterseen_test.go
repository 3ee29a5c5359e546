package ceremony_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestNothingGoesOnBeforeTheApproval: until the supervisor has typed the number, the page
// shows that and who stands behind it, and every step is one too early; then the same
// browser goes on.
func TestNothingGoesOnBeforeTheApproval(t *testing.T) {
	for _, kind := range liuma.TicketKinds() {
		if kind.Holderless() {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			x, d := atDesk(t, testkit.Options{})
			f := x.who
			switch kind {
			case liuma.TicketUnfreeze:
				freezeIn(x)
			case liuma.TicketEnroll:
				f = x.People[1]
			case liuma.TicketOpen:
				t.Skip("no card that only keepers know here; TestOpening has one")
			}
			before := cardOf(x.Env, x.who)
			p, h := d.Shown(f, kind)
			if c := p.Counter; len(c.Number) != 4 || c.Clerk != string(d.Clerk) || c.Kind != kind || p.NameMasked != f.MaskedName() || p.Consent != nil {
				t.Errorf("%+v, %+v", p, c)
			}
			a, ctx := x.Authority(), t.Context()
			for name, do := range map[string]func() (ceremony.Page, error){
				"agree":    func() (ceremony.Page, error) { return a.Agree(ctx, p.ID, h) },
				"a phone":  func() (ceremony.Page, error) { return a.GivePhone(ctx, p.ID, h, deskNumber) },
				"no phone": func() (ceremony.Page, error) { return a.NoPhone(ctx, p.ID, h) },
				"send":     func() (ceremony.Page, error) { return a.SendCode(ctx, p.ID, h, liuma.ByText) },
				"a code":   func() (ceremony.Page, error) { return a.GiveCode(ctx, p.ID, h, "123456") },
				"a PIN":    func() (ceremony.Page, error) { return a.GivePIN(ctx, p.ID, h, ceremony.Given{Try: p.Try}) },
			} {
				if _, err := do(); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
					t.Errorf("%s: %v", name, err)
				}
			}
			if got, err := a.Look(ctx, p.ID, h); err != nil || got.Step != ceremony.StepNumber || got.Counter.Number != p.Counter.Number {
				t.Errorf("looked again: %+v, %v", got, err)
			}
			if got, err := a.Look(ctx, p.ID, ceremony.Hand{}); err != nil || got.Counter != nil {
				t.Errorf("another browser sees a number: %+v, %v", got, err)
			}
			if cardOf(x.Env, x.who).Version != before.Version {
				t.Error("something came about")
			}
			p = d.Approve(p, h)
			if p.Counter.Number != "" {
				t.Error("the number stands there still")
			}
			if is := ticket(d, p.Counter.Ticket); is.State != store.TicketTaken || !p.Expires.Equal(x.System.Authority.ToWall(is.OpenedAt.Add(15*time.Minute))) {
				t.Errorf("%+v, until %s", is, p.Expires)
			}
			h.Consent = p.ConsentHash
			if p, err := a.Agree(ctx, p.ID, h); err != nil || p.Step == ceremony.StepConfirm {
				t.Errorf("afterwards: %+v, %v", p, err)
			}
		})
	}
}

// TestAWaitingPageEndsWithItsTicket: declined, withdrawn, stopped, left or after half an
// hour it names nobody and shows no number.
func TestAWaitingPageEndsWithItsTicket(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(x *phoned, d *testkit.Desk, id liuma.TicketID)
		want liuma.Code
	}{
		"declined": {func(x *phoned, d *testkit.Desk, id liuma.TicketID) {
			if err := d.System.Counter.Decline(x.T.Context(), d.Supervisor, id, "the photo is another's"); err != nil {
				x.T.Fatal(err)
			}
		}, liuma.CodeTicketEnded},
		"withdrawn":      {withdraw, liuma.CodeTicketEnded},
		"frozen":         {func(x *phoned, _ *testkit.Desk, _ liuma.TicketID) { freezeIn(x) }, liuma.CodeTicketEnded},
		"the clerk left": {func(_ *phoned, d *testkit.Desk, _ liuma.TicketID) { d.Suspend(d.Clerk) }, liuma.CodeTicketEnded},
		"half an hour":   {func(x *phoned, _ *testkit.Desk, _ liuma.TicketID) { x.Clock.Advance(30 * time.Minute) }, liuma.CodeCeremonyExpired},
	} {
		t.Run(name, func(t *testing.T) {
			x, d := atDesk(t, testkit.Options{})
			p, h := d.Shown(x.who, liuma.TicketReset)
			end.do(x, d, p.Counter.Ticket)
			got, err := x.Authority().Look(t.Context(), p.ID, h)
			if err != nil || got.Code != end.want || got.NameMasked != "" || got.Counter == nil || got.Counter.Number != "" {
				t.Errorf("%+v, %+v, %v", got, got.Counter, err)
			}
			if _, err := d.System.Counter.Approve(t.Context(), d.Supervisor, p.Counter.Ticket, p.Counter.Number); err == nil {
				t.Error("it is approved")
			}
		})
	}
}

// TestTheBoundPhoneIsAskedAtTheCounter: a reset and an unfreezing take its code beside clerk
// and supervisor, through a freeze of a code's rations as well, unless the clerk said that
// the phone is away. TestTheBoundPhonesCodeComesBeforeTheNewNumber has the rebindings.
func TestTheBoundPhoneIsAskedAtTheCounter(t *testing.T) {
	for _, kind := range []liuma.TicketKind{liuma.TicketReset, liuma.TicketUnfreeze} {
		t.Run(string(kind), func(t *testing.T) {
			x, d := atDesk(t, testkit.Options{})
			if kind == liuma.TicketUnfreeze {
				freezeIn(x)
			}
			before := cardOf(x.Env, x.who)
			p, h := d.Begin(x.who, kind)
			if !p.Counter.Own || p.PhoneMasked != "" {
				t.Errorf("the first page: %+v, %+v", p, p.Counter)
			}
			a, ctx := x.Authority(), t.Context()
			p, err := a.Agree(ctx, p.ID, h)
			if err != nil {
				t.Fatal(err)
			}
			x.want(p, ceremony.StepCode, "")
			if p.PhoneMasked != x.who.MaskedPhone() {
				t.Errorf("the code goes to %s", p.PhoneMasked)
			}
			if _, err := a.GivePIN(ctx, p.ID, h, ceremony.Given{Try: p.Try}); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
				t.Errorf("the code is skipped: %v", err)
			}
			x.Clock.Advance(time.Minute)
			x.send(p, h)
			wrong, err := a.GiveCode(ctx, p.ID, h, "000000")
			if err != nil || wrong.Step != ceremony.StepCode || wrong.Code != liuma.CodePhoneCodeWrong {
				t.Errorf("a wrong code: %s (%s), %v", wrong.Step, wrong.Code, err)
			}
			if now := cardOf(x.Env, x.who); now.Frozen != before.Frozen || now.Version != before.Version {
				t.Error("something came about")
			}
			p, err = a.GiveCode(ctx, p.ID, h, x.LastCode(x.who.Phone))
			if err != nil {
				t.Fatal(err)
			}
			if kind == liuma.TicketUnfreeze {
				x.want(p, ceremony.StepDone, "")
				if cardOf(x.Env, x.who).Frozen || len(x.recorded(audit.CardUnfrozen)) != 1 {
					t.Errorf("frozen %v, recorded %v", cardOf(x.Env, x.who).Frozen, x.recorded(audit.CardUnfrozen))
				}
				return
			}
			x.want(p, ceremony.StepPIN, "")
			x.want(x.GivePIN(p, h, liuma.RoleNew, otherPIN), ceremony.StepDone, "")
		})
	}
	for _, kind := range []liuma.TicketKind{liuma.TicketReset, liuma.TicketUnfreeze, liuma.TicketRebind, liuma.TicketRebindReset} {
		t.Run("away/"+string(kind), func(t *testing.T) {
			x, d := atDesk(t, testkit.Options{})
			d.Away = true
			if kind == liuma.TicketUnfreeze {
				freezeIn(x)
			}
			p, h := d.Begin(x.who, kind)
			p, err := x.Authority().Agree(t.Context(), p.ID, h)
			if err != nil || p.Counter.Own || p.Step == ceremony.StepCode {
				t.Errorf("%+v, %+v, %v", p, p.Counter, err)
			}
			if is := ticket(d, p.Counter.Ticket); is.ReviewUntil.IsZero() {
				t.Errorf("nobody looks at it afterwards: %+v", is)
			}
		})
	}
}

// TestTheBoundPhonesCodeComesBeforeTheNewNumber: both rebindings take the code of the phone
// that is bound before they take a number in its place, and no step is skipped; the new
// number's code is another one. Else a clerk in a holder's place asks for a rebinding, and
// has what a reset would have refused them.
func TestTheBoundPhonesCodeComesBeforeTheNewNumber(t *testing.T) {
	for _, kind := range []liuma.TicketKind{liuma.TicketRebind, liuma.TicketRebindReset} {
		t.Run(string(kind), func(t *testing.T) {
			x, d := atDesk(t, testkit.Options{})
			a, ctx := x.Authority(), t.Context()
			p, h := d.Begin(x.who, kind)
			if !p.Counter.Own {
				t.Error("the first page does not say so")
			}
			must := func(next ceremony.Page, err error) {
				t.Helper()
				if p = next; err != nil {
					t.Fatal(err)
				}
			}
			must(a.Agree(ctx, p.ID, h))
			x.want(p, ceremony.StepCode, "")
			if p.PhoneMasked != x.who.MaskedPhone() || !p.CodeToBound {
				t.Errorf("the code goes to %s, bound %v", p.PhoneMasked, p.CodeToBound)
			}
			if q, err := a.GivePhone(ctx, p.ID, h, deskNumber); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
				t.Errorf("a number before the bound phone's code: %s, %v", q.Step, err)
			}
			x.Clock.Advance(time.Minute)
			x.send(p, h)
			old := x.LastCode(x.who.Phone)
			must(a.GiveCode(ctx, p.ID, h, old))
			x.want(p, ceremony.StepPhone, "")
			must(a.GivePhone(ctx, p.ID, h, deskNumber))
			x.want(p, ceremony.StepCode, "")
			if p.PhoneMasked == x.who.MaskedPhone() || p.CodeToBound {
				t.Errorf("the second code goes to %s, bound %v", p.PhoneMasked, p.CodeToBound)
			}
			x.Clock.Advance(time.Minute)
			x.send(p, h)
			if q, err := a.GiveCode(ctx, p.ID, h, old); err != nil || q.Step != ceremony.StepCode || q.Code == "" {
				t.Errorf("the bound phone's code again: %s (%s), %v", q.Step, q.Code, err)
			}
			must(a.GiveCode(ctx, p.ID, h, x.LastCode(deskNumber)))
			if kind == liuma.TicketRebindReset {
				x.want(p, ceremony.StepPIN, "")
				p = x.GivePIN(p, h, liuma.RoleNew, otherPIN)
			}
			x.want(p, ceremony.StepDone, "")
			if got := boundTo(x.Env, x.who); got != deskNumber {
				t.Errorf("bound is %s", got)
			}
		})
	}
}

// TestAWrongRationHoldsAtTheCounter: five wrong codes a day, over all tickets; then the clerk
// says that the phone is away.
func TestAWrongRationHoldsAtTheCounter(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	var last liuma.Code
	for range 2 {
		p, h := d.Begin(x.who, liuma.TicketReset)
		p, err := x.Authority().Agree(t.Context(), p.ID, h)
		if err != nil {
			t.Fatal(err)
		}
		x.Clock.Advance(time.Minute)
		x.send(p, h)
		for range 3 {
			q, err := x.Authority().GiveCode(t.Context(), p.ID, h, "000000")
			if err != nil {
				t.Fatal(err)
			}
			last = q.Code
		}
	}
	if last != liuma.CodePhoneCodesSpent {
		t.Errorf("after six wrong ones: %s", last)
	}
	d.Away = true
	p, h := d.Agreed(x.who, liuma.TicketReset)
	x.want(x.GivePIN(p, h, liuma.RoleNew, otherPIN), ceremony.StepDone, "")
	if !slices.Contains(x.Notices(x.who.Phone), "pin_reset") {
		t.Error("the holder was not told")
	}
}

// TestNothingIsWithdrawnUnderTheKeepers: while a new PIN is on its way the clerk hears that it is
// carried through, and neither withdraws the ticket nor opens another in its place (I-7).
func TestNothingIsWithdrawnUnderTheKeepers(t *testing.T) {
	env, hook := hookedPhones(t)
	x := &phoned{Env: env, ch: env.Channel("zj-hrss"), who: env.People[0]}
	x.card = env.EnrollPhone(x.ch, x.who, goodPIN)
	env.Clock.Advance(73 * time.Hour)
	d := env.Desk("huzhou")
	p, h := d.Agreed(x.who, liuma.TicketReset)
	var withdrawn, replaced error
	hook.set(nil, once(func() {
		withdrawn = d.System.Counter.Withdraw(t.Context(), d.Clerk, p.Counter.Ticket)
		_, replaced = d.Asked(x.who, liuma.TicketReset, false)
	}))
	p = x.GivePIN(p, h, liuma.RoleNew, otherPIN)
	hook.set(nil, nil)
	x.want(p, ceremony.StepDone, "")
	if !errors.Is(withdrawn, counter.ErrCarried) || !errors.Is(replaced, counter.ErrCarried) {
		t.Errorf("withdrawn: %v; replaced: %v", withdrawn, replaced)
	}
	if is := ticket(d, p.Counter.Ticket); is.State != store.TicketUsed {
		t.Errorf("%+v", is)
	}
}

// TestTwoBrowsersEndATicket: whoever has the code too and comes first is not the person, or
// who comes second is not: the ticket ends, waiting or approved, is reviewed, and does
// nothing; a picked supervisor who scans the code is found out so.
func TestTwoBrowsersEndATicket(t *testing.T) {
	for _, approved := range []bool{false, true} {
		x, d := atDesk(t, testkit.Options{})
		id, code := d.Ticket(x.who, liuma.TicketRebindReset, false)
		p, err := x.Authority().BeginTicket(t.Context(), code, ceremony.Hand{Source: "192.0.2.66", Press: "theirs"})
		if err != nil {
			t.Fatal(err)
		}
		h := ceremony.Hand{Secret: p.Bound}
		if approved {
			p = d.Approve(p, h)
			h.Consent = p.ConsentHash
		}
		_, err = x.Authority().BeginTicket(t.Context(), code, ceremony.Hand{Source: "192.0.2.7", Press: "the person's"})
		if liuma.CodeOf(err) != liuma.CodeTicketTaken {
			t.Errorf("the second browser: %v", err)
		}
		is := ticket(d, id)
		if is.State != store.TicketStopped || is.Ended != store.TicketEndedTwice || is.ReviewUntil.IsZero() {
			t.Errorf("approved %v: %+v", approved, is)
		}
		if _, err := x.System.Counter.Approve(t.Context(), d.Supervisor, id, x.System.Counter.Number(is)); err == nil {
			t.Error("it is approved all the same")
		}
		if q, err := x.Authority().Look(t.Context(), p.ID, h); err != nil || q.Step != ceremony.StepRefused || q.NameMasked != "" {
			t.Errorf("the first browser: %+v %v", q, err)
		}
		if _, err := x.Authority().Agree(t.Context(), p.ID, h); err == nil && approved {
			if q, _ := x.Authority().Look(t.Context(), p.ID, h); q.Step != ceremony.StepRefused {
				t.Errorf("it goes on: %s", q.Step)
			}
		}
	}
}

// TestPressedTwiceIsNoSecondBrowser: a button that was pressed twice, or a page that was
// loaded again, finds its own page, also where the first answer was lost with its cookie;
// and once the ticket is approved, only the browser with the secret does.
func TestPressedTwiceIsNoSecondBrowser(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	id, code := d.Ticket(x.who, liuma.TicketReset, false)
	hand := ceremony.Hand{Press: "this browser"}
	p, err := x.Authority().BeginTicket(t.Context(), code, hand)
	if err != nil {
		t.Fatal(err)
	}
	again, err := x.Authority().BeginTicket(t.Context(), code, hand)
	if err != nil || again.ID != p.ID || again.Bound == "" || again.Bound == p.Bound {
		t.Fatalf("%+v %v", again, err)
	}
	h := ceremony.Hand{Secret: again.Bound}
	if q, err := x.Authority().BeginTicket(t.Context(), code, h); err != nil || q.ID != p.ID || q.Bound != "" {
		t.Errorf("loaded again: %+v %v", q, err)
	}
	if is := ticket(d, id); is.State != store.TicketAsked || is.Ceremony != p.ID {
		t.Errorf("%+v", is)
	}
	d.Approve(again, h)
	if q, err := x.Authority().BeginTicket(t.Context(), code, hand); err == nil {
		t.Errorf("after the approval without the secret: %+v", q)
	}
}

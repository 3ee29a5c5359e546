package ceremony_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// toEvidence brings a reset to its evidence step, with the bound phone's code right.
func (x *phoned) toEvidence() (ceremony.Push, ceremony.Page, ceremony.Hand) {
	x.T.Helper()
	q := x.push(liuma.ActionReset)
	p, h := x.agreed(q)
	p = x.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	return q, p, h
}

func (x *phoned) giveTicket(p ceremony.Page, h ceremony.Hand, code string) ceremony.Page {
	x.T.Helper()
	p, err := x.Authority().GiveTicket(x.T.Context(), p.ID, h, code)
	if err != nil {
		x.T.Fatal(err)
	}
	return p
}

// TestATicketInPlaceOfEvidence: a holder with their own phone resets without a camera;
// the receipt says that it was a counter, and not that there was evidence.
func TestATicketInPlaceOfEvidence(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		x, d := atDesk(t, testkit.Options{Shape: shape})
		x.lock()
		id, code := d.Ticket(x.who, liuma.TicketReset, true)
		_, p, h := x.toEvidence()
		if !p.TicketAllowed {
			t.Error("the page does not offer it")
		}
		p = x.giveTicket(p, h, "2345-6789")
		x.want(p, ceremony.StepEvidence, liuma.CodeTicketUnknown)
		if is := ticket(d, id); is.State != store.TicketOpened {
			t.Errorf("after a wrong code: %+v", is)
		}
		p = x.giveTicket(p, h, code)
		x.want(p, ceremony.StepPIN, "")
		if is := ticket(d, id); is.State != store.TicketTaken || is.Ceremony != p.ID {
			t.Errorf("taken: %+v", is)
		}
		p = x.GivePIN(p, h, liuma.RoleNew, otherPIN)
		x.want(p, ceremony.StepDone, "")
		if is := ticket(d, id); is.State != store.TicketUsed {
			t.Errorf("used: %+v", is)
		}
		g := x.Return(x.ch, p, h)
		if !slices.Equal(g.AMR, []string{"pin", "counter"}) || g.ACR != "urn:liuma:acr:pin" {
			t.Errorf("the receipt: %v, %s", g.AMR, g.ACR)
		}
		if v := x.Verify(x.ch, x.card, otherPIN); v.Verdict != liuma.Right {
			t.Errorf("the new PIN: %+v", v)
		}
	}
}

// TestATicketWithoutTheRest: a ticket is worth nothing but in its own act, about its own
// card, through a known link, in the browser that gave the phone's code, and once.
func TestATicketWithoutTheRest(t *testing.T) {
	t.Run("through a link that is not known", func(t *testing.T) {
		x, d := atDesk(t, testkit.Options{})
		thief := x.Channel("thief")
		v, err := x.Authority().Link(t.Context(), thief, x.LinkRequest(thief, x.who, goodPIN))
		if err != nil {
			t.Fatal(err)
		}
		_, code := d.Ticket(x.who, liuma.TicketReset, true)
		p, h := x.OpenPage(thief, x.PushFor(thief, liuma.ActionReset, envelope.Subject{Card: string(v.Card)}, nil))
		if p, err = x.Authority().Agree(t.Context(), p.ID, h); err != nil {
			t.Fatal(err)
		}
		x.Clock.Advance(time.Minute)
		p = x.Code(p, h, x.who.Phone)
		if p.TicketAllowed {
			t.Error("the page offers it")
		}
		x.want(x.giveTicket(p, h, code), ceremony.StepEvidence, liuma.CodeTicketLink)
	})
	t.Run("before the code", func(t *testing.T) {
		x, d := atDesk(t, testkit.Options{})
		_, code := d.Ticket(x.who, liuma.TicketReset, true)
		p, h := x.agreed(x.push(liuma.ActionReset))
		if _, err := x.Authority().GiveTicket(t.Context(), p.ID, h, code); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
			t.Errorf("%v", err)
		}
	})
	t.Run("a code that grew old", func(t *testing.T) {
		x, d := atDesk(t, testkit.Options{})
		_, p, h := x.toEvidence()
		for range 3 {
			x.Clock.Advance(9 * time.Minute)
			if _, err := x.Authority().Extend(t.Context(), p.ID, h); err != nil {
				t.Fatal(err)
			}
		}
		_, code := d.Ticket(x.who, liuma.TicketReset, true)
		x.Clock.Advance(4 * time.Minute)
		x.want(x.giveTicket(p, h, code), ceremony.StepCode, liuma.CodePhoneCodeExpired)
	})
	t.Run("of another kind, card or route", func(t *testing.T) {
		x, d := atDesk(t, testkit.Options{})
		other := x.Channel("other")
		x.EnrollPhone(other, x.People[1], goodPIN)
		x.Clock.Advance(73 * time.Hour)
		_, p, h := x.toEvidence()
		_, rebind := d.Ticket(x.who, liuma.TicketRebind, true)
		x.want(x.giveTicket(p, h, rebind), ceremony.StepEvidence, liuma.CodeTicketUnknown)
		_, hers := d.Ticket(x.People[1], liuma.TicketReset, true)
		x.want(x.giveTicket(p, h, hers), ceremony.StepEvidence, liuma.CodeTicketUnknown)
		_, page := d.Ticket(x.who, liuma.TicketReset, false)
		x.want(x.giveTicket(p, h, page), ceremony.StepEvidence, liuma.CodeTicketPage)
	})
	t.Run("in another browser", func(t *testing.T) {
		x, d := atDesk(t, testkit.Options{})
		id, code := d.Ticket(x.who, liuma.TicketReset, true)
		q, p, h := x.toEvidence()
		x.want(x.giveTicket(p, h, code), ceremony.StepPIN, "")
		p, h = x.OpenPageIn(x.ch, q, ceremony.Hand{})
		x.want(p, ceremony.StepCode, "")
		x.Clock.Advance(time.Minute)
		p = x.Code(p, h, x.who.Phone)
		x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
		p = x.giveTicket(p, h, code)
		x.want(p, ceremony.StepPIN, "")
		x.want(x.GivePIN(p, h, liuma.RoleNew, otherPIN), ceremony.StepDone, "")
		if is := ticket(d, id); is.State != store.TicketUsed {
			t.Errorf("%+v", is)
		}
	})
	t.Run("for two ceremonies", func(t *testing.T) {
		x, d := atDesk(t, testkit.Options{})
		_, code := d.Ticket(x.who, liuma.TicketReset, true)
		_, p1, h1 := x.toEvidence()
		_, p2, h2 := x.toEvidence()
		x.want(x.giveTicket(p1, h1, code), ceremony.StepPIN, "")
		x.want(x.giveTicket(p2, h2, code), ceremony.StepEvidence, liuma.CodeTicketTaken)
	})
	t.Run("typed at the counter's page", func(t *testing.T) {
		x, d := atDesk(t, testkit.Options{})
		_, code := d.Ticket(x.who, liuma.TicketReset, true)
		if _, err := x.Authority().BeginTicket(t.Context(), code, ceremony.Hand{}); liuma.CodeOf(err) != liuma.CodeTicketApp {
			t.Errorf("%v", err)
		}
	})
	t.Run("after the clerk's end", func(t *testing.T) {
		x, d := atDesk(t, testkit.Options{})
		_, code := d.Ticket(x.who, liuma.TicketReset, true)
		_, p, h := x.toEvidence()
		p = x.giveTicket(p, h, code)
		d.Suspend(d.Clerk)
		before := cardOf(x.Env, x.who).Version
		if p, err := x.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: p.Try, New: x.SealPage(p, liuma.RoleNew, otherPIN)}); p.Step == ceremony.StepDone {
			t.Errorf("%+v, %v", p, err)
		}
		if cardOf(x.Env, x.who).Version != before {
			t.Error("a PIN was set")
		}
	})
}

// TestARebindWithATicket: the code of the bound phone comes before the new number's, so a
// ticket and a PIN alone move no phone.
func TestARebindWithATicket(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	id, code := d.Ticket(x.who, liuma.TicketRebind, true)
	p, h := x.agreed(x.push(liuma.ActionRebind))
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	p = x.giveTicket(p, h, code)
	x.want(p, ceremony.StepCode, "")
	if p.PhoneMasked != x.who.MaskedPhone() {
		t.Errorf("the code goes to %s", p.PhoneMasked)
	}
	if _, err := x.Authority().GivePhone(t.Context(), p.ID, h, deskNumber); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("the new number before the old one's code: %v", err)
	}
	p = x.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepPhone, "")
	p, err := x.Authority().GivePhone(t.Context(), p.ID, h, deskNumber)
	if err != nil {
		t.Fatal(err)
	}
	p = x.Code(p, h, deskNumber)
	x.want(p, ceremony.StepDone, "")
	if got := boundTo(x.Env, x.who); got != deskNumber {
		t.Errorf("bound is %s", got)
	}
	if is := ticket(d, id); is.State != store.TicketUsed {
		t.Errorf("%+v", is)
	}
	if g := x.Return(x.ch, p, h); !slices.Contains(g.AMR, authority.MethodCounter) {
		t.Errorf("the receipt: %v", g.AMR)
	}
}

// TestARebindWithATicketAndANewPhone: the phone that was bound a day ago is no proof.
func TestARebindWithATicketAndANewPhone(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	d.Served(x.who, liuma.TicketRebind, deskNumber, "")
	_, code := d.Ticket(x.who, liuma.TicketRebind, true)
	p, h := x.agreed(x.push(liuma.ActionRebind))
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(x.giveTicket(p, h, code), ceremony.StepEvidence, liuma.CodePhoneLate)
}

// thorough asks for evidence in an unfreezing.
type thorough struct{ off bool }

func (r thorough) For(liuma.Region, liuma.ChannelID) policy.Policy {
	p := policy.National()
	p.AllowStandInEvidence = !r.off
	p.Steps.Unfreeze = "code-evidence-pin"
	return p
}

// TestAnUnfreezeWithATicket: where a region asks for evidence beside, a ticket takes its
// place there as well.
func TestAnUnfreezeWithATicket(t *testing.T) {
	x, d := atDesk(t, testkit.Options{Rules: thorough{}})
	freezeIn(x)
	id, code := d.Ticket(x.who, liuma.TicketUnfreeze, true)
	p, h := x.agreed(x.push(liuma.ActionUnfreeze))
	p = x.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	p = x.giveTicket(p, h, code)
	x.want(p, ceremony.StepPIN, "")
	x.want(x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), ceremony.StepDone, "")
	if is := ticket(d, id); is.State != store.TicketUsed {
		t.Errorf("%+v", is)
	}
	if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("%+v", v)
	}
}

// TestATicketWhereNobodyGivesEvidence: the counter makes up for a provider that is not
// there, and only while a ticket waits.
func TestATicketWhereNobodyGivesEvidence(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	tamper(t, x.Env, func(tx store.Tx) error {
		all, err := tx.Clients()
		for _, c := range all {
			if c.Kind == store.ClientProvider {
				c.Stopped = true
				if err := tx.UpdateClient(c); err != nil {
					return err
				}
			}
		}
		return err
	})
	p, _ := x.agreed(x.push(liuma.ActionReset))
	x.want(p, ceremony.StepRefused, liuma.CodeOnlineOff)
	_, code := d.Ticket(x.who, liuma.TicketReset, true)
	_, p, h := x.toEvidence()
	p = x.giveTicket(p, h, code)
	x.want(x.GivePIN(p, h, liuma.RoleNew, otherPIN), ceremony.StepDone, "")
	if got, err := x.Authority().Look(context.Background(), p.ID, h); err != nil || got.Step != ceremony.StepDone {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestATicketOfAResetIsOfTheReset: a holder who turned to a reset with a ticket, and comes
// back to a rebinding, is seen for that anew.
func TestATicketOfAResetIsOfTheReset(t *testing.T) {
	x, d := atDesk(t, testkit.Options{})
	_, code := d.Ticket(x.who, liuma.TicketReset, true)
	p, h := x.agreed(x.push(liuma.ActionRebind))
	p, err := x.Authority().Forgot(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	p = x.Code(p, h, x.who.Phone)
	p = x.giveTicket(p, h, code)
	x.want(p, ceremony.StepPIN, "")
	p = x.GivePIN(p, h, liuma.RoleNew, otherPIN)
	x.want(p, ceremony.StepPIN, "")
	x.want(x.GivePIN(p, h, liuma.RoleCurrent, otherPIN), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
}

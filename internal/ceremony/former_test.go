package ceremony_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// since is what a number got after the first n notices.
func (x *phoned) since(phone string, n int) []string { return x.Notices(phone)[n:] }

// others are the numbers of the card that are kept beside the bound one.
func (x *phoned) others() (all []store.FormerContact) {
	x.T.Helper()
	id := cardRow(x.T, x.Env, x.ch, x.card).ID
	err := x.System.Store.View(x.T.Context(), func(r store.Reader) (err error) {
		all, err = r.FormerContacts(id)
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return all
}

// thaw ends a freeze by the bound phone and the PIN.
func (x *phoned) thaw(phone string) {
	x.T.Helper()
	x.Clock.Advance(9 * time.Hour) // a link gets three texts a day
	p, h := x.agreed(x.push(liuma.ActionUnfreeze))
	x.want(x.GivePIN(x.Code(p, h, phone), h, liuma.RoleCurrent, goodPIN), ceremony.StepDone, "")
}

// TestAReplacedNumberHearsForThirtyDays: whoever binds a phone of theirs cannot
// do the rest unseen. The former number gets every notice for thirty days, with a
// freeze code of its own, and then nothing more; its number is dropped.
func TestAReplacedNumberHearsForThirtyDays(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.rebindTo(newNumber)
	old, now := len(x.Notices(x.who.Phone)), len(x.Notices(newNumber))
	x.Clock.Advance(29 * day)
	freezeIn(x)
	if got := x.since(x.who.Phone, old); !slices.Equal(got, []string{"card_frozen"}) {
		t.Fatalf("the former number got %v", got)
	}
	if got := x.since(newNumber, now); !slices.Equal(got, []string{"card_frozen"}) {
		t.Fatalf("the bound number got %v", got)
	}
	theirs, own := x.LastFreezeCode(x.who.Phone), x.LastFreezeCode(newNumber)
	if theirs == own {
		t.Error("two numbers have one freeze code")
	}
	for _, code := range []string{theirs, own} {
		x.thaw(newNumber)
		if _, err := x.Authority().FreezeByCode(t.Context(), "a", code); err != nil {
			t.Fatalf("a freeze code does not freeze: %v", err)
		}
	}
	x.thaw(newNumber)
	if n := len(x.others()); n != 1 {
		t.Fatalf("%d former numbers", n)
	}

	x.Clock.Advance(day)
	old = len(x.Notices(x.who.Phone))
	freezeIn(x)
	if got := x.since(x.who.Phone, old); len(got) > 0 {
		t.Errorf("after thirty days the former number got %v", got)
	}
	if err := x.System.Authority.MaintainOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(x.others()); n != 0 {
		t.Errorf("%d former numbers are kept", n)
	}
}

// TestEveryFormerNumberHears: binding one phone after another puts no earlier number
// out of the list, and a number that is bound again is not told twice.
func TestEveryFormerNumberHears(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	const third = "13700137000"
	x.rebindTo(newNumber)
	x.Clock.Advance(day)
	x.rebindTo(third)
	if got := x.Notices(x.who.Phone); !slices.Equal(got[len(got)-2:], []string{"phone_changed_old", "phone_changed_old"}) {
		t.Errorf("the first number got %v", got)
	}
	if got := x.Notices(newNumber); !slices.Equal(got, []string{"phone_changed_new", "phone_changed_old"}) {
		t.Errorf("the second number got %v", got)
	}
	if got := x.Notices(third); !slices.Equal(got, []string{"phone_changed_new"}) {
		t.Errorf("the third number got %v", got)
	}
	x.Clock.Advance(day)
	first := len(x.Notices(x.who.Phone))
	x.rebindTo(x.who.Phone)
	x.Clock.Advance(time.Minute)
	freezeIn(x)
	if got := x.since(x.who.Phone, first); !slices.Equal(got, []string{"phone_changed_new", "card_frozen"}) {
		t.Errorf("the first number, bound again, got %v", got)
	}
	for _, number := range []string{newNumber, third} {
		if got := x.Notices(number); !slices.Equal(got[len(got)-2:], []string{"phone_changed_old", "card_frozen"}) {
			t.Errorf("%s got %v", number, got)
		}
	}
	if n := len(x.others()); n != 2 {
		t.Errorf("%d former numbers, want 2", n)
	}
}

// TestAFormerNumberHearsOfNoUse: it may be anybody's by now, and hears of what is
// done to the card, not where its holder goes with it.
func TestAFormerNumberHearsOfNoUse(t *testing.T) {
	x := newPhoned(t, testkit.Options{Rules: ruled(t, "layer: national\nnotices.every_use: true\n")})
	x.rebindTo(newNumber)
	x.Clock.Advance(4 * day)
	old, now := len(x.Notices(x.who.Phone)), len(x.Notices(newNumber))
	if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
		t.Fatalf("%+v", v)
	}
	if got := x.since(newNumber, now); !slices.Contains(got, "every_use") {
		t.Errorf("the bound number got %v", got)
	}
	if got := x.since(x.who.Phone, old); len(got) != 0 {
		t.Errorf("the former number got %v", got)
	}
}

// TestTheTextOfATicketStopsIt: every number of the card hears that a ticket was
// opened at a counter, and the freeze code of any of those texts stops it before a PIN
// is set.
func TestTheTextOfATicketStopsIt(t *testing.T) {
	for _, former := range []bool{true, false} {
		x := newPhoned(t, testkit.Options{})
		d := x.Desk("hz")
		x.rebindTo(newNumber)
		x.Clock.Advance(day)
		before := cardRow(t, x.Env, x.ch, x.card).Version
		p, h := d.Agreed(x.who, liuma.TicketReset)
		x.want(p, ceremony.StepPIN, "")
		from := newNumber
		if former {
			from = x.who.Phone
		}
		for _, number := range []string{x.who.Phone, newNumber} {
			if got := x.Notices(number); got[len(got)-1] != "ticket_opened" {
				t.Fatalf("%s got %v", number, got)
			}
		}
		if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(from)); err != nil {
			t.Fatal(err)
		}
		if p, err := x.Authority().Look(t.Context(), p.ID, h); err != nil || p.Step == ceremony.StepPIN {
			t.Errorf("the act goes on: %+v, %v", p, err)
		}
		for _, number := range []string{x.who.Phone, newNumber} {
			if got := x.Notices(number); slices.Contains(got, "pin_reset") {
				t.Errorf("%s got %v", number, got)
			}
		}
		if now := cardRow(t, x.Env, x.ch, x.card); now.Version != before || !now.Frozen {
			t.Errorf("the card is frozen: %v, at version %d after %d", now.Frozen, now.Version, before)
		}
	}
}

// TestAFormerNumberProvesNothing: its freeze codes are all that it has. A code for a
// recovery goes to the bound phone alone.
func TestAFormerNumberProvesNothing(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.rebindTo(newNumber)
	x.Clock.Advance(4 * day)
	p, h := x.agreed(x.push(liuma.ActionReset))
	x.Clock.Advance(time.Minute)
	x.send(p, h)
	for _, text := range x.Texts(x.who.Phone) {
		if text.Kind == authority.KindCode && text.At.After(x.Clock.Now().Add(-day)) {
			t.Error("the former number got a one-time code")
		}
	}
	x.give(p, h, not(x.LastCode(newNumber), 1))
	x.want(x.give(p, h, x.LastCode(newNumber)), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
}

// TestFormerNumbersAreHeldAndErased: who asks gets them, masked, and nothing of them
// outlives the card.
func TestFormerNumbersAreHeldAndErased(t *testing.T) {
	x := newErasable(t, testkit.Options{})
	x.rebindTo(newNumber)
	id, err := registry.ParseIDNumber(x.who.IDNumber)
	if err != nil {
		t.Fatal(err)
	}
	held, err := x.System.Registry.Held(t.Context(), "operator", id, "asked")
	if err != nil {
		t.Fatal(err)
	}
	told := held.Card.Former
	if len(told) != 1 || told[0].Phone != registry.MaskPhone(x.who.Phone) ||
		!told[0].Until.Equal(told[0].Since.Add(authority.FormerTold)) {
		t.Errorf("held: %+v", told)
	}
	if _, err := physical(x.Env, x.bureau, x.who, authority.PhysicalCancelled, ""); err != nil {
		t.Fatal(err)
	}
	x.Clock.Advance(2 * time.Hour)
	if err := errors.Join(x.System.Authority.MaintainOnce(t.Context()), x.System.Ceremonies.MaintainOnce(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := x.MarkSent(); err != nil {
		t.Fatal(err)
	}
	if _, err := x.erase(false); err != nil {
		t.Fatal(err)
	}
	if n := len(x.others()); n != 1 {
		t.Fatalf("%d former numbers while the wait runs", n)
	}
	x.Clock.Advance(authority.EraseWait)
	if v, err := x.erase(false); err != nil || v.State != authority.EraseDone {
		t.Fatalf("%+v, %v", v, err)
	}
	err = x.System.Store.View(t.Context(), func(r store.Reader) error {
		left, err := r.FormerContacts(x.id)
		if len(left) > 0 {
			t.Errorf("%d former numbers of an erased card", len(left))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

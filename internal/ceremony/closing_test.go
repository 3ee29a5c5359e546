package ceremony_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// asksToClose has a clerk ask for the closing of the holder's card.
func (x *erasable) asksToClose(d *testkit.Desk, reason string) (counter.View, error) {
	x.T.Helper()
	seeking := counter.Seeking{Number: x.who.IDNumber, Reason: reason}
	if reason == counter.ReasonDeath {
		seeking.Came = &counter.Somebody{As: store.CameAgent, Number: "passport:DEU-C01X00T47", Name: "Schmidt Anna"} // an heir, they say
	}
	p, err := x.System.Counter.LookUp(x.T.Context(), d.Clerk, seeking)
	if err != nil {
		x.T.Fatal(err)
	}
	// That the holder's phone is there changes nothing: a closing takes two.
	return x.System.Counter.Open(x.T.Context(), d.Clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketClose, Checked: true, Phone: true})
}

// closes has it approved as well.
func (x *erasable) closes(d *testkit.Desk) error {
	x.T.Helper()
	v, err := x.asksToClose(d, counter.ReasonDeath)
	if err == nil {
		_, err = x.System.Counter.Approve(x.T.Context(), d.Supervisor, v.ID, "")
	}
	return err
}

func (x *erasable) closing() *testkit.Desk {
	x.T.Helper()
	d := x.Desk("hz")
	if err := x.closes(d); err != nil {
		x.T.Fatal(err)
	}
	return d
}

func (x *erasable) outcomes(ev audit.Event) (all []string) {
	x.T.Helper()
	err := x.System.Store.View(x.T.Context(), func(r store.Reader) error {
		entries, err := r.Entries(audit.CardStream(x.id), 0, 200)
		for _, e := range entries {
			if e.Event == ev {
				all = append(all, e.Outcome)
			}
		}
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return all
}

// TestAClosingWaitsThreeDays: the card is frozen at once and every number told; after
// 72 hours, and not before, it is cancelled and every keeper has retired it.
func TestAClosingWaitsThreeDays(t *testing.T) {
	x := newErasable(t, testkit.Options{Shape: "2/3"})
	x.rebindTo(newNumber)
	x.Clock.Advance(time.Minute)
	d := x.closing()
	for _, number := range []string{x.who.Phone, newNumber} {
		if got := x.Notices(number); got[len(got)-1] != "agent_closing" {
			t.Errorf("%s got %v", number, got)
		}
	}
	if v := x.Verify(x.ch, x.card, goodPIN); v.Code != liuma.CodeFrozen {
		t.Fatalf("right after: %+v", v)
	}
	if _, err := x.asksToClose(d, counter.ReasonDeath); !errors.Is(err, counter.ErrKind) {
		t.Errorf("a second closing: %v", err)
	}
	x.Clock.Advance(authority.ClosingWait - time.Minute)
	x.maintained()
	if c := x.cardNow(); !c.Retiring.IsZero() || c.Physical != liuma.PhysicalNormal {
		t.Fatalf("before its time: %+v", c)
	}
	x.Clock.Advance(time.Minute)
	x.maintained()
	if c := x.cardNow(); c.RetiredAt.IsZero() || c.Physical != liuma.PhysicalCancelled {
		t.Fatalf("after its time: retired at %v, %s", c.RetiredAt, c.Physical)
	}
	if v := x.Verify(x.ch, x.card, goodPIN); v.Code != liuma.CodeCancelled {
		t.Errorf("closed: %+v", v)
	}
	if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(newNumber)); liuma.CodeOf(err) != liuma.CodeCardClosed {
		t.Errorf("a code that comes too late: %v", err)
	}
	x.report(authority.PhysicalReplaced, x.who.CardNo, "H99999999")
	if c := x.cardNow(); c.Physical != liuma.PhysicalCancelled {
		t.Errorf("a report brings the card back: %s", c.Physical)
	}
	x.maintained()
	if got := x.outcomes(audit.CardClosing); !slices.Equal(got, []string{"begun", "ok"}) {
		t.Errorf("recorded: %v", got)
	}
}

// TestAFreezeCodeStopsAClosing: of whichever number, up to the last minute. The card
// stays frozen, and a security officer is to look at the ticket.
func TestAFreezeCodeStopsAClosing(t *testing.T) {
	for _, number := range []string{newNumber, ""} {
		x := newErasable(t, testkit.Options{})
		if number == "" {
			number = x.who.Phone
		}
		x.rebindTo(newNumber)
		x.closing()
		x.Clock.Advance(authority.ClosingWait - time.Minute)
		if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(number)); err != nil {
			t.Fatal(err)
		}
		x.Clock.Advance(day)
		x.maintained()
		if c := x.cardNow(); !c.Frozen || !c.Retiring.IsZero() || c.Physical != liuma.PhysicalNormal {
			t.Errorf("frozen %v, retiring %v, %s", c.Frozen, c.Retiring, c.Physical)
		}
		if got := x.outcomes(audit.CardClosing); !slices.Equal(got, []string{"begun", "stopped"}) {
			t.Errorf("recorded: %v", got)
		}
		due, err := x.toReview()
		if err != nil || due != 1 {
			t.Errorf("%d tickets to review, %v", due, err)
		}
	}
}

// TestACodeThatWasUsedStopsAClosing: the holder had frozen the card, and types the same
// code again when they hear that it is to be closed.
func TestACodeThatWasUsedStopsAClosing(t *testing.T) {
	x := newErasable(t, testkit.Options{})
	code := x.LastFreezeCode(x.who.Phone)
	freeze := func() {
		t.Helper()
		if _, err := x.Authority().FreezeByCode(t.Context(), "a", code); err != nil {
			t.Fatal(err)
		}
	}
	freeze()
	x.closing()
	freeze()
	if c := x.cardNow(); c.IsClosing() || !c.Frozen {
		t.Errorf("frozen %v, closing %v", c.Frozen, c.IsClosing())
	}
	stops := x.cardNow().Stops
	freeze()
	if got := x.cardNow().Stops; got != stops {
		t.Error("a code that is sent again and again writes")
	}
}

func (x *erasable) toReview() (n int, err error) {
	return n, x.System.Store.View(x.T.Context(), func(r store.Reader) error {
		all, err := r.TicketsToReview("", store.TicketPlace{}, 9)
		n = len(all)
		return err
	})
}

// TestAHolderWhoIsAliveEndsAClosing, as they end any freeze.
func TestAHolderWhoIsAliveEndsAClosing(t *testing.T) {
	x := newErasable(t, testkit.Options{})
	x.closing()
	x.thaw(x.who.Phone)
	x.Clock.Advance(authority.ClosingWait)
	x.maintained()
	if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("%+v", v)
	}
}

// TestNobodyClosesACardAlone: not for another reason, not without the supervisor, and
// not by approving oneself (I-12).
func TestNobodyClosesACardAlone(t *testing.T) {
	x := newErasable(t, testkit.Options{})
	d := x.Desk("hz")
	if _, err := x.asksToClose(d, "forgot_pin"); !errors.Is(err, counter.ErrCloseReason) {
		t.Errorf("for another reason: %v", err)
	}
	v, err := x.asksToClose(d, counter.ReasonEmigration)
	if err != nil || v.State != counter.Asked {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := x.System.Counter.Approve(t.Context(), d.Clerk, v.ID, ""); !errors.Is(err, counter.ErrMember) {
		t.Errorf("approved by the clerk: %v", err)
	}
	x.Clock.Advance(authority.ClosingWait)
	x.maintained()
	if c := x.cardNow(); c.Frozen || !c.Retiring.IsZero() {
		t.Error("a ticket that nobody approved does something")
	}
}

// closed goes on in rounds until what was begun has ended. A keeper that is slow for a second,
// on a busy machine, leaves it to the next round.
func (x *erasable) closed() store.Card {
	x.T.Helper()
	for end := time.Now().Add(2 * time.Minute); ; {
		err := x.System.Authority.MaintainOnce(context.Background())
		c := x.cardNow()
		switch {
		case err == nil && (c.Closing.Until.IsZero() || !c.RetiredAt.IsZero()):
			return c
		case err != nil && !errors.Is(err, keeper.ErrNoQuorum), time.Now().After(end):
			x.T.Fatalf("%+v, %v", c, err)
		}
	}
}

// TestAClosingAcrossDeaths lets the process die at every durable step, after the
// approval and in maintenance: the card is never closed in part, and is closed in the
// end.
func TestAClosingAcrossDeaths(t *testing.T) {
	for _, death := range testkit.Deaths("2/3") {
		after := death.After
		died := true
		for n := 0; died; n++ {
			var f testkit.Faults
			x := newErasable(t, testkit.Options{Faults: &f, Shape: "2/3"})
			d := x.Desk("hz")
			v, err := x.asksToClose(d, counter.ReasonDeath)
			if err != nil {
				t.Fatal(err)
			}
			f.DieAt(n, after)
			_, approved := x.System.Counter.Approve(t.Context(), d.Supervisor, v.ID, "")
			x.Clock.Advance(authority.ClosingWait)
			_ = x.System.Authority.MaintainOnce(t.Context())
			died = f.Revive()
			x.Close()
			x.Open()
			c := x.cardNow()
			if c.Closing.Until.IsZero() && c.Frozen || !c.RetiredAt.IsZero() && c.Physical != liuma.PhysicalCancelled {
				t.Fatalf("step %d, after %v: a half: %+v", n, after, c)
			}
			c = x.closed()
			if begun := !c.Closing.Until.IsZero(); begun == c.RetiredAt.IsZero() || !died && (approved != nil || !begun) {
				t.Fatalf("step %d, after %v: begun %v, retired at %v, approved %v", n, after, begun, c.RetiredAt, approved)
			}
			x.Close()
			if n > 30 {
				t.Fatal("it never ends")
			}
			x.Open()
		}
	}
}

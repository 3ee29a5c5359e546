package ceremony_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// closed is a holder whose card was closed at a counter and retired at every keeper.
func closed(t *testing.T, o testkit.Options) (*erasable, *testkit.Desk) {
	t.Helper()
	x := newErasable(t, o)
	d := x.closing()
	x.Clock.Advance(authority.ClosingWait)
	x.maintained()
	if c := x.cardNow(); c.RetiredAt.IsZero() {
		t.Fatalf("not closed: %+v", c)
	}
	return x, d
}

// appliesAnew applies at the native door, with evidence.
func (x *erasable) appliesAnew(secret string) (authority.Verification, error) {
	x.T.Helper()
	return x.Authority().Enroll(context.Background(), x.ch, x.EnrollRequest(x.ch, x.who, secret))
}

// possible says why the counter opens no ticket of a kind; "": it does.
func (x *erasable) possible(d *testkit.Desk, kind liuma.TicketKind) (not string, anew time.Time) {
	x.T.Helper()
	p, err := x.System.Counter.LookUp(x.T.Context(), d.Clerk, counter.Seeking{Number: x.who.IDNumber, Reason: "first_card"})
	if err != nil {
		x.T.Fatal(err)
	}
	for _, k := range p.Kinds {
		if k.Kind == kind {
			return k.Not, p.Anew
		}
	}
	x.T.Fatalf("no %s: %+v", kind, p)
	return "", anew
}

// follows wants another card in the place of the closed one: the holder's index leads to
// it, the old one is bare, and neither handle nor PIN of it is worth anything.
func (x *erasable) follows(handle store.Handle, old string) store.Card {
	x.T.Helper()
	now := cardOf(x.Env, x.who)
	was := x.cardNow()
	if now.ID == x.id || now.Version == 0 || now.Follows != x.id || now.Frozen || now.Contested || now.Stops != 0 && now.Stops != 1 {
		x.T.Errorf("the new card: %+v", now)
	}
	if was.ErasedAt.IsZero() || was.Version != 0 || was.RetiredAt.IsZero() || was.Holder == now.Holder {
		x.T.Errorf("the closed card: %+v", was)
	}
	if v, err := x.Authority().Verify(x.T.Context(), x.ch, x.VerifyRequest(x.ch, handle, old)); err != nil || v.Verdict == liuma.Right {
		x.T.Errorf("the handle of the closed card: %+v, %v", v, err)
	}
	return now
}

// TestAfterAClosingOneAppliesAnew: not while it can be stopped, nor while a keeper
// can put the card back, and the refusal says from when; then online, and at a counter.
func TestAfterAClosingOneAppliesAnew(t *testing.T) {
	for _, way := range []string{"native", "page", "counter"} {
		t.Run(way, func(t *testing.T) {
			x := newErasable(t, testkit.Options{Shape: "2/3"})
			d := x.closing()
			if _, err := x.appliesAnew(otherPIN); liuma.CodeOf(err) != liuma.CodeAlreadyEnrolled {
				t.Errorf("while it can be stopped: %v", err)
			}
			x.Clock.Advance(authority.ClosingWait)
			x.maintained()
			from := x.Clock.Now().Add(authority.EraseWait)
			x.Clock.Advance(authority.EraseWait - time.Minute)
			_, err := x.appliesAnew(otherPIN)
			if e := wantCode(t, err, liuma.CodeCardClosed); !e.Until.Equal(from) {
				t.Errorf("until %v, want %v", e.Until, from)
			}
			p, _ := x.agreedTo(x.ch)
			if x.want(p, ceremony.StepRefused, liuma.CodeCardClosed); !p.Until.Equal(from) {
				t.Errorf("the page: until %v, want %v", p.Until, from)
			}
			if not, anew := x.possible(d, liuma.TicketEnroll); not != counter.NotRetiring || !anew.Equal(from) {
				t.Errorf("at the counter: %q from %v", not, anew)
			}
			x.Clock.Advance(time.Minute)
			handle := x.card
			switch way {
			case "native":
				v, err := x.appliesAnew(otherPIN)
				if err != nil || v.Verdict != liuma.Right {
					t.Fatalf("%+v, %v", v, err)
				}
				x.card = v.Card
			case "page":
				x.card = x.EnrollPhone(x.ch, x.who, otherPIN)
			case "counter":
				if not, anew := x.possible(d, liuma.TicketEnroll); not != "" || !anew.IsZero() {
					t.Fatalf("at the counter: %q from %v", not, anew)
				}
				d.Served(x.who, liuma.TicketEnroll, x.who.Phone, otherPIN)
				v, err := x.Authority().Link(t.Context(), x.ch, x.LinkRequest(x.ch, x.who, otherPIN))
				if err != nil || v.Verdict != liuma.Right {
					t.Fatalf("%+v, %v", v, err)
				}
				x.card = v.Card
			}
			x.follows(handle, goodPIN)
			if v := x.Verify(x.ch, x.card, otherPIN); v.Verdict != liuma.Right {
				t.Errorf("the new PIN: %+v", v)
			}
			if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Wrong {
				t.Errorf("the old PIN: %+v", v)
			}
			if _, err := x.appliesAnew("730146"); liuma.CodeOf(err) != liuma.CodeAlreadyEnrolled {
				t.Errorf("a third card: %v", err)
			}
		})
	}
}

// agreedTo begins a page on which the holder applies, and agrees.
func (x *erasable) agreedTo(c authority.Caller) (ceremony.Page, ceremony.Hand) {
	x.T.Helper()
	p, h := x.OpenPage(c, x.PushFor(c, liuma.ActionEnroll, testkit.Subject(x.who), &x.who))
	if p.Step != ceremony.StepConfirm {
		return p, h
	}
	p, err := x.Authority().Agree(x.T.Context(), p.ID, h)
	if err != nil {
		x.T.Fatal(err)
	}
	return p, h
}

// TestTheNumbersNewPersonAppliesAnew: of a card that belongs to neither, once it was
// closed the person who is registered now has one of their own.
func TestTheNumbersNewPersonAppliesAnew(t *testing.T) {
	x := newErasable(t, testkit.Options{})
	x.change(func(tx store.Tx) error {
		card := x.cardNow()
		card.Contested, card.Frozen, card.FrozenAt = true, true, x.Clock.Now()
		return tx.UpdateCard(card)
	})
	d := x.closing()
	_, err := x.appliesAnew(otherPIN)
	if e := wantCode(t, err, liuma.CodeCardClosed); !e.Until.Equal(x.Clock.Now().Add(authority.ClosingWait + authority.EraseWait)) {
		t.Errorf("until %v", e.Until)
	}
	x.Clock.Advance(authority.ClosingWait)
	x.maintained()
	x.Clock.Advance(authority.EraseWait)
	handle := x.card
	d.Served(x.who, liuma.TicketEnroll, x.who.Phone, otherPIN)
	x.follows(handle, goodPIN)
}

// retirable lets a test put a card back at every keeper, as its owner can.
type retirable struct{ all *[]keeper.Keeper }

func (r retirable) keep(k keeper.Keeper) keeper.Keeper { *r.all = append(*r.all, k); return k }

func (r retirable) putBack(x *erasable) (refused int) {
	for _, k := range *r.all {
		if _, err := k.Unretire(x.T.Context(), keeper.Header{Now: x.Clock.Now()}, x.id); err != nil {
			refused++
		}
	}
	return refused
}

// TestACardThatKeepersPutBack: there are never two cards of one person in use.
// Within thirty days a keeper puts the closed one back, and no other comes about: it is
// retired again, and the wait begins anew. Once another is there none of them can.
func TestACardThatKeepersPutBack(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		owners := retirable{new([]keeper.Keeper)}
		x, d := closed(t, testkit.Options{Shape: shape, Keeper: owners.keep})
		handle := x.card
		x.Clock.Advance(29 * day)
		if n := owners.putBack(x); n > 0 {
			t.Fatalf("%d keepers refused within 30 days", n)
		}
		if v := x.Verify(x.ch, x.card, goodPIN); v.Code != liuma.CodeCancelled {
			t.Errorf("put back, it works: %+v", v)
		}
		x.Clock.Advance(5 * day)
		_, err := x.appliesAnew(otherPIN)
		if e := wantCode(t, err, liuma.CodeCardClosed); !e.Until.Equal(x.Clock.Now().Add(authority.EraseWait)) {
			t.Errorf("until %v", e.Until)
		}
		if not, _ := x.possible(d, liuma.TicketEnroll); not != counter.NotRetiring {
			t.Errorf("at the counter: %q", not)
		}
		if c := cardOf(x.Env, x.who); c.ID != x.id {
			t.Fatal("there is another card beside the one that was put back")
		}
		x.Clock.Advance(authority.EraseWait)
		v, err := x.appliesAnew(otherPIN)
		if err != nil || v.Verdict != liuma.Right {
			t.Fatalf("%+v, %v", v, err)
		}
		x.follows(handle, goodPIN)
		if n := owners.putBack(x); n != len(*owners.all) {
			t.Errorf("%d of %d keepers refuse to put the closed card back beside the new one", n, len(*owners.all))
		}
	}
}

// TestApplyingAnewAcrossDeaths lets the process die at every durable step: the holder's
// index leads to the closed card or to the new one, no PIN of both, and applying once more
// comes to the end.
func TestApplyingAnewAcrossDeaths(t *testing.T) {
	for _, death := range testkit.Deaths("2/3") {
		after := death.After
		died := true
		for n := 0; died; n++ {
			var f testkit.Faults
			x, _ := closed(t, testkit.Options{Faults: &f, Shape: "2/3"})
			x.Clock.Advance(authority.EraseWait)
			handle := x.card
			q := x.EnrollRequest(x.ch, x.who, otherPIN)
			f.DieAt(n, after)
			_, _ = x.Authority().Enroll(t.Context(), x.ch, q)
			died = f.Revive()
			x.Close()
			x.Open()
			c := cardOf(x.Env, x.who)
			if (c.ID == x.id) != x.cardNow().ErasedAt.IsZero() {
				t.Fatalf("step %d, after %v: a half: %+v", n, after, c)
			}
			x.Clock.Advance(time.Hour)
			x.maintained()
			v, err := x.appliesAnew(otherPIN)
			if code := liuma.CodeOf(err); err != nil && code != liuma.CodeAlreadyEnrolled || err == nil && v.Verdict != liuma.Right {
				t.Fatalf("step %d, after %v: %+v, %v", n, after, v, err)
			}
			x.follows(handle, goodPIN)
			x.Close()
			if n > 40 {
				t.Fatal("it never ends")
			}
			x.Open()
		}
	}
}

// TestErasingFindsTheClosedCardsTickets: who was closed, applied anew and is erased leaves
// nothing of the closed card either.
func TestErasingFindsTheClosedCardsTickets(t *testing.T) {
	x := newErasable(t, testkit.Options{})
	d := x.Desk("hz")
	p, err := x.System.Counter.LookUp(t.Context(), d.Clerk, counter.Seeking{Number: x.who.IDNumber, Reason: counter.ReasonDeath,
		Came: &counter.Somebody{As: store.CameAgent, Number: "passport:DEU-C01X00T47", Name: "Schmidt Anna"}}) // an heir, they say
	if err != nil {
		t.Fatal(err)
	}
	asked, err := x.System.Counter.Open(t.Context(), d.Clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketClose, Checked: true})
	if err == nil {
		_, err = x.System.Counter.Approve(t.Context(), d.Supervisor, asked.ID, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	x.Clock.Advance(authority.ClosingWait)
	x.maintained()
	old := x.id
	x.Clock.Advance(authority.EraseWait)
	v, err := x.appliesAnew(otherPIN)
	if err != nil || v.Verdict != liuma.Right {
		t.Fatalf("%+v, %v", v, err)
	}
	left := func() (n int) {
		x.change(func(tx store.Tx) error {
			all, err := tx.TicketsOf(old)
			n = len(all)
			return err
		})
		return n
	}
	h, err := x.held()
	if err != nil || len(h.Came) != 1 || h.Came[0].As != store.CameAgent || h.Came[0].Kind != liuma.TicketClose || strings.Contains(h.Came[0].Name, "Anna") {
		t.Errorf("written out: %+v, %v", h.Came, err)
	}
	if left() != 1 {
		t.Fatalf("%d tickets are kept for their review", left())
	}
	x.id = cardOf(x.Env, x.who).ID
	x.report(authority.PhysicalCancelled, x.who.CardNo, "")
	x.maintained()
	x.sent()
	x.Clock.Advance(time.Hour)
	if v, err := x.erase(false); err != nil || v.State != authority.EraseBegun {
		t.Fatalf("%+v, %v", v, err)
	}
	x.Clock.Advance(authority.EraseWait)
	if v, err := x.erase(false); err != nil || v.State != authority.EraseDone {
		t.Fatalf("%+v, %v", v, err)
	}
	if left() != 0 {
		t.Error("a ticket of the closed card stays")
	}
}

// TestAChildAtTheCounter: applies with a guardian beside, and not without; a guardian
// is an adult, and nobody's who serves them.
func TestAChildAtTheCounter(t *testing.T) {
	env := testkit.New(t, testkit.Options{Phones: true})
	d := env.Desk("huzhou")
	const number = "passport:DEU-C01X00T03"
	born := env.Clock.Now().AddDate(-8, 0, 0).Format("20060102")
	_, err := env.Import(t.Context(), strings.NewReader("document_type,document_number,birth_date,name,phone,card_no,region\n"+
		"passport,DEU-C01X00T03,"+born+",Anna Schmidt,13800001001,Z00000001,330502\n"+
		"passport,DEU-C01X00T04,,Otto Schmidt,13800001002,Z00000002,330502\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	mother := &counter.Somebody{As: store.CameGuardian, Number: env.People[3].IDNumber, Name: env.People[3].Name}
	for _, who := range []string{number, "passport:DEU-C01X00T04"} { // the other one's birthday nobody knows
		opens := func(came *counter.Somebody) (counter.View, error) {
			p, err := env.System.Counter.LookUp(t.Context(), d.Clerk, counter.Seeking{Number: who, Reason: "first_card", Came: came})
			if err != nil {
				return counter.View{}, err
			}
			return env.System.Counter.Open(t.Context(), d.Clerk, counter.Opening{LookUp: p.LookUp, Kind: liuma.TicketEnroll, Checked: true})
		}
		alone := counter.ErrGuardian
		if who != number {
			alone = counter.ErrBorn // may well be an adult
		}
		if _, err := opens(nil); !errors.Is(err, alone) {
			t.Errorf("%s alone: %v", who, err)
		}
		agent := *mother
		agent.As = store.CameAgent
		if _, err := opens(&agent); !errors.Is(err, counter.ErrAgentKind) {
			t.Errorf("%s by an agent: %v", who, err)
		}
		v, err := opens(mother)
		if err != nil || v.State != counter.Asked || v.Came.As != store.CameGuardian {
			t.Fatalf("%s: %+v, %v", who, v, err)
		}
		defer func() {
			if is := ticket(d, v.ID); is.ReviewUntil.IsZero() {
				t.Errorf("%s: nobody looks at who said to be the guardian: %+v", who, is)
			}
		}()
		code, err := env.System.Counter.NewCode(t.Context(), d.Clerk, v.ID)
		if err != nil {
			t.Fatal(err)
		}
		p, err := env.Authority().BeginTicket(t.Context(), code, ceremony.Hand{Source: "192.0.2.7"})
		if err != nil {
			t.Fatal(err)
		}
		h := ceremony.Hand{Secret: p.Bound}
		p = d.Approve(p, h)
		h.Consent = p.ConsentHash
		if p, err = env.Authority().Agree(t.Context(), p.ID, h); err != nil {
			t.Fatal(err)
		}
		p = d.Pad(p, h, guardiansPhone(who))
		if p = env.GivePIN(p, h, liuma.RoleNew, otherPIN); p.Step != ceremony.StepDone || p.Counter.PINFrom.IsZero() {
			t.Errorf("%s: %s", who, fmt.Sprintf("%+v", p))
		}
	}
}

// guardiansPhone is a number of the guardian's, or none.
func guardiansPhone(who string) string {
	if strings.HasSuffix(who, "3") {
		return "13900139001"
	}
	return ""
}

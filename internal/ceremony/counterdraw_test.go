package ceremony_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// hand is what one attacker, or several together, hold about a card: members of staff,
// and what a holder could prove.
type hand struct {
	clerk, supervisor bool
	known             bool // a session in the app in which the card is known
	fresh             bool // a link of their own, three minutes old
	sim               bool // reads the bound phone's texts
	pin               bool // knows the PIN
	person            bool // stands there, with a phone of their own; an honest supervisor looks at it
}

func drawHand(r *rand.Rand) hand {
	b := func() bool { return r.IntN(2) == 0 }
	return hand{b(), b(), b(), b(), b(), b(), b()}
}

// may is docs/RECOVERY.md: what the hand may come to at a counter.
func (h hand) may(what liuma.TicketKind) bool {
	pair := h.clerk && h.supervisor
	own := h.clerk && h.known && h.sim // a ticket in place of evidence, beside the phone's code
	switch what {
	case liuma.TicketReset:
		return pair || own
	case liuma.TicketRebind:
		return pair || own && h.pin
	case liuma.TicketUnfreeze:
		return pair || h.sim && h.pin && (h.known || h.fresh) // a ticket adds nothing
	}
	return pair
}

// grab is an attacker with a hand, and all that is public.
type grab struct {
	*phoned
	desk *testkit.Desk
	hand
	own   authority.Caller
	ownAt store.Handle
	rng   *rand.Rand
}

// tickets are the codes that the hand gets for a kind, by both routes.
func (g *grab) tickets(kind liuma.TicketKind) (codes []string) {
	if !g.clerk {
		return []string{"2345-6789"}
	}
	ctx := g.T.Context()
	for _, q := range []counter.Opening{{Phone: true}, {}, {Lost: true}} {
		p, err := g.System.Counter.LookUp(ctx, g.desk.Clerk, counter.Seeking{Number: g.who.IDNumber, Reason: "forgot_pin"})
		if err != nil {
			g.T.Fatal(err)
		}
		v, err := g.System.Counter.Open(ctx, g.desk.Clerk, counter.Opening{LookUp: p.LookUp, Kind: kind, Checked: true, Phone: q.Phone, Lost: q.Lost})
		if err != nil {
			continue
		}
		if code, err := g.System.Counter.NewCode(ctx, g.desk.Clerk, v.ID); err == nil {
			codes = append(codes, code)
			if !q.Phone {
				g.asked(v.ID, code)
			}
			g.use(kind, code)
		}
	}
	return codes
}

// asked has the attacker's browser race the person's for a ticket that waits. The honest
// supervisor approves the number on the person's screen, and comes for no other; a corrupt
// one approves the attacker's. A clerk who is alone tries to approve as well.
func (g *grab) asked(id liuma.TicketID, code string) {
	g.T.Helper()
	a, ctx := g.Authority(), g.T.Context()
	theirs := func() {
		if !g.person || g.supervisor {
			return
		}
		if p, err := a.BeginTicket(ctx, code, ceremony.Hand{}); err == nil {
			if _, err := g.System.Counter.Approve(ctx, g.desk.Supervisor, id, p.Counter.Number); err != nil {
				g.T.Fatal(err)
			}
		}
	}
	first := g.rng.IntN(2) == 0
	if first {
		theirs()
	}
	p, err := a.BeginTicket(ctx, code, ceremony.Hand{Source: fmt.Sprint(g.rng.Uint64())})
	if err == nil {
		h := ceremony.Hand{Secret: p.Bound}
		by := g.desk.Clerk
		if g.supervisor {
			by = g.desk.Supervisor
		}
		_, _ = a.Agree(ctx, p.ID, h) // before anybody approved
		_, _ = g.System.Counter.Approve(ctx, by, id, p.Counter.Number)
		if p, err = a.Look(ctx, p.ID, h); err == nil {
			h.Consent = p.ConsentHash
			g.walk(p, h, "", nil)
		}
	}
	if !first {
		theirs()
	}
}

// use tries a code everywhere.
func (g *grab) use(kind liuma.TicketKind, code string) {
	g.atPage(code)
	for _, a := range []liuma.Action{liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze} {
		if g.known {
			g.inApp(g.ch, g.card, a, code)
		}
		if g.fresh {
			g.inApp(g.own, g.ownAt, a, code)
		}
	}
}

// atPage goes through the counter's own page, with a browser that comes late.
func (g *grab) atPage(code string) {
	a, ctx := g.Authority(), g.T.Context()
	p, err := a.BeginTicket(ctx, code, ceremony.Hand{Source: fmt.Sprint(g.rng.Uint64())})
	if err != nil {
		return
	}
	h := ceremony.Hand{Secret: p.Bound, Consent: p.ConsentHash}
	g.walk(p, h, "", nil)
}

// inApp goes through an act in an app, with the code in place of evidence.
func (g *grab) inApp(c authority.Caller, card store.Handle, action liuma.Action, code string) {
	a, ctx := g.Authority(), g.T.Context()
	pushed, err := a.Push(ctx, c, g.PushFor(c, action, envelope.Subject{Card: string(card)}, nil))
	if err != nil {
		return
	}
	p, err := a.LookAt(ctx, c.Client.ID, pushed.RequestURI, ceremony.Hand{})
	if err != nil {
		return
	}
	if p, err = a.Begin(ctx, p.ID, ceremony.Hand{RequestURI: pushed.RequestURI}); err != nil {
		return
	}
	g.walk(p, ceremony.Hand{Secret: p.Bound, Consent: p.ConsentHash}, code, func() {
		_, _ = a.Leave(ctx, p.ID, ceremony.Hand{Secret: p.Bound})
	})
}

// walk takes each next step as far as the hand goes.
func (g *grab) walk(p ceremony.Page, h ceremony.Hand, code string, leave func()) {
	a, ctx := g.Authority(), g.T.Context()
	for range 12 {
		var err error
		was := p.Step
		switch p.Step {
		case ceremony.StepConfirm:
			p, err = a.Agree(ctx, p.ID, h)
		case ceremony.StepPhone:
			p, err = a.GivePhone(ctx, p.ID, h, thiefNumber)
		case ceremony.StepCode:
			g.Clock.Advance(time.Minute)
			number := thiefNumber
			if p.PhoneMasked == g.who.MaskedPhone() {
				number = g.who.Phone
			}
			if _, err = a.SendCode(ctx, p.ID, h, liuma.ByText); err == nil && (g.sim || number == thiefNumber) {
				p, err = a.GiveCode(ctx, p.ID, h, g.LastCode(number))
			}
		case ceremony.StepEvidence:
			p, err = a.GiveTicket(ctx, p.ID, h, code)
		case ceremony.StepPIN:
			p, err = a.GivePIN(ctx, p.ID, h, g.envelopes(p))
		}
		if err != nil || p.Step == was || p.Step == ceremony.StepDone {
			break
		}
	}
	if leave != nil && p.Step != ceremony.StepDone {
		leave()
	}
}

func (g *grab) envelopes(p ceremony.Page) ceremony.Given {
	th := thief{phoned: g.phoned, pin: g.pin}
	return th.envelopes(p)
}

// TestNoMemberOfStaffAlone is the staff half of I-12: members and proofs are drawn, and
// whoever has them tries every ticket by both routes at every door. What comes about is
// what docs/RECOVERY.md says and nothing more; and what it says does come about.
func TestNoMemberOfStaffAlone(t *testing.T) {
	kinds := []liuma.TicketKind{liuma.TicketReset, liuma.TicketRebind, liuma.TicketRebindReset, liuma.TicketUnfreeze}
	rng := rand.New(rand.NewPCG(40, 14))
	draws := 12
	switch {
	case testkit.EveryStory():
		draws = 24
	case testing.Short():
		draws = 8
	}
	hands := []hand{{clerk: true, pin: true, sim: true, fresh: true}, {clerk: true, known: true, pin: true}, {supervisor: true, known: true, sim: true, pin: true},
		{clerk: true, supervisor: true}, {clerk: true, known: true, sim: true}}
	for range draws - len(hands) {
		hands = append(hands, drawHand(rng))
	}
	for i, h := range hands {
		kind := kinds[i%len(kinds)]
		t.Run(fmt.Sprintf("%d/%s/%+v", i, kind, h), func(t *testing.T) { h.tries(t, kind, rng) })
	}
}

func (h hand) tries(t *testing.T, kind liuma.TicketKind, rng *rand.Rand) {
	x, d := atDesk(t, testkit.Options{})
	g := &grab{phoned: x, desk: d, hand: h, own: x.Channel("thief"), rng: rng}
	if h.fresh {
		v, err := x.Authority().Link(t.Context(), g.own, x.LinkRequest(g.own, x.who, goodPIN))
		if err != nil {
			t.Fatal(err)
		}
		g.ownAt = v.Card
	}
	if kind == liuma.TicketUnfreeze {
		freezeIn(x)
	}
	before, bound := cardOf(x.Env, x.who), boundTo(x.Env, x.who)
	g.tickets(kind)
	if !h.clerk { // by themselves, without any ticket
		g.use(kind, "2345-6789")
	}
	now := cardOf(x.Env, x.who)
	reset, rebound, thawed := now.Version != before.Version, boundTo(x.Env, x.who) != bound, before.Frozen && !now.Frozen
	if came := reset || rebound || thawed; came != h.may(kind) {
		t.Errorf("PIN %v, phone %v, thawed %v; by RECOVERY something comes about: %v", reset, rebound, thawed, h.may(kind))
	}
	if came := rebound; came && kind != liuma.TicketRebind && kind != liuma.TicketRebindReset {
		t.Error("a phone was bound by another kind of ticket")
	}
}

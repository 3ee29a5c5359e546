package ceremony_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

const (
	thiefNumber = "13700137000"
	thiefPIN    = "627159"
)

// thief calls the ceremonies' methods at random, with the things that it has:
// the natural next step of some ceremony, any other step, a step again, twice
// at once, with another browser's secret, under a new push.
type thief struct {
	*phoned
	own authority.Caller // a channel in which the thief may type any name
	rng *rand.Rand

	sim, face, pin bool
	cardNo         bool // the physical card's number, where a region accepts it
	session        bool // a session in the channel that the card is linked in
	own2           store.Handle
	unborn         registry.Facts // in the registry, without a card
	flows          []*flow
	began          time.Time // of the walk
}

// flow is one ceremony of the thief's.
type flow struct {
	ch    authority.Caller
	q     ceremony.Push
	id    string
	hands []ceremony.Hand
}

func (th *thief) one(n int) bool { return th.rng.IntN(n) == 0 }

// subject is the holder that the thief's ceremony is about.
func (th *thief) subject(a liuma.Action) (authority.Caller, envelope.Subject, registry.Facts, bool) {
	switch {
	case a == liuma.ActionEnroll && th.one(2):
		return th.own, testkit.Subject(th.unborn), th.unborn, true
	case a == liuma.ActionEnroll:
		return th.own, testkit.Subject(th.who), th.who, true
	case a == liuma.ActionLink:
		return th.own, envelope.Subject{IDNumber: th.who.IDNumber, Name: th.who.Name}, th.who, true
	case th.own2 != "" && th.one(2):
		return th.own, envelope.Subject{Card: string(th.own2)}, th.who, true
	case th.session:
		return th.ch, envelope.Subject{Card: string(th.card)}, th.who, true
	}
	return th.own, envelope.Subject{Card: string(th.card)}, th.who, true
}

// prove adds evidence to a push: the holder's with the face, else the thief's.
func (th *thief) prove(c authority.Caller, q *ceremony.Push, about registry.Facts) {
	if !th.face {
		about = th.People[9]
	}
	q.Challenge = th.Challenge(c).Value
	q.Evidence = th.Evidence(about, q.Challenge)
}

func (th *thief) open() {
	actions := []liuma.Action{liuma.ActionEnroll, liuma.ActionLink, liuma.ActionVerify, liuma.ActionChange, liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze}
	a := actions[th.rng.IntN(len(actions))]
	c, s, about, _ := th.subject(a)
	q := th.PushFor(c, a, s, nil)
	if th.one(2) || a == liuma.ActionEnroll {
		th.prove(c, &q, about)
	}
	f := &flow{ch: c, q: q}
	if th.push(f, ceremony.Hand{}) {
		th.flows = append(th.flows, f)
	}
}

// push pushes a flow, perhaps again, and begins it in a browser.
func (th *thief) push(f *flow, in ceremony.Hand) bool {
	a := th.Authority()
	pushed, err := a.Push(context.Background(), f.ch, f.q)
	if err != nil {
		return false
	}
	p, err := a.LookAt(context.Background(), f.ch.Client.ID, pushed.RequestURI, ceremony.Hand{})
	if err != nil {
		return false
	}
	f.id = p.ID
	h := ceremony.Hand{Secret: in.Secret, RequestURI: pushed.RequestURI}
	if th.one(4) {
		f.hands = append(f.hands, h) // goes on without Begin
		return true
	}
	if p, err = a.Begin(context.Background(), p.ID, h); err != nil {
		return false
	}
	f.hands = append(f.hands, ceremony.Hand{Secret: p.Bound})
	return true
}

func (th *thief) code() string {
	switch {
	case th.one(3):
		return th.LastCode(thiefNumber)
	case th.sim:
		return th.LastCode(th.who.Phone)
	}
	return fmt.Sprintf("%06d", th.rng.IntN(1_000_000))
}

// envelopes seals what the thief knows for the roles that the pad asks for.
func (th *thief) envelopes(p ceremony.Page) ceremony.Given {
	g := ceremony.Given{Try: p.Try}
	current := wrongPIN
	if th.pin {
		current = goodPIN
	}
	for role := range p.AAD {
		switch role {
		case liuma.RoleNew:
			g.New = th.SealPage(p, role, thiefPIN)
		case liuma.RoleOld:
			g.Old = th.SealPage(p, role, current)
		default:
			g.Current = th.SealPage(p, role, current)
		}
	}
	return g
}

// natural takes the step that the page asks for.
func (th *thief) natural(f *flow, h ceremony.Hand) {
	a, ctx := th.Authority(), context.Background()
	p, err := a.Look(ctx, f.id, h)
	if err != nil {
		return
	}
	switch p.Step {
	case ceremony.StepConfirm:
		_, _ = a.Agree(ctx, f.id, h)
	case ceremony.StepCode:
		th.Clock.Advance(time.Minute)
		if _, err := a.SendCode(ctx, f.id, h, liuma.ByText); err == nil {
			code := th.code()
			th.twice(func() { _, _ = a.GiveCode(ctx, f.id, h, code) })
		}
	case ceremony.StepPIN:
		g := th.envelopes(p)
		th.twice(func() { _, _ = a.GivePIN(ctx, f.id, h, g) })
	case ceremony.StepPhone:
		_, _ = a.GivePhone(ctx, f.id, h, thiefNumber)
	case ceremony.StepEvidence:
		if th.cardNo && th.one(2) {
			_, _ = a.GiveCardNo(ctx, f.id, h, th.who.CardNo)
			return
		}
		th.prove(f.ch, &f.q, th.who)
		th.push(f, h)
	case ceremony.StepRefused:
		_, _ = a.Forgot(ctx, f.id, h)
	case ceremony.StepDone:
		th.Clock.Advance(time.Minute)
		if _, err := a.SendCode(ctx, f.id, h, liuma.ByText); err == nil {
			_, _ = a.GiveCode(ctx, f.id, h, th.code())
		}
		_, _ = a.WayBack(ctx, f.id, h)
	}
}

// twice calls a function once, or sometimes twice at once.
func (th *thief) twice(do func()) {
	if !th.one(4) {
		do()
		return
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(do)
	}
	wg.Wait()
}

// wild takes any step at all.
func (th *thief) wild(f *flow, h ceremony.Hand) {
	a, ctx := th.Authority(), context.Background()
	switch th.rng.IntN(12) {
	case 11:
		_, _ = a.GiveCardNo(ctx, f.id, h, th.who.CardNo)
	case 0:
		_, _ = a.Agree(ctx, f.id, h)
	case 1:
		_, _ = a.SendCode(ctx, f.id, h, liuma.ByText)
	case 2:
		_, _ = a.GiveCode(ctx, f.id, h, th.code())
	case 3:
		_, _ = a.GivePhone(ctx, f.id, h, thiefNumber)
	case 4, 5:
		_, _ = a.Forgot(ctx, f.id, h)
	case 6:
		_, _ = a.Remember(ctx, f.id, h)
	case 7:
		if th.one(2) {
			f.q.Evidence, f.q.Challenge = "", ""
		} else {
			th.prove(f.ch, &f.q, th.who)
		}
		th.push(f, ceremony.Hand{})
	case 8:
		p, err := a.Look(ctx, f.id, h)
		if err == nil && p.SealKey != nil {
			p.Try += th.rng.IntN(3) - 1
			g := th.envelopes(p)
			g.Reopen = th.one(2)
			_, _ = a.GivePIN(ctx, f.id, h, g)
		}
	case 9:
		_, _ = a.Extend(ctx, f.id, h)
	case 10:
		_, _ = a.Begin(ctx, f.id, h)
	}
}

// native sends a request to the native door, from a channel whose key the thief
// has, with evidence about the thief. With evidence about the holder the thief
// would have two factors.
func (th *thief) native() {
	a, ctx := th.Authority(), context.Background()
	if th.pin {
		if v, err := a.Link(ctx, th.own, th.LinkRequest(th.own, th.who, goodPIN)); err == nil && v.Card != "" {
			th.own2 = v.Card
		}
	}
	if th.own2 != "" {
		_, _ = a.Change(ctx, th.own, th.ChangeRequest(th.own, th.own2, goodPIN, thiefPIN))
	}
	q := th.EnrollRequest(th.own, th.unborn, thiefPIN)
	q.Evidence = th.Evidence(th.People[9], q.Challenge)
	_, _ = a.Enroll(ctx, th.own, q)
}

func (th *thief) step() {
	switch {
	case len(th.flows) == 0 || th.one(6):
		th.open()
		return
	case th.one(12):
		th.native()
		return
	case th.one(20):
		// A stolen PIN allows a change after 72 hours, and the holder had a notice of
		// the link (docs/RECOVERY.md): the walk stays within 70.
		left := 70*time.Hour - th.Clock.Now().Sub(th.began)
		th.Clock.Advance(min(time.Duration(th.rng.IntN(480))*time.Minute, max(0, left/8)))
		return
	}
	// Mostly the ceremony of the last step, so that the thief gets far.
	f := th.flows[len(th.flows)-1]
	if th.one(3) {
		f = th.flows[th.rng.IntN(len(th.flows))]
	}
	h := f.hands[len(f.hands)-1]
	switch {
	case th.one(8):
		h = f.hands[th.rng.IntN(len(f.hands))]
	case th.one(12):
		other := th.flows[th.rng.IntN(len(th.flows))]
		h = other.hands[th.rng.IntN(len(other.hands))]
	}
	if th.one(4) {
		th.wild(f, h)
		return
	}
	th.natural(f, h)
}

// won names the thing that the thief obtained, or is empty.
func (th *thief) won(before store.Card, contact store.Contact) string {
	var now store.Card
	var phone store.Contact
	born := false
	err := th.System.Store.View(context.Background(), func(r store.Reader) (err error) {
		if now, err = r.Card(before.ID); err != nil {
			return err
		}
		if phone, err = r.Contact(before.ID); err != nil {
			return err
		}
		holder := th.System.Vault.Index("id-number", th.unborn.IDNumber)
		card, err := r.CardByHolder(holder)
		born = err == nil && card.Version > 0
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	switch {
	case err != nil:
		th.T.Fatal(err)
	case born:
		return "set the first PIN of somebody else"
	case now.Version != before.Version:
		return "set the PIN"
	case phone.Phone != contact.Phone:
		return "bound a phone"
	case before.Frozen && !now.Frozen:
		return "unfroze the card"
	}
	return ""
}

// rob lets a thief try at random and returns what it obtained, and after how
// many steps.
func rob(t *testing.T, th *thief, frozen bool, seed uint64, steps int) (string, int) {
	t.Helper()
	if th.cardNo {
		th.phoned = newLenient(t)
	} else {
		th.phoned = newPhoned(t, testkit.Options{})
	}
	th.own, th.unborn, th.rng = th.Channel("any-app"), th.People[1], rand.New(rand.NewPCG(seed, 1))
	if frozen {
		freezeIn(th.phoned)
	}
	card := cardRow(t, th.Env, th.ch, th.card)
	var contact store.Contact
	if err := th.System.Store.View(t.Context(), func(r store.Reader) (err error) {
		contact, err = r.Contact(card.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	th.began = th.Clock.Now()
	for n := range steps {
		th.step()
		if what := th.won(card, contact); what != "" {
			return what, n
		}
	}
	return "", steps
}

// TestNoSingleFactorGetsAnything is I-12: a thief has one factor, everything
// public about the holder and, where the factor gives it, a session in the
// holder's channel. In any order of steps the thief sets and resets no PIN,
// binds no phone and unfreezes nothing.
func TestNoSingleFactorGetsAnything(t *testing.T) {
	seeds := uint64(1)
	if testkit.EveryStory() {
		seeds = 2
	}
	for name, th := range map[string]thief{
		"nothing":   {},
		"a channel": {session: true},
		"a SIM":     {sim: true, session: true},
		"a face":    {face: true, session: true},
		"a PIN":     {pin: true},
		"a card":    {cardNo: true, session: true},
	} {
		for _, frozen := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/frozen=%v", name, frozen), func(t *testing.T) {
				for seed := range seeds {
					th := th
					if what, n := rob(t, &th, frozen, seed, 120); what != "" {
						t.Errorf("seed %d: whoever holds %s %s, in step %d", seed, name, what, n)
					}
				}
			})
		}
	}
}

// TestTwoFactorsAreFound shows that the random thief finds the ways that exist
// with two factors.
func TestTwoFactorsAreFound(t *testing.T) {
	for _, tt := range []struct {
		name   string
		th     thief
		frozen bool
		want   string
	}{
		{"SIM and face", thief{sim: true, face: true, session: true}, false, "set the PIN"},
		{"PIN, SIM and session, frozen", thief{sim: true, pin: true, session: true}, true, "unfroze the card"},
		{"SIM and card, where that counts", thief{sim: true, cardNo: true, session: true}, false, "set the PIN"},
		{"PIN and session", thief{pin: true, session: true}, false, "set the PIN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(6) {
				th := tt.th
				what, n := rob(t, &th, tt.frozen, seed, 400)
				if what == tt.want {
					t.Logf("in %d steps", n)
					return
				}
			}
			t.Errorf("no walk came to where the thief %s", tt.want)
		})
	}
}

package ceremony_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestWhatEndedStaysEnded: a ceremony that its holder left, or that expired,
// while the keepers worked stays ended with any verdict, because the
// channel has its outcome already.
func TestWhatEndedStaysEnded(t *testing.T) {
	for name, pin := range map[string]string{"right": goodPIN, "wrong": otherPIN} {
		t.Run(name, func(t *testing.T) {
			env, h := hooked(t, "1/1")
			ch := env.Channel("zj-hrss")
			card := env.Enroll(ch, env.People[0], goodPIN)
			q := env.PushFor(ch, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil)
			p, hand := env.OpenPage(ch, q)
			h.set(once(func() {
				if left, err := env.Authority().Leave(context.Background(), p.ID, hand); err != nil || left.Step != ceremony.StepLeft {
					t.Errorf("leaving: %s, %v", left.Step, err)
				}
			}), nil)
			after := env.GivePIN(p, hand, liuma.RoleCurrent, pin)
			if after.Step != ceremony.StepLeft || after.Code != liuma.CodeLeft {
				t.Errorf("the page is at %s (%s)", after.Step, after.Code)
			}
			if back := env.WayBack(p, hand); back.Get("code") != "" || back.Get("error_description") != string(liuma.CodeLeft) {
				t.Errorf("the way back is %v", back)
			}
			if v, err := env.Authority().Verification(t.Context(), ch, q.BusinessNo); err != nil || v.Code != liuma.CodeLeft {
				t.Errorf("the channel is told %q, %v", v.Code, err)
			}
		})
	}
}

// TestNobodyLeavesASettingUnderWay: a PIN that is being carried through will be
// set, so the page must not let the holder leave and say that nothing changed.
func TestNobodyLeavesASettingUnderWay(t *testing.T) {
	env, h := hooked(t, "1/1")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	q := env.PushFor(ch, liuma.ActionChange, envelope.Subject{Card: string(card)}, nil)
	p, hand := env.OpenPage(ch, q)
	h.set(nil, func() func(id keeper.ID) error {
		return once(func() {
			_, err := env.Authority().Leave(context.Background(), p.ID, hand)
			if liuma.CodeOf(err) != liuma.CodeChangeUnderWay {
				t.Errorf("leaving: %v", err)
			}
		})
	}())
	after, err := env.Authority().GivePIN(t.Context(), p.ID, hand, ceremony.Given{Try: p.Try,
		Old: env.SealPage(p, liuma.RoleOld, goodPIN), New: env.SealPage(p, liuma.RoleNew, otherPIN)})
	if err != nil || after.Step != ceremony.StepDone {
		t.Fatalf("the page is at %s (%s), %v", after.Step, after.Code, err)
	}
	if v := env.Verify(ch, card, otherPIN); v.Verdict != liuma.Right {
		t.Errorf("the new PIN: %+v", v)
	}
}

// verbs are the methods that a page can call, and the steps at which they are
// allowed.
func verbs(a server.Front) []struct {
	name string
	from []ceremony.Step
	do   func(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
} {
	const confirm, code, card, evidence, phone, pin, done, refused = ceremony.StepConfirm, ceremony.StepCode, ceremony.StepCardNo, ceremony.StepEvidence,
		ceremony.StepPhone, ceremony.StepPIN, ceremony.StepDone, ceremony.StepRefused
	type page = ceremony.Page
	type hand = ceremony.Hand
	steps := func(s ...ceremony.Step) []ceremony.Step { return s }
	return []struct {
		name string
		from []ceremony.Step
		do   func(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	}{
		{"begin", steps(confirm, code, card, evidence, phone, pin, done, refused), a.Begin},
		{"agree", steps(confirm), a.Agree},
		{"send-code", steps(code, done), func(ctx context.Context, id string, h hand) (page, error) {
			return a.SendCode(ctx, id, h, liuma.ByText)
		}},
		{"code", steps(code, done), func(ctx context.Context, id string, h hand) (page, error) { return a.GiveCode(ctx, id, h, "000000") }},
		{"phone", steps(phone, code), func(ctx context.Context, id string, h hand) (page, error) {
			return a.GivePhone(ctx, id, h, "13900001111")
		}},
		{"card-number", steps(card, evidence), func(ctx context.Context, id string, h hand) (page, error) {
			return a.GiveCardNo(ctx, id, h, "A00000000")
		}},
		{"no-phone", steps(phone), a.NoPhone},
		{"ticket", steps(evidence), func(ctx context.Context, id string, h hand) (page, error) {
			return a.GiveTicket(ctx, id, h, "2345-6789")
		}},
		{"forgot", steps(pin, refused), a.Forgot},
		{"remember", steps(code, card, evidence), a.Remember},
		{"freeze", steps(confirm, code, card, evidence, phone, pin, done, refused), a.FreezeOwn},
		{"every-use", steps(done), func(ctx context.Context, id string, h hand) (page, error) { return a.NoticeEveryUse(ctx, id, h, true) }},
		{"pin", steps(pin), func(ctx context.Context, id string, h hand) (page, error) {
			return a.GivePIN(ctx, id, h, ceremony.Given{Try: 1})
		}},
		{"leave", steps(confirm, code, card, evidence, phone, pin), a.Leave},
		{"extend", steps(confirm, code, card, evidence, phone, pin, done), a.Extend},
	}
}

var everyAction = []liuma.Action{liuma.ActionEnroll, liuma.ActionLink, liuma.ActionVerify, liuma.ActionChange,
	liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze, liuma.ActionCounter}

// open pushes a ceremony of an action and opens its page; at a counter it begins a ticket
// with the longest way.
func (x *phoned) open(a liuma.Action) (ceremony.Push, ceremony.Page, ceremony.Hand) {
	q := x.push(a)
	if a == liuma.ActionCounter {
		p, h := x.Desk("moves").Begin(x.People[2], liuma.TicketEnroll)
		return q, p, h
	}
	switch a {
	case liuma.ActionEnroll:
		q = x.PushFor(x.ch, a, identity(x.People[1]), &x.People[1])
	case liuma.ActionLink:
		q = x.PushFor(x.ch, a, identity(x.who), nil)
	}
	p, h := x.OpenPage(x.ch, q)
	return q, p, h
}

func (x *phoned) row(id string) (c store.Ceremony) {
	x.T.Helper()
	err := x.System.Store.View(x.T.Context(), func(r store.Reader) (err error) {
		c, err = r.Ceremony(id)
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return c
}

// TestMovesOfAPageThatIsBehind: at every step of every action, a method that
// its page does not offer is refused and changes nothing.
func TestMovesOfAPageThatIsBehind(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	every := []ceremony.Step{ceremony.StepConfirm, ceremony.StepCode, ceremony.StepCardNo, ceremony.StepEvidence, ceremony.StepPhone, ceremony.StepPIN,
		ceremony.StepDone, ceremony.StepRefused, ceremony.StepReset, ceremony.StepLeft, ceremony.StepExpired}
	for _, action := range everyAction {
		_, p, h := x.open(action)
		for _, step := range every {
			tamper(t, x.Env, func(tx store.Tx) error {
				c, err := tx.Ceremony(p.ID)
				c.Step = string(step)
				return errors.Join(err, tx.UpdateCeremony(c))
			})
			before := x.row(p.ID)
			for _, verb := range verbs(x.Authority()) {
				if slices.Contains(verb.from, step) {
					continue
				}
				if _, err := verb.do(t.Context(), p.ID, h); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
					t.Errorf("%s at %s: %s: %v", action, step, verb.name, err)
				}
			}
			if after := x.row(p.ID); !reflect.DeepEqual(before, after) {
				t.Errorf("%s at %s: a refused move changed it", action, step)
			}
		}
	}
}

// TestMovesInAnyOrder calls all methods in random order, with right and wrong
// PINs and codes, new pushes and other browsers. No call fails by a fault of
// this program, none makes a move that the drawings lack, and an ended ceremony
// stays ended, except that a reset ends a lock.
func TestMovesInAnyOrder(t *testing.T) {
	for i, action := range everyAction {
		t.Run(string(action), func(t *testing.T) {
			rounds := 2
			if testkit.EveryStory() {
				rounds = 4
			}
			for round := range rounds {
				x := newPhoned(t, testkit.Options{})
				if action == liuma.ActionUnfreeze {
					freezeIn(x)
				}
				x.anyOrder(action, rand.New(rand.NewPCG(uint64(i), uint64(round))))
			}
		})
	}
}

// anyOrder plays one ceremony at random.
func (x *phoned) anyOrder(action liuma.Action, r *rand.Rand) {
	q, p, h := x.open(action)
	all := verbs(x.Authority())
	was, trail := x.row(p.ID), []string{}
	for range 40 {
		var name string
		var err error
		switch n := r.IntN(len(all) + 8); {
		case n < len(all) && all[n].name == "freeze" && r.IntN(12) > 0:
			continue
		case n < len(all) && all[n].name == "leave" && r.IntN(8) > 0:
			continue
		case n < len(all):
			name = all[n].name
			_, err = all[n].do(x.T.Context(), p.ID, h)
		case n < len(all)+3:
			name, err = "right PIN", x.pins(p.ID, h, goodPIN)
		case n < len(all)+4:
			name, err = "wrong PIN", x.pins(p.ID, h, wrongPIN)
		case n < len(all)+6:
			name, err = "right code", x.codes(p.ID, h)
		default:
			name, err = "another push", x.again(q, &h, r.IntN(2) == 0)
		}
		is := x.row(p.ID)
		trail = append(trail, fmt.Sprintf("%s: %s (%s)", name, is.Step, liuma.CodeOf(err)))
		if err != nil && liuma.CodeOf(err) == liuma.CodeInternal {
			x.T.Fatalf("%v\n%v", err, trail)
		}
		if over := !was.Ended.IsZero(); is.Step != was.Step && over && (was.Step != string(ceremony.StepRefused) || name != "forgot") {
			x.T.Fatalf("it had ended\n%v", trail)
		}
		was = is
	}
}

// pins returns the PINs that the pad asks for.
func (x *phoned) pins(id string, h ceremony.Hand, secret string) error {
	p, err := x.Authority().Look(x.T.Context(), id, h)
	if err != nil || p.Step != ceremony.StepPIN || p.AAD == nil {
		return err
	}
	g := ceremony.Given{Try: p.Try}
	for role := range p.AAD {
		switch sealed := x.SealPage(p, role, secret); role {
		case liuma.RoleCurrent:
			g.Current = sealed
		case liuma.RoleOld:
			g.Old = sealed
		case liuma.RoleNew:
			g.New = x.SealPage(p, role, otherPIN)
		}
	}
	_, err = x.Authority().GivePIN(x.T.Context(), id, h, g)
	return err
}

// codes sends a one-time code and gives it, if one was sent.
func (x *phoned) codes(id string, h ceremony.Hand) error {
	x.Clock.Advance(time.Minute)
	p, err := x.Authority().SendCode(x.T.Context(), id, h, liuma.ByText)
	if err != nil || p.Code != "" {
		return err
	}
	number := ""
	for _, f := range append(slices.Clone(x.People), registry.Facts{Phone: "13900001111"}) {
		if registry.MaskPhone(f.Phone) == p.PhoneMasked && len(x.Texts(f.Phone)) > 0 {
			number = f.Phone
		}
	}
	if number == "" {
		return nil
	}
	_, err = x.Authority().GiveCode(x.T.Context(), id, h, x.LastCode(number))
	return err
}

// again pushes once more, with evidence if it is needed, and goes on in this
// browser or another.
func (x *phoned) again(q ceremony.Push, h *ceremony.Hand, here bool) error {
	if q.Action != liuma.ActionEnroll {
		c, err := x.Authority().Challenge(x.T.Context(), x.ch)
		if err != nil {
			return err
		}
		q.Challenge, q.Evidence = c.Value, x.Evidence(x.who, c.Value)
	}
	pushed, err := x.Authority().Push(x.T.Context(), x.ch, q)
	if err != nil {
		return err
	}
	in := ceremony.Hand{RequestURI: pushed.RequestURI}
	if here {
		in.Secret = h.Secret
	}
	p, err := x.Authority().LookAt(x.T.Context(), x.ch.Client.ID, pushed.RequestURI, in)
	if err != nil {
		return err
	}
	p, err = x.Authority().Begin(x.T.Context(), p.ID, in)
	if err == nil {
		*h = ceremony.Hand{Secret: p.Bound, RequestURI: pushed.RequestURI}
	}
	return err
}

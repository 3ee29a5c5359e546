package ceremony_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestNobodyTypesInVain: the pad is not shown if no PIN could be right now. The
// page and the channel say why at once, and nothing is counted.
func TestNobodyTypesInVain(t *testing.T) {
	for name, tt := range map[string]struct {
		do      func(x *phoned)
		action  liuma.Action
		verdict liuma.Verdict
		code    liuma.Code
		until   bool
	}{
		"locked, to verify":      {func(x *phoned) { x.lock() }, liuma.ActionVerify, liuma.Locked, liuma.CodeLocked, true},
		"locked, to change":      {func(x *phoned) { x.lock() }, liuma.ActionChange, liuma.Locked, liuma.CodeLocked, true},
		"locked, to rebind":      {func(x *phoned) { x.lock() }, liuma.ActionRebind, liuma.Locked, liuma.CodeLocked, true},
		"frozen, to verify":      {freezeIn, liuma.ActionVerify, liuma.Suspended, liuma.CodeFrozen, false},
		"locked and frozen":      {func(x *phoned) { x.lock(); freezeIn(x) }, liuma.ActionVerify, liuma.Suspended, liuma.CodeFrozen, false},
		"cancelled, to verify":   {func(x *phoned) { physically(x, authority.PhysicalCancelled) }, liuma.ActionVerify, liuma.Suspended, liuma.CodeCancelled, false},
		"locked, to be unfrozen": {func(x *phoned) { x.lock(); freezeIn(x) }, liuma.ActionUnfreeze, liuma.Locked, liuma.CodeLocked, true},
	} {
		t.Run(name, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{})
			tt.do(x)
			id := cardRow(t, x.Env, x.ch, x.card).ID
			before := counted(t, x.Env, id)[0]
			q := x.push(tt.action)
			p, h := x.OpenPage(x.ch, q)
			if p.Step == ceremony.StepConfirm {
				var err error
				if p, err = x.Authority().Agree(t.Context(), p.ID, h); err != nil {
					t.Fatal(err)
				}
			}
			if p.Step == ceremony.StepCode {
				p = x.Code(p, h, x.who.Phone)
			}
			x.want(p, ceremony.StepRefused, tt.code)
			if p.Verdict != tt.verdict || p.Until.IsZero() == tt.until {
				t.Errorf("page: %+v", p)
			}
			v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo)
			if err != nil || v.Verdict != tt.verdict || v.Code != tt.code || !v.Until.Equal(p.Until) {
				t.Errorf("the channel: %+v, %v", v, err)
			}
			if back := x.WayBack(p, h); back.Get("error_description") != string(tt.code) {
				t.Errorf("way back: %v", back)
			}
			if after := counted(t, x.Env, id)[0]; after != before {
				t.Errorf("%d guesses were counted", after-before)
			}
		})
	}
}

// TestALockIsNotShownToStrangers: a channel without a link gets the pad for a
// locked card, as for every other card and for a person without one.
func TestALockIsNotShownToStrangers(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.lock()
	far := x.Channel("national")
	p, h := x.OpenPage(far, x.PushFor(far, liuma.ActionLink, identity(x.who), nil))
	p, err := x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil || p.Step != ceremony.StepPIN || p.Code != "" || p.TriesLeft != nil || !p.Until.IsZero() {
		t.Errorf("to link: %+v, %v", p, err)
	}
	_, err = x.Authority().Push(t.Context(), far, x.PushFor(far, liuma.ActionVerify, envelope.Subject{Card: string(x.card)}, nil))
	wantCode(t, err, liuma.CodeRefused)
}

// TestTheSixthMayBeRight: while the sixth guess is with the keepers, the page
// under a new push still shows the pad, because that guess may be right.
func TestTheSixthMayBeRight(t *testing.T) {
	hook := &hooks{}
	x := newPhoned(t, testkit.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, hook} }})
	for range 5 {
		x.guess(x.card)
	}
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	var meanwhile ceremony.Page
	hook.set(once(func() { meanwhile, _ = x.OpenPageIn(x.ch, q, h) }), nil)
	if p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN); p.Step != ceremony.StepDone {
		t.Errorf("the right PIN: %+v", p)
	}
	x.want(meanwhile, ceremony.StepPIN, "")
}

func physically(x *phoned, e authority.PhysicalEvent) {
	x.T.Helper()
	if _, err := physical(x.Env, x.RegistryClient("mohrss"), x.who, e, ""); err != nil {
		x.T.Fatal(err)
	}
}

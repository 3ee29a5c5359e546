package ceremony_test

import (
	"context"
	"slices"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// client changes how a channel is registered, as an operator does.
func (x *phoned) client(change func(*store.Client)) {
	x.T.Helper()
	err := x.System.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Client(x.ch.Client.ID)
		if err != nil {
			return audit.Entry{}, err
		}
		change(&c)
		return audit.Entry{At: x.Clock.Now(), Actor: "operator", Event: audit.ChannelRegistered, Outcome: "ok"}, tx.UpdateClient(c)
	})
	if err != nil {
		x.T.Fatal(err)
	}
}

func stopped(c *store.Client) { c.Stopped = true }

// only reduces a channel's registration to some actions.
func only(actions ...liuma.Action) func(*store.Client) {
	return func(c *store.Client) { c.Actions = actions }
}

// TestAStoppedChannelIsServedNoMore: at every step of an open ceremony, a
// channel that was stopped or may not do the act any more gets no further. The
// page asks for nothing and names no person, and the business number has the
// reason.
func TestAStoppedChannelIsServedNoMore(t *testing.T) {
	type move func(a server.Front, id string, h ceremony.Hand) (ceremony.Page, error)
	moves := map[string]move{
		"begin": func(a server.Front, id string, h ceremony.Hand) (ceremony.Page, error) {
			return a.Begin(t.Context(), id, h)
		},
		"extend": func(a server.Front, id string, h ceremony.Hand) (ceremony.Page, error) {
			return a.Extend(t.Context(), id, h)
		},
		"forgot": func(a server.Front, id string, h ceremony.Hand) (ceremony.Page, error) {
			return a.Forgot(t.Context(), id, h)
		},
		"give PIN": nil,
	}
	for name, how := range map[string]func(*store.Client){"stopped": stopped, "not permitted": only(liuma.ActionLink),
		"elsewhere": func(c *store.Client) { c.Regions = []liuma.Region{"999999"} }} {
		for verb, move := range moves {
			t.Run(name+"/"+verb, func(t *testing.T) {
				x := newPhoned(t, testkit.Options{})
				q := x.push(liuma.ActionVerify)
				q.Region = "330500"
				p, h := x.OpenPage(x.ch, q)
				x.client(how)
				seen, err := x.Authority().Look(t.Context(), p.ID, h)
				if err != nil || seen.Step != ceremony.StepRefused || seen.Code != liuma.CodeForbidden || seen.NameMasked != "" || seen.SealKey != nil {
					t.Fatalf("the page: %+v, %v", seen, err)
				}
				before := cardRow(t, x.Env, x.ch, x.card).Tally
				if move == nil {
					p, err = x.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: p.Try, Current: x.SealPage(p, liuma.RoleCurrent, goodPIN)})
				} else {
					p, err = move(x.Authority(), p.ID, h)
				}
				if err != nil {
					t.Fatal(err)
				}
				x.want(p, ceremony.StepRefused, liuma.CodeForbidden)
				if cardRow(t, x.Env, x.ch, x.card).Tally != before {
					t.Error("a guess was counted")
				}
				if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.Code != liuma.CodeForbidden || v.Verdict != "" {
					t.Errorf("the business number: %+v, %v", v, err)
				}
				x.client(func(c *store.Client) { *c = x.ch.Client })
				if _, err := x.Authority().Push(t.Context(), x.ch, q); liuma.CodeOf(err) != liuma.CodeBusinessNoUsed {
					t.Errorf("it goes on when the channel is back: %v", err)
				}
			})
		}
	}
}

// TestAStoppedChannelsHolderLeavesAndFreezes: leaving and freezing stay
// possible.
func TestAStoppedChannelsHolderLeavesAndFreezes(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	p2, h2 := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	p3, h3 := x.verified(x.card)
	x.client(stopped)
	if p, err := x.Authority().Leave(t.Context(), p.ID, h); err != nil || p.Step != ceremony.StepLeft {
		t.Errorf("leave: %+v, %v", p, err)
	}
	done, err := x.Authority().Look(t.Context(), p3.ID, h3)
	if err != nil || done.Step != ceremony.StepDone || done.EveryUse != nil || done.NameMasked != "" {
		t.Errorf("what was done before: %+v, %v", done, err)
	}
	_, err = x.Authority().NoticeEveryUse(t.Context(), p3.ID, h3, true)
	wantCode(t, err, liuma.CodeForbidden)
	if p, err := x.Authority().FreezeOwn(t.Context(), p2.ID, h2); err != nil || p.Code != liuma.CodeFrozen || p.Step != ceremony.StepRefused {
		t.Errorf("freeze: %+v, %v", p, err)
	}
	if !cardRow(t, x.Env, x.ch, x.card).Frozen {
		t.Error("not frozen")
	}
}

// TestAForgottenPINNeedsNoPermissionOfItsOwn: a holder may reset their PIN in
// every channel that may do the act that they came for.
func TestAForgottenPINNeedsNoPermissionOfItsOwn(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.client(only(liuma.ActionVerify))
	x.ch.Client.Actions = []liuma.Action{liuma.ActionVerify}
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	p, err := x.Authority().Forgot(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	x.want(x.Code(p, h, x.who.Phone), ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	p, h = x.WithEvidence(x.ch, q, x.who, p, h, h)
	x.want(p, ceremony.StepPIN, "")
	if p = x.GivePIN(p, h, liuma.RoleNew, otherPIN); !p.WasReset {
		t.Errorf("not reset: %+v", p)
	}
}

// TestAChannelIsStoppedWhileTheKeepersWork: the right PIN then has no effect,
// in every act that takes one.
func TestAChannelIsStoppedWhileTheKeepersWork(t *testing.T) {
	for _, action := range []liuma.Action{liuma.ActionVerify, liuma.ActionLink, liuma.ActionRebind, liuma.ActionUnfreeze} {
		t.Run(string(action), func(t *testing.T) {
			hook := &hooks{}
			x := newPhoned(t, testkit.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, hook} }})
			q := x.push(action)
			switch action {
			case liuma.ActionUnfreeze:
				if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(x.who.Phone)); err != nil {
					t.Fatal(err)
				}
			case liuma.ActionLink:
				two := x.Channel("national")
				q = x.PushFor(two, action, envelope.Subject{IDNumber: x.who.IDNumber, Name: x.who.Name}, nil)
				x.ch = two
			}
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
			hook.set(once(func() { x.client(stopped) }), nil)
			p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
			hook.set(nil, nil)
			x.want(p, ceremony.StepRefused, liuma.CodeForbidden)
			x.client(func(c *store.Client) { *c = x.ch.Client })
			want := liuma.CodeForbidden
			if action == liuma.ActionLink {
				want = liuma.CodeRefused // without a link there is one refusal for all causes
			}
			if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.Code != want || v.Verdict != "" {
				t.Errorf("the business number: %+v, %v", v, err)
			}
			if got := x.Notices(x.who.Phone); slices.Contains(got, "channel_linked") || slices.Contains(got, "card_unfrozen") {
				t.Errorf("it came about: %v", got)
			}
		})
	}
}

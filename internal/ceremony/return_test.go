package ceremony_test

import (
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// linkedIn reports whether a person's card is linked in a channel.
func linkedIn(t *testing.T, env *testkit.Env, ch authority.Caller, f registry.Facts) (yes bool) {
	t.Helper()
	err := env.System.Store.View(t.Context(), func(r store.Reader) error {
		card, err := r.CardByHolder(env.System.Vault.Index("id-number", f.IDNumber))
		if err != nil {
			return err
		}
		links, err := r.Links(card.ID)
		yes = slices.ContainsFunc(links, func(l store.Link) bool { return l.Channel == ch.Channel() })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return yes
}

func eventsOf(t *testing.T, env *testkit.Env, ev audit.Event) (n int) {
	t.Helper()
	for _, e := range events(t, env) {
		if e.Event == ev {
			n++
		}
	}
	return n
}

// nothing fails unless a channel learns nothing of a right verdict but a state
// and an error code.
func nothing(t *testing.T, env *testkit.Env, ch authority.Caller, bn liuma.BusinessNo, state string, code liuma.Code) {
	t.Helper()
	v, err := env.Authority().Verification(t.Context(), ch, bn)
	if err != nil || v.State != state || v.Code != code || v.Verdict != "" || v.Card != "" || v.Receipt != "" || v.Redeemed || v.TriesLeft != nil {
		t.Errorf("%+v, %v; want %s %s and nothing else", v, err, state, code)
	}
}

// TestTakenOverWhileTheKeepersWork (I-14): while the keepers work on the PIN of
// the owner's browser, the thief pushes again. A browser of the thief's that
// took over, before or after the verdict, gets no code, and that is final; what
// the act has set stays set.
func TestTakenOverWhileTheKeepersWork(t *testing.T) {
	for _, when := range []string{"before the verdict", "after the verdict"} {
		for _, action := range []liuma.Action{liuma.ActionVerify, liuma.ActionLink, liuma.ActionChange} {
			t.Run(string(action)+", "+when, func(t *testing.T) {
				hook := &hooks{}
				x := newPhoned(t, testkit.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, hook} }})
				ch, q := x.ch, x.push(action)
				switch action {
				case liuma.ActionLink:
					ch = x.Channel("national")
					q = x.PushFor(ch, action, envelope.Subject{IDNumber: x.who.IDNumber, Name: x.who.Name}, nil)
				case liuma.ActionChange:
					x.Clock.Advance(80 * time.Hour)
				}
				p, h := x.OpenPage(ch, q)
				if p.Step == ceremony.StepConfirm {
					var err error
					if p, err = x.Authority().Agree(t.Context(), p.ID, h); err != nil {
						t.Fatal(err)
					}
				}
				var pushed ceremony.Pushed
				var thief ceremony.Hand
				take := once(func() {
					var err error
					if pushed, err = x.Authority().Push(t.Context(), ch, q); err != nil {
						t.Error(err)
					}
					thief = ceremony.Hand{RequestURI: pushed.RequestURI}
					if when == "before the verdict" {
						begun, err := x.Authority().Begin(t.Context(), p.ID, thief)
						if err != nil {
							t.Error(err)
						}
						thief = ceremony.Hand{Secret: begun.Bound}
					}
				})
				g := ceremony.Given{Try: p.Try}
				if action == liuma.ActionChange {
					g.Old, g.New = x.SealPage(p, liuma.RoleOld, goodPIN), x.SealPage(p, liuma.RoleNew, otherPIN)
				} else {
					g.Current = x.SealPage(p, liuma.RoleCurrent, goodPIN)
				}
				hook.set(take, nil)
				_, err := x.Authority().GivePIN(t.Context(), p.ID, h, g)
				hook.set(nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				if when == "after the verdict" {
					seen, err := x.Authority().LookAt(t.Context(), ch.Client.ID, pushed.RequestURI, ceremony.Hand{})
					if err != nil || seen.Step == ceremony.StepDone || seen.Verdict != "" || seen.NameMasked != "" {
						t.Errorf("before it begins it sees %+v, %v", seen, err)
					}
					if _, err := x.Authority().WayBack(t.Context(), p.ID, thief); liuma.CodeOf(err) != liuma.CodeCeremonyElsewhere {
						t.Errorf("way back by the address: %v", err)
					}
					begun, err := x.Authority().Begin(t.Context(), p.ID, thief)
					if err != nil {
						t.Fatal(err)
					}
					thief = ceremony.Hand{Secret: begun.Bound}
				}
				seen, err := x.Authority().Look(t.Context(), p.ID, thief)
				if err != nil || seen.Step != ceremony.StepRefused || seen.Code != liuma.CodeNotReturned || seen.Verdict != "" {
					t.Errorf("the thief's page: %+v, %v", seen, err)
				}
				if back := x.WayBack(p, thief); back.Has("code") || back.Get("error_description") != string(liuma.CodeNotReturned) {
					t.Errorf("the thief goes back with %v", back)
				}
				if _, err := x.Authority().Push(t.Context(), ch, q); liuma.CodeOf(err) != liuma.CodeBusinessNoUsed {
					t.Errorf("pushed once more: %v", err)
				}
				state, code := authority.StateDecided, liuma.CodeNotReturned
				if action != liuma.ActionVerify && action != liuma.ActionLink {
					state, code = authority.StateDone, ""
				}
				nothing(t, x.Env, ch, q.BusinessNo, state, code)
				if action == liuma.ActionLink && linkedIn(t, x.Env, ch, x.who) {
					t.Error("linked")
				}
				if n := eventsOf(t, x.Env, audit.VerdictNotReturned); n != 1 && action != liuma.ActionChange || n == 0 && when == "after the verdict" {
					t.Errorf("%d entries say that the verdict was not returned", n)
				}
			})
		}
	}
}

// TestTheSameBrowserComesBackAfterAPush (I-14): the app was killed while the
// keepers worked and pushed again; the browser that gave the PIN opens the new
// address and goes back with a code.
func TestTheSameBrowserComesBackAfterAPush(t *testing.T) {
	hook := &hooks{}
	x := newPhoned(t, testkit.Options{Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, hook} }})
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	address := ""
	hook.set(once(func() {
		pushed, err := x.Authority().Push(t.Context(), x.ch, q)
		if err != nil {
			t.Error(err)
		}
		address = pushed.RequestURI
	}), nil)
	g := ceremony.Given{Try: p.Try, Current: x.SealPage(p, liuma.RoleCurrent, goodPIN)}
	if _, err := x.Authority().GivePIN(t.Context(), p.ID, h, g); err != nil {
		t.Fatal(err)
	}
	hook.set(nil, nil)
	nothing(t, x.Env, x.ch, q.BusinessNo, authority.StateReturning, "")
	p, err := x.Authority().Begin(t.Context(), p.ID, ceremony.Hand{Secret: h.Secret, RequestURI: address})
	if err != nil || p.Step != ceremony.StepDone || p.Bound != h.Secret {
		t.Fatalf("%+v, %v", p, err)
	}
	if got := x.Return(x.ch, p, h); got.BusinessNo != q.BusinessNo || got.Card != x.card {
		t.Errorf("%+v", got)
	}
}

// TestAnEnrolmentWhoseCallbackIsLost (I-14): the PIN is set and the card is
// there, but the channel has no link and learns only that it is done. The
// holder links by that PIN, from a log-in of theirs.
func TestAnEnrolmentWhoseCallbackIsLost(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	f := x.People[3]
	q := x.PushFor(x.ch, liuma.ActionEnroll, identity(f), &f)
	p, h := x.OpenPage(x.ch, q)
	p, err := x.Authority().Agree(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	p = x.GivePIN(x.Code(p, h, f.Phone), h, liuma.RoleNew, goodPIN)
	x.want(p, ceremony.StepDone, "")
	x.WayBack(p, h) // this callback is lost
	nothing(t, x.Env, x.ch, q.BusinessNo, authority.StateDone, "")
	x.Clock.Advance(2 * time.Hour)
	nothing(t, x.Env, x.ch, q.BusinessNo, authority.StateDone, "")
	if linkedIn(t, x.Env, x.ch, f) {
		t.Fatal("linked without a code")
	}
	p, h = x.OpenPage(x.ch, x.PushFor(x.ch, liuma.ActionLink, envelope.Subject{IDNumber: f.IDNumber, Name: f.Name}, nil))
	if p, err = x.Authority().Agree(t.Context(), p.ID, h); err != nil {
		t.Fatal(err)
	}
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	if linkedIn(t, x.Env, x.ch, f) {
		t.Error("linked at the verdict")
	}
	if got := x.Return(x.ch, p, h); got.Card == "" || !linkedIn(t, x.Env, x.ch, f) {
		t.Errorf("%+v, linked %t", got, linkedIn(t, x.Env, x.ch, f))
	}
	if n := countEvents(t, x.Env, audit.CardLinked, "ok"); n != 1 {
		t.Errorf("%d links recorded, want 1", n)
	}
	if got := x.Notices(f.Phone); got[len(got)-1] != "channel_linked" {
		t.Errorf("the holder is told %v", got)
	}
}

// TestRedeemingALinkDiesHalfWay (I-14): link, notice and the used code are one
// transaction: after a death either none of them is there, and the code is taken
// again, or all of them.
func TestRedeemingALinkDiesHalfWay(t *testing.T) {
	for _, after := range []bool{false, true} {
		faults := &testkit.Faults{}
		env := testkit.New(t, testkit.Options{Faults: faults})
		one, two := env.Channel("zj-hrss"), env.Channel("national")
		f := env.People[0]
		env.Enroll(one, f, goodPIN)
		q := env.PushFor(two, liuma.ActionLink, envelope.Subject{IDNumber: f.IDNumber, Name: f.Name}, nil)
		p, h := env.OpenPage(two, q)
		p, err := env.Authority().Agree(t.Context(), p.ID, h)
		if err != nil {
			t.Fatal(err)
		}
		p = env.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
		code := env.WayBack(p, h).Get("code")
		faults.DieAt(0, after)
		if _, err := env.Authority().RedeemCode(t.Context(), two, code, testkit.RedirectURI, testkit.Verifier); err == nil {
			t.Fatal("redeemed by a dead process")
		}
		if !faults.Revive() {
			t.Fatal("nobody died")
		}
		restart(env)
		if got := linkedIn(t, env, two, f); got != after {
			t.Errorf("linked: %t, want %t", got, after)
		}
		_, err = env.Authority().RedeemCode(t.Context(), two, code, testkit.RedirectURI, testkit.Verifier)
		if after {
			wantCode(t, err, liuma.CodeCodeInvalid)
		} else if err != nil {
			t.Error(err)
		}
		v, err := env.Authority().Verification(t.Context(), two, q.BusinessNo)
		if err != nil || v.Verdict != liuma.Right || !v.Redeemed || v.Card == "" || !linkedIn(t, env, two, f) {
			t.Errorf("%+v, %v", v, err)
		}
	}
}

// TestAVerdictThatNobodyTookBack (I-14): when the ceremony's time is over, the
// verdict is not returned, for good: its code is refused, and the record says
// so once.
func TestAVerdictThatNobodyTookBack(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	q := x.push(liuma.ActionVerify)
	p, h := x.OpenPage(x.ch, q)
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.Clock.Advance(p.Expires.Sub(x.Clock.Now()) - 2*time.Second)
	code := x.WayBack(p, h).Get("code")
	x.Clock.Advance(time.Second)
	nothing(t, x.Env, x.ch, q.BusinessNo, authority.StateReturning, "")
	x.Clock.Advance(time.Second)
	nothing(t, x.Env, x.ch, q.BusinessNo, authority.StateDecided, liuma.CodeNotReturned)
	_, err := x.Authority().RedeemCode(t.Context(), x.ch, code, testkit.RedirectURI, testkit.Verifier)
	wantCode(t, err, liuma.CodeCodeInvalid)
	if back := x.WayBack(p, h); back.Has("code") {
		t.Errorf("a code after the ceremony's end: %v", back)
	}
}

package ceremony_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// several are further authorities over the store of a world, each with a vault, a clock
// and a memory of its own, as processes on other machines have them.
func several(t *testing.T, env *testkit.Env, n int) []*authority.Authority {
	t.Helper()
	var all []*authority.Authority
	for range n {
		all = append(all, anotherAuthority(t, env, env.Clock))
	}
	return all
}

var authorities atomic.Int64

func anotherAuthority(t *testing.T, env *testkit.Env, machine clock.Machine) *authority.Authority {
	t.Helper()
	s := env.System
	v, err := vault.Open(s.Config.Vault)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	rules, err := s.Policy.Running()
	if err != nil {
		t.Fatal(err)
	}
	var kept clock.State
	if err := s.Store.View(t.Context(), func(r store.Reader) (err error) { kept, err = r.Clock(); return err }); err != nil {
		t.Fatal(err)
	}
	a, err := authority.New(authority.Config{Store: s.Store, Vault: v, Quorum: s.Quorum, Policy: rules, Registry: s.Registry,
		Issuer: s.Config.Issuer, Process: fmt.Sprint("process ", authorities.Add(1)), Clock: clock.Resume(machine, kept)})
	if err != nil {
		t.Fatal(err)
	}
	a.Attach(func(store.Request) authority.Hooks { return authority.Hooks{} })
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func share(t *testing.T, all ...*authority.Authority) {
	t.Helper()
	for range 2 { // so that each has read what the last one saved
		for _, a := range all {
			if err := a.ShareSums(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// guessAt makes a stranger's wrong guess at the n-th card, and reports whether it was let
// through.
func guessAt(t *testing.T, a *authority.Authority, n int) bool {
	t.Helper()
	pass, err := a.Allow(parsed(t, wrongPIN), "app", fmt.Sprintf("10.0.%d.%d", n>>8, n&255), false)
	if liuma.CodeOf(err) == liuma.CodeSlowDown {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	pass.Saw(liuma.CardID{byte(n >> 8), byte(n), 15: 1}, liuma.Wrong)
	return true
}

// TestOneSprayOverSeveralAuthorities: a spray that a balancer spreads evenly is refused at
// all of them, not much later than one authority would have seen it; one that is started
// anew, and one that joins, refuse it at once, also when the one that saw most has ended;
// and nobody does any more when its epochs are over.
func TestOneSprayOverSeveralAuthorities(t *testing.T) {
	for _, count := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			env := testkit.New(t, testkit.Options{})
			all := several(t, env, count)
			through := 0
			for n := range 300 {
				if guessAt(t, all[n%count], n) {
					through++
				}
				if n%10 == 9 {
					share(t, all...)
				}
			}
			// 60 at one. Each other may keep back 23: noise makes one tell sooner than another,
			// which then refuses and has no more to tell. They share after ten guesses.
			if most := 60 + 23*(count-1) + 10; through > most {
				t.Errorf("%d authorities let %d through, want at most %d", count, through, most)
			}
			if guessAt(t, several(t, env, 1)[0], 1000) {
				t.Error("one that was started anew lets it through")
			}
			env.Clock.Advance(21 * time.Minute)
			share(t, all...)
			if !guessAt(t, all[0], 1001) {
				t.Error("still refused when its epochs are over")
			}
		})
	}
}

// TestSumsThatSomebodyTakesAway: who deletes sums, or puts earlier ones back, blinds nobody
// who had read them, and the owner and the readers raise an alarm.
func TestSumsThatSomebodyTakesAway(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	all := several(t, env, 3)
	for n := range 70 {
		guessAt(t, all[0], n)
		if n%20 == 0 {
			share(t, all...)
		}
	}
	share(t, all...)
	altered := func(a *authority.Authority) bool {
		for _, al := range a.Spraying().Alarms {
			if al.Kind == authority.SumsAltered {
				return true
			}
		}
		return false
	}
	for i, a := range all {
		if altered(a) {
			t.Fatalf("authority %d: an alarm before anything was altered", i)
		}
	}
	drop := func() {
		if err := env.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			_, err := tx.PruneSums(env.Clock.Now().Add(1000 * time.Hour))
			return audit.Entry{}, err
		}); err != nil {
			t.Fatal(err)
		}
	}
	drop()
	share(t, all[1])
	guessAt(t, all[0], 100)
	for n := range 40 { // a value that is not refused yet, so that the owner has news
		pass, err := all[0].Allow(parsed(t, goodPIN), "app", "", false)
		if err != nil {
			t.Fatal(err)
		}
		pass.Saw(liuma.CardID{1, byte(n)}, liuma.Wrong)
	}
	share(t, all[0])
	for i, a := range all[:2] {
		if !altered(a) {
			t.Errorf("authority %d: no alarm about sums that were taken away", i)
		}
		if guessAt(t, a, 200+i) {
			t.Errorf("authority %d was blinded", i)
		}
	}
	if guessAt(t, several(t, env, 1)[0], 300) {
		t.Error("the owner did not write its sum again")
	}
}

// TestASprayIsToldOnce: several authorities that see one spray write one entry a minute.
func TestASprayIsToldOnce(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	all := several(t, env, 3)
	for n := range 70 {
		guessAt(t, all[0], n)
	}
	share(t, all...)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i, a := range all {
		guessAt(t, a, 100+i)
		wg.Go(func() { a.Maintain(ctx) })
	}
	stop() // each tells what waits before it ends
	wg.Wait()
	if n := entriesOf(t, env, audit.GuardAlarm); n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
}

// TestASprayIsToldAtTheEnd: an alarm that waits while an authority ends is recorded,
// whether it was taken up before or after the end was seen.
func TestASprayIsToldAtTheEnd(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ended, stop := context.WithCancel(t.Context())
	stop()
	for round := range 12 { // half of them would do without the care
		a := several(t, env, 1)[0]
		for n := range 70 {
			guessAt(t, a, n)
		}
		a.Maintain(ended)
		if n := entriesOf(t, env, audit.GuardAlarm); n != round+1 {
			t.Fatalf("%d entries after %d alarms", n, round+1)
		}
		env.Clock.Advance(10 * time.Minute)
	}
}

func parsed(t *testing.T, s string) pin.PIN {
	t.Helper()
	p, err := pin.Parse([]byte(s), true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func entriesOf(t *testing.T, env *testkit.Env, ev audit.Event) (n int) {
	t.Helper()
	if err := env.System.Store.View(t.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		n = 0
		for _, e := range all {
			if e.Event == ev {
				n++
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRationsOfSeveralAuthoritiesAddUp: what one counted the others know when it saved it
// and they read it, three seconds later at most; until then each goes by what it knows, so
// no more is let through than comes in that time, and the alarm is told once.
func TestRationsOfSeveralAuthoritiesAddUp(t *testing.T) {
	rules := policy.National()
	rules.Rations.Verifications = policy.Ration{Hour: 300, Day: 3000}
	env := testkit.New(t, testkit.Options{Policy: &rules})
	ch := env.Channel("zj-hrss")
	all := several(t, env, 3)
	taken := 0
	take := func(a *authority.Authority) bool {
		_, err := a.Take(t.Context(), ch, authority.ActVerification)
		if err != nil && liuma.CodeOf(err) != liuma.CodeRationSpent {
			t.Fatal(err)
		}
		if err == nil {
			taken++
		}
		return err == nil
	}
	// Ten a second, from a balancer that sends each to the next.
	const perSecond = 10
	for second := range 60 {
		for i := range perSecond {
			take(all[(second*perSecond+i)%3])
		}
		env.Clock.Advance(time.Second)
		for _, a := range all {
			if err := a.MaintainOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if most := 300 + 3*perSecond; taken < 300 || taken > most {
		t.Errorf("%d were let through of a ration of 300, want at most %d", taken, most)
	}
	for i, a := range all {
		if take(a) {
			t.Errorf("authority %d takes more", i)
		}
		if err := a.MaintainOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := entriesOf(t, env, audit.RationSpent); n != 1 {
		t.Errorf("%d alarms, want 1", n)
	}
	if joined := several(t, env, 1)[0]; take(joined) {
		t.Error("one that joins begins anew")
	}
}

// TestWrongFreezeCodesOfSeveralAuthorities: ten wrong ones of a source within the hour are
// answered as wrong at all authorities together, and an authority that is started since knows of
// them; a right one is taken at each of them.
func TestWrongFreezeCodesOfSeveralAuthorities(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	code := x.LastFreezeCode(x.who.Phone)
	all := several(t, x.Env, 3)
	wrong := func(a *authority.Authority) liuma.Code {
		_, err := a.FreezeByCode(t.Context(), "10.0.0.1", "ABCDEFGHJKM")
		return liuma.CodeOf(err)
	}
	for i := range 10 {
		if c := wrong(all[i%3]); c != liuma.CodeFreezeCodeInvalid {
			t.Fatalf("wrong one %d: %s", i+1, c)
		}
	}
	for i, a := range append(all, several(t, x.Env, 1)...) {
		if c := wrong(a); c != liuma.CodeFreezeCodeLimit {
			t.Errorf("authority %d answers %s to the eleventh", i, c)
		}
	}
	if _, err := all[1].FreezeByCode(t.Context(), "10.0.0.1", code); err != nil {
		t.Errorf("a right one: %v", err)
	}
}

// TestUsedOnceAtTwoAuthorities: the same assertion, the same evidence and the same business
// number, at several authorities at the same moment, count once.
func TestUsedOnceAtTwoAuthorities(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	all := several(t, env, 3)
	once := func(name string, try func(a *authority.Authority) error, again liuma.Code) {
		t.Helper()
		var did atomic.Int64
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				switch err := try(all[i%len(all)]); {
				case err == nil:
					did.Add(1)
				case liuma.CodeOf(err) != again:
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		wg.Wait()
		if n := did.Load(); n != 1 {
			t.Errorf("%s: taken %d times", name, n)
		}
	}
	for i := range 5 {
		once("an assertion", func(a *authority.Authority) error {
			_, err := a.UseAssertion(t.Context(), ch, authority.ActPush, fmt.Sprint("jti", i), env.Clock.Now().Add(time.Minute))
			return err
		}, liuma.CodeUnauthenticated)
		bn := env.BusinessNo()
		once("a business number", func(a *authority.Authority) error {
			err := env.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
				return a.Entry(ch.Actor(), audit.LossReported, liuma.CardID{}, bn, "ok"),
					authority.TakeNumber(tx, store.Request{Channel: ch.Channel(), BusinessNo: bn, Action: liuma.ActionVerify, Until: a.Now()})
			})
			if _, repeated := errors.AsType[authority.Repeated](err); repeated {
				return liuma.Fail(liuma.CodeBusinessNoUsed, err)
			}
			return err
		}, liuma.CodeBusinessNoUsed)
	}
}

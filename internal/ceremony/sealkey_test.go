package ceremony_test

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

func (x *phoned) sealKeys() (keys []store.SealKey) {
	x.T.Helper()
	err := x.System.Store.View(x.T.Context(), func(r store.Reader) (err error) {
		keys, err = r.SealKeys()
		return err
	})
	if err != nil {
		x.T.Fatal(err)
	}
	return keys
}

// lastMinute moves the clock to a minute before the present seal key is replaced.
func (x *phoned) lastMinute() {
	x.T.Helper()
	x.Challenge(x.ch) // makes one, if the last is over
	x.Clock.Advance(x.sealKeys()[0].RetireAt.Sub(x.Clock.Now()) - time.Minute)
}

// TestAPadWorksForItsWholeLife: the key of a pad that was opened before the keys
// changed opens what the pad seals for as long as the page may stay open, with
// every extension and over a restart.
func TestAPadWorksForItsWholeLife(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		x := newPhoned(t, testkit.Options{})
		x.lastMinute()
		p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
		before := p.SealKeyID
		for range 6 { // to 59 minutes after the push
			x.Clock.Advance(9*time.Minute + 50*time.Second)
			if err := x.System.Authority.MaintainOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := x.Authority().Extend(t.Context(), p.ID, h); err != nil {
				t.Fatal(err)
			}
		}
		if restarts {
			restart(x.Env)
		}
		if now, err := x.Authority().Look(t.Context(), p.ID, h); err != nil || now.SealKeyID == before {
			t.Fatalf("the keys did not change: %v", err)
		}
		if p.SealKeyID != before {
			t.Fatal("another page")
		}
		x.want(x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), ceremony.StepDone, "")
	}
}

// TestASealKeyIsDestroyed an hour after it was given out last, and not later: what
// was recorded then opens no more (I-6).
func TestASealKeyIsDestroyed(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	x.lastMinute()
	if err := x.System.Authority.MaintainOnce(t.Context()); err != nil { // those of the days before
		t.Fatal(err)
	}
	old := x.sealKeys()[0]
	has := func() (has bool) {
		for _, k := range x.sealKeys() {
			has = has || k.ID == old.ID
		}
		return has
	}
	destroyed := countEvents(t, x.Env, audit.SealKeyDestroyed, "ok")
	for _, at := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {59 * time.Minute, true}, {time.Hour, false}} {
		x.Clock.Advance(old.RetireAt.Add(at.after).Sub(x.Clock.Now()))
		if err := x.System.Authority.MaintainOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if has() != at.want {
			t.Errorf("%v after it was given out last: kept %v, want %v", at.after, has(), at.want)
		}
	}
	if n := countEvents(t, x.Env, audit.SealKeyDestroyed, "ok") - destroyed; n != 1 {
		t.Errorf("recorded %d times", n)
	}
}

package remote_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/testkit/keepers"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// house is three keepers and an authority that is admitted at them.
type house struct {
	*keepers.House
	t    *testing.T
	dir  string
	conf config.Keepers
}

func newHouse(t *testing.T, says func(keeper.About) keeper.About) *house {
	t.Helper()
	h, err := keepers.New(t.Context(), keepers.Config{Dir: t.TempDir(), Says: says})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	if err := h.Join(dir); err != nil {
		t.Fatal(err)
	}
	return &house{House: h, t: t, dir: dir, conf: h.Settings()}
}

func (h *house) config() remote.Config {
	c := remote.Config{Shape: split.Shape{T: 2, N: 3}, Key: filepath.Join(h.dir, h.conf.Key), KeySet: h.conf.KeySet, Logger: slog.New(slog.DiscardHandler)}
	for _, r := range h.conf.Remote {
		c.Places = append(c.Places, remote.Place{ID: keeper.ID(r.ID), Address: r.Address, Admission: filepath.Join(h.dir, r.Admission)})
	}
	return c
}

func (h *house) open() *remote.Keepers {
	h.t.Helper()
	k, err := remote.Open(h.config())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := k.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return k
}

// look looks at the keepers as often as a server does that found one away.
func look(t *testing.T, k *remote.Keepers) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience.Limit)
	defer cancel()
	k.Look(ctx)
}

func admits(k *remote.Keepers, member int) error {
	return k.Keepers()[member-1].Admit(context.Background(), keeper.Header{Now: time.Now()})
}

// redial is longer than a client waits before it tries again.
func redial() { time.Sleep(600 * time.Millisecond) }

func TestLook(t *testing.T) {
	h := newHouse(t, nil)
	slices.Reverse(h.conf.Remote) // their order is that of their member numbers anyhow
	k := h.open()
	if got := k.KeySet(); got != 0 {
		t.Errorf("key set %d before anybody was asked", got)
	}
	look(t, k)
	if got := k.KeySet(); got != 1 {
		t.Errorf("key set %d", got)
	}
	for i, s := range k.States() {
		if s.ID != keeper.IDOf(i+1) || s.Member != i+1 || s.RoundTrip <= 0 || s.Release != "trial" || !slices.Equal(s.KeySets, []uint32{1}) || time.Until(s.Until) < time.Minute {
			t.Errorf("%+v", s)
		}
		if k.Keepers()[i].ID() != s.ID {
			t.Errorf("keeper %d is %s", i, k.Keepers()[i].ID())
		}
	}
}

// TestTooFewToChoose: with fewer than a quorum there is no key set for new PINs, and it
// comes by itself.
func TestTooFewToChoose(t *testing.T) {
	h := newHouse(t, nil)
	for _, p := range h.Posts()[1:] {
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	k := h.open()
	look(t, k)
	if got := k.KeySet(); got != 0 {
		t.Errorf("key set %d on one keeper's word", got)
	}
	if err := h.Posts()[1].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	redial()
	look(t, k)
	if got := k.KeySet(); got != 1 {
		t.Errorf("key set %d with two of three", got)
	}
	if s := k.States()[2]; s.RoundTrip != 0 || s.Release != "" {
		t.Errorf("who is away: %+v", s)
	}
}

// another adds a second key set to what the keepers of a mask say.
func another(mask *atomic.Int32) func(keeper.About) keeper.About {
	return func(a keeper.About) keeper.About {
		if mask.Load()>>(a.Member-1)&1 == 0 {
			return a
		}
		second := keeper.HeldKeySet{ID: 2}
		for _, s := range a.Shape.SubsetsOf(a.Member) {
			second.Prints = append(second.Prints, keeper.Fingerprint{Member: a.Member, Subset: s, Sum: [32]byte{2, byte(s)}})
		}
		a.KeySets = append(slices.Clone(a.KeySets), second)
		return a
	}
}

// TestRotation: a new key set is used once all that can be reached hold it, without a
// restart, and never one that only some hold.
func TestRotation(t *testing.T) {
	var have atomic.Int32
	h := newHouse(t, another(&have))
	k := h.open()
	for _, c := range []struct {
		who  int32
		want uint32
	}{{0, 1}, {0b001, 1}, {0b011, 1}, {0b111, 2}, {0b011, 2}} {
		have.Store(c.who)
		look(t, k)
		if got := k.KeySet(); got != c.want {
			t.Errorf("held by %03b: key set %d, want %d", c.who, got, c.want)
		}
	}
	// Who cannot be reached has no say.
	if err := h.Posts()[2].Stop(); err != nil {
		t.Fatal(err)
	}
	fresh := h.open()
	look(t, fresh)
	if got := fresh.KeySet(); got != 2 {
		t.Errorf("with two that hold it, and one away: %d", got)
	}
	// The configuration can name one.
	h.conf.KeySet = 1
	named := h.open()
	look(t, named)
	if got := named.KeySet(); got != 1 {
		t.Errorf("the one that is named is 1, and %d is used", got)
	}
}

// TestAnotherKeeperAnswers: one that says it is another, or has other keys than the
// others, is asked nothing, and is asked again once it is the one that belongs there.
func TestAnotherKeeperAnswers(t *testing.T) {
	for name, lie := range map[string]func(*keeper.About){
		"another id":     func(a *keeper.About) { a.ID = "k9" },
		"another member": func(a *keeper.About) { a.Member = 3; a.KeySets = nil },
		"another shape":  func(a *keeper.About) { a.Shape, a.KeySets = split.Shape{T: 1, N: 1}, nil; a.Member = 1 },
		"other keys": func(a *keeper.About) {
			set := a.KeySets[0]
			set.Prints = slices.Clone(set.Prints)
			for i := range set.Prints {
				set.Prints[i].Sum[0] ^= 1
			}
			a.KeySets = []keeper.HeldKeySet{set}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var lies atomic.Bool
			h := newHouse(t, func(a keeper.About) keeper.About {
				if a.ID == "k2" && lies.Load() {
					lie(&a)
				}
				return a
			})
			k := h.open()
			look(t, k)
			lies.Store(true)
			look(t, k)
			for m := 1; m <= 3; m++ {
				if err := admits(k, m); errors.Is(err, keeper.ErrStranger) != (m == 2) || (m != 2 && err != nil) {
					t.Errorf("keeper %d: %v", m, err)
				}
			}
			if got := k.KeySet(); got != 1 {
				t.Errorf("key set %d", got)
			}
			if c := keeper.ConditionOf(t.Context(), k.Keepers()[1], time.Now(), 0); c.Fault != keeper.Stranger {
				t.Errorf("its fault is %q (%v)", c.Fault, c.Why)
			}
			lies.Store(false)
			redial()
			look(t, k)
			if err := admits(k, 2); err != nil {
				t.Errorf("when it is itself again: %v", err)
			}
		})
	}
}

// TestAStrangerIsFoundWhenAThirdComes: two that differ are both left out, until a third
// shows which of them it was.
func TestAStrangerIsFoundWhenAThirdComes(t *testing.T) {
	h := newHouse(t, func(a keeper.About) keeper.About {
		if a.ID == "k1" {
			set := a.KeySets[0]
			set.Prints = slices.Clone(set.Prints)
			for i := range set.Prints {
				set.Prints[i].Sum[0] ^= 1
			}
			a.KeySets = []keeper.HeldKeySet{set}
		}
		return a
	})
	if err := h.Posts()[2].Stop(); err != nil {
		t.Fatal(err)
	}
	k := h.open()
	look(t, k)
	look(t, k)
	for m := 1; m <= 2; m++ {
		if err := admits(k, m); !errors.Is(err, keeper.ErrStranger) {
			t.Errorf("keeper %d: %v", m, err)
		}
	}
	if err := h.Posts()[2].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	redial()
	look(t, k)
	redial()
	look(t, k)
	for m := 1; m <= 3; m++ {
		if err := admits(k, m); errors.Is(err, keeper.ErrStranger) != (m == 1) {
			t.Errorf("keeper %d: %v", m, err)
		}
	}
}

// TestDismissed: a keeper that dismissed the authority has a fault of its own, at once;
// one that renews an admission goes on with the file that was put in its place.
func TestDismissed(t *testing.T) {
	h := newHouse(t, nil)
	k := h.open()
	look(t, k)
	if err := h.Posts()[0].Dismiss("authority"); err != nil {
		t.Fatal(err)
	}
	patience.Until(t, "the dismissal is seen", func() bool {
		return keeper.ConditionOf(t.Context(), k.Keepers()[0], time.Now(), 0).Fault == keeper.CertificateBad
	})
	if err := os.WriteFile(h.config().Places[1].Admission, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Posts()[1].Stop(); err != nil {
		t.Fatal(err)
	}
	if err := h.Posts()[1].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	patience.Until(t, "the damaged admission is seen", func() bool {
		c := keeper.ConditionOf(t.Context(), k.Keepers()[1], time.Now(), 0)
		return c.Fault == keeper.CertificateBad && errors.Is(c.Why, admission.ErrFormat)
	})
	was := k.States()[1].Until
	key, err := remote.ReadKey(h.config().Key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := admission.NewRequest("authority", wire.Authority, key)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // certificates are dated in seconds
	a, err := h.Posts()[1].Admit(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteFile(h.config().Places[1].Admission, a.Encode()); err != nil {
		t.Fatal(err)
	}
	redial()
	if err := admits(k, 2); err != nil || !k.States()[1].Until.After(was) {
		t.Errorf("renewed: %v, until %s after %s", err, k.States()[1].Until, was)
	}
}

// TestOpenRefuses settings that are not whole, with what is wrong.
func TestOpenRefuses(t *testing.T) {
	h := newHouse(t, nil)
	other := newHouse(t, nil)
	for name, c := range map[string]struct {
		change func(*remote.Config)
		is     error
		says   string
	}{
		"one is missing":      {func(c *remote.Config) { c.Places = c.Places[1:] }, remote.ErrSettings, "2 of 3"},
		"under another name":  {func(c *remote.Config) { c.Places[0].ID = "k7" }, remote.ErrSettings, "is of k1"},
		"one twice":           {func(c *remote.Config) { c.Places[1] = c.Places[0] }, remote.ErrSettings, "twice"},
		"of another shape":    {func(c *remote.Config) { c.Shape = split.Shape{T: 1, N: 1}; c.Places = c.Places[:1] }, remote.ErrSettings, "2 of 3"},
		"no such admission":   {func(c *remote.Config) { c.Places[2].Admission += ".gone" }, os.ErrNotExist, "k3"},
		"no admission at all": {func(c *remote.Config) { c.Places[2].Admission = c.Key }, admission.ErrFormat, "k3"},
		"no key":              {func(c *remote.Config) { c.Key += ".gone" }, os.ErrNotExist, ""},
		"another key":         {func(c *remote.Config) { c.Key = other.config().Key }, admission.ErrOtherKey, "k1"},
	} {
		cfg := h.config()
		c.change(&cfg)
		k, err := remote.Open(cfg)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = k.Close()
		}
	}
	if err := os.Chmod(h.config().Key, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Open(h.config()); !errors.Is(err, keeper.ErrMode) {
		t.Errorf("a key that others can read: %v", err)
	}
}

package remote_test

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
)

// elsewhere makes connections of the loopback look like those to other machines.
func elsewhere(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return moved{c}, nil
}

type moved struct{ net.Conn }

func (moved) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 40000} }
func (moved) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 8551} }

// TestWitnesses: keepers on other machines are witnesses of the time, and nobody else.
func TestWitnesses(t *testing.T) {
	right := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	var change atomic.Pointer[func(*keeper.About)]
	h := newHouse(t, func(a keeper.About) keeper.About {
		a.Wall, a.Machine = right.Add(time.Duration(a.Member)), [16]byte{byte(a.Member)}
		if f := change.Load(); f != nil && a.Member == 2 {
			(*f)(&a)
		}
		return a
	})
	// Each ends its connections with its test: a caller may have a few at a time.
	open := func(t *testing.T, edit func(*remote.Config)) *remote.Keepers {
		t.Helper()
		c := h.config()
		c.Machine, c.Dial = [16]byte{9}, elsewhere
		edit(&c)
		k, err := remote.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = k.Close() })
		return k
	}
	for name, c := range map[string]struct {
		edit  func(*remote.Config)
		lie   func(*keeper.About) // of k2
		clock int
	}{
		"three machines":                      {clock: 3},
		"over the loopback":                   {edit: func(c *remote.Config) { c.Dial = nil }},
		"the authority's machine":             {edit: func(c *remote.Config) { c.Machine = [16]byte{2} }, clock: 2},
		"the authority does not know its own": {edit: func(c *remote.Config) { c.Machine = [16]byte{} }},
		"two on one machine":                  {lie: func(a *keeper.About) { a.Machine = [16]byte{1} }, clock: 2},
		"one does not know its machine":       {lie: func(a *keeper.About) { a.Machine = [16]byte{} }, clock: 2},
		"one has no time":                     {lie: func(a *keeper.About) { a.Wall = time.Time{} }, clock: 2},
		"one is another":                      {lie: func(a *keeper.About) { a.ID = "k9" }, clock: 2},
		"a stranger":                          {lie: func(a *keeper.About) { a.KeySets = otherKeys(*a) }, clock: 2},
	} {
		t.Run(name, func(t *testing.T) {
			change.Store(nil)
			if c.lie != nil {
				change.Store(&c.lie)
			}
			if c.edit == nil {
				c.edit = func(*remote.Config) {}
			}
			k := open(t, c.edit)
			look(t, k)
			clocks, q := k.Clocks(t.Context())
			for range 5 { // one that was taken for the stranger at first is called again a little later
				if len(clocks) >= c.clock {
					break
				}
				redial()
				clocks, q = k.Clocks(t.Context())
			}
			if q != 2 || len(clocks) != c.clock {
				t.Errorf("%d clocks of %d that must agree: %v", len(clocks), q, clocks)
			}
		})
	}
	change.Store(nil)
	k := open(t, func(*remote.Config) {})
	look(t, k)
	if err := h.Posts()[0].Stop(); err != nil {
		t.Fatal(err)
	}
	if clocks, _ := k.Clocks(t.Context()); len(clocks) != 2 {
		t.Errorf("with one away: %v", clocks)
	}
}

func otherKeys(a keeper.About) []keeper.HeldKeySet {
	set := a.KeySets[0]
	set.Prints = slices.Clone(set.Prints)
	for i := range set.Prints {
		set.Prints[i].Sum[0] ^= 1
	}
	return []keeper.HeldKeySet{set}
}

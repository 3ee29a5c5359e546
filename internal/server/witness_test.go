package server_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/keepers"
)

// apart makes connections of the loopback look like those to other machines.
func apart(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return farther{c}, nil
}

type farther struct{ net.Conn }

func (farther) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 40000} }
func (farther) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 8551} }

// TestKeepersAreWitnessesOfTheTime: after the machine was off the kept time jumps to its
// clock by itself where two of three keepers on other machines have it as well, and not
// where the keepers are on this machine, or their clocks say that this one is wrong (I-15).
func TestKeepersAreWitnessesOfTheTime(t *testing.T) {
	const off = 8 * time.Hour
	for name, c := range map[string]struct {
		dial  func(context.Context, string, string) (net.Conn, error)
		one   bool                           // all keepers are on the authority's machine
		wrong func(member int) time.Duration // by which a keeper's clock is off
		jumps bool
	}{
		"three that have it":        {dial: apart, jumps: true},
		"two that have it":          {dial: apart, wrong: func(m int) time.Duration { return time.Duration(m/3) * off }, jumps: true},
		"one that has it":           {dial: apart, wrong: func(m int) time.Duration { return time.Duration(m/2) * -off }},
		"the clock was set ahead":   {dial: apart, wrong: func(int) time.Duration { return -off }},
		"keepers on the loopback":   {},
		"containers of one machine": {dial: apart, one: true},
	} {
		t.Run(name, func(t *testing.T) {
			var began atomic.Bool
			clock := testkit.RunningClock(0)
			house, err := keepers.New(t.Context(), keepers.Config{Dir: t.TempDir(), Machine: clock, Says: func(a keeper.About) keeper.About {
				if !c.one {
					a.Machine = [16]byte{byte(a.Member)}
				}
				if c.wrong != nil && began.Load() {
					a.Wall = a.Wall.Add(c.wrong(a.Member))
				}
				return a
			}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := house.Close(); err != nil {
					t.Error(err)
				}
			})
			w := testkit.New(t, testkit.Options{House: house, Clock: clock, DialKeepers: c.dial})
			began.Store(true)
			w.Close()
			clock.Reboot(off)
			w.Open()
			before := w.System.Clock.Read()
			if err := w.System.Authority.MaintainOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			after := w.System.Clock.Read()
			if before.Lag() < off-time.Minute || (after.Lag() < time.Minute) != c.jumps {
				t.Errorf("the kept time is %v behind, and was %v", after.Lag(), before.Lag())
			}
			if n, want := jumps(t, w), map[bool]int{true: 1}[c.jumps]; n != want {
				t.Errorf("%d entries about it, want %d", n, want)
			}
		})
	}
}

// jumps counts the entries about jumps of eight hours.
func jumps(t *testing.T, w *testkit.Env) (n int) {
	t.Helper()
	if err := w.System.Store.View(t.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		n = 0
		for _, e := range all {
			if e.Event == audit.ClockWitnessed && strings.HasPrefix(e.Note, "by=8h0m") {
				n++
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

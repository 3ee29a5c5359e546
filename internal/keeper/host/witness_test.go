package host

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
)

// call makes connections of the loopback look like those to other machines.
func (r *running) call(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if r.near.Load() {
		return c, nil
	}
	return moved{c}, nil
}

type moved struct{ net.Conn }

func (moved) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 40000} }
func (moved) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 8551} }

// TestOtherKeepersWitnessTheTime: a keeper's time jumps to its machine's clock if both
// other keepers of 2 of 3, on other machines, have it as well; a clock that was set ahead
// moves nothing (I-15).
func TestOtherKeepersWitnessTheTime(t *testing.T) {
	const off = 8 * time.Hour
	for name, tt := range map[string]struct {
		others [2]time.Duration // how far their clocks are from where k1's was
		near   bool             // they are reached over the loopback
		same   bool             // k2 is on k1's machine
		alone  bool             // k3 did not admit k1
		jumps  bool
	}{
		"both have it":            {others: [2]time.Duration{off, off}, jumps: true},
		"it was set ahead":        {},
		"one of them has it":      {others: [2]time.Duration{off, 0}},
		"over the loopback":       {others: [2]time.Duration{off, off}, near: true},
		"one on the same machine": {others: [2]time.Duration{off, off}, same: true},
		"one did not admit it":    {others: [2]time.Duration{off, off}, alone: true},
	} {
		t.Run(name, func(t *testing.T) {
			ds := dirs(t)
			befriend(t, ds[0], ds[1])
			if !tt.alone {
				befriend(t, ds[0], ds[2])
			}
			k := run(t, ds[0])
			others := []*running{run(t, ds[1]), run(t, ds[2])}
			k.near.Store(tt.near)
			if tt.same {
				others[0].machine.shared(ds[0].Keeper)
			}
			k.machine.set(off)
			for i, o := range others {
				o.machine.set(tt.others[i])
			}
			k.witness(t.Context())
			n, err := k.seat.sits()
			if err != nil {
				t.Fatal(err)
			}
			if lag := n.Times().Lag(); (lag < clock.MaxBehind) != tt.jumps {
				t.Errorf("the time is %v behind", lag)
			}
			if said := strings.Contains(k.log.String(), "the kept time jumped"); said != tt.jumps {
				t.Errorf("logged: %t\n%s", said, k.log)
			}
		})
	}
}

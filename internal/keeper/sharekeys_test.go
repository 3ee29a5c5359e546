package keeper

import (
	"crypto/sha256"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// awayKey is a share key in a token that can be pulled out.
type awayKey struct {
	split.ShareMAC
	away  *atomic.Bool
	asked *atomic.Int64
}

var errAway = errors.New("the token is not there")

func (k awayKey) MAC(message []byte) ([sha256.Size]byte, error) {
	k.asked.Add(1)
	if k.away.Load() {
		return [sha256.Size]byte{}, errAway
	}
	return k.ShareMAC.MAC(message)
}

// inToken puts the share keys of a node's key set where they can be away.
func inToken(n *Node, keySet uint32) (away *atomic.Bool, asked *atomic.Int64) {
	away, asked = new(atomic.Bool), new(atomic.Int64)
	keys := n.ring.sets[keySet].Keys
	for m, k := range keys {
		keys[m] = awayKey{ShareMAC: k, away: away, asked: asked}
	}
	return away, asked
}

// TestDeadShareKeysCountNothing: while the share keys do not answer, the
// verdict is unavailable however often the holder tries, nothing is counted or
// marked, an alarm is raised, and the holder gets in as soon as they answer again.
func TestDeadShareKeysCountNothing(t *testing.T) {
	for _, shape := range shapes() {
		h := newHarness(t, shape)
		q := h.quorum()
		target := set(t, q, liuma.NewCardID(), 1, good)
		var aways []*atomic.Bool
		for _, n := range h.nodes {
			away, _ := inToken(n, h.keySet)
			away.Store(true)
			aways = append(aways, away)
		}
		for range 7 {
			want(t, attemptPIN(t, q, target, bad), liuma.Unavailable)
		}
		if _, err := q.Propose(t.Context(), target, 2, 1, []byte(bad)); err == nil {
			t.Errorf("%s: a PIN was set without share keys", shape)
		}
		for i := range h.nodes {
			if row := h.row(i, target.Card); row.Tally.Spent != 0 || row.Mark != 1 {
				t.Errorf("%s: k%d counted %d, marked %d", shape, i+1, row.Tally.Spent, row.Mark)
			}
		}
		if got := h.alarmed(NoShareKeys); len(got) != shape.N {
			t.Errorf("%s: alarms of %v", shape, got)
		}
		for _, away := range aways {
			away.Store(false)
		}
		want(t, attemptPIN(t, q, target, good), liuma.Right)
	}
}

// TestOneDeadTokenOfThree: the others evaluate, and the keeper is named.
func TestOneDeadTokenOfThree(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	away, _ := inToken(h.nodes[1], h.keySet)
	away.Store(true)
	want(t, attemptPIN(t, q, target, good), liuma.Right)
	eventually(t, "an alarm of k2", func() bool {
		got := h.alarmed(NoShareKeys)
		return len(got) == 1 && got[0] == IDOf(2)
	})
}

// TestUncountedIsMetered: share keys are not asked without end for what the
// ledger refuses, what is counted costs nothing, and a quorum is alarmed.
func TestUncountedIsMetered(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	n := h.nodes[0]
	_, asked := inToken(n, h.keySet)
	n.uncounted = newMeter(2, h.clock.Now())
	for range 5 { // counted, so these use nothing up
		want(t, attemptPIN(t, q, target, good), liuma.Right)
	}
	used := ProposeRequest{Header: Header{Now: h.clock.Now()}, Card: target.Card, Version: 1, Replaces: 1, KeySet: 1, Blinded: strangePoint()}
	for range 2 {
		if a, err := n.Propose(t.Context(), used); err != nil || a.Refusal == nil || a.Refusal.Reason != ledger.VersionUsed {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	before := asked.Load()
	if _, err := n.Propose(t.Context(), used); !errors.Is(err, ErrUncounted) {
		t.Errorf("a third time: %v, want ErrUncounted", err)
	}
	want(t, attemptPIN(t, q, target, good), liuma.Unavailable)
	if got := asked.Load(); got != before {
		t.Errorf("the share keys were asked %d times beyond the ceiling", got-before)
	}
	if got := h.alarmed(Uncounted); len(got) != 1 {
		t.Errorf("alarms of %v", got)
	}
	if row := h.row(0, target.Card); row.Tally.Spent != 5 {
		t.Errorf("%d counted, want 5", row.Tally.Spent)
	}
	h.clock.Add(30 * time.Minute)
	want(t, attemptPIN(t, q, target, good), liuma.Right)
}

// TestAdmitAsksShareKeys: who asks whether the keeper is ready hears within a second
// or two that its share keys do not answer, and that they do again, and however often it is
// asked, the token is asked once a second.
func TestAdmitAsksShareKeys(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	n := h.nodes[0]
	away, asked := inToken(n, h.keySet)
	admit := func() error { return n.Admit(t.Context(), Header{Now: h.clock.Now()}) }
	begun := time.Now()
	for range 200 {
		if err := admit(); err != nil {
			t.Fatal(err)
		}
	}
	if most := 1 + int64(time.Since(begun)/pulseEvery); asked.Load() > most || asked.Load() == 0 {
		t.Errorf("asked %d times, want at most %d", asked.Load(), most)
	}
	for _, gone := range []bool{true, false} {
		away.Store(gone)
		for end := time.Now().Add(2 * time.Minute); errors.Is(admit(), ErrShareKeys) != gone; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("away %t: %v", gone, admit())
			}
		}
	}
}

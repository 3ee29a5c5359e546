package keeper

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// TestASequenceNobodyCountsTo: a keeper that makes a sequence up is told of, and what is
// remembered of it stays where its repair comes, however often it climbs.
func TestASequenceNobodyCountsTo(t *testing.T) {
	m := &member{}
	for _, made := range []uint64{mostCounted + mostSkipped + 1, 1 << 62, math.MaxInt64, math.MaxUint64} {
		if err := m.heard(Header{}, Answer{Sequence: made}); faultOf(err) != Disagrees || m.lastSeen() != 0 {
			t.Errorf("%d: %v, remembered %d", made, err, m.lastSeen())
		}
	}
	for _, counted := range []uint64{7, mostCounted - 1, mostCounted + mostSkipped, mostCounted + 2*mostSkipped} {
		if err := m.heard(Header{Seen: m.lastSeen()}, Answer{Sequence: counted}); err != nil || m.lastSeen() != counted {
			t.Errorf("%d: %v, remembered %d", counted, err, m.lastSeen())
		}
	}
	if err := m.heard(Header{}, Answer{Sequence: mostCounted + 4*mostSkipped}); err == nil {
		t.Error("a leap above what was had from it is believed")
	}
}

// TestMadeUpLaterRows: a keeper says that it has seen later rows of cards that it was not
// asked about, or rows that are not later: nobody looks for them.
func TestMadeUpLaterRows(t *testing.T) {
	sent := []ledger.Head{{Card: liuma.CardID{1}, Head: 5}, {Card: liuma.CardID{2}, Head: 6}}
	for what, behind := range map[string][]ledger.Head{
		"another card": {{Card: liuma.CardID{3}, Head: 9}},
		"not later":    {{Card: liuma.CardID{1}, Head: 5}},
		"twice":        {{Card: liuma.CardID{1}, Head: 9}, {Card: liuma.CardID{1}, Head: 9}},
	} {
		if wellFormedBehind(sent, behind) == nil {
			t.Errorf("%s is taken", what)
		}
	}
	if err := wellFormedBehind(sent, []ledger.Head{{Card: liuma.CardID{2}, Head: 7}, {Card: liuma.CardID{1}, Head: 6}}); err != nil {
		t.Error(err)
	}
	h := newHarness(t, split.Shape{T: 2, N: 3})
	asked := make(chan struct{}, 16)
	q := h.quorum(at(func(k Keeper) Keeper {
		return &faulty{Keeper: k, head: func(ctx context.Context, hd Header, list []ledger.Head) (HeadAnswer, error) {
			a, err := k.Head(ctx, hd, list)
			for range 256 {
				a.Behind = append(a.Behind, ledger.Head{Card: liuma.NewCardID(), Head: 1 << 40})
			}
			asked <- struct{}{}
			return a, err
		}}
	}, 3))
	target := set(t, q, liuma.NewCardID(), 1, good)
	q.Head(target.Card, 0, 1)
	<-asked
	eventually(t, "an alarm of what it says", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, a := range h.alarms {
			if a.Keeper == "k3" && a.Fault == Disagrees {
				return true
			}
		}
		return false
	})
	if named := h.alarmed(RowBehind); len(named) > 0 {
		t.Errorf("alarms of made-up cards: %v", named)
	}
}

// TestLaterRowsWithoutEnd: one keeper that says of every card that it has seen a later row
// has so many looked at in a minute and no more, and stops no holder.
func TestLaterRowsWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := newFakes(t, split.Shape{T: 2, N: 3})
		q, alarms := fakeQuorum(t, fakes)
		defer q.Close()
		target := set(t, q, liuma.NewCardID(), 1, good)
		fakes[2].does(script{refuse: &ledger.Refusal{Reason: ledger.Behind, Head: math.MaxUint64}})
		for range 2 {
			for range behindPerMinute {
				want(t, attemptPIN(t, q, target, good), liuma.Right)
			}
			synctest.Wait()
		}
		if n := len(alarms()); n != behindPerMinute {
			t.Errorf("%d alarms within a minute", n)
		}
		time.Sleep(time.Minute)
		want(t, attemptPIN(t, q, target, good), liuma.Right)
		synctest.Wait()
		if n := len(alarms()); n != behindPerMinute+1 {
			t.Errorf("%d alarms a minute later", n)
		}
	})
}

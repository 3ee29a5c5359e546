package keeper

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// endless is a keeper that makes up rows for as long as somebody reads them.
type endless struct{ read uint64 }

func (e *endless) Scan(_ context.Context, _ liuma.CardID, visit func(ledger.Row) error) error {
	for ; ; e.read++ {
		r := ledger.Row{Version: 1, KeySet: 1, Mark: 1, Verifier: liuma.Verifier{1}, Tag: ledger.Tag{1}}
		binary.BigEndian.PutUint64(r.Card[:], e.read+1)
		if err := visit(r); err != nil {
			return err
		}
	}
}

// TestRowsWithoutEndAreRefused: a keeper that makes up rows without end fills no disk of
// one that repairs itself from it, in whatever order it is asked; the keeper stays
// unrepaired, and is repaired from others.
func TestRowsWithoutEndAreRefused(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	q := h.quorum()
	for range 3 {
		set(t, q, liuma.NewCardID(), 1, good)
	}
	n, liar := h.nodes[2], &endless{}
	n.Expect(1000)
	for _, peers := range [][]RowSource{{liar, h.nodes[0]}, {h.nodes[0], liar}} {
		before := liar.read
		if err := n.Repair(t.Context(), 1, peers...); !errors.Is(err, ErrManyRows) {
			t.Errorf("%v, want the rows refused", err)
		}
		if read := liar.read - before; read > 1000+4*3+2*mergeRows {
			t.Errorf("%d rows were read", read)
		}
		if err := n.Admit(t.Context(), Header{Now: h.clock.Now()}); !errors.Is(err, ledger.ErrRepairing) {
			t.Errorf("it serves: %v", err)
		}
	}
	if err := n.Repair(t.Context(), 1, h.nodes[0], h.nodes[1]); err != nil {
		t.Errorf("from the others: %v", err)
	}
}

// TestASlowKeeperIsNamed: one that takes long twice in a row is told of, and not once it is
// quick again; a moment's load is none.
func TestASlowKeeperIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := newFakes(t, split.Shape{T: 2, N: 3})
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		slow := func(context.Context) error { time.Sleep(slowAfter); return nil }
		look := func(want Fault) {
			t.Helper()
			c := q.Conditions(t.Context())
			if c[0].Fault != want || c[1].Fault != "" {
				t.Errorf("%+v, want %q", c, want)
			}
		}
		look("")
		fakes[0].does(script{before: slow})
		look("")
		look(Slow)
		fakes[0].does(script{})
		look("")
	})
}

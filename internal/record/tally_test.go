package record_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/tally"
	"github.com/liuma-pin/liuma/internal/vault"
)

var errCrash = errors.New("crashed")

// crashing is a store whose process dies at a change: before it is kept, or after,
// when nobody hears of it any more.
type crashing struct {
	store.Store
	when func() (before, after bool)
}

func (c *crashing) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	before, after := c.when()
	err := c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		e, err := f(tx)
		if before {
			err = errCrash
		}
		return e, err
	})
	if after && err == nil {
		err = errCrash
	}
	return err
}

// happen records an entry about a card of a region, made now.
func (h *house) happen(c liuma.CardID, region liuma.Region, e audit.Entry) audit.Entry {
	h.t.Helper()
	e.At, e.Card = h.clock(), c
	must(h.t, h.db.Update(h.t.Context(), func(tx store.Tx) (audit.Entry, error) {
		if _, err := tx.Card(c); c.IsZero() || err == nil {
			return e, nil
		}
		return e, tx.InsertCard(store.Card{ID: c, Holder: vault.Index{30: 1, 31: c[15]}, Region: region})
	}))
	return e
}

// tallied is what is stored, and with what no digest covers.
func (h *house) tallied() (stored, all []store.Tally) {
	h.t.Helper()
	must(h.t, h.db.View(h.t.Context(), func(r store.Reader) error {
		var sum tally.Count
		for at := h.clock().Add(-2 * tally.Kept); !at.After(h.clock().Add(time.Hour)); at = at.Add(time.Hour) {
			switch x, err := r.Tally(at); {
			case err == nil:
				sum.Load(x)
			case !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrSeal):
				return err
			}
		}
		stored = sum.Tallies()
		fresh, whole, err := record.Uncovered(r, 1000)
		if !whole {
			h.t.Error("not all that no digest covers was looked at")
		}
		sum.AddAll(fresh)
		all = sum.Tallies()
		return err
	}))
	return stored, all
}

// TestEachEntryCountsOnce draws entries, digests, and crashes right before and right
// after the change that keeps a digest and its tallies; after each, stored tallies and
// what no digest covers are together what happened.
func TestEachEntryCountsOnce(t *testing.T) {
	for seed := range uint64(6) {
		draw := rand.New(rand.NewPCG(seed, 37))
		h := newHouse(t)
		h.between = func(s store.Store) store.Store {
			return &crashing{s, func() (bool, bool) { return draw.IntN(4) == 0, draw.IntN(4) == 0 }}
		}
		h.restart()
		var want tally.Count
		regions := []liuma.Region{"330502", "330105", "440100", ""}
		outcomes := []string{"right", "wrong_pin", "locked", "frozen"}
		for range 60 {
			switch n := draw.IntN(10); {
			case n < 7:
				i := draw.IntN(len(regions))
				c, r := card(byte(i)), regions[i]
				if i == 3 {
					c = liuma.CardID{}
				}
				e := audit.Entry{Actor: "channel:" + []string{"zj", "gd"}[draw.IntN(2)], Event: audit.AttemptDecided, BusinessNo: "B1", Outcome: outcomes[draw.IntN(4)]}
				want.Add(h.happen(c, r, e), r)
				h.wait(time.Duration(draw.IntN(40)) * time.Minute)
			default:
				if _, err := h.digester.Digest(t.Context()); errors.Is(err, errCrash) {
					h.restart()
				} else {
					must(t, err)
				}
			}
			if _, got := h.tallied(); cmp.Diff(want.Tallies(), got) != "" {
				t.Fatalf("seed %d: %s", seed, cmp.Diff(want.Tallies(), got))
			}
		}
		h.between = nil
		h.restart()
		h.digest()
		if stored, _ := h.tallied(); cmp.Diff(want.Tallies(), stored) != "" {
			t.Errorf("seed %d, after the last digest: %s", seed, cmp.Diff(want.Tallies(), stored))
		}
	}
}

// TestTalliesAreForgotten after 32 days, and not before.
func TestTalliesAreForgotten(t *testing.T) {
	h := newHouse(t)
	begun := h.clock()
	right := audit.Entry{Actor: "channel:zj", Event: audit.AttemptDecided, BusinessNo: "B1", Outcome: "right"}
	h.happen(card(1), "330500", right)
	h.digest()
	h.wait(tally.Kept - time.Hour)
	h.happen(card(1), "330500", right)
	h.digest()
	if stored, _ := h.tallied(); len(stored) != 2 || !stored[0].Hour.Equal(begun) {
		t.Errorf("%d hours, want two, from %s on", len(stored), begun)
	}
	h.wait(2 * time.Hour)
	h.digest()
	if stored, _ := h.tallied(); len(stored) != 1 || stored[0].Hour.Equal(begun) {
		t.Errorf("%d hours, want only the later one", len(stored))
	}
}

// TestABrokenStreamIsNotTallied: what may not be what was written is in no digest, and
// in no stored tally.
func TestABrokenStreamIsNotTallied(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 3)
	h.write(card(2), 2)
	h.attack("UPDATE audit SET outcome = 'wrong_pin' WHERE kind = 1 AND number = 2 AND hex(stream) LIKE '%01'")
	h.digest()
	h.fault("altered")
	stored, _ := h.tallied()
	if len(stored) != 1 || len(stored[0].Cells) != 1 || stored[0].Cells[0].Counts[tally.Right] != 2 || len(stored[0].Cells[0].Counts) != 1 {
		t.Errorf("%+v, want the two of the whole stream", stored)
	}
}

// TestAnAlteredTallyStopsNoDigest: nothing is added to it, the log says so, and the
// digest is made.
func TestAnAlteredTallyStopsNoDigest(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 1)
	h.digest()
	h.attack("UPDATE tallies SET body = x'00'")
	h.write(card(1), 1)
	if n := h.digest(); n != 2 {
		t.Errorf("digest %d, want 2", n)
	}
	if stored, _ := h.tallied(); len(stored) != 0 {
		t.Errorf("%+v was read of an altered row", stored)
	}
	if got := h.logged.String(); !strings.Contains(got, "tallies were altered") {
		t.Errorf("the log does not say it: %s", got)
	}
}

// TestUncoveredIsBounded: a busy hour is not counted anew as a whole.
func TestUncoveredIsBounded(t *testing.T) {
	h := newHouse(t)
	for i := range 5 {
		h.write(card(byte(i+1)), 1)
	}
	for _, c := range []struct {
		most  int
		whole bool
	}{{4, false}, {5, true}, {6, true}, {0, false}} {
		must(t, h.db.View(t.Context(), func(r store.Reader) error {
			_, whole, err := record.Uncovered(r, c.most)
			if whole != c.whole {
				t.Errorf("of 5 streams %d were asked for: whole %v", c.most, whole)
			}
			return err
		}))
	}
}

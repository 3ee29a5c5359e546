package crash

import (
	"context"
	"errors"
	"math/rand/v2"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/store"
	storesqlite "github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/tally"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TestKilledDigest: the server is killed while it serves holders and makes one digest after
// the other. What the tallies hold then, with what no digest covers, is what the record
// tells of: each entry is counted, and none twice.
func TestKilledDigest(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 37))
	h := newHouse(t, build(t), "1/1", 8)
	digests, between := uint64(0), 0
	for round := range max(4, kills(t)/2) {
		h.start(t)
		if round == 0 {
			h.enrollAll(t)
		}
		for _, p := range h.holders {
			p.resolve(t, h)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var digesting sync.WaitGroup
		digesting.Go(func() {
			for ctx.Err() == nil {
				_ = exec.CommandContext(ctx, h.binary, "audit", "digest", "--data", h.Dir).Run() // cut off, or answered
			}
		})
		// Long enough for a digest or two, and any moment of the next one.
		run(t, h, time.Duration(300+rng.IntN(700))*time.Millisecond)
		cancel()
		digesting.Wait()
		last, open := h.checkTallies(t)
		if last < digests {
			t.Fatalf("digest %d is the last one, and there was %d", last, digests)
		}
		if digests = last; open > 0 {
			between++
		}
	}
	t.Logf("%d digests; %d kills left entries that none covered", digests, between)
	if digests < 2 || between == 0 {
		t.Error("no digest was made, or none was cut off; the test proves nothing")
	}
}

// checkTallies compares the dead server's tallies with its record, entry by entry. It gives
// the last digest, and how many cells only entries without one fill.
func (h *house) checkTallies(t *testing.T) (last uint64, open int) {
	t.Helper()
	keys, err := vault.Open(h.config.Vault)
	must(t, err)
	db, err := storesqlite.Open(t.Context(), h.config.Database, storesqlite.Config{Seal: keys})
	must(t, err)
	must(t, db.View(t.Context(), func(r store.Reader) error {
		var want, got tally.Count
		all, err := storetest.Record(r)
		if err != nil {
			return err
		}
		regions, hours := map[liuma.CardID]liuma.Region{}, map[time.Time]bool{}
		for _, e := range all {
			if _, known := regions[e.Card]; !known && !e.Card.IsZero() {
				card, err := r.Card(e.Card)
				if err != nil {
					return err
				}
				regions[e.Card] = card.Region
			}
			want.Add(e.Entry, regions[e.Card])
			hours[e.At.UTC().Truncate(time.Hour)] = true
		}
		for hour := range hours {
			stored, err := r.Tally(hour)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			got.Load(stored)
		}
		fresh, whole, err := record.Uncovered(r, 1000)
		if err != nil || !whole {
			t.Errorf("not all that no digest covers was looked at: %v", err)
		}
		open = len(fresh.Tallies())
		got.AddAll(fresh)
		if diff := cmp.Diff(want.Tallies(), got.Tallies()); diff != "" {
			t.Errorf("the tallies are not what the record tells of: %s", diff)
		}
		d, err := r.LastDigest()
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		last = d.Number
		return err
	}))
	must(t, db.Close())
	return last, open
}

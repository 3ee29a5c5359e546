package crash

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	ledgersqlite "github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/store"
	storesqlite "github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// repairedRows is how many cards the keepers hold: a repair of so many is cut off
// in its middle by most kills.
const repairedRows = 8_000

// TestKilledRepair: the process that repairs a keeper is killed, again and again;
// in between the keeper is either gone, or whole with every row and every count
// of the others. That holds for a keeper whose directory is lost and for one that
// was put back by a few writes, which the writes of the repair itself could hide.
func TestKilledRepair(t *testing.T) {
	h := newHouse(t, build(t), "2/3", 1)
	dirs := h.config.Keepers.Directories
	old := h.fillKeepers(t, dirs)
	cut, rng := 0, rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	for round := range max(4, kills(t)*4/10) {
		if round%2 == 0 {
			must(t, os.RemoveAll(dirs[1]))
		} else {
			for _, companion := range []string{"-wal", "-shm"} {
				must(t, os.RemoveAll(filepath.Join(dirs[1], "ledger.db"+companion)))
			}
			must(t, os.WriteFile(filepath.Join(dirs[1], "ledger.db"), old, 0o600))
		}
		if h.keeperWhole(t) {
			t.Fatal("the keeper is whole before its repair")
		}
		for range 2 {
			h.killRepair(t, round%4 < 2, time.Duration(rng.IntN(600))*time.Millisecond)
			if !h.keeperWhole(t) {
				cut++
			}
		}
		if out, err := h.repairCommand(t).CombinedOutput(); err != nil {
			t.Fatalf("the repair does not end: %v\n%s", err, out)
		}
		if !h.keeperWhole(t) {
			t.Fatal("repaired, and not whole")
		}
	}
	t.Logf("%d kills left the repair unfinished", cut)
	if cut == 0 {
		t.Error("no repair was cut off; the test proves nothing")
	}
}

func (h *house) repairCommand(t *testing.T) *exec.Cmd {
	return exec.CommandContext(t.Context(), h.binary, "keeper", "repair", "k2", "--data", h.Dir, "--reason", "its disk died")
}

// killRepair begins a repair, in a server or in the command's own process, and
// kills that process after a while.
func (h *house) killRepair(t *testing.T, served bool, after time.Duration) {
	t.Helper()
	if !served {
		c := h.repairCommand(t)
		must(t, c.Start())
		time.Sleep(after)
		_ = c.Process.Kill() // it may have ended
		_ = c.Wait()
		return
	}
	h.start(t)
	c := h.repairCommand(t)
	must(t, c.Start())
	time.Sleep(after)
	h.kill(t)
	_ = c.Wait() // it says that the server went away
}

// fillKeepers gives k1 and k3 many cards with wrong guesses, and the database a
// sequence of k2 that is a little above its ledger, which is returned: it has
// half of the cards, and no guesses.
func (h *house) fillKeepers(t *testing.T, dirs []string) (old []byte) {
	t.Helper()
	var rows, fewer []ledger.Row
	for i := range repairedRows {
		var r ledger.Row
		binary.BigEndian.PutUint64(r.Card[:], uint64(i)*0x9E3779B97F4A7C15)
		r.Card[15] = 1
		r.Version, r.Mark, r.KeySet, r.Head = 1, 1, 1, uint64(i)
		r.Verifier[0], r.Verifier[1] = 1, byte(i)
		copy(r.Tag[:], r.Card[:])
		if i%2 == 0 {
			fewer = append(fewer, r)
		}
		for range i%5 + 1 {
			r.Tally.Spend(time.Now().Add(-time.Hour), ledger.Stranger)
		}
		rows = append(rows, r)
	}
	var seen uint64
	for i, dir := range dirs {
		b, err := ledgersqlite.Open(t.Context(), filepath.Join(dir, "ledger.db"), ledgersqlite.Config{})
		must(t, err)
		meta, err := b.Meta(t.Context())
		must(t, err)
		put := rows
		if i == 1 {
			put = fewer
		}
		meta.Sequence++
		must(t, b.Apply(t.Context(), put, meta))
		must(t, b.Close())
		if i == 1 {
			seen = meta.Sequence + 3
			old, err = os.ReadFile(filepath.Join(dir, "ledger.db"))
			must(t, err)
		}
	}
	h.inDatabase(t, func(db *storesqlite.Store) {
		must(t, db.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			return audit.Entry{At: time.Now(), Actor: "test", Event: audit.KeeperSeen, Outcome: "ok"}, tx.SaveKeepersSeen(map[string]uint64{"k2": seen})
		}))
	})
	return old
}

func (h *house) inDatabase(t *testing.T, f func(*storesqlite.Store)) {
	t.Helper()
	keys, err := vault.Open(h.config.Vault)
	must(t, err)
	db, err := storesqlite.Open(t.Context(), h.config.Database, storesqlite.Config{Seal: keys})
	must(t, err)
	f(db)
	must(t, db.Close())
	must(t, keys.Close())
}

// keeperWhole opens the dead process's keepers and says whether k2 would serve; if
// so, it must have all that the others have.
func (h *house) keeperWhole(t *testing.T) bool {
	t.Helper()
	seen := map[keeper.ID]uint64{}
	h.inDatabase(t, func(db *storesqlite.Store) {
		must(t, db.View(t.Context(), func(r store.Reader) error {
			saved, err := r.KeepersSeen()
			for id, seq := range saved {
				seen[keeper.ID(id)] = seq
			}
			return err
		}))
	})
	shape, err := h.config.Keepers.SplitShape()
	must(t, err)
	seats, err := keeper.OpenSeats(t.Context(), h.config.Keepers.Directories, shape,
		keeper.OpenConfig{Limits: ledger.NationalLimits(), Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	defer func() { must(t, seats.Close()) }()
	stands := seats.Conditions(t.Context(), time.Now(), seen)
	if stands[0].Fault != "" || stands[2].Fault != "" {
		t.Fatalf("the others: %+v", stands)
	}
	if fault := stands[1].Fault; fault != "" {
		if fault != keeper.Gone && fault != keeper.RolledBack || strings.Contains(stands[1].Why.Error(), "another keeper") {
			t.Fatalf("k2: %+v", stands[1])
		}
		return false
	}
	nodes := seats.Nodes()
	has := failures(t, nodes[1])
	for card, n := range failures(t, nodes[0]) {
		if got, ok := has[card]; !ok || got != n {
			t.Fatalf("k2 serves and has %d guesses of a card (%v), the others %d", got, ok, n)
		}
	}
	return true
}

// failures are the wrong guesses that a keeper holds of each card.
func failures(t *testing.T, n *keeper.Node) map[liuma.CardID]uint32 {
	t.Helper()
	out := map[liuma.CardID]uint32{}
	must(t, n.Scan(context.Background(), liuma.CardID{}, func(r ledger.Row) error {
		out[r.Card] = r.Tally.Failures[ledger.Stranger]
		return nil
	}))
	if len(out) < repairedRows/2 {
		t.Fatalf("%d cards", len(out))
	}
	return out
}

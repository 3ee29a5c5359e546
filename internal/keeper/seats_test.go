package keeper

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// table is a quorum on seats, and what one process after another has seen.
type table struct {
	*harness
	seats *Seats
	q     *Quorum
	seen  map[ID]uint64
	log   bytes.Buffer
}

// newTable makes the directories, and opens nothing.
func newTable(t *testing.T, shape split.Shape) *table {
	t.Helper()
	h := newHarness(t, shape)
	for _, n := range h.nodes {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	h.nodes = nil
	tb := &table{harness: h}
	t.Cleanup(tb.leave)
	return tb
}

func (tb *table) config() OpenConfig {
	return OpenConfig{Machine: tb.clock, Limits: ledger.NationalLimits(), Logger: slog.New(slog.NewTextHandler(&tb.log, nil))}
}

// sit opens the seats and a quorum on them, as a process that starts.
func (tb *table) sit() {
	tb.t.Helper()
	var err error
	if tb.seats, err = OpenSeats(tb.t.Context(), tb.dirs, tb.shape, tb.config()); err != nil {
		tb.t.Fatal(err)
	}
	if err := tb.seats.Enough(); err != nil {
		tb.t.Fatal(err)
	}
	tb.q = tb.quorumWith(QuorumConfig{Keepers: tb.seats.Keepers(), Seen: tb.seen})
	tb.q.Conditions(tb.t.Context())
}

// leave ends the process.
func (tb *table) leave() {
	tb.t.Helper()
	if tb.seats == nil {
		return
	}
	if err := errors.Join(tb.q.Close(), tb.seats.Close()); err != nil {
		tb.t.Error(err)
	}
	tb.seen, tb.seats = tb.q.Seen(), nil
}

func (tb *table) repair(id ID) (Repaired, error) {
	r, err := tb.seats.BeginRepair(tb.t.Context(), id, tb.q.Seen())
	if err != nil {
		return Repaired{}, err
	}
	defer r.Drop()
	return r.Run()
}

// faults lists the keepers that are in trouble, with what it is.
func (tb *table) faults() map[ID]Fault {
	out := map[ID]Fault{}
	for _, c := range tb.q.Conditions(tb.t.Context()) {
		if c.Fault != "" {
			out[c.ID] = c.Fault
			if c.Since.IsZero() || c.Why == nil {
				tb.t.Errorf("%+v: want since when, and why", c)
			}
		}
	}
	return out
}

// tallyAt is what a keeper has counted of a card.
func (tb *table) tallyAt(i int, card liuma.CardID) ledger.Tally {
	tb.t.Helper()
	n, err := tb.seats.seats[i].sits()
	if err != nil {
		tb.t.Fatal(err)
	}
	s, err := n.Status(tb.t.Context(), card)
	if err != nil {
		tb.t.Fatal(err)
	}
	return s.Row.Tally
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wipeOut(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if err := os.RemoveAll(p); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if err := os.WriteFile(to, must2(os.ReadFile(from))(t), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must2[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T { t.Helper(); return must(t, v, err) }
}

// losses are the ways in which keeper k2 of three may be gone.
var losses = map[string]struct {
	lose    func(t *testing.T, dirs []string)
	keys    bool // the key file is made anew
	ledger  bool // the ledger is made anew
	aside   bool // something was moved aside
	because string
}{
	"directory missing": {func(t *testing.T, d []string) { wipeOut(t, d[1]) }, true, true, false, "no such file"},
	"directory emptied": {func(t *testing.T, d []string) {
		wipeOut(t, d[1])
		must(t, 0, os.Mkdir(d[1], 0o755))
	}, true, true, false, "no such file"},
	"key file lost": {func(t *testing.T, d []string) { wipeOut(t, filepath.Join(d[1], keeperFile)) }, true, false, false, "no such file"},
	"key file damaged": {func(t *testing.T, d []string) {
		must(t, 0, os.Truncate(filepath.Join(d[1], keeperFile), 40))
	}, true, false, false, "damaged"},
	"ledger lost": {func(t *testing.T, d []string) {
		wipeOut(t, filepath.Join(d[1], ledgerFile), filepath.Join(d[1], ledgerFile+"-wal"), filepath.Join(d[1], ledgerFile+"-shm"))
	}, false, true, false, "no ledger.db"},
	"ledger emptied": {func(t *testing.T, d []string) {
		must(t, 0, os.Truncate(filepath.Join(d[1], ledgerFile), 0))
	}, false, true, true, "no ledger.db"},
	"ledger corrupt": {func(t *testing.T, d []string) {
		must(t, 0, os.WriteFile(filepath.Join(d[1], ledgerFile), bytes.Repeat([]byte("rubbish "), 4096), 0o600))
	}, false, true, true, "not a database"},
	"ledger of another keeper": {func(t *testing.T, d []string) {
		copyFile(t, filepath.Join(d[2], ledgerFile), filepath.Join(d[1], ledgerFile))
	}, false, true, true, "of another keeper"},
}

// TestOneKeeperGone: whatever was lost of one keeper of three, the others set PINs
// and give verdicts, it is told who is gone and why, and the repair brings the
// keeper back with the counts of the others and serves.
func TestOneKeeperGone(t *testing.T) {
	for name, loss := range losses {
		t.Run(name, func(t *testing.T) {
			tb := newTable(t, split.Shape{T: 2, N: 3})
			tb.sit()
			card := liuma.NewCardID()
			target := set(t, tb.q, card, 1, good)
			want(t, attemptPIN(t, tb.q, target, bad), liuma.Wrong)
			eventually(t, "all have counted", func() bool { return tb.tallyAt(1, card).Failures[0] == 1 && tb.tallyAt(2, card).Failures[0] == 1 })
			for range 8 { // so that a new ledger's own writes do not bring it up to what was seen
				set(t, tb.q, liuma.NewCardID(), 1, good)
			}
			tb.leave()
			loss.lose(t, tb.dirs)
			tb.sit()
			if got := tb.faults(); len(got) != 1 || got["k2"] != Gone || !tb.q.Degraded() {
				t.Fatalf("in trouble: %v", got)
			}
			if why := tb.q.Conditions(t.Context())[1].Why.Error(); !strings.Contains(why, loss.because) {
				t.Errorf("why: %q, want %q", why, loss.because)
			}
			if err := tb.q.Ready(t.Context()); err != nil {
				t.Errorf("not ready with two of three: %v", err)
			}
			want(t, attemptPIN(t, tb.q, target, bad), liuma.Wrong)
			want(t, attemptPIN(t, tb.q, target, bad), liuma.Wrong)
			other := set(t, tb.q, liuma.NewCardID(), 1, good)
			changed := set(t, tb.q, other.Card, 2, bad)
			before := tb.seats.seats[0]

			did, err := tb.repair("k2")
			if err != nil {
				t.Fatal(err)
			}
			if did.KeyFile != loss.keys || did.NewLedger != loss.ledger || (did.Aside != "") != loss.aside || did.Rows == 0 || len(did.From) != 2 {
				t.Errorf("did %+v", did)
			}
			if got := tb.faults(); len(got) != 0 || tb.q.Degraded() {
				t.Errorf("in trouble after the repair: %v", got)
			}
			n := must2(before.sits())(t)
			peer := must2(n.Status(t.Context(), card))(t).Row.Tally
			if own := tb.tallyAt(1, card); own.Failures != peer.Failures || own.Failures[0] != 3 {
				t.Errorf("counted %+v, the others %+v", own, peer)
			}
			want(t, attemptPIN(t, tb.q, changed, bad), liuma.Right)
			out := attemptPIN(t, tb.q, changed, good)
			want(t, out, liuma.Wrong)
			if out.Evaluated != 3 {
				t.Errorf("%d evaluated, want three", out.Evaluated)
			}
			tb.leave()
			tb.sit() // and it stays so
			if got := tb.faults(); len(got) != 0 {
				t.Errorf("in trouble after a start: %v", got)
			}
		})
	}
}

// TestStrangersAreNotRepaired: another keeper's key file is neither used nor kept
// beside a new one, which would give one directory every share key (I-5).
func TestStrangersAreNotRepaired(t *testing.T) {
	elsewhere := newHarness(t, split.Shape{T: 2, N: 3})
	for name, from := range map[string]func(tb *table) string{
		"the neighbour's":   func(tb *table) string { return tb.dirs[2] },
		"of another quorum": func(*table) string { return elsewhere.dirs[1] },
	} {
		t.Run(name, func(t *testing.T) {
			tb := newTable(t, split.Shape{T: 2, N: 3})
			file := filepath.Join(tb.dirs[1], keeperFile)
			copyFile(t, filepath.Join(from(tb), keeperFile), file)
			before := must2(os.ReadFile(file))(t)
			tb.sit()
			if got := tb.faults(); len(got) != 1 || got["k2"] != Gone {
				t.Fatalf("in trouble: %v", got)
			}
			if _, err := tb.repair("k2"); !errors.Is(err, ErrStranger) {
				t.Errorf("repaired: %v", err)
			}
			if !bytes.Equal(must2(os.ReadFile(file))(t), before) {
				t.Error("the file was changed")
			}
			wipeOut(t, file)
			did, err := tb.repair("k2")
			if err != nil || !did.KeyFile {
				t.Fatalf("once it was moved away: %+v, %v", did, err)
			}
		})
	}
}

// TestRebuiltKeysAreTheOldOnes: a rebuilt key file has the share keys that the
// keeper had and none besides (I-5).
func TestRebuiltKeysAreTheOldOnes(t *testing.T) {
	for _, shape := range []split.Shape{{T: 2, N: 3}, {T: 3, N: 5}} {
		tb := newTable(t, shape)
		before := readStored(t, tb.dirs[1])
		wipeOut(t, filepath.Join(tb.dirs[1], keeperFile))
		tb.sit()
		if _, err := tb.repair("k2"); err != nil {
			t.Fatal(err)
		}
		after := readStored(t, tb.dirs[1])
		if len(after.KeySets) != 1 || len(after.KeySets[0].Keys) != len(before.KeySets[0].Keys) || after.ID != before.ID {
			t.Fatalf("%s: %d keys", shape, len(after.KeySets[0].Keys))
		}
		for _, k := range before.KeySets[0].Keys {
			if !bytes.Equal(after.KeySets[0].share(k.Subset), k.Key) {
				t.Errorf("%s: another key of subset %b", shape, k.Subset)
			}
		}
		for file, mode := range map[string]fs.FileMode{tb.dirs[1]: dirMode, filepath.Join(tb.dirs[1], keeperFile): fileMode} {
			if info := must2(os.Stat(file))(t); info.Mode().Perm() != mode {
				t.Errorf("%s: mode %s", file, info.Mode())
			}
		}
	}
}

// TestTooFewKeepers: with too few there is nothing to serve, or to repair from,
// and the error names every one that is gone.
func TestTooFewKeepers(t *testing.T) {
	for _, tt := range []struct {
		shape split.Shape
		lost  []int
		names []string
	}{
		{split.Shape{T: 1, N: 1}, []int{0}, []string{"0 of 1", "k1: "}},
		{split.Shape{T: 2, N: 3}, []int{0, 2}, []string{"1 of 3", "k1: ", "k3: "}},
		{split.Shape{T: 3, N: 5}, []int{0, 2, 4}, []string{"2 of 5", "k1: ", "k3: ", "k5: "}},
	} {
		tb := newTable(t, tt.shape)
		for _, i := range tt.lost {
			wipeOut(t, tb.dirs[i])
		}
		s := must2(OpenSeats(t.Context(), tb.dirs, tb.shape, tb.config()))(t)
		err := s.Enough()
		if !errors.Is(err, ErrTooFew) {
			t.Fatalf("%s: %v", tt.shape, err)
		}
		for _, name := range tt.names {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %q does not say %q", tt.shape, err, name)
			}
		}
		if _, err := s.BeginRepair(t.Context(), "k1", nil); !errors.Is(err, ErrPeers) {
			t.Errorf("%s: repair: %v", tt.shape, err)
		}
		must(t, 0, s.Close())
		for _, i := range tt.lost {
			if _, err := os.Lstat(tb.dirs[i]); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: a directory was made", tt.shape)
			}
		}
	}
}

// TestRepairRefuses: no such keeper, one already, the only one, and another
// process at work.
func TestRepairRefuses(t *testing.T) {
	tb := newTable(t, split.Shape{T: 2, N: 3})
	tb.sit()
	if _, err := tb.repair("k4"); !errors.Is(err, ErrNoKeeper) {
		t.Errorf("k4: %v", err)
	}
	r := must2(tb.seats.BeginRepair(t.Context(), "k2", tb.q.Seen()))(t)
	if _, err := tb.repair("k3"); !errors.Is(err, ErrUnderWay) {
		t.Errorf("a second: %v", err)
	}
	r.Drop()
	if got := tb.faults(); len(got) != 0 {
		t.Errorf("a repair that was dropped: %v", got)
	}
	if _, err := OpenSeats(t.Context(), tb.dirs, tb.shape, tb.config()); !errors.Is(err, ledger.ErrLeased) {
		t.Errorf("a second process: %v", err)
	}
	if _, err := tb.repair("k2"); err != nil {
		t.Errorf("a keeper that is whole: %v", err)
	}
	one := newTable(t, split.Shape{T: 1, N: 1})
	one.sit()
	if _, err := one.repair("k1"); !errors.Is(err, ErrPeers) {
		t.Errorf("the only keeper: %v", err)
	}
}

// TestPutBackLedgerGivesNoGuessBack: the attack. The directory of one keeper is
// put back to what it was before five wrong guesses: it counts nothing and
// evaluates nothing until it is repaired, and then it has counted them.
func TestPutBackLedgerGivesNoGuessBack(t *testing.T) {
	tb := newTable(t, split.Shape{T: 2, N: 3})
	tb.sit()
	card := liuma.NewCardID()
	target := set(t, tb.q, card, 1, good)
	tb.leave()
	old := must2(os.ReadFile(filepath.Join(tb.dirs[1], ledgerFile)))(t)
	tb.sit()
	for range 5 {
		want(t, attemptPIN(t, tb.q, target, bad), liuma.Wrong)
	}
	eventually(t, "all have counted", func() bool { return tb.tallyAt(1, card).Failures[0] == 5 && tb.tallyAt(2, card).Failures[0] == 5 })
	tb.leave()
	must(t, 0, os.WriteFile(filepath.Join(tb.dirs[1], ledgerFile), old, 0o600))

	// Without a server, where nobody has asked it before, it is no source either.
	alone := must2(OpenSeats(t.Context(), tb.dirs, tb.shape, tb.config()))(t)
	if r, err := alone.BeginRepair(t.Context(), "k3", tb.seen); !errors.Is(err, ErrPeers) {
		t.Errorf("repaired from a keeper that was put back, with the server stopped: %v", err)
		if err == nil {
			r.Drop()
		}
	}
	must(t, 0, alone.Close())
	tb.sit()
	if got := tb.faults(); len(got) != 1 || got["k2"] != RolledBack {
		t.Fatalf("in trouble: %v", got)
	}
	// No time makes it serve: not its own writes, and not a start.
	n := must2(tb.seats.seats[1].sits())(t)
	if err := n.ledger.KeepTime(t.Context()); !errors.Is(err, ledger.ErrRolledBack) {
		t.Errorf("its time was kept: %v", err)
	}
	// Other keepers are not repaired from it.
	if _, err := tb.repair("k3"); !errors.Is(err, ErrPeers) {
		t.Errorf("repaired from a keeper that was put back: %v", err)
	}
	out := attemptPIN(t, tb.q, target, bad)
	want(t, out, liuma.Wrong)
	if out.Evaluated != 2 {
		t.Errorf("%d evaluated the sixth, want two", out.Evaluated)
	}
	want(t, attemptPIN(t, tb.q, target, good), liuma.Locked)
	was := n.answer()
	did, err := tb.repair("k2")
	if err != nil || did.NewLedger || did.KeyFile {
		t.Fatalf("%+v, %v", did, err)
	}
	now := must2(tb.seats.seats[1].sits())(t).answer()
	if now.Incarnation == was.Incarnation || now.Sequence <= tb.seen["k2"] {
		t.Errorf("repaired: %+v, was %+v, seen %d", now, was, tb.seen["k2"])
	}
	if got := tb.tallyAt(1, card).Failures[0]; got != 6 {
		t.Errorf("%d counted, want six", got)
	}
	want(t, attemptPIN(t, tb.q, target, good), liuma.Locked)
}

// TestTroubleIsToldOnceAMinute: a keeper that is gone is logged when it is found
// so, not with every request.
func TestTroubleIsToldOnceAMinute(t *testing.T) {
	tb := newTable(t, split.Shape{T: 2, N: 3})
	tb.sit()
	target := set(t, tb.q, liuma.NewCardID(), 1, good)
	tb.leave()
	wipeOut(t, tb.dirs[1])
	var log bytes.Buffer
	seats := must2(OpenSeats(t.Context(), tb.dirs, tb.shape, tb.config()))(t)
	q := must2(NewQuorum(QuorumConfig{Keepers: seats.Keepers(), Shape: tb.shape, KeySet: tb.keySet, Now: tb.clock.Now,
		Random: tb.q.random, Logger: slog.New(slog.NewTextHandler(&log, nil))}))(t)
	for range 20 {
		want(t, attemptPIN(t, q, target, good), liuma.Right)
	}
	since := q.Conditions(t.Context())[1].Since
	q.members[1].mu.Lock()
	q.members[1].trouble.at = time.Now().Add(-2 * tellEvery)
	q.members[1].mu.Unlock()
	q.Conditions(t.Context())
	must(t, 0, errors.Join(q.Close(), seats.Close()))
	if got := strings.Count(log.String(), "keeper gave no answer"); got != 2 || !strings.Contains(log.String(), "keeper=k2 fault=gone") {
		t.Errorf("logged %d times, want twice:\n%s", got, log.String())
	}
	if !since.Equal(tb.clock.Now()) {
		t.Errorf("gone since %v", since)
	}
}

// TestDamagedPageIsMadeAnew: a ledger that opens and has a damaged page is not
// repaired on top of: it is made anew.
func TestDamagedPageIsMadeAnew(t *testing.T) {
	tb := newTable(t, split.Shape{T: 2, N: 3})
	tb.sit()
	var rows []ledger.Row
	for i := range 2000 {
		card := liuma.NewCardID()
		rows = append(rows, ledger.Row{Card: card, Version: 1, Mark: 1, KeySet: 1, Verifier: liuma.Verifier{1}, Head: uint64(i), Tag: tagOf(card)})
	}
	for _, n := range tb.seats.Nodes() {
		must(t, 0, n.ledger.Merge(t.Context(), rows))
	}
	tb.leave()
	f := must2(os.OpenFile(filepath.Join(tb.dirs[1], ledgerFile), os.O_RDWR, 0))(t)
	size := must2(f.Stat())(t).Size() / 4096 * 4096
	must2(f.WriteAt(bytes.Repeat([]byte{0xA5}, 4*4096), size/2))(t)
	must(t, 0, f.Close())
	tb.sit()
	did, err := tb.repair("k2")
	if err != nil || !did.NewLedger || did.Aside == "" {
		t.Fatalf("%+v, %v", did, err)
	}
	n := 0
	must(t, 0, must2(tb.seats.seats[1].sits())(t).Scan(t.Context(), liuma.CardID{}, func(ledger.Row) error { n++; return nil }))
	if n != len(rows) {
		t.Errorf("%d rows, want %d", n, len(rows))
	}
}

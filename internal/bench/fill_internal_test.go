package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	ledgersqlite "github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// few is a filling that takes moments, in several transactions and rounds.
func few(t *testing.T, dir string) Config {
	t.Helper()
	c := Config{Binary: "none", Dir: dir, Cards: 400, For: 1e9, asked: 8, chunk: 50, window: 150}
	if err := c.validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// holds fails unless every card is there, as the store and the ledger themselves read it.
func holds(t *testing.T, f *filled) {
	t.Helper()
	ctx := t.Context()
	v, err := vault.Open(f.config.Vault)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	s, err := sqlite.OpenCopy(f.config.Database, sqlite.Config{Seal: v})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found, err := s.Examine(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Sound(), postgres.Refused(found)); err != nil {
		t.Error(err)
	}
	for _, table := range []string{cardsTable, claimsTable} {
		if n, err := s.CountRows(table); err != nil || n != int64(f.deck.size) {
			t.Errorf("%d rows of %s (%v), want %d", n, table, err, f.deck.size)
		}
	}
	err = s.View(ctx, func(r store.Reader) error {
		for _, want := range f.deck.part(0, f.deck.size) {
			if err := same(r, v, want); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	ledgersHold(t, f)
}

// same looks a card up in each way that a verification does.
func same(r store.Reader, v *vault.Vault, want store.Card) error {
	l, err := r.LinkByHandle(channelID, store.Handle(v.Handle(channelID, want.ID)))
	if err != nil {
		return err
	}
	by, err := r.CardByHolder(want.Holder)
	if err != nil {
		return err
	}
	if l.Card != want.ID || by.ID != want.ID || by.Verifier != want.Verifier || by.Rev != 1 || !by.PINSetAt.Equal(want.PINSetAt) {
		return errors.New("a card is not the one that was dealt")
	}
	return nil
}

// ledgersHold fails unless each keeper has a current version of each card.
func ledgersHold(t *testing.T, f *filled) {
	t.Helper()
	for _, file := range f.ledgers() {
		b, err := ledgersqlite.Open(t.Context(), file, ledgersqlite.Config{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = b.Scan(t.Context(), liuma.CardID{}, func(r ledger.Row) error {
			want := f.deck.card(n)
			if r.Card != want.ID || r.Version != 1 || r.Mark != 1 || r.Verifier != want.Verifier || r.Tag != ledger.Tag(want.Holder) {
				t.Errorf("row %d of the ledger is not the card's", n)
			}
			n++
			return nil
		})
		if err := errors.Join(err, b.Close()); err != nil || n != f.deck.size {
			t.Errorf("%d rows of the ledger (%v), want %d", n, err, f.deck.size)
		}
	}
}

// TestFilledRowsAreTheStores: the store and the ledger read them, and nothing is missing.
// A second run with the directory writes nothing.
func TestFilledRowsAreTheStores(t *testing.T) {
	c := few(t, t.TempDir())
	f, err := fill(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, f)
	again, err := fill(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again.deck.seed != f.deck.seed || again.filling != f.filling || again.channel.KeyID != f.channel.KeyID {
		t.Error("the second run has another deck")
	}
}

// TestFillOfThreeKeepers: each has every card.
func TestFillOfThreeKeepers(t *testing.T) {
	c := few(t, t.TempDir())
	c.Shape = "2/3"
	f, err := fill(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.ledgers()); n != 3 {
		t.Fatalf("%d ledgers", n)
	}
	holds(t, f)
}

// killedFill, if set, is the directory that this process fills for TestKilledFilling.
const killedFill = "LIUMA_BENCH_FILL"

// TestKilledFilling: a process that fills is killed in each step; the next goes on, and in
// the end every row is there once.
func TestKilledFilling(t *testing.T) {
	if dir := os.Getenv(killedFill); dir != "" {
		c := few(t, dir)
		c.Out = os.Stdout
		if _, err := fill(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, at := range []string{"setting PINs: 50%", "writing cards: 50%", "writing links: 50%", "writing ledger: 50%"} {
		t.Run(at, func(t *testing.T) {
			dir := t.TempDir()
			killFilling(t, dir, at)
			f, err := fill(t.Context(), few(t, dir), nil)
			if err != nil {
				t.Fatal(err)
			}
			holds(t, f)
		})
	}
}

// killFilling fills a directory in a process of its own and kills it once it says
// something.
func killFilling(t *testing.T, dir, at string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledFilling$")
	cmd.Env = append(os.Environ(), killedFill+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, reached := "", false
	for lines := bufio.NewScanner(out); !reached && lines.Scan(); {
		said += lines.Text() + "\n"
		reached = strings.Contains(lines.Text(), at)
	}
	_ = cmd.Process.Kill() // it may have ended
	_ = cmd.Wait()
	if !reached {
		t.Fatalf("the filling never said %q:\n%s", at, said)
	}
}

// TestKeptIsRefused where it is of something else.
func TestKeptIsRefused(t *testing.T) {
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "letter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openKept(few(t, foreign)); !errors.Is(err, ErrNotOurs) {
		t.Errorf("a directory of something else: %v", err)
	}
	if _, err := os.Stat(filepath.Join(foreign, keptFile)); err == nil {
		t.Error("it was written to")
	}
	dir := t.TempDir()
	if _, err := openKept(few(t, dir)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"cards": func(c *Config) { c.Cards++ }, "shape": func(c *Config) { c.Shape = "2/3" }, "keepers": func(c *Config) { c.Remote = true },
	} {
		c := few(t, dir)
		change(&c)
		if _, err := openKept(c); !errors.Is(err, ErrOtherKept) {
			t.Errorf("other %s: %v", name, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, keptFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openKept(few(t, dir)); !errors.Is(err, ErrNotOurs) {
		t.Errorf("a file that does not parse: %v", err)
	}
}

// heap is a target that keeps nothing but the last key, and checks the order.
type heap struct {
	t    *testing.T
	key  map[string][]byte
	rows map[string]int
}

func (h *heap) write(_ context.Context, table string, part []rows.Row) error {
	for _, r := range part {
		if bytes.Compare(r.Key, h.key[table]) <= 0 {
			h.t.Errorf("%s: a key does not follow", table)
		}
		h.key[table] = r.Key
	}
	h.rows[table] += len(part)
	return nil
}

func (h *heap) last(_ context.Context, table string) ([]byte, error) { return h.key[table], nil }

func (*heap) close(context.Context) error { return nil }

func testMaker(t *testing.T) *maker {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.key")
	if err := vault.Create(path); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	m, err := newMaker(v)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFillingHoldsABatch: what is in memory does not grow with the number of cards.
func TestFillingHoldsABatch(t *testing.T) {
	m := testMaker(t)
	for _, size := range []int{500, 5000} {
		to := &heap{t: t, key: map[string][]byte{}, rows: map[string]int{}}
		f := &filler{deck: testDeck(size, 10), make: m, to: to, chunk: 40, window: 400,
			bar: func(string, int) *progress.Bar { return nil }}
		if err := f.fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if to.rows[cardsTable] != size || to.rows[claimsTable] != size {
			t.Errorf("%d cards: wrote %v", size, to.rows)
		}
		if most := f.most.Load(); most > int64(runtime.NumCPU()+1)*40 {
			t.Errorf("%d cards: %d rows at once", size, most)
		}
		if f.sorted > 2*f.window {
			t.Errorf("%d cards: %d claims at once", size, f.sorted)
		}
	}
}

// TestFailedWriteEndsTheFilling with its error.
func TestFailedWriteEndsTheFilling(t *testing.T) {
	full := errors.New("full")
	f := &filler{deck: testDeck(500, 1), make: testMaker(t), to: failing{full}, chunk: 20, window: 100,
		bar: func(string, int) *progress.Bar { return nil }}
	if err := f.fill(t.Context()); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

type failing struct{ err error }

func (f failing) write(context.Context, string, []rows.Row) error { return f.err }
func (failing) last(context.Context, string) ([]byte, error)      { return nil, nil }
func (failing) close(context.Context) error                       { return nil }

package ledgertest

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/ledger"
)

func open(t testing.TB, p Place) ledger.Backend {
	t.Helper()
	b, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// BackendKeepsItsContract tests a backend alone, without a ledger.
func BackendKeepsItsContract(t *testing.T, place func(testing.TB) Place) {
	t.Run("new", func(t *testing.T) { newBackend(t, place) })
	t.Run("kept", func(t *testing.T) { keptAcrossOpens(t, place(t)) })
	t.Run("atomic", func(t *testing.T) { applyIsAtomic(t, place(t)) })
	t.Run("tagged", func(t *testing.T) { tagsAreFound(t, place(t)) })
	t.Run("scan", func(t *testing.T) { scanIsOrdered(t, place(t)) })
	t.Run("lease", func(t *testing.T) { leaseIsExclusive(t, place(t)) })
}

func newBackend(t *testing.T, place func(testing.TB) Place) {
	var seen [2]ledger.Meta
	for i := range seen {
		b := open(t, place(t))
		meta, err := b.Meta(t.Context())
		if err != nil || meta.Sequence != 0 || meta.High != (clock.State{}) || meta.Incarnation == [16]byte{} {
			t.Fatalf("new meta %+v: %v", meta, err)
		}
		seen[i] = meta
		cards := []liuma.CardID{{9}, {1}}
		rows, err := b.Load(t.Context(), cards)
		want := []ledger.Row{{Card: cards[0]}, {Card: cards[1]}}
		if err != nil || !slices.Equal(rows, want) {
			t.Fatalf("unknown cards gave %+v: %v", rows, err)
		}
	}
	if seen[0].Incarnation == seen[1].Incarnation {
		t.Error("two ledgers have one incarnation")
	}
}

// variety returns rows of every kind.
func variety() []ledger.Row {
	now := NewClock().Now()
	full := ledger.Row{
		Version: 3, KeySet: math.MaxUint32, Verifier: liuma.Verifier{7}, Mark: 9, Retired: now.Add(time.Millisecond),
		Head: math.MaxInt64, Tag: ledger.Tag{8},
	}
	for i := range 40 {
		full.Tally.Spend(now.Add(time.Duration(i)*time.Hour), ledger.Lane(i%3%2))
	}
	proposed := ledger.Row{Mark: math.MaxUint32}
	rows := []ledger.Row{proposed, full, {}}
	for i := range rows {
		rows[i].Card = liuma.NewCardID()
	}
	return rows
}

func keptAcrossOpens(t *testing.T, p Place) {
	b := open(t, p)
	meta := ledger.Meta{Incarnation: [16]byte{1}, Sequence: math.MaxInt64, High: clock.State{High: NewClock().Now(), Boot: math.MaxInt64, BootID: "a"},
		Owner: [32]byte{3}, Repairing: true}
	rows := variety()
	if err := b.Apply(t.Context(), rows, ledger.Meta{Incarnation: [16]byte{2}}); err != nil {
		t.Fatal(err)
	}
	rows[0].Mark, rows[2].Mark = rows[0].Mark-1, 5 // an upsert replaces the whole row
	if err := b.Apply(t.Context(), rows, meta); err != nil {
		t.Fatal(err)
	}
	check := func(b ledger.Backend) {
		t.Helper()
		cards := []liuma.CardID{rows[2].Card, {1}, rows[1].Card, rows[0].Card}
		got, err := b.Load(t.Context(), cards)
		want := []ledger.Row{rows[2], {Card: liuma.CardID{1}}, rows[1], rows[0]}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("loaded %+v: %v", got, err)
		}
		if got, err := b.Meta(t.Context()); err != nil || got != meta {
			t.Fatalf("meta %+v, want %+v: %v", got, meta, err)
		}
	}
	check(b)
	check(open(t, p.Crashed(t)))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	check(open(t, p))
}

// applyIsAtomic: if one row cannot be written, none of the batch is.
func applyIsAtomic(t *testing.T, p Place) {
	b := open(t, p)
	before, err := b.Meta(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good := variety()[1]
	bad := ledger.Row{Card: liuma.NewCardID(), Version: 2, Mark: 1}
	for _, rows := range [][]ledger.Row{{good, bad}, {bad, good}} {
		if err := b.Apply(t.Context(), rows, ledger.Meta{Incarnation: [16]byte{9}, Sequence: 1}); err == nil {
			t.Fatal("an impossible row was written")
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, p)
	got, err := b.Load(t.Context(), []liuma.CardID{good.Card})
	if err != nil || got[0] != (ledger.Row{Card: good.Card}) {
		t.Errorf("half a batch was kept: %+v, %v", got, err)
	}
	if after, err := b.Meta(t.Context()); err != nil || after != before {
		t.Errorf("meta %+v, want %+v: %v", after, before, err)
	}
}

// tagsAreFound: a tag leads to every card that has it now, and to no other.
func tagsAreFound(t *testing.T, p Place) {
	b := open(t, p)
	one, two, other := variety()[1], variety()[1], variety()[1]
	other.Tag = ledger.Tag{31: 1}
	check := func(b ledger.Backend, tag ledger.Tag, want ...liuma.CardID) {
		t.Helper()
		got, err := b.Tagged(t.Context(), tag)
		order := func(x, y liuma.CardID) int { return bytes.Compare(x[:], y[:]) }
		slices.SortFunc(got, order)
		slices.SortFunc(want, order)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("tag %x: %v, want %v: %v", tag, got, want, err)
		}
	}
	check(b, one.Tag)
	if err := b.Apply(t.Context(), []ledger.Row{one, two, other}, ledger.Meta{Incarnation: [16]byte{1}}); err != nil {
		t.Fatal(err)
	}
	check(b, one.Tag, one.Card, two.Card)
	check(b, other.Tag, other.Card)
	two.Tag = other.Tag
	if err := b.Apply(t.Context(), []ledger.Row{two}, ledger.Meta{Incarnation: [16]byte{1}, Sequence: 1}); err != nil {
		t.Fatal(err)
	}
	for _, b := range []ledger.Backend{b, open(t, p.Crashed(t))} {
		check(b, one.Tag, one.Card)
		check(b, other.Tag, two.Card, other.Card)
	}
}

func scanIsOrdered(t *testing.T, p Place) {
	b := open(t, p)
	rows := make([]ledger.Row, 1200)
	for i := range rows {
		rows[i] = ledger.Row{Card: liuma.NewCardID(), Mark: liuma.Version(i)}
	}
	if err := b.Apply(t.Context(), rows, ledger.Meta{Incarnation: [16]byte{1}}); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, func(x, y ledger.Row) int { return bytes.Compare(x.Card[:], y.Card[:]) })
	var got []ledger.Row
	collect := func(r ledger.Row) error {
		got = append(got, r)
		// The visit function may use the backend, and write to it.
		if len(got) == 1 {
			return b.Apply(t.Context(), []ledger.Row{r}, ledger.Meta{Incarnation: [16]byte{1}, Sequence: 1})
		}
		return nil
	}
	if err := b.Scan(t.Context(), liuma.CardID{}, collect); err != nil || !slices.Equal(got, rows) {
		t.Fatalf("scanned %d rows of %d, or out of order: %v", len(got), len(rows), err)
	}
	got = got[:0]
	if err := b.Scan(t.Context(), rows[600].Card, collect); err != nil || !slices.Equal(got, rows[601:]) {
		t.Fatalf("scanned %d rows after number 600: %v", len(got), err)
	}
	stop := errors.New("enough")
	if err := b.Scan(t.Context(), liuma.CardID{}, func(ledger.Row) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("visitor's error became %v", err)
	}
}

func leaseIsExclusive(t *testing.T, p Place) {
	b := open(t, p)
	for range 3 {
		if second, err := p.Open(t.Context()); !errors.Is(err, ledger.ErrLeased) {
			t.Fatalf("second opener got %v, %v", second, err)
		}
	}
	if _, err := b.Meta(t.Context()); err != nil {
		t.Fatalf("the first opener lost the ledger: %v", err)
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Meta(t.Context()); err == nil {
		t.Error("a closed backend answered")
	}
	if err := b.Apply(t.Context(), nil, ledger.Meta{}); err == nil {
		t.Error("a closed backend wrote")
	}
	open(t, p)
}

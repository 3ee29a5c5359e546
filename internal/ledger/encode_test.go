package ledger_test

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

func sampleRows() []ledger.Row {
	full := ledger.Row{
		Version: 7, KeySet: 3, Verifier: liuma.Verifier{1, 2, 3}, Mark: 1007,
		Retired: start.Add(time.Hour), Head: math.MaxInt64, Tag: ledger.Tag{9},
	}
	for i := range 20 {
		full.Tally.Spend(start.Add(time.Duration(i)*5*time.Hour), ledger.Lane(i%2))
	}
	cleared := full
	cleared.Tally.Clear(20, false)
	committed := cleared
	committed.Tally.Reset()
	committed.Retired = time.Time{}
	return []ledger.Row{{}, {Mark: math.MaxUint32}, {Mark: 1, Head: 300}, full, cleared, committed}
}

func TestRowEncoding(t *testing.T) {
	for _, want := range sampleRows() {
		data, err := ledger.AppendRow(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ledger.ParseRow(want.Card, data)
		if err != nil || got != want {
			t.Errorf("%+v became %+v: %v", want, got, err)
		}
		for i := range data {
			if _, err := ledger.ParseRow(want.Card, data[:i]); err == nil {
				t.Errorf("%d of %d bytes were taken", i, len(data))
			}
		}
		if _, err := ledger.ParseRow(want.Card, append(data, 0)); err == nil {
			t.Error("a byte too many was taken")
		}
	}
}

// TestNumbersHaveOneEncoding: a zero in two bytes is not taken for a zero.
func TestNumbersHaveOneEncoding(t *testing.T) {
	empty, err := ledger.AppendRow(nil, ledger.Row{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range empty {
		if empty[i] != 0 {
			continue
		}
		long := slices.Concat(empty[:i], []byte{0x80, 0}, empty[i+1:])
		if _, err := ledger.ParseRow(liuma.CardID{}, long); err == nil {
			t.Errorf("taken: %x", long)
		}
	}
}

// TestImpossibleRowsAreNotWritten: a row that could not be read back is not
// written.
func TestImpossibleRowsAreNotWritten(t *testing.T) {
	spent := sampleRows()[3]
	for name, change := range map[string]func(*ledger.Row){
		"mark below version":       func(r *ledger.Row) { r.Mark = r.Version - 1 },
		"version without tag":      func(r *ledger.Row) { r.Tag = ledger.Tag{} },
		"head too high":            func(r *ledger.Row) { r.Head = math.MaxInt64 + 1 },
		"version without verifier": func(r *ledger.Row) { r.Verifier = liuma.Verifier{} },
		"verifier without version": func(r *ledger.Row) { r.Version = 0 },
		"retired too fine":         func(r *ledger.Row) { r.Retired = start.Add(1) },
		"cleared above spent":      func(r *ledger.Row) { r.Tally.Cleared[0] = r.Tally.Spent + 1 },
		"failed above spent":       func(r *ledger.Row) { r.Tally.Failures[1] = 99 },
		"kept above failed":        func(r *ledger.Row) { r.Tally.Failures[1] = 1 },
		"kept negative":            func(r *ledger.Row) { r.Tally.Kept = -1 },
		"kept too many":            func(r *ledger.Row) { r.Tally.Kept = 13 },
		"kept and cleared":         func(r *ledger.Row) { r.Tally.Cleared[0] = r.Tally.Recent[0].S; r.Tally.Failures[0] = 6 },
		"beyond kept":              func(r *ledger.Row) { r.Tally.Kept-- },
		"numbers out of order":     func(r *ledger.Row) { r.Tally.Recent[0].S = r.Tally.Recent[2].S },
		"times out of order":       func(r *ledger.Row) { r.Tally.Recent[0].At = start.Add(999 * time.Hour) },
		"time too fine":            func(r *ledger.Row) { r.Tally.Recent[0].At = start.Add(1) },
		"no such lane":             func(r *ledger.Row) { r.Tally.Recent[0].Lane = 2 },
		"number above spent":       func(r *ledger.Row) { r.Tally.Recent[11].S = r.Tally.Spent + 1 },
		"seven of one lane":        func(r *ledger.Row) { r.Tally.Recent[0].Lane = ledger.Known },
	} {
		r := spent
		change(&r)
		if _, err := ledger.AppendRow(nil, r); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

// FuzzParseRow: every row that the decoder accepts is valid, and encodes to the
// same bytes again.
func FuzzParseRow(f *testing.F) {
	for _, r := range sampleRows() {
		data, err := ledger.AppendRow(nil, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{1, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})                         // a number in two bytes
	f.Add([]byte{1, 0, 0, 0, 0, 1, 1, 1, 0, 1, 0, 1, 0, 2, 0})                      // no such lane
	f.Add(bytes.Repeat([]byte{0xff}, 64))                                           // no such format
	f.Add([]byte{1, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}) // retired out of time
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ledger.ParseRow(liuma.CardID{1}, data)
		if err != nil {
			return
		}
		again, err := ledger.AppendRow(nil, r)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x became %x: %v", data, again, err)
		}
	})
}

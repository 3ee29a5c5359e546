package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/store"
)

// hourTally is one of the i-th hour.
func hourTally(i int) store.Tally {
	return store.Tally{Hour: at(0).Truncate(time.Hour).Add(time.Duration(i) * time.Hour), Cells: []store.TallyCell{
		{Channel: "zj", Region: "3305", Counts: store.TallyCounts{uint64(i), 0, 300}},
		{Counts: store.TallyCounts{1}},
	}}
}

// tallies: an hour has one tally, which is replaced as a whole, found by any time in
// that hour, there after the store was opened anew, and dropped when its hour was over
// by a time.
func tallies(t *testing.T, open Open) {
	s, reopen := open(t)
	tally := func(at time.Time) store.Tally {
		t.Helper()
		return mustGet(t, s, func(r store.Reader) (store.Tally, error) { return r.Tally(at) })
	}
	wantErr(t, view(s, func(r store.Reader) error { _, err := r.Tally(hourTally(1).Hour); return err }), store.ErrNotFound)
	must(t, update(t, s, func(tx store.Tx) error {
		for i := 1; i <= 3; i++ {
			if err := tx.PutTally(hourTally(i)); err != nil {
				return err
			}
		}
		return nil
	}))
	late := hourTally(2)
	late.Hour, late.Cells = late.Hour.Add(59*time.Minute), late.Cells[:1]
	must(t, update(t, s, func(tx store.Tx) error { return tx.PutTally(late) }))
	s = reopen()
	if diff := cmp.Diff(hourTally(1), tally(hourTally(1).Hour.Add(time.Hour-time.Millisecond))); diff != "" {
		t.Error(diff)
	}
	if got := tally(hourTally(2).Hour); len(got.Cells) != 1 || !got.Hour.Equal(hourTally(2).Hour) {
		t.Errorf("%+v: want the hour's later tally, under its beginning", got)
	}
	var dropped int64
	must(t, update(t, s, func(tx store.Tx) (err error) {
		dropped, err = tx.PruneTallies(hourTally(3).Hour.Add(30 * time.Minute))
		return err
	}))
	if dropped != 2 {
		t.Errorf("%d tallies dropped, want 2: the hour that is not over stays", dropped)
	}
	tally(hourTally(3).Hour)
	wantErr(t, view(s, func(r store.Reader) error { _, err := r.Tally(hourTally(1).Hour); return err }), store.ErrNotFound)
}

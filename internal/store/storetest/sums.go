package storetest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// aSum is one of the i-th epoch and process.
func aSum(i int) store.Sum {
	return store.Sum{Kind: "a", Epoch: int64(i), From: [16]byte{byte(i), 15: 1}, Until: at(i), Body: []byte{byte(i), 2}}
}

// findSum wants a sum among those of its kind.
func findSum(r store.Reader, i int) error {
	all, err := r.Sums("a", int64(i))
	if err == nil && !slices.ContainsFunc(all, func(s store.Sum) bool { return s.From == aSum(i).From }) {
		err = store.ErrSeal // it is left out
	}
	return err
}

func putSum(t testing.TB, s store.Store, one store.Sum) error {
	t.Helper()
	return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, tx.PutSum(one) })
}

func sumsOf(t testing.TB, s store.Store, kind string, from int64) []store.Sum {
	t.Helper()
	return mustGet(t, s, func(r store.Reader) ([]store.Sum, error) { return r.Sums(kind, from) })
}

// sums: each process has one of a kind and epoch, which the others find from that epoch on,
// there after the store was opened anew, and dropped when nobody needs it.
func sums(t *testing.T, open Open) {
	s, reopen := open(t)
	one, two, other, of := aSum(1), aSum(2), aSum(1), aSum(1)
	other.From, of.Kind = [16]byte{9}, "b"
	for _, x := range []store.Sum{two, one, other, of} {
		must(t, putSum(t, s, x))
	}
	one.Rev, one.Body = 1, []byte("more")
	must(t, putSum(t, s, one))
	s = reopen()
	one.Rev, two.Rev, other.Rev, of.Rev = 2, 1, 1, 1
	if diff := cmp.Diff([]store.Sum{one, other, two}, sumsOf(t, s, "a", 1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]store.Sum{two}, sumsOf(t, s, "a", 2)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]store.Sum{of}, sumsOf(t, s, "b", -5)); diff != "" {
		t.Error(diff)
	}
	for i := range 2 {
		must(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			n, err := tx.PruneSums(at(2))
			if want := []int64{3, 0}[i]; n != want {
				t.Errorf("%d went, want %d", n, want)
			}
			return audit.Entry{}, err
		}))
	}
	if diff := cmp.Diff([]store.Sum{two}, sumsOf(t, s, "a", -5)); diff != "" {
		t.Error(diff)
	}
	if all := entries(t, s); len(all) != 0 {
		t.Errorf("%d entries about sums, want none", len(all))
	}
}

// sumsOfOne: a process sees that its sum was taken away, put back or made by another.
func sumsOfOne(t *testing.T, open Open) {
	s, _ := open(t)
	one := aSum(1)
	must(t, putSum(t, s, one))
	wantErr(t, putSum(t, s, one), store.ErrExists)
	one.Rev = 2
	wantErr(t, putSum(t, s, one), store.ErrConflict)
	one.Epoch = 7
	wantErr(t, putSum(t, s, one), store.ErrNotFound)
	one = aSum(1)
	one.Rev, one.Body = 1, bytes.Repeat([]byte{5}, 1<<18) // as large as the largest
	must(t, putSum(t, s, one))
	if got := sumsOf(t, s, "a", 1); len(got) != 1 || !bytes.Equal(got[0].Body, one.Body) {
		t.Errorf("%d sums", len(got))
	}
}

package storetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

func padOffer(i int) store.PadOffer {
	return store.PadOffer{Number: index("number", i), Pad: fmt.Sprint("pad", i), Key: []byte{4, byte(i)}, Until: at(i)}
}

// padOffers: found by its number and by its pad, once each; a pad's later offer takes the
// place of its earlier one; none of it is on the record.
func padOffers(t *testing.T, open Open) {
	s, reopen := open(t)
	do := func(f func(tx store.Tx) error) error {
		return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, f(tx) })
	}
	for i := 1; i <= 3; i++ {
		must(t, do(func(tx store.Tx) error { return tx.PutPadOffer(padOffer(i)) }))
	}
	s = reopen()
	byNumber := mustGet(t, s, func(r store.Reader) (store.PadOffer, error) { return r.PadOffer(index("number", 1)) })
	byPad := mustGet(t, s, func(r store.Reader) (store.PadOffer, error) { return r.PadOfferOf("pad1") })
	if diff := cmp.Diff(padOffer(1), byNumber) + cmp.Diff(byNumber, byPad); diff != "" {
		t.Error(diff)
	}
	taken := padOffer(4)
	taken.Number = index("number", 1)
	wantErr(t, do(func(tx store.Tx) error { return tx.PutPadOffer(taken) }), store.ErrExists)
	again := padOffer(1)
	again.Number = index("number", 9)
	must(t, do(func(tx store.Tx) error { return tx.PutPadOffer(again) }))
	gone := func(n int) {
		t.Helper()
		wantErr(t, view(s, func(r store.Reader) error { _, err := r.PadOffer(index("number", n)); return err }), store.ErrNotFound)
	}
	gone(1)
	must(t, do(func(tx store.Tx) error { return tx.DeletePadOffer(index("number", 9)) }))
	wantErr(t, do(func(tx store.Tx) error { return tx.DeletePadOffer(index("number", 9)) }), store.ErrNotFound)
	must(t, do(func(tx store.Tx) error {
		n, err := tx.PrunePadOffers(at(3))
		if n != 1 {
			t.Errorf("%d went, want 1", n)
		}
		return err
	}))
	gone(2)
	if got := mustGet(t, s, func(r store.Reader) (store.PadOffer, error) { return r.PadOfferOf("pad3") }); got.Number != index("number", 3) {
		t.Errorf("%+v", got)
	}
	if all := entries(t, s); len(all) != 0 {
		t.Errorf("%d entries about offers, want none", len(all))
	}
}

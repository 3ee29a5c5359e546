package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// errorKeepsNothing returns an error after changes of many tables.
func errorKeepsNothing(t *testing.T, open Open) {
	s, reopen := open(t)
	prepare(t, s)
	before := snapshot(t, s)
	boom := errors.New("boom")
	err := update(t, s, func(tx store.Tx) error {
		for name, change := range changes() { // in any order, so an intent may be gone
			if err := change(tx); err != nil && !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return boom
	})
	wantErr(t, err, boom)
	if now := snapshot(t, s); now != before {
		t.Errorf("kept after an error\nbefore %s\nafter  %s", before, now)
	}
	if now := snapshot(t, reopen()); now != before {
		t.Errorf("kept on disk after an error\nbefore %s\nafter  %s", before, now)
	}
}

// refusedWriteGoesOn checks that a refused write changes nothing and that the
// transaction around it can still be kept: this is how an import skips a bad
// row.
func refusedWriteGoesOn(t *testing.T, open Open) {
	s, _ := open(t)
	mustUpdate(t, s, func(tx store.Tx) error {
		wantErr(t, tx.InsertCard(card(1)), nil)
		wantErr(t, tx.InsertCard(card(1)), store.ErrExists)
		wantErr(t, tx.PutLink(store.Link{Channel: "a", Card: cardID(9)}), store.ErrNotFound)
		wantErr(t, tx.UpdateCard(card(9)), store.ErrNotFound)
		return tx.InsertCard(card(2))
	})
	cardsAre(t, s, card(1), card(2))

	// A refused write alone is no change: no entry is needed for it.
	must(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		wantErr(t, tx.InsertCard(card(1)), store.ErrExists)
		return audit.Entry{}, nil
	}))
}

func panicKeepsNothing(t *testing.T, open Open) {
	s, _ := open(t)
	prepare(t, s)
	before := snapshot(t, s)
	type mark struct{ n int }
	for _, writes := range []bool{false, true} {
		got := func() (v any) {
			defer func() { v = recover() }()
			_ = update(t, s, func(tx store.Tx) error {
				if writes {
					wantErr(t, tx.InsertCard(card(2)), nil)
				}
				panic(mark{5})
			})
			return nil
		}()
		if got != (mark{5}) {
			t.Errorf("panic came back as %v", got)
		}
		if now := snapshot(t, s); now != before {
			t.Errorf("kept after a panic\nbefore %s\nafter  %s", before, now)
		}
	}
	viewPanic := func() (v any) {
		defer func() { v = recover() }()
		return s.View(t.Context(), func(store.Reader) error { panic(mark{6}) })
	}
	for range 20 { // a reader that was not given back would block one of these
		if got := viewPanic(); got != (mark{6}) {
			t.Fatalf("panic in a View came back as %v", got)
		}
	}
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertCard(card(2)) })
}

// txEndsWithFunction uses a Reader and a Tx after their function has returned.
func txEndsWithFunction(t *testing.T, open Open) {
	s, _ := open(t)
	var tx store.Tx
	mustUpdate(t, s, func(x store.Tx) error { tx = x; return x.InsertCard(card(1)) })
	var r store.Reader
	must(t, s.View(t.Context(), func(x store.Reader) error { r = x; return nil }))
	if _, err := r.Card(cardID(1)); err == nil {
		t.Error("a Reader works after its View")
	}
	if _, err := tx.Card(cardID(1)); err == nil {
		t.Error("a Tx reads after its Update")
	}
	if err := tx.InsertCard(card(2)); err == nil {
		t.Error("a Tx writes after its Update")
	}
	cardsAre(t, s, card(1))
}

// failuresAmongOthers runs good and bad Updates at once. The bad ones fail in
// every way, before and after they wrote. All good ones are kept, also if a bad
// one shared their commit, and nothing of the bad ones is.
func failuresAmongOthers(t *testing.T, open Open) {
	const n = 120
	s, reopen := open(t)
	prepare(t, s)
	boom := errors.New("boom")
	kinds := []func(i int) error{
		func(i int) error {
			return update(t, s, func(tx store.Tx) error { return tx.InsertCard(card(100 + i)) })
		},
		func(i int) error {
			err := update(t, s, func(tx store.Tx) error {
				return errors.Join(tx.InsertCard(card(1000+i)), boom)
			})
			return expect(err, boom)
		},
		func(int) error { return expect(update(t, s, func(store.Tx) error { return boom }), boom) },
		func(int) error {
			err := update(t, s, func(tx store.Tx) error { return tx.InsertCard(card(1)) })
			return expect(err, store.ErrExists)
		},
		func(i int) error {
			err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
				return audit.Entry{}, tx.InsertCard(card(1000 + i))
			})
			return expect(err, store.ErrNoAudit)
		},
		func(i int) (err error) {
			defer func() {
				if recover() == nil {
					err = errors.New("the panic was lost")
				}
			}()
			return update(t, s, func(tx store.Tx) error { panic(tx.InsertCard(card(1000 + i))) })
		},
	}
	together(t, n, func(i int) error { return kinds[i%len(kinds)](i) })
	want := []store.Card{card(1)}
	for i := range n {
		if i%len(kinds) == 0 {
			want = append(want, card(100+i))
		}
	}
	s = reopen()
	cardsAre(t, s, want...)
	log := entries(t, s)
	if len(log) != len(want) {
		t.Errorf("%d entries for %d changes", len(log), len(want))
	}
	stream := log[0].Stream // none of these entries names a card
	for i, e := range log {
		if e.Stream != stream || e.Number != uint64(i+1) {
			t.Fatalf("entry %d of %s follows %d of %s", e.Number, e.Stream, i, stream)
		}
	}
}

func expect(got, want error) error {
	if !errors.Is(got, want) {
		return fmt.Errorf("error %v, want %v", got, want)
	}
	return nil
}

// bulk writes thousands of rows in one Update, as an import does.
func bulk(t *testing.T, open Open) {
	const n = 5000
	s, _ := open(t)
	mustUpdate(t, s, func(tx store.Tx) error {
		for i := range n {
			c := bareCard(i)
			l := store.Link{Channel: "a", Card: c.ID, Handle: store.Handle(fmt.Sprint(i))}
			p := store.Person{Holder: c.Holder, CardNo: index("no", i)}
			if err := errors.Join(tx.InsertCard(c), tx.PutLink(l), tx.UpsertPerson(p)); err != nil {
				return err
			}
		}
		return nil
	})
	if cards := mustGet(t, s, store.Reader.CountCards); cards != n {
		t.Errorf("%d cards, want %d", cards, n)
	}
	for _, i := range []int{0, n / 2, n - 1} {
		same(t, mustGet(t, s, getCard(cardID(i))), bareCard(i))
	}
	if log := entries(t, s); len(log) != 1 {
		t.Errorf("%d entries for one Update", len(log))
	}
}

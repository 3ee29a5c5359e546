package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// heads: a card's Rev rises by exactly one with every transaction that changes
// the card or records an entry about it, and with no other; UpdateCard compares
// it.
func heads(t *testing.T, open Open) {
	s, reopen := open(t)
	must(t, put(t, s, note(0, cardID(1), "")))
	must(t, put(t, s, note(0, cardID(2), "")))
	rev := func(i int) uint64 { return mustGet(t, s, getCard(cardID(i))).Rev }
	if got := rev(1); got != 1 {
		t.Errorf("a new card has rev %d, want 1", got)
	}
	edits := map[string]func(store.Tx) error{
		"card":    func(tx store.Tx) error { return rewrite(tx, bareCard(1)) },
		"holder":  func(tx store.Tx) error { c := bareCard(1); c.Holder[31]++; return rewrite(tx, c) },
		"contact": func(tx store.Tx) error { return tx.PutContact(contact(1)) },
		"link":    func(tx store.Tx) error { return tx.PutLink(store.Link{Channel: "a", Card: cardID(1), Handle: "h"}) },
		"tick":    func(tx store.Tx) error { return tx.InsertCardTick(cardID(1), "a", at(1)) },
		"ticks":   func(tx store.Tx) error { return tx.DeleteCardTicks(cardID(1), "a") },
		"all": func(tx store.Tx) error {
			return errors.Join(rewrite(tx, bareCard(1)), tx.PutContact(contact(1)), tx.InsertCardTick(cardID(1), "a", at(1)),
				rewrite(tx, bareCard(1)))
		},
	}
	for name, edit := range edits {
		for about, e := range map[string]int{"the card": 1, "another": 2} {
			before := rev(1)
			must(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return note(1, cardID(e), ""), edit(tx) }))
			if got := rev(1); got != before+1 {
				t.Errorf("%s, with an entry about %s: rev %d after %d", name, about, got, before)
			}
		}
	}
	before := rev(1)
	must(t, put(t, s, note(1, cardID(2), "")))
	must(t, put(t, s, note(1, liuma.CardID{}, "")))
	boom := errors.New("boom")
	wantErr(t, update(t, s, func(tx store.Tx) error { return errors.Join(edits["all"](tx), boom) }), boom)
	if s = reopen(); rev(1) != before {
		t.Errorf("rev %d after changes elsewhere, was %d", rev(1), before)
	}
	for _, stale := range []uint64{0, before - 1, before + 1} {
		c := bareCard(1)
		c.Rev = stale
		wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateCard(c) }), store.ErrConflict)
	}
	must(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return note(99, cardID(9), "n=1"), nil }))
	log := entries(t, s)
	last := log[len(log)-1]
	if last.Stream.Kind != audit.OfProcess || last.Note != "n=1 card="+cardID(9).String() {
		t.Errorf("an entry about a card that is not there: %+v", last)
	}
}

// cardTicks: ration marks in a card's row.
func cardTicks(t *testing.T, open Open) {
	s, reopen := twoCards(t, open)
	list := func(i int, kind string, since time.Time) []time.Time {
		return mustGet(t, s, func(r store.Reader) ([]time.Time, error) { return r.CardTicks(cardID(i), kind, since) })
	}
	add := func(i int, kind string, when time.Time) error {
		return update(t, s, func(tx store.Tx) error { return tx.InsertCardTick(cardID(i), kind, when) })
	}
	for _, n := range []int{3, 1, 2} {
		must(t, add(1, "a", at(n)))
	}
	must(t, add(1, "b", at(4)))
	must(t, add(2, "a", at(5)))
	s = reopen()
	same(t, list(1, "a", at(0)), []time.Time{at(1), at(2), at(3)})
	same(t, list(1, "a", at(1)), []time.Time{at(2), at(3)}) // later than since, not at it
	same(t, list(1, "b", at(0)), []time.Time{at(4)})
	same(t, list(2, "a", at(0)), []time.Time{at(5)})
	same(t, list(2, "b", at(0)), nil)
	same(t, list(9, "a", at(0)), nil)
	wantErr(t, add(9, "a", at(1)), store.ErrNotFound)

	const n = 50 // all in the same millisecond: each counts
	together(t, n, func(i int) error { return add(1, "c", at(9).Add(time.Duration(i))) })
	if got := list(1, "c", at(8)); len(got) != n {
		t.Errorf("%d ticks of %d in one millisecond", len(got), n)
	}
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteCardTicks(cardID(1), "c") })
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteCardTicks(cardID(1), "c") }) // deleting none is no error
	same(t, list(1, "c", at(0)), nil)
	same(t, list(1, "a", at(0)), []time.Time{at(1), at(2), at(3)})

	// Marks that no ration counts any more go with a later one; no earlier.
	must(t, add(1, "b", at(2).Add(store.TicksKept)))
	same(t, list(1, "a", at(0)), []time.Time{at(3)})
	same(t, list(1, "b", at(0)), []time.Time{at(4), at(2).Add(store.TicksKept)})
}

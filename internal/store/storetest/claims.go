package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// alone makes a change in a transaction of its own, without an entry.
func alone(t testing.TB, s store.Store, f func(store.Tx) error) error {
	t.Helper()
	return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, f(tx) })
}

// ClaimedNumbers: a business number that was claimed takes one request, whichever cards
// the claims and the requests name, and at once from many sides (I-11); one that nobody
// went on with is forgotten, and no other.
func ClaimedNumbers(t *testing.T, open Open) {
	s, _ := open(t)
	take := func(i, card int) error {
		return alone(t, s, func(tx store.Tx) error {
			return tx.TakeNumber(request(i).Channel, request(i).BusinessNo, cardID(card), at(1))
		})
	}
	must(t, errors.Join(take(1, 1), take(1, 2), take(2, 1), take(3, 1)))
	if _, err := get(t, s, getRequest(request(1))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a claim is a request: %v", err)
	}
	insert := func(i, card int) error {
		q := request(i)
		q.Card = cardID(card)
		return update(t, s, func(tx store.Tx) error { return tx.InsertRequest(q) })
	}
	var won atomic.Int64
	together(t, 8, func(i int) error { // as requests of several cards under one number
		err := errors.Join(take(1, 10+i), insert(1, 10+i))
		if err == nil {
			won.Add(1)
			return nil
		}
		return expect(err, store.ErrExists)
	})
	if won.Load() != 1 {
		t.Fatalf("%d requests under one claimed number", won.Load())
	}
	must(t, insert(2, 2)) // another card than the claim's
	if q := mustGet(t, s, getRequest(request(2))); q.Card != cardID(2) {
		t.Errorf("the request of card %s is read as that of %s", cardID(2), q.Card)
	}
	mustUpdate(t, s, func(tx store.Tx) error { _, err := tx.PruneNumbers(at(100), 100); return err })
	for i := 1; i <= 2; i++ {
		mustGet(t, s, getRequest(request(i)))
		if err := insert(i, 1); !errors.Is(err, store.ErrExists) {
			t.Errorf("request %d is gone with its claim: %v", i, err)
		}
	}
	must(t, insert(3, 4)) // forgotten, and free as before
	mustUpdate(t, s, func(tx store.Tx) error {
		return tx.DeleteRequest(store.RequestKey{Channel: request(3).Channel, BusinessNo: request(3).BusinessNo})
	})
	must(t, insert(3, 5))
	if q := mustGet(t, s, getRequest(request(3))); q.Card != cardID(5) {
		t.Errorf("the number of a deleted request leads to card %s", q.Card)
	}
}

// DroppedHandles: a claim of a handle goes where no link came of it, by whoever's word it
// was claimed, and no other. While a link is being made, whoever drops its claim and whoever
// makes it write the same ceremony: one of them is kept, so that a link always has its claim,
// and no second card gets its handle.
func DroppedHandles(t *testing.T, open Open) {
	s, _ := open(t)
	ch := liuma.ChannelID("app")
	mustUpdate(t, s, func(tx store.Tx) error { return errors.Join(tx.InsertCard(card(1)), tx.InsertCard(card(2))) })
	take := func(h store.Handle, i int) error {
		return alone(t, s, func(tx store.Tx) error { return tx.TakeHandle(ch, h, cardID(i)) })
	}
	drop := func(h store.Handle, i int) {
		t.Helper()
		mustUpdate(t, s, func(tx store.Tx) error { return tx.DropHandle(ch, h, cardID(i)) })
	}
	link := func(h store.Handle, i int) store.Link {
		return store.Link{Channel: ch, Handle: h, Card: cardID(i), At: at(1)}
	}
	leads := func(h store.Handle) (card liuma.CardID) {
		t.Helper()
		must(t, s.View(t.Context(), func(r store.Reader) error {
			l, err := r.LinkByHandle(ch, h)
			if card = l.Card; errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		}))
		return card
	}
	must(t, errors.Join(take("left", 1), take("linked", 1), take("another's", 2), take("cardless", 3)))
	mustUpdate(t, s, func(tx store.Tx) error { return tx.PutLink(link("linked", 1)) })
	for _, h := range []store.Handle{"left", "linked", "another's", "never taken"} {
		drop(h, 1)
	}
	drop("cardless", 3)
	for h, free := range map[store.Handle]bool{"left": true, "cardless": true, "linked": false, "another's": false} {
		other := 2
		if h == "another's" {
			other = 1
		}
		if err := take(h, other); free != (err == nil) || !free && !errors.Is(err, store.ErrExists) {
			t.Errorf("handle %q, claimed anew: %v", h, err)
		}
	}
	if leads("linked") != cardID(1) || leads("left") != (liuma.CardID{}) {
		t.Errorf("handles lead to %s and %s", leads("linked"), leads("left"))
	}

	for i := range 8 {
		h := store.Handle(fmt.Sprint("raced ", i))
		insertCeremonies(t, s, ceremony(i))
		must(t, take(h, 1))
		linked := false
		together(t, 2, func(who int) error {
			err := update(t, s, func(tx store.Tx) error {
				c, err := tx.Ceremony(ceremonyID(i))
				if err != nil {
					return err
				}
				if who == 0 {
					return errors.Join(tx.DropHandle(ch, h, cardID(1)), tx.DeleteCeremony(c.ID))
				}
				return errors.Join(tx.PutLink(link(h, 1)), tx.UpdateCeremony(c))
			})
			if who == 1 {
				linked = err == nil
			}
			if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
				return nil // the other one was first
			}
			return err
		})
		if got := leads(h); linked != (got == cardID(1)) {
			t.Errorf("linked %v, and the handle leads to %s", linked, got)
		}
		if err := take(h, 2); linked != errors.Is(err, store.ErrExists) {
			t.Errorf("linked %v, and another card takes its handle: %v", linked, err)
		}
	}
}

// TriesAfterTheirCeremony: the request of a ceremony is dropped before its tries, whose keys
// come after it. They are found, deleted and counted as before, and what comes later under
// the same number meets none of them.
func TriesAfterTheirCeremony(t *testing.T, open Open) {
	s, _ := open(t)
	whole := request(1)
	whole.Card = cardID(1)
	tries := []store.Request{whole, whole}
	for i := range tries {
		tries[i].BusinessNo = liuma.BusinessNo(fmt.Sprintf("%s#%d", whole.BusinessNo, i+1))
	}
	keyOf := func(q store.Request) store.RequestKey {
		return store.RequestKey{Channel: q.Channel, BusinessNo: q.BusinessNo}
	}
	must(t, alone(t, s, func(tx store.Tx) error { return tx.TakeNumber(whole.Channel, whole.BusinessNo, whole.Card, at(1)) }))
	for _, q := range append([]store.Request{whole}, tries...) {
		mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertRequest(q) })
	}
	mustUpdate(t, s, func(tx store.Tx) error { // in one transaction, as upkeep does
		if err := tx.DeleteRequest(keyOf(whole)); err != nil {
			return err
		}
		_, err := tx.Request(tries[0].Channel, tries[0].BusinessNo)
		return errors.Join(err, tx.DeleteRequest(keyOf(tries[0])))
	})
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteRequest(keyOf(tries[1])) }) // and in a later one
	if n := numberOfRequests(t, s); n != 0 {
		t.Errorf("%d tries are left for ever", n)
	}
}

func numberOfRequests(t testing.TB, s store.Store) (n int) {
	t.Helper()
	must(t, s.View(t.Context(), func(r store.Reader) error {
		w, err := r.WalkRequests(nil, at(0), 100)
		n = w.Rows
		return err
	}))
	return n
}

// BurntEvidence passes once, but with the request that burnt it.
func BurntEvidence(t *testing.T, open Open) {
	s, _ := open(t)
	burn := func(by byte) error {
		return alone(t, s, func(tx store.Tx) error {
			return tx.BurnEvidence("p", index("jti", 1), at(9), [32]byte{by})
		})
	}
	must(t, errors.Join(burn(1), burn(1)))
	for _, by := range []byte{0, 2} {
		if err := burn(by); !errors.Is(err, store.ErrExists) {
			t.Errorf("evidence of another request: %v", err)
		}
	}
	if !evidenceUsed(t, s, "p", index("jti", 1)) {
		t.Error("burnt evidence passes with the old mark")
	}
	nobody := func() error {
		return alone(t, s, func(tx store.Tx) error {
			return tx.BurnEvidence("assertion:a", index("jti", 1), at(9), [32]byte{})
		})
	}
	must(t, nobody())
	if err := nobody(); !errors.Is(err, store.ErrExists) {
		t.Errorf("what was burnt for nobody passes twice: %v", err)
	}
}

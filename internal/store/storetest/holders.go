package storetest

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// ClaimedHolders: a holder has one card, whichever cards were claimed for the holder and by
// how many at once (I-4). A claim is no card. Who takes one over, as a correction does, and
// who erases the person, has the card that was claimed never come about.
func ClaimedHolders(t *testing.T, open Open) {
	s, reopen := open(t)
	h := holders{t, s}
	t.Run("a claim is no card", h.isNoCard)
	t.Run("at once", h.atOnce)
	t.Run("taken over", h.takenOver)
	t.Run("erased", h.erased)
	h.s = reopen()
	t.Run("a look at the end", func(t *testing.T) { h.leads(t, index("taken over", 1), cardID(3020)) })
}

type holders struct {
	t *testing.T
	s store.Store
}

func (h holders) take(t *testing.T, holder vault.Index, card int) (claimed liuma.CardID, err error) {
	t.Helper()
	err = alone(t, h.s, func(tx store.Tx) (err error) {
		claimed, err = tx.TakeHolder(holder, cardID(card))
		return err
	})
	return claimed, err
}

func (h holders) insert(t *testing.T, holder vault.Index, card liuma.CardID) error {
	t.Helper()
	return update(t, h.s, func(tx store.Tx) error {
		return tx.InsertCard(store.Card{ID: card, Holder: holder, Physical: liuma.PhysicalNormal})
	})
}

// leads wants a look-up by the holder to find a card; a zero one: none.
func (h holders) leads(t *testing.T, holder vault.Index, want liuma.CardID) {
	t.Helper()
	c, err := get(t, h.s, func(r store.Reader) (store.Card, error) { return r.CardByHolder(holder) })
	if want.IsZero() {
		wantErr(t, err, store.ErrNotFound)
	} else if err != nil || c.ID != want || c.Holder != holder {
		t.Errorf("the holder's card is %s, %v, want %s", c.ID, err, want)
	}
}

func (h holders) isNoCard(t *testing.T) {
	holder := index("no card", 1)
	first, err1 := h.take(t, holder, 1001)
	second, err2 := h.take(t, holder, 1002)
	must(t, errors.Join(err1, err2))
	if want := cardID(1001); first != want || h.s.Spreads() && second != want {
		t.Errorf("claimed %s, then %s", first, second)
	}
	h.leads(t, holder, liuma.CardID{})
	if _, err := get(t, h.s, getCard(first)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a claim is a card: %v", err)
	}
	must(t, h.insert(t, holder, second)) // the next one goes on
	h.leads(t, holder, second)
	wantErr(t, h.insert(t, holder, cardID(1003)), store.ErrExists)
}

func (h holders) atOnce(t *testing.T) {
	holder := index("at once", 1)
	var won atomic.Int64
	together(t, 8, func(i int) error {
		card, err := h.take(t, holder, 2000+i)
		if err != nil {
			return err
		}
		if err := h.insert(t, holder, card); err != nil {
			return expect(err, store.ErrExists)
		}
		won.Add(1)
		return nil
	})
	if won.Load() != 1 {
		t.Errorf("%d cards of one holder", won.Load())
	}
}

// takenOver corrects the number of a card to one that a slow enrolment has claimed, and back
// to nobody's.
func (h holders) takenOver(t *testing.T) {
	holder, former := index("taken over", 1), index("taken over", 2)
	claimed, err := h.take(t, holder, 3010)
	must(t, err)
	must(t, h.insert(t, former, cardID(3020)))
	move := func(to vault.Index) error {
		return update(t, h.s, func(tx store.Tx) error {
			c, err := tx.Card(cardID(3020))
			if err != nil {
				return err
			}
			c.Holder = to
			return tx.UpdateCard(c)
		})
	}
	must(t, move(holder))
	h.leads(t, holder, cardID(3020))
	h.leads(t, former, liuma.CardID{})
	wantErr(t, h.insert(t, holder, claimed), store.ErrExists)
	h.leads(t, holder, cardID(3020))
	if h.s.Spreads() { // it never comes about, not even for somebody else
		wantErr(t, h.insert(t, index("taken over", 3), claimed), store.ErrExists)
	}
	must(t, h.insert(t, former, cardID(3030))) // the number is free
	wantErr(t, move(former), store.ErrExists)
	h.leads(t, former, cardID(3030))
	h.leads(t, holder, cardID(3020))
}

func (h holders) erased(t *testing.T) {
	holder := index("erased", 1)
	must(t, h.insert(t, holder, cardID(4001)))
	must(t, update(t, h.s, func(tx store.Tx) error { return tx.EraseCard(cardID(4001), at(5)) }))
	h.leads(t, holder, liuma.CardID{})
	claimed, err := h.take(t, holder, 4002)
	must(t, err)
	if claimed != cardID(4002) {
		t.Errorf("claimed for the erased card %s", claimed)
	}
	drop := func() error { return update(t, h.s, func(tx store.Tx) error { return tx.DropHolder(holder) }) }
	must(t, drop()) // the person is erased
	must(t, drop())
	if h.s.Spreads() {
		wantErr(t, h.insert(t, holder, claimed), store.ErrExists)
	}
	h.leads(t, holder, liuma.CardID{})
	again, err := h.take(t, holder, 4003)
	must(t, errors.Join(err, h.insert(t, holder, again)))
	h.leads(t, holder, cardID(4003))
	if h.s.Spreads() {
		wantErr(t, drop(), store.ErrExists)
		h.leads(t, holder, cardID(4003))
	}
}

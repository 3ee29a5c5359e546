package rows

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// holderClaim says which card is a holder's, or will be: whoever enrols the holder inserts
// that one. Two enrolments therefore meet at one card's key, wherever they began, and the
// database takes one of them (I-4).
//
// The card's own row decides. A claim whose card is not there leads to nobody yet: an
// enrolment goes on, or died. Who gives the holder to another card takes the key away first:
// it writes the row of a card that never was (never), and an insert that was on its way, or
// that wakes up years later, meets that row. Rows of cards are never deleted.
//
// Only a database that spreads its rows has claims of holders. A file has a unique look-up.
type holderClaim struct{ Card liuma.CardID }

func holderTable() kind[holderClaim] {
	return kind[holderClaim]{Table: Table{Name: "holders"}, looks: noLooks[holderClaim]}
}

// firstRev is the revision of a new claim. It is random, so that one that was dropped and
// made anew is never taken for the one that was read.
func firstRev() uint64 {
	var b [4]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return 1 + uint64(binary.BigEndian.Uint32(b[:]))
}

// CardByHolder goes by the holder's claim. A holder without one may have a card from before
// there were claims, and all machines are asked; so they are where the claim's card turns
// out to be another's.
func (r *Reader) CardByHolder(h vault.Index) (store.Card, error) {
	if r.ended {
		return store.Card{}, errEnded
	}
	if !r.codec.Spreads() {
		return r.cardByLook(h)
	}
	points, _, err := get(r, &r.codec.holders, h[:])
	if errors.Is(err, store.ErrNotFound) {
		return r.cardByLook(h)
	}
	if err != nil {
		return store.Card{}, err
	}
	c, err := r.card(points.Card)
	switch {
	case errors.Is(err, store.ErrNotFound):
		r.from.StaysAbsent(&r.codec.cards.Table, points.Card[:])
		return store.Card{}, err
	case err != nil:
		return store.Card{}, err
	case c.Card.Holder != h:
		return r.cardByLook(h)
	}
	return c.Card, nil
}

// cardByLook finds a holder's card by the look-up column.
func (r *Reader) cardByLook(h vault.Index) (store.Card, error) {
	q := is("holder", h[:])
	q.Limit = 1
	found, err := r.from.List(&r.codec.cards.Table, q)
	if err != nil {
		return store.Card{}, err
	}
	if len(found) == 0 {
		return store.Card{}, store.ErrNotFound
	}
	w, err := open[whole](r.codec, &r.codec.cards.Table, found[0])
	if err != nil {
		return store.Card{}, err
	}
	if c, ok := r.cards[w.Card.ID]; ok {
		return c.Card, nil // as this transaction has edited it
	}
	c, err := r.keep(w, found[0].Rev)
	if err != nil {
		return store.Card{}, err
	}
	return c.Card, nil
}

// TakeHolder is to be the only write of its transaction. A crash after it leaves a claim
// without a card, which takes nothing from anybody: the next enrolment of that holder
// inserts the very card that it names.
func (t *Tx) TakeHolder(h vault.Index, card liuma.CardID) (liuma.CardID, error) {
	if t.ended {
		return liuma.CardID{}, errEnded
	}
	if !t.codec.Spreads() {
		return card, nil
	}
	there, _, err := get(&t.Reader, &t.codec.holders, h[:])
	if !errors.Is(err, store.ErrNotFound) {
		return there.Card, err
	}
	switch old, err := t.cardByLook(h); {
	case err == nil:
		card = old.ID // from before there were claims
	case !errors.Is(err, store.ErrNotFound):
		return liuma.CardID{}, err
	}
	wrote := t.wrote
	err = insert(t, &t.codec.holders, h[:], &holderClaim{card}, firstRev())
	t.wrote, t.kept = wrote, t.kept || err == nil
	return card, err
}

// takeHolder makes a holder a card's, in the transaction that writes the card.
// store.ErrExists: the holder has another card. moved says that the card is there already,
// and had another holder: the claim is then written anew whatever it says, so that of two
// transactions that give one holder to two cards one is not kept.
//
// Where the claim names a card that is not there, that one is taken out of the world in the
// same transaction. A crash before the commit leaves claim and cards as they were, so that
// either the card that was claimed can still come or this one is there, and never both (I-4).
func (t *Tx) takeHolder(h vault.Index, card liuma.CardID, moved bool) error {
	if !t.codec.Spreads() {
		return nil
	}
	k := &t.codec.holders
	there, rev, err := get(&t.Reader, k, h[:])
	if errors.Is(err, store.ErrNotFound) {
		switch old, err := t.cardByLook(h); {
		case err == nil && old.ID != card:
			return store.ErrExists
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return err
		}
		return insert(t, k, h[:], &holderClaim{card}, firstRev())
	}
	if err != nil {
		return err
	}
	if there.Card == card {
		if !moved {
			return nil // the card's own key decides
		}
		return update(t, k, h[:], &there, rev)
	}
	if err := t.takeAway(there.Card, h); err != nil {
		return err
	}
	return update(t, k, h[:], &holderClaim{card}, rev)
}

// leaveHolder drops the claim that a card has of its holder.
func (t *Tx) leaveHolder(h vault.Index, card liuma.CardID) error {
	if !t.codec.Spreads() {
		return nil
	}
	there, _, err := get(&t.Reader, &t.codec.holders, h[:])
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && there.Card != card:
		return nil
	case err != nil:
		return err
	}
	_, err = t.delete(&t.codec.holders.Table, is("", h[:]))
	return err
}

// DropHolder is part of erasing a person. A crash before the commit leaves the claim.
func (t *Tx) DropHolder(h vault.Index) error {
	if t.ended {
		return errEnded
	}
	if !t.codec.Spreads() {
		return nil
	}
	there, _, err := get(&t.Reader, &t.codec.holders, h[:])
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := t.takeAway(there.Card, h); err != nil {
		return err
	}
	_, err = t.delete(&t.codec.holders.Table, is("", h[:]))
	return err
}

// takeAway takes a claimed card from a holder: if it is not there, it never will be.
// store.ErrExists: it is there, and the holder's.
func (t *Tx) takeAway(claimed liuma.CardID, h vault.Index) error {
	switch c, err := t.card(claimed); {
	case errors.Is(err, store.ErrNotFound):
		return t.never(claimed)
	case err != nil:
		return err
	case c.Card.Holder == h:
		return store.ErrExists
	}
	return nil
}

// never writes the row of a card that was claimed and will not be: bare and cancelled, as
// the row of a card that was erased, with a holder who is nobody.
func (t *Tx) never(id liuma.CardID) error {
	s := &cardState{whole: whole{Card: store.Card{ID: id, Physical: liuma.PhysicalCancelled, ErasedAt: time.UnixMilli(0).UTC()}}}
	rand.Read(s.Card.Holder[:]) // never fails since Go 1.24
	if err := t.writeCard(s); err != nil {
		return err
	}
	if t.cards == nil {
		t.cards = map[liuma.CardID]*cardState{}
	}
	t.cards[id] = s
	return nil
}

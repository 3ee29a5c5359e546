package rows

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// whole is the body of a card's row: all that is known of the card. So nothing
// of it can be taken away by deleting a row, or put back by itself.
type whole struct {
	Card    store.Card
	Contact store.Contact // its Card is zero where there is none
	Links   []store.Link  // oldest first
	Rations []ration
	Number  uint64     // of the last entry in the card's stream; 0 before the first
	Last    audit.Hash // of that entry
}

// ration is the ration marks of one kind, oldest first.
type ration struct {
	Kind string
	At   []time.Time
}

// cardState is a card within one transaction. It is read once; the methods of
// Tx edit it, and Tx.Finish writes it once.
type cardState struct {
	whole
	base   uint64 // the row's rev before this transaction; 0: inserted by it
	stored uint64 // the row's rev in the database now
	dirty  bool
}

// card reads a card, or finds it as this transaction has edited it.
func (r *Reader) card(id liuma.CardID) (*cardState, error) {
	if r.ended {
		return nil, errEnded
	}
	if c, ok := r.cards[id]; ok {
		return c, nil
	}
	w, rev, err := get(r, &r.codec.cards, id[:])
	if err != nil {
		return nil, err
	}
	return r.keep(w, rev)
}

// keep refuses, in a transaction that may write, a row that was put back. One
// that only reads may see a row from before a commit that was told of already.
func (r *Reader) keep(w whole, rev uint64) (*cardState, error) {
	if r.writes && r.codec.Stands != nil {
		if err := r.codec.Stands(w.Card.ID, rev); err != nil {
			r.behind = &Head{Card: w.Card.ID, Read: rev, Rev: rev}
			return nil, liuma.Fail(liuma.CodeUnavailable, fmt.Errorf("%w: %w", store.ErrBehind, err))
		}
	}
	c := &cardState{whole: w, base: rev, stored: rev}
	c.Card.Rev = rev
	if r.cards == nil {
		r.cards = map[liuma.CardID]*cardState{}
	}
	r.cards[w.Card.ID] = c
	return c, nil
}

func (r *Reader) Card(id liuma.CardID) (store.Card, error) {
	c, err := r.card(id)
	if err != nil {
		return store.Card{}, err
	}
	return c.Card, nil
}

// CardIDs checks no seal: whoever reads one of the cards does.
func (r *Reader) CardIDs(after liuma.CardID, limit int) ([]liuma.CardID, error) {
	if r.ended {
		return nil, errEnded
	}
	found, err := r.from.List(&r.codec.cards.Table, Query{After: after[:], Limit: max(0, limit)})
	if err != nil {
		return nil, err
	}
	ids := make([]liuma.CardID, 0, len(found))
	for _, row := range found {
		if len(row.Key) != len(liuma.CardID{}) {
			return nil, fault(&r.codec.cards.Table, errors.New("its key is no card's"))
		}
		ids = append(ids, liuma.CardID(row.Key))
	}
	return ids, nil
}

func (r *Reader) CountCards() (int64, error) { return r.count(&r.codec.cards.Table, "") }

// Links is empty for a card that is not there.
func (r *Reader) Links(card liuma.CardID) ([]store.Link, error) {
	c, err := r.card(card)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.Clone(c.Links), nil
}

// LinkByHandle finds the card by the handle's claim; whether the link is there
// stands in the card's row.
func (r *Reader) LinkByHandle(ch liuma.ChannelID, h store.Handle) (store.Link, error) {
	points, _, err := get(r, &r.codec.claims, claimKey(ch, h))
	if err != nil {
		return store.Link{}, err
	}
	c, err := r.card(points.Card)
	if err != nil {
		return store.Link{}, err
	}
	if i := c.link(ch, h); i >= 0 {
		return c.Links[i], nil
	}
	return store.Link{}, store.ErrNotFound
}

func claimKey(ch liuma.ChannelID, h store.Handle) []byte { return join(string(ch), string(h)) }

func (c *cardState) link(ch liuma.ChannelID, h store.Handle) int {
	return slices.IndexFunc(c.Links, func(l store.Link) bool { return l.Channel == ch && l.Handle == h })
}

func (r *Reader) Contact(card liuma.CardID) (store.Contact, error) {
	c, err := r.card(card)
	switch {
	case err != nil:
		return store.Contact{}, err
	case c.Contact.Card.IsZero():
		return store.Contact{}, store.ErrNotFound
	}
	return c.Contact, nil
}

// CardTicks is empty for a card that is not there.
func (r *Reader) CardTicks(card liuma.CardID, kind string, since time.Time) ([]time.Time, error) {
	c, err := r.card(card)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var later []time.Time
	for _, t := range c.Rations {
		for _, at := range t.At {
			if t.Kind == kind && at.UnixMilli() > since.UnixMilli() {
				later = append(later, at)
			}
		}
	}
	return later, nil
}

// Tx's methods that edit a card.

func (t *Tx) edit(id liuma.CardID, change func(*cardState)) error {
	c, err := t.card(id)
	if err != nil {
		return err
	}
	change(c)
	c.dirty, t.wrote = true, true
	return nil
}

// InsertCard writes the row at once, because only the database knows whether
// the holder has another card.
func (t *Tx) InsertCard(c store.Card) error {
	if t.ended {
		return errEnded
	}
	w := whole{Card: c}
	w.Card.Rev = 0
	state := &cardState{whole: w}
	if err := t.takeHolder(c.Holder, c.ID, false); err != nil {
		return err
	}
	if err := t.writeCard(state); err != nil {
		return err
	}
	if t.cards == nil {
		t.cards = map[liuma.CardID]*cardState{}
	}
	t.cards[c.ID] = state
	return nil
}

func (t *Tx) UpdateCard(c store.Card) error {
	there, err := t.card(c.ID)
	switch {
	case err != nil:
		return err
	case c.Rev != there.base:
		return store.ErrConflict
	case c.Holder != there.Card.Holder:
		// The look-up changes, and only the database knows whether it is free.
		moved := *there
		moved.Card = c
		if err := t.takeHolder(c.Holder, c.ID, true); err != nil {
			return err
		}
		if err := t.leaveHolder(there.Card.Holder, c.ID); err != nil {
			return err
		}
		if err := t.writeCard(&moved); err != nil {
			return err
		}
		*there = moved
		return nil
	}
	return t.edit(c.ID, func(s *cardState) { s.Card = c })
}

// RaiseRev lets the row be written above a rev.
func (t *Tx) RaiseRev(card liuma.CardID, rev uint64) error {
	if rev >= math.MaxInt64 {
		return errors.New("store: revision out of range")
	}
	return t.edit(card, func(s *cardState) { s.base = max(s.base, rev) })
}

// writeCard writes a card's row. A crash before the commit leaves the card as it
// was, with its links, contact, rations and the end of its stream (I-8).
func (t *Tx) writeCard(c *cardState) error {
	w := c.whole
	w.Card.Rev = c.base + 1
	r, err := row(t.codec, &t.codec.cards, nil, w.Card.ID[:], &w, w.Card.Rev)
	if err != nil {
		return err
	}
	if c.stored == 0 {
		err = t.to.Insert(&t.codec.cards.Table, r)
	} else {
		err = t.to.Update(&t.codec.cards.Table, r, c.stored)
	}
	if err == nil {
		c.stored, c.dirty, t.wrote = w.Card.Rev, false, true
	}
	return err
}

func (t *Tx) PutContact(c store.Contact) error {
	return t.edit(c.Card, func(s *cardState) { s.Contact = c })
}

// PutLink claims a handle that is new, and writes the link into the card.
func (t *Tx) PutLink(l store.Link) error {
	c, err := t.card(l.Card)
	if err != nil {
		return err
	}
	if i := c.link(l.Channel, l.Handle); i >= 0 {
		return t.edit(l.Card, func(s *cardState) { s.Links = slices.Concat(s.Links[:i], []store.Link{l}, s.Links[i+1:]) })
	}
	key := claimKey(l.Channel, l.Handle)
	err = insert(t, &t.codec.claims, key, &claim{l.Card}, 1)
	if errors.Is(err, store.ErrExists) {
		points, _, e := get(&t.Reader, &t.codec.claims, key)
		if e != nil {
			return e
		}
		if points.Card != l.Card {
			return store.ErrExists
		}
		err = nil // a claim of this card without its link: its link is put back
	}
	if err != nil {
		return err
	}
	return t.edit(l.Card, func(s *cardState) {
		s.Links = append(slices.Clone(s.Links), l)
		slices.SortFunc(s.Links, func(a, b store.Link) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Handle, b.Handle))
		})
	})
}

// TakeHandle is to be the only write of its transaction. A crash after it leaves a claim
// without a link.
func (t *Tx) TakeHandle(ch liuma.ChannelID, h store.Handle, card liuma.CardID) error {
	if t.ended {
		return errEnded
	}
	wrote := t.wrote
	key := claimKey(ch, h)
	there, _, err := get(&t.Reader, &t.codec.claims, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = insert(t, &t.codec.claims, key, &claim{card}, 1)
	case err == nil && there.Card != card:
		err = store.ErrExists
	}
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

// DropHandle leaves the claim of a row that fails its seal: its alarm is raised. A crash
// before the commit leaves a claim that leads nowhere.
func (t *Tx) DropHandle(ch liuma.ChannelID, h store.Handle, card liuma.CardID) error {
	key := claimKey(ch, h)
	there, _, err := get(&t.Reader, &t.codec.claims, key)
	if err == nil && there.Card != card {
		return nil
	}
	if err == nil {
		var c *cardState
		if c, err = t.card(card); err == nil && c.link(ch, h) >= 0 {
			return nil
		}
	}
	switch {
	case there.Card.IsZero() && errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrSeal):
		return nil
	case err != nil && !errors.Is(err, store.ErrNotFound): // a card that is gone has no link
		return err
	}
	_, err = t.delete(&t.codec.claims.Table, is("", key))
	return err
}

func (t *Tx) DeleteLink(ch liuma.ChannelID, h store.Handle) error {
	l, err := t.LinkByHandle(ch, h)
	if err != nil {
		return err
	}
	if _, err := t.delete(&t.codec.claims.Table, is("", claimKey(ch, h))); err != nil {
		return err
	}
	return t.edit(l.Card, func(s *cardState) {
		s.Links = slices.DeleteFunc(slices.Clone(s.Links), func(o store.Link) bool { return o.Channel == ch && o.Handle == h })
	})
}

// InsertCardTick drops marks of the card that no ration counts any more, so
// that the row does not grow for ever.
func (t *Tx) InsertCardTick(card liuma.CardID, kind string, at time.Time) error {
	return t.edit(card, func(s *cardState) {
		var kept []ration
		found := false
		for _, r := range s.Rations {
			var marks []time.Time
			for _, m := range r.At {
				if m.After(at.Add(-store.TicksKept)) {
					marks = append(marks, m)
				}
			}
			if r.Kind == kind {
				marks, found = append(marks, whenKept(at)), true
				slices.SortFunc(marks, time.Time.Compare)
			}
			if len(marks) > 0 {
				kept = append(kept, ration{r.Kind, marks})
			}
		}
		if !found {
			kept = append(kept, ration{kind, []time.Time{whenKept(at)}})
		}
		s.Rations = kept
	})
}

// whenKept is a time as it comes back from the database.
func whenKept(at time.Time) time.Time { return time.UnixMilli(at.UnixMilli()).UTC() }

func (t *Tx) DeleteCardTicks(card liuma.CardID, kind string) error {
	return t.edit(card, func(s *cardState) {
		s.Rations = slices.DeleteFunc(slices.Clone(s.Rations), func(r ration) bool { return r.Kind == kind })
	})
}

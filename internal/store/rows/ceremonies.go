package rows

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A ceremony lies where its own name says (vault.Routed), in a database that spreads its
// rows: with the card that it is about, or will be about. So does its one-time code.

// routeOf is the home that a ceremony's name says. One from before names had routes, or
// that was carried over from a file, lies with those that have none.
func (c *Codec) routeOf(ceremony string) []byte {
	if home, ok := c.seal.RouteOf(ceremony); ok {
		return home[:]
	}
	return unclaimed()
}

// homeIn is the home of a ceremony that a token leads to; nil where rows lie together.
func (c *Codec) homeIn(home vault.Home) []byte {
	switch {
	case !c.Spreads():
		return nil
	case home == vault.Home{}:
		return unclaimed()
	}
	return home[:]
}

func (r *Reader) Ceremony(id string) (store.Ceremony, error) {
	c, _, err := r.ceremony(id)
	return c, err
}

func (r *Reader) ceremony(id string) (store.Ceremony, uint64, error) {
	return getAt(r, &r.codec.ceremonies, homeOf(r.codec, &store.Ceremony{ID: id}), []byte(id))
}

// CeremonyByRequestURI and CeremonyByCode find nothing for a zero hash: nil
// equals nothing.
func (r *Reader) CeremonyByRequestURI(home vault.Home, hash [32]byte) (store.Ceremony, error) {
	return r.ceremonyBy("request_uri", home, hash)
}

func (r *Reader) CeremonyByCode(home vault.Home, hash [32]byte) (store.Ceremony, error) {
	return r.ceremonyBy("code", home, hash)
}

func (r *Reader) ceremonyBy(column string, home vault.Home, hash [32]byte) (store.Ceremony, error) {
	if some(hash[:]) == nil {
		return store.Ceremony{}, store.ErrNotFound
	}
	q := is(column, hash[:])
	q.Home = r.codec.homeIn(home)
	return first(r, &r.codec.ceremonies, q)
}

func (r *Reader) CeremoniesOf(card liuma.CardID) ([]store.Ceremony, error) {
	return inOrder(r.openCeremonies(card[:], nil))
}

func (r *Reader) CeremoniesFor(subject vault.Index) ([]store.Ceremony, error) {
	return inOrder(r.openCeremonies(subject[:], nil))
}

// CeremoniesAt looks where the card's lie, and where those from before do.
func (r *Reader) CeremoniesAt(card liuma.CardID, subject vault.Index) (open []store.Ceremony, err error) {
	homes := [][]byte{nil}
	if r.codec.Spreads() {
		homes = [][]byte{card[:], unclaimed()}
	}
	for _, home := range homes {
		for _, whose := range [][]byte{card[:], subject[:]} {
			found, err := r.openCeremonies(whose, home)
			if err != nil {
				return nil, err
			}
			open = append(open, found...)
		}
	}
	return inOrder(open, nil)
}

func inOrder(open []store.Ceremony, err error) ([]store.Ceremony, error) {
	slices.SortStableFunc(open, func(a, b store.Ceremony) int { return a.At.Compare(b.At) })
	return open, err
}

func (r *Reader) openCeremonies(whose, home []byte) ([]store.Ceremony, error) {
	if some(whose) == nil {
		return nil, nil
	}
	q := is("open_card", whose)
	q.Home = home
	return list(r, &r.codec.ceremonies, q)
}

func (r *Reader) Code(ceremony string) (store.Code, error) {
	c, _, err := r.code(ceremony)
	return c, err
}

// code finds what a release that knows no routes wrote for a ceremony that has one.
func (r *Reader) code(ceremony string) (c store.Code, rev uint64, err error) {
	home := homeOf(r.codec, &store.Code{Ceremony: ceremony})
	c, rev, err = getAt(r, &r.codec.codes, home, []byte(ceremony))
	if errors.Is(err, store.ErrNotFound) && len(home) > 0 {
		c, rev, err = getAt(r, &r.codec.codes, unclaimed(), []byte(ceremony))
	}
	return c, rev, err
}

// InsertCeremony takes the ceremony's Revision as the row's rev.
func (t *Tx) InsertCeremony(c store.Ceremony) error {
	if c.Revision >= math.MaxInt64 {
		return fmt.Errorf("store: revision %d is out of range", c.Revision)
	}
	return insert(t, &t.codec.ceremonies, []byte(c.ID), &c, c.Revision)
}

// UpdateCeremony compares and sets. A crash after it and before the commit
// leaves the step as it was: the page goes on from there.
func (t *Tx) UpdateCeremony(c store.Ceremony) error {
	if c.Revision >= math.MaxInt64 {
		return fmt.Errorf("store: revision %d is out of range", c.Revision)
	}
	there, rev, err := t.ceremony(c.ID)
	if err != nil {
		return err
	}
	if c.Revision != rev {
		return store.ErrConflict
	}
	c.Channel, c.BusinessNo, c.Action, c.Revision = there.Channel, there.BusinessNo, there.Action, rev+1
	return update(t, &t.codec.ceremonies, []byte(c.ID), &c, rev)
}

// DeleteCeremony drops its one-time code too: a ceremony's row is the parent of its
// code's.
func (t *Tx) DeleteCeremony(id string) error {
	return t.deleteOneAt(&t.codec.ceremonies.Table, homeOf(t.codec, &store.Ceremony{ID: id}), []byte(id))
}

func (t *Tx) PutCode(c store.Code) error {
	_, rev, err := t.code(c.Ceremony)
	if errors.Is(err, store.ErrNotFound) {
		return insert(t, &t.codec.codes, []byte(c.Ceremony), &c, 1)
	}
	if err != nil {
		return err
	}
	return update(t, &t.codec.codes, []byte(c.Ceremony), &c, rev)
}

// DeleteCodesOf looks for a card's codes wherever they lie, and deletes each where it
// does: nearly always with the card, so that the transaction writes in one home.
func (t *Tx) DeleteCodesOf(card liuma.CardID) error {
	if card.IsZero() {
		return nil
	}
	table := &t.codec.codes.Table
	if !t.codec.Spreads() {
		_, err := t.delete(table, is("card", card[:]))
		return err
	}
	if t.ended {
		return errEnded
	}
	found, err := t.from.List(table, is("card", card[:]))
	if err != nil {
		return err
	}
	for _, row := range found {
		if err := t.deleteOneAt(table, row.Home, row.Key); err != nil {
			return err
		}
	}
	return nil
}

package sqlite

import (
	"errors"
	"math"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

const cardColumns = `id, rev, behind, holder, sealed, region, version, key_set, verifier, reserved, pin_set_at, mac,
	physical, frozen, frozen_at, tally, created_at`

func scanCard(r *row) store.Card {
	var c store.Card
	r.fixed(c.ID[:])
	c.Rev, c.Behind = uint64(r.int()), uint64(r.int())
	r.fixed(c.Holder[:])
	c.Sealed = r.bytes()
	c.Region = liuma.Region(r.text())
	c.Version = liuma.Version(r.uint32())
	c.KeySet = r.uint32()
	r.fixed(c.Verifier[:])
	c.Reserved = liuma.Version(r.uint32())
	c.PINSetAt = r.time()
	r.fixed(c.MAC[:])
	c.Physical = liuma.PhysicalStatus(r.text())
	c.Frozen = r.bool()
	c.FrozenAt = r.time()
	if b := r.bytes(); b != nil {
		if err := c.Tally.UnmarshalBinary(b); err != nil {
			r.fail("is not a tally")
		}
	}
	c.CreatedAt = r.time()
	return c
}

func (r *reader) Card(id liuma.CardID) (store.Card, error) {
	return one(r, scanCard, "SELECT "+cardColumns+" FROM cards WHERE id = ?", id[:])
}

func (r *reader) CardByHolder(h vault.Index) (store.Card, error) {
	return one(r, scanCard, "SELECT "+cardColumns+" FROM cards WHERE holder = ?", h[:])
}

func (r *reader) CountCards() (int64, error) { return r.count("SELECT count(*) FROM cards") }

func (t *tx) InsertCard(c store.Card) error {
	tally, err := c.Tally.MarshalBinary()
	if err != nil {
		return err
	}
	return t.insert(`INSERT INTO cards (`+cardColumns+`) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID[:], int64(c.Behind), c.Holder[:], blob(c.Sealed), string(c.Region), int64(c.Version), int64(c.KeySet), fixed(c.Verifier[:]),
		int64(c.Reserved), milli(c.PINSetAt), fixed(c.MAC[:]), string(c.Physical), flag(c.Frozen), milli(c.FrozenAt),
		tally, milli(c.CreatedAt))
}

// UpdateCard leaves holder out of SET as long as it is the same: SQLite would
// take its index entry out and put it back with every attempt.
func (t *tx) UpdateCard(c store.Card) error {
	tally, err := c.Tally.MarshalBinary()
	if err != nil {
		return err
	}
	n, err := t.write(`UPDATE cards SET rev = max(rev, ?), behind = ?, sealed = ?, region = ?, version = ?, key_set = ?, verifier = ?, reserved = ?,
		pin_set_at = ?, mac = ?, physical = ?, frozen = ?, frozen_at = ?, tally = ?, created_at = ?
		WHERE id = ? AND holder = ?`,
		int64(c.Rev+1), int64(c.Behind), blob(c.Sealed), string(c.Region), int64(c.Version), int64(c.KeySet), fixed(c.Verifier[:]), int64(c.Reserved),
		milli(c.PINSetAt), fixed(c.MAC[:]), string(c.Physical), flag(c.Frozen), milli(c.FrozenAt), tally,
		milli(c.CreatedAt), c.ID[:], c.Holder[:])
	if err != nil || n == 1 {
		if err == nil {
			t.raised(c.ID, c.Rev+1)
		}
		return err
	}
	if err := t.change("UPDATE cards SET holder = ? WHERE id = ?", c.Holder[:], c.ID[:]); err != nil {
		return err
	}
	return t.UpdateCard(c)
}

func (r *reader) CardIDs(after liuma.CardID, limit int) ([]liuma.CardID, error) {
	return list(r, func(r *row) (id liuma.CardID) {
		r.fixed(id[:])
		return id
	}, "SELECT id FROM cards WHERE id > ? ORDER BY id LIMIT ?", after[:], atMost(limit))
}

func (t *tx) RaiseRev(card liuma.CardID, rev uint64) error {
	if rev >= math.MaxInt64 {
		return errors.New("store: revision out of range")
	}
	if err := t.change("UPDATE cards SET rev = max(rev, ?) + 1 WHERE id = ?", int64(rev), card[:]); err != nil {
		return err
	}
	now, err := t.count("SELECT rev FROM cards WHERE id = ?", card[:])
	if err == nil {
		t.raised(card, uint64(now))
	}
	return err
}

// raised notes the revision that a card's row has after the commit, for
// Config.Committed.
func (t *tx) raised(card liuma.CardID, rev uint64) {
	if t.rose == nil {
		t.rose = map[liuma.CardID]uint64{}
	}
	t.rose[card] = max(t.rose[card], rev)
}

const linkColumns = "channel, card, handle, at"

func scanLink(r *row) store.Link {
	var l store.Link
	l.Channel = liuma.ChannelID(r.text())
	r.fixed(l.Card[:])
	l.Handle = store.Handle(r.text())
	l.At = r.time()
	return l
}

func (r *reader) Link(ch liuma.ChannelID, card liuma.CardID) (store.Link, error) {
	return one(r, scanLink, "SELECT "+linkColumns+" FROM links WHERE card = ? AND channel = ?", card[:], string(ch))
}

func (r *reader) LinkByHandle(ch liuma.ChannelID, h store.Handle) (store.Link, error) {
	return one(r, scanLink, "SELECT "+linkColumns+" FROM links WHERE channel = ? AND handle = ?", string(ch), string(h))
}

func (t *tx) InsertLink(l store.Link) error {
	return t.insert("INSERT INTO links ("+linkColumns+") VALUES (?, ?, ?, ?)",
		string(l.Channel), l.Card[:], string(l.Handle), milli(l.At))
}

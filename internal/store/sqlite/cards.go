package sqlite

import (
	"cmp"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

const cardColumns = `id, holder, sealed, region, version, key_set, verifier, reserved, pin_set_at, mac,
	physical, frozen, frozen_at, tally, created_at`

func scanCard(r *row) store.Card {
	var c store.Card
	r.fixed(c.ID[:])
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
	return t.insert(`INSERT INTO cards (`+cardColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID[:], c.Holder[:], blob(c.Sealed), string(c.Region), int64(c.Version), int64(c.KeySet), fixed(c.Verifier[:]),
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
	n, err := t.write(`UPDATE cards SET sealed = ?, region = ?, version = ?, key_set = ?, verifier = ?, reserved = ?,
		pin_set_at = ?, mac = ?, physical = ?, frozen = ?, frozen_at = ?, tally = ?, created_at = ?
		WHERE id = ? AND holder = ?`,
		blob(c.Sealed), string(c.Region), int64(c.Version), int64(c.KeySet), fixed(c.Verifier[:]), int64(c.Reserved),
		milli(c.PINSetAt), fixed(c.MAC[:]), string(c.Physical), flag(c.Frozen), milli(c.FrozenAt), tally,
		milli(c.CreatedAt), c.ID[:], c.Holder[:])
	if err != nil || n == 1 {
		return err
	}
	if err := t.change("UPDATE cards SET holder = ? WHERE id = ?", c.Holder[:], c.ID[:]); err != nil {
		return err
	}
	return t.UpdateCard(c)
}

const linkColumns = "channel, handle, card, at, proved, proved_at, evidenced, wrong"

func scanLink(r *row) store.Link {
	var l store.Link
	l.Channel = liuma.ChannelID(r.text())
	l.Handle = store.Handle(r.text())
	r.fixed(l.Card[:])
	l.At = r.time()
	l.Proved = liuma.Version(r.uint32())
	l.ProvedAt = r.time()
	l.Evidenced = liuma.Version(r.uint32())
	l.Wrong = r.uint32()
	return l
}

// Links sorts here: a card has ten at most.
func (r *reader) Links(card liuma.CardID) ([]store.Link, error) {
	found, err := list(r, scanLink, "SELECT "+linkColumns+" FROM links WHERE card = ?", card[:])
	slices.SortStableFunc(found, func(a, b store.Link) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Handle, b.Handle))
	})
	return found, err
}

func (r *reader) LinkByHandle(ch liuma.ChannelID, h store.Handle) (store.Link, error) {
	return one(r, scanLink, "SELECT "+linkColumns+" FROM links WHERE channel = ? AND handle = ?", string(ch), string(h))
}

func (t *tx) PutLink(l store.Link) error {
	n, err := t.write("INSERT INTO links ("+linkColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (channel, handle) DO UPDATE SET at = excluded.at, proved = excluded.proved,
		proved_at = excluded.proved_at, evidenced = excluded.evidenced, wrong = excluded.wrong WHERE card = excluded.card`,
		string(l.Channel), string(l.Handle), l.Card[:], milli(l.At), int64(l.Proved), milli(l.ProvedAt), int64(l.Evidenced),
		int64(l.Wrong))
	if err == nil && n == 0 {
		return store.ErrExists
	}
	return err
}

func (t *tx) DeleteLink(ch liuma.ChannelID, h store.Handle) error {
	return t.change("DELETE FROM links WHERE channel = ? AND handle = ?", string(ch), string(h))
}

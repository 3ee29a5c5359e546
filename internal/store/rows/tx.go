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
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Tx implements store.Tx on one transaction of a database. Used by one
// goroutine.
type Tx struct {
	Reader
	to       Sink
	wrote    bool // a row was changed
	kept     bool // the time was saved, something metered or rows were sealed anew, which needs no entry
	destroys bool // a seal key was deleted
	heads    []Head
	raised   uint64 // rev of the shared row that this transaction wrote
}

var _ store.Tx = (*Tx)(nil)

// Head is a card's rev after a transaction that raised it, and the rev that it
// was read at or raised to (RaiseRev) before.
type Head struct {
	Card liuma.CardID
	Read uint64
	Rev  uint64
}

// Kept reports whether the time was saved, something was metered or rows were
// sealed anew: of all writes these alone need no entry.
func (t *Tx) Kept() bool { return t.kept }

// NewTx reads and writes in a transaction until End.
func NewTx(c *Codec, to Sink) *Tx {
	return &Tx{Reader: Reader{codec: c, from: asked{to, c}, floor: c.floor(), writes: true}, to: to}
}

// Wrote reports whether a row was changed, Destroys whether a seal key was
// deleted, and Heads which cards' revs rose.
func (t *Tx) Wrote() bool    { return t.wrote }
func (t *Tx) Destroys() bool { return t.destroys }
func (t *Tx) Heads() []Head  { return t.heads }

// Behind is a card whose row was refused because this process wrote a later one
// (Codec.Stands), with the revision that it has; nil if none was. A database that reads
// a snapshot may have read from before that write, and then reads anew.
func (t *Tx) Behind() *Head { return t.behind }

func insert[T any](t *Tx, k *kind[T], key []byte, v *T, rev uint64) error {
	return insertAt(t, k, homeOf(t.codec, v), key, v, rev)
}

func insertAt[T any](t *Tx, k *kind[T], home, key []byte, v *T, rev uint64) error {
	if t.ended {
		return errEnded
	}
	r, err := row(t.codec, k, home, key, v, rev)
	if err != nil {
		return err
	}
	return t.insertRow(&k.Table, r)
}

func (t *Tx) insertRow(table *Table, r Row) error {
	if t.ended {
		return errEnded
	}
	if err := t.to.Insert(table, r); err != nil {
		return err
	}
	t.wrote = true
	return t.share(table, r.Key, &r.Seal.MAC)
}

// update replaces a row that was read at rev was.
func update[T any](t *Tx, k *kind[T], key []byte, v *T, was uint64) error {
	return updateAt(t, k, homeOf(t.codec, v), key, v, was)
}

func updateAt[T any](t *Tx, k *kind[T], home, key []byte, v *T, was uint64) error {
	r, err := row(t.codec, k, home, key, v, was+1)
	if err != nil {
		return err
	}
	if err := t.to.Update(&k.Table, r, was); err != nil {
		return err
	}
	t.wrote = true
	return t.share(&k.Table, key, &r.Seal.MAC)
}

// change replaces a row that is there.
func change[T any](t *Tx, k *kind[T], v *T) error {
	key := k.key(v)
	home := homeOf(t.codec, v)
	_, rev, err := getAt(&t.Reader, k, home, key)
	if home != nil && errors.Is(err, store.ErrNotFound) { // it was carried over from a file
		_, rev, err = getAt(&t.Reader, k, unclaimed(), key)
	}
	if err != nil {
		return err
	}
	return update(t, k, key, v, rev)
}

// put replaces a row or inserts one.
func put[T any](t *Tx, k *kind[T], v *T) error {
	err := change(t, k, v)
	if errors.Is(err, store.ErrNotFound) {
		return insert(t, k, k.key(v), v, 1)
	}
	return err
}

// delete deletes rows without reading them: who altered one could have deleted
// it as well.
func (t *Tx) delete(table *Table, q Query) (int64, error) {
	if t.ended {
		return 0, errEnded
	}
	n, err := t.to.Delete(table, q)
	t.wrote = t.wrote || n > 0
	return n, err
}

func (t *Tx) deleteOne(table *Table, key []byte) error {
	return t.deleteOneAt(table, nil, key)
}

func (t *Tx) deleteOneAt(table *Table, home, key []byte) error {
	q := is("", key)
	q.Home = home
	n, err := t.delete(table, q)
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return cmp.Or(err, t.share(table, key, nil))
}

// before selects the rows whose time is before another.
func before(column string, at time.Time) Query {
	return Query{Column: column, To: at.UnixMilli() - 1, Limit: -1}
}

// InsertRequest is unique by the key (I-11). A crash after it leaves an
// undecided request, which stays undecided.
func (t *Tx) InsertRequest(q store.Request) error {
	home, err := t.takeNumber(q.Channel, q.BusinessNo, q.Card, q.At)
	if err != nil {
		return err
	}
	return insertAt(t, &t.codec.requests, home, t.codec.requests.key(&q), &q, 1)
}

// UpdateRequest changes nothing of a decided request but RedeemedAt or ResetAt,
// once (I-11).
func (t *Tx) UpdateRequest(q store.Request) error {
	k := &t.codec.requests
	home, err := t.homeOf(q.Channel, q.BusinessNo)
	if err != nil {
		return err
	}
	there, rev, err := getAt(&t.Reader, k, home, k.key(&q))
	if err != nil {
		return err
	}
	q.Ceremony = there.Ceremony
	if there.Decided {
		first := there.RedeemedAt.IsZero() && there.ResetAt.IsZero()
		switch {
		case first && there.Verdict != liuma.Right && !q.ResetAt.IsZero():
			there.ResetAt = q.ResetAt
		case first:
			there.RedeemedAt = q.RedeemedAt
		}
		if there.Handle == "" {
			there.Handle = q.Handle // of a link that was made when its code was redeemed
		}
		same, err := equal(t.codec.forms, &q, &there)
		switch {
		case err != nil:
			return err
		case !same:
			return store.ErrDecided
		case !first || q.RedeemedAt.IsZero() && q.ResetAt.IsZero():
			return nil // the same change again
		}
	}
	return updateAt(t, k, home, k.key(&q), &q, rev)
}

// equal compares two values as they are kept.
func equal[T any](f forms, a, b *T) (bool, error) {
	x, err1 := f.encode(a)
	y, err2 := f.encode(b)
	return slices.Equal(x, y), errors.Join(err1, err2)
}

// InsertIntent is unique by the key (I-7): one open intent a card.
func (t *Tx) InsertIntent(i store.Intent) error {
	return insert(t, &t.codec.intents, i.Card[:], &i, 1)
}

func (t *Tx) UpdateIntent(i store.Intent) error { return change(t, &t.codec.intents, &i) }

func (t *Tx) DeleteIntent(card liuma.CardID) error {
	return t.deleteOne(&t.codec.intents.Table, card[:])
}

func (t *Tx) UpsertPerson(p store.Person) error { return put(t, &t.codec.persons, &p) }

// InsertPerson spares an import of new people the look for each of them.
func (t *Tx) InsertPerson(p store.Person) error {
	return insert(t, &t.codec.persons, t.codec.persons.key(&p), &p, 1)
}

func (t *Tx) InsertClient(c store.Client) error {
	return insert(t, &t.codec.clients, []byte(c.ID), &c, 1)
}

func (t *Tx) UpdateClient(c store.Client) error { return change(t, &t.codec.clients, &c) }

func (t *Tx) InsertEvidence(provider string, jti vault.Index, until time.Time) error {
	k, key := &t.codec.evidence, join(provider, string(jti[:]))
	err := insert(t, k, key, &usedEvidence{Until: until}, 1)
	if errors.Is(err, store.ErrExists) {
		if _, _, altered := get(&t.Reader, k, key); altered != nil {
			return altered // refused as well, but with an alarm
		}
	}
	return err
}

func (t *Tx) PruneEvidence(now time.Time) (int64, error) {
	return t.delete(&t.codec.evidence.Table, before("until", now))
}

func (t *Tx) InsertSealKey(k store.SealKey) error {
	return insert(t, &t.codec.sealKeys, []byte(k.ID), &k, 1)
}

// UpdateSealKey is written with its entry and the shared row: a crash leaves all or none.
func (t *Tx) UpdateSealKey(k store.SealKey) error { return change(t, &t.codec.sealKeys, &k) }

func (t *Tx) DeleteSealKey(id string) error {
	if err := t.deleteOne(&t.codec.sealKeys.Table, []byte(id)); err != nil {
		return err
	}
	t.destroys = true
	return nil
}

func (t *Tx) SaveKeepersSeen(seen map[string]uint64) error {
	if t.ended {
		return errEnded
	}
	for _, sequence := range seen {
		if sequence > math.MaxInt64 {
			return fmt.Errorf("store: sequence %d is out of range", sequence)
		}
	}
	if err := t.to.SaveKeepersSeen(seen); err != nil {
		return err
	}
	t.wrote = t.wrote || len(seen) > 0
	return nil
}

// SaveClock keeps the later of the saved time and s (I-15). A crash before the
// commit leaves the time that was saved before.
func (t *Tx) SaveClock(s clock.State) error {
	k, key := &t.codec.clock, []byte(clockKey)
	there, rev, err := get(&t.Reader, k, key)
	wrote := t.wrote
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = insert(t, k, key, &s, 1)
	case err == nil && whenKept(s.High).Before(there.High):
		return nil
	case err == nil:
		err = update(t, k, key, &s, rev)
	}
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

// InsertTick never collides: two ration marks in the same millisecond count
// twice.
func (t *Tx) InsertTick(k store.Tick) error {
	m := newMark(k)
	return insert(t, &t.codec.ticks, t.codec.ticks.key(&m), &m, 1)
}

func (t *Tx) DeleteTicks(kind string, key vault.Index) error {
	_, err := t.delete(&t.codec.ticks.Table, marksWithin(kind, key, earliest))
	return err
}

func (t *Tx) PruneTicks(at time.Time) (int64, error) {
	return t.delete(&t.codec.ticks.Table, before("at", at))
}

// ofCard returns store.ErrNotFound for a card that is not there.
func (t *Tx) ofCard(id liuma.CardID) error {
	_, err := t.card(id)
	return err
}

func (t *Tx) InsertFreezeCode(f store.FreezeCode) error {
	if err := t.ofCard(f.Card); err != nil {
		return err
	}
	return insert(t, &t.codec.freezeCodes, f.MAC[:], &f, 1)
}

func (t *Tx) UpdateFreezeCode(f store.FreezeCode) error { return change(t, &t.codec.freezeCodes, &f) }

func (t *Tx) PruneFreezeCodes(expiredBefore time.Time) (int64, error) {
	return t.delete(&t.codec.freezeCodes.Table, before("expires", expiredBefore))
}

// InsertMessage runs in the transaction of the change that the message tells
// of: a crash leaves both or neither.
func (t *Tx) InsertMessage(m store.Message) error {
	return insert(t, &t.codec.messages, []byte(m.ID), &m, 1)
}

func (t *Tx) UpdateMessage(m store.Message) error { return change(t, &t.codec.messages, &m) }

// PruneMessages never drops a waiting message: it has no time when it was done.
func (t *Tx) PruneMessages(doneBefore time.Time) (int64, error) {
	return t.delete(&t.codec.messages.Table, before("done", doneBefore))
}

// Finish writes the entry of the transaction and the cards that it edited. It
// is called once, when the transaction's function has returned nil.
func (t *Tx) Finish(e audit.Entry, p audit.ProcessID) error {
	if !t.wrote && e == (audit.Entry{}) {
		return t.finishShared() // only resealing can have edited it
	}
	if e == (audit.Entry{}) {
		return store.ErrNoAudit
	}
	if err := e.Validate(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrNoAudit, err)
	}
	if err := t.chain(e, p); err != nil {
		return fmt.Errorf("store: audit entry: %w", err)
	}
	t.wrote = true
	if err := t.finishShared(); err != nil {
		return fmt.Errorf("store: shared row: %w", err)
	}
	for id, c := range t.cards {
		if c.dirty {
			if err := t.writeCard(c); err != nil {
				return err
			}
		}
		if c.stored > c.base {
			t.heads = append(t.heads, Head{id, c.base, c.stored})
		}
	}
	return nil
}

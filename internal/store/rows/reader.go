package rows

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// errEnded is returned by a Reader or Tx that is used after its function.
var errEnded = errors.New("store: transaction has ended")

// Reader implements store.Reader on one transaction of a database. Used by one
// goroutine.
type Reader struct {
	codec  *Codec
	from   Source
	cards  map[liuma.CardID]*cardState // the cards that were read
	shared *sharedState                // nil until it is read
	floor  uint64                      // of the shared row's rev
	ended  bool
	// writes: it is the reading part of a Tx.
	writes bool
	behind *Head // a card's row that was refused with store.ErrBehind, as it was read
}

var _ store.Reader = (*Reader)(nil)

// NewReader reads from a transaction until End.
func NewReader(c *Codec, from Source) *Reader {
	return &Reader{codec: c, from: asked{from, c}, floor: c.floor()}
}

// End makes the Reader invalid: its function has returned.
func (r *Reader) End() { r.ended = true }

// get reads the row with a key.
func get[T any](r *Reader, k *kind[T], key []byte) (v T, rev uint64, err error) {
	return getAt(r, k, nil, key)
}

// getAt is get for a homed table, where the home is known.
func getAt[T any](r *Reader, k *kind[T], home, key []byte) (v T, rev uint64, err error) {
	if r.ended {
		return v, 0, errEnded
	}
	row, err := r.from.Get(&k.Table, home, key)
	if errors.Is(err, store.ErrNotFound) {
		return v, 0, cmp.Or(r.vouchAbsent(&k.Table, key), err)
	}
	if err != nil {
		return v, 0, err
	}
	if v, err = open[T](r.codec, &k.Table, row); err == nil {
		err = r.vouch(&k.Table, row)
	}
	return v, row.Rev, err
}

// list reads the rows that a query selects, and refuses them all if one is
// refused.
func list[T any](r *Reader, k *kind[T], q Query) ([]T, error) {
	if r.ended {
		return nil, errEnded
	}
	found, err := r.from.List(&k.Table, q)
	if err != nil {
		return nil, err
	}
	var vs []T
	for _, row := range found {
		v, err := open[T](r.codec, &k.Table, row)
		if err == nil {
			err = r.vouch(&k.Table, row)
		}
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	// Shared tables are only ever listed whole.
	return vs, r.vouchAll(&k.Table, len(found))
}

// queue reads the first rows of a queue. A row that is refused raises its alarm
// and is passed over: it is not worked on, and does not hold up those behind
// it.
func queue[T any](r *Reader, k *kind[T], q Query) ([]T, error) {
	if r.ended {
		return nil, errEnded
	}
	for want := q.Limit; ; {
		found, err := r.from.List(&k.Table, q)
		if err != nil {
			return nil, err
		}
		var vs []T
		for _, row := range found {
			v, err := open[T](r.codec, &k.Table, row)
			switch {
			case errors.Is(err, store.ErrSeal):
				continue
			case err != nil:
				return nil, err
			}
			vs = append(vs, v)
		}
		if len(vs) >= want || len(found) < q.Limit {
			return vs[:min(len(vs), want)], nil
		}
		q.Limit = want + len(found) - len(vs)
	}
}

// first reads the first row that a query selects, or store.ErrNotFound.
func first[T any](r *Reader, k *kind[T], q Query) (v T, err error) {
	q.Limit = 1
	vs, err := list(r, k, q)
	if err != nil {
		return v, err
	}
	if len(vs) == 0 {
		return v, store.ErrNotFound
	}
	return vs[0], nil
}

func is(column string, v Value) Query { return Query{Column: column, From: v, To: v, Limit: -1} }

func (r *Reader) count(t *Table, column string) (int64, error) {
	if r.ended {
		return 0, errEnded
	}
	return r.from.Count(t, column)
}

func (r *Reader) Request(ch liuma.ChannelID, no liuma.BusinessNo) (store.Request, error) {
	home, err := r.homeOf(ch, no)
	if err != nil {
		return store.Request{}, err
	}
	q, _, err := getAt(r, &r.codec.requests, home, requestKey(ch, no))
	return q, err
}

func (r *Reader) Intent(card liuma.CardID) (store.Intent, error) {
	i, _, err := get(r, &r.codec.intents, card[:])
	return i, err
}

func (r *Reader) Intents(after liuma.CardID, limit int) ([]store.Intent, error) {
	return queue(r, &r.codec.intents, Query{After: after[:], Limit: max(0, limit)})
}

func (r *Reader) Person(h vault.Index) (store.Person, error) {
	p, _, err := get(r, &r.codec.persons, h[:])
	return p, err
}

func (r *Reader) CountPersons() (int64, error) { return r.count(&r.codec.persons.Table, "card_no") }

func (r *Reader) Client(id string) (store.Client, error) {
	c, _, err := get(r, &r.codec.clients, []byte(id))
	return c, err
}

func (r *Reader) Clients() ([]store.Client, error) {
	return list(r, &r.codec.clients, Query{Limit: -1})
}

func (r *Reader) SealKeys() ([]store.SealKey, error) {
	keys, err := list(r, &r.codec.sealKeys, Query{Limit: -1})
	slices.SortStableFunc(keys, func(a, b store.SealKey) int { return b.MadeAt.Compare(a.MadeAt) })
	return keys, err
}

func (r *Reader) KeepersSeen() (map[string]uint64, error) {
	if r.ended {
		return nil, errEnded
	}
	return r.from.KeepersSeen()
}

func (r *Reader) Entries(s audit.Stream, after uint64, limit int) ([]audit.Recorded, error) {
	if r.ended {
		return nil, errEnded
	}
	return r.from.Entries(s, after, max(0, limit))
}

func (r *Reader) DueCeremonies(now time.Time, limit int) ([]store.Ceremony, error) {
	return queue(r, &r.codec.ceremonies, Query{Column: "due", To: now.UnixMilli() - 1, Limit: max(0, limit)})
}

func (r *Reader) Clock() (clock.State, error) {
	s, _, err := get(r, &r.codec.clock, []byte(clockKey))
	return s, err
}

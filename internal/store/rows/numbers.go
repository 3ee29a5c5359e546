package rows

import (
	"errors"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// number says where the request under a business number is: with the card that it is
// about or, of a request about none, with the process that took it. It is written once
// and then only touched. So whoever has the number and nothing else finds the request by
// two look-ups of one key each, and two requests under one number meet in one place,
// whichever card each names: the request's own row there takes the number (I-11).
type number struct {
	Home [16]byte
	At   time.Time // when it was last claimed
}

func numberTable() kind[number] {
	return kind[number]{Table{Name: "numbers", Columns: []Column{{Name: "at", Number: true}}}, nil,
		func(n *number) []Value { return []Value{n.At.UnixMilli()} }}
}

// Spreads reports whether the database spreads its rows. One that does not has no
// numbers.
func (c *Codec) Spreads() bool { return c.Process != audit.ProcessID{} }

// homeOf is where a value says itself that it is; nil where it does not, and in a
// database that does not spread its rows.
func homeOf(c *Codec, v any) []byte {
	if !c.Spreads() {
		return nil
	}
	switch v := v.(type) {
	case *store.Message:
		return v.Card[:]
	case *store.FreezeCode:
		return v.Card[:]
	case *store.FormerContact:
		return v.Card[:]
	case *store.Ceremony:
		return c.routeOf(v.ID)
	case *store.Code:
		return c.routeOf(v.Ceremony)
	case *mark:
		return marksOf(v.Kind, v.Key)
	}
	return nil
}

// at is a query for what is in one home.
func (c *Codec) at(home []byte, q Query) Query {
	if c.Spreads() {
		q.Home = home
	}
	return q
}

// unclaimed is the home of requests from before there were numbers, and of those that
// were carried over from a file.
func unclaimed() []byte { return []byte{} }

// numberKey is the key of a request's number. The tries of a ceremony have that of the
// ceremony.
func numberKey(ch liuma.ChannelID, no liuma.BusinessNo) (key []byte, try bool) {
	whole, _, try := strings.Cut(string(no), "#")
	return join(string(ch), whole), try
}

// requestKey is the key of a request. A try's number has its ceremony's in it.
func requestKey(ch liuma.ChannelID, no liuma.BusinessNo) []byte { return join(string(ch), string(no)) }

// homeOf is where a request is, or would be. A try whose ceremony's request was dropped, and
// the claim with it, is looked for everywhere: upkeep alone still asks for it, and would
// otherwise never drop it.
func (r *Reader) homeOf(ch liuma.ChannelID, no liuma.BusinessNo) ([]byte, error) {
	if !r.codec.Spreads() {
		return nil, nil
	}
	key, try := numberKey(ch, no)
	n, _, err := get(r, &r.codec.numbers, key)
	switch {
	case errors.Is(err, store.ErrNotFound) && try:
		return nil, nil
	case errors.Is(err, store.ErrNotFound):
		return unclaimed(), nil
	}
	return n.Home[:], err
}

// TakeNumber is to be the only write of its transaction. A crash after it leaves a number
// without a request: any later request under that number finds the claim and goes there.
// Nothing else went by it, so nothing has to be taken back (I-11).
func (t *Tx) TakeNumber(ch liuma.ChannelID, no liuma.BusinessNo, card liuma.CardID, now time.Time) error {
	if t.ended {
		return errEnded
	}
	key, try := numberKey(ch, no)
	if try || !t.codec.Spreads() {
		return nil
	}
	wrote := t.wrote
	k := &t.codec.numbers
	n, rev, err := get(&t.Reader, k, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		_, err = t.claimNumber(ch, no, card, now)
	case err == nil && now.Sub(n.At) > touchNumber:
		// It is used again, so that no walk takes it for one that was left.
		n.At = now
		err = update(t, k, key, &n, rev)
	}
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

// touchNumber is how old a claim may be that a request begins under; PruneNumbers takes
// far older ones.
const touchNumber = 24 * time.Hour

// takeNumber is where a request is to be inserted. Where no transaction before it has
// claimed the number, this one does.
func (t *Tx) takeNumber(ch liuma.ChannelID, no liuma.BusinessNo, card liuma.CardID, now time.Time) ([]byte, error) {
	if !t.codec.Spreads() {
		return nil, nil
	}
	key, try := numberKey(ch, no)
	n, _, err := get(&t.Reader, &t.codec.numbers, key)
	switch {
	case err == nil:
		return n.Home[:], nil
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	case try:
		return unclaimed(), nil // of a ceremony from before there were numbers
	}
	return t.claimNumber(ch, no, card, now)
}

// claimNumber writes the claim of a number that has none. One that a request from before
// there were numbers has stays with that request.
func (t *Tx) claimNumber(ch liuma.ChannelID, no liuma.BusinessNo, card liuma.CardID, now time.Time) ([]byte, error) {
	key, _ := numberKey(ch, no)
	_, _, err := getAt(&t.Reader, &t.codec.requests, unclaimed(), key)
	switch {
	case err == nil:
		return unclaimed(), nil
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	n := number{Home: card, At: now}
	if card.IsZero() {
		n.Home = t.codec.Process
	}
	return n.Home[:], insert(t, &t.codec.numbers, key, &n, 1)
}

// freeNumber drops the claim of a request that was deleted.
func (t *Tx) freeNumber(ch liuma.ChannelID, no liuma.BusinessNo) error {
	key, try := numberKey(ch, no)
	if try || !t.codec.Spreads() {
		return nil
	}
	_, err := t.delete(&t.codec.numbers.Table, is("", key))
	return err
}

// PruneNumbers drops claims that were left without a request: a crash came in between, or
// the request was refused before it took the number.
func (t *Tx) PruneNumbers(at time.Time, limit int) (n int64, err error) {
	if t.ended {
		return 0, errEnded
	}
	q := before("at", at)
	q.Limit = max(0, limit)
	found, err := t.from.List(&t.codec.numbers.Table, q)
	if err != nil {
		return 0, err
	}
	for _, row := range found {
		claimed, err := open[number](t.codec, &t.codec.numbers.Table, row)
		if errors.Is(err, store.ErrSeal) {
			continue // its alarm is raised
		}
		if err != nil {
			return n, err
		}
		_, _, err = getAt(&t.Reader, &t.codec.requests, claimed.Home[:], row.Key)
		if !errors.Is(err, store.ErrNotFound) {
			if err != nil && !errors.Is(err, store.ErrSeal) {
				return n, err
			}
			continue
		}
		if _, err := t.delete(&t.codec.numbers.Table, is("", row.Key)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// BurnEvidence is to be the only write of its transaction. A crash after it leaves the
// evidence to the request that burnt it, which may come again with it, and to no other.
func (t *Tx) BurnEvidence(provider string, jti vault.Index, until time.Time, by [32]byte) error {
	if t.ended {
		return errEnded
	}
	wrote := t.wrote
	k, key := &t.codec.evidence, join(provider, string(jti[:]))
	there, _, err := get(&t.Reader, k, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = insert(t, k, key, &usedEvidence{until, by}, 1)
	case err == nil && (by == [32]byte{} || there.By != by):
		err = store.ErrExists
	}
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

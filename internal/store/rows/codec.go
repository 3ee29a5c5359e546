package rows

import (
	"errors"
	"sync/atomic"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Codec turns values into sealed rows and back. Safe for concurrent use.
type Codec struct {
	seal  Sealer
	alarm func(table string, err error)
	head  SharedHead // nil: none is kept
	*tables
	forms      forms
	lastShared sharedCache
	// seen is the highest rev of the shared row that a reader has met, which another
	// authority may have written: the head follows it a little later. A transaction that
	// writes does not raise it, since it may meet what it takes back.
	seen atomic.Uint64
	// Stands, if set, hears of every card's row that a transaction which may write
	// has read, and refuses one that was put back. It must return at once and must
	// not call the store. It is set before the codec is used.
	Stands func(card liuma.CardID, rev uint64) error
	// Authority is the name of the authority whose process this is; see start.
	Authority string
	// Process, if set, is that of a database that spreads its rows: it is the home of
	// what is about no card. Zero: all rows lie together, and nothing is claimed apart.
	Process audit.ProcessID
}

// NewCodec makes the codec of a database. alarm is called for every row that
// was refused, within the transaction that read it: it must return at once and
// must not call the store. It may be nil, and so may head.
func NewCodec(seal Sealer, alarm func(table string, err error), head SharedHead) (*Codec, error) {
	if seal == nil {
		return nil, errors.New("store: no vault to seal rows with")
	}
	if alarm == nil {
		alarm = func(string, error) {}
	}
	return &Codec{seal: seal, alarm: alarm, head: head, tables: newTables(), forms: newForms()}, nil
}

// Alarm tells of a fault that no reader has met.
func (c *Codec) Alarm(table string, err error) { c.alarm(table, err) }

// floor is what the shared row's rev must not be below. It is taken before the
// first read of a transaction: later ones may be raised by others meanwhile.
func (c *Codec) floor() uint64 {
	if c.head == nil {
		return 0
	}
	return max(c.head.Number(), c.seen.Load())
}

// saw keeps what a reader has met.
func (c *Codec) saw(rev uint64) {
	for before := c.seen.Load(); rev > before && !c.seen.CompareAndSwap(before, rev); before = c.seen.Load() {
	}
}

// open checks a row and decodes its body, as far as that was not done before.
func open[T any](c *Codec, t *Table, r Row) (v T, err error) {
	if v, ok := says[T](r.Known); ok {
		return v, nil
	}
	if !r.Known.isSealed() {
		err = t.check(c.seal, r)
	}
	if err == nil {
		if err = c.forms.decode(r.Body, &v); err != nil {
			err = fault(t, err)
		}
	}
	if err == nil {
		learn(r.Known, v)
		return v, nil
	}
	if errors.Is(err, store.ErrSeal) {
		c.alarm(t.Name, err)
	}
	return v, err
}

// row seals a value as a row at a rev, and what is encrypted in it under the
// same key as the row. If the vault's key was rotated in between it begins anew.
func row[T any](c *Codec, k *kind[T], home, key []byte, v *T, rev uint64) (Row, error) {
	for {
		under := c.seal.SealsWith()
		if err := c.encrypt(v, under); err != nil {
			return Row{}, err
		}
		body, err := c.forms.encode(v)
		if err != nil {
			return Row{}, err
		}
		r, err := k.sealed(c.seal, Row{Key: key, Home: home, Looks: k.looks(v), Rev: rev, Body: body})
		if err != nil || k.Steady || r.Seal.Key == under {
			return r, err
		}
	}
}

package rows

import (
	"errors"

	"github.com/liuma-pin/liuma/internal/store"
)

// Codec turns values into sealed rows and back. Safe for concurrent use.
type Codec struct {
	seal  Sealer
	alarm func(table string, err error)
	*tables
}

// NewCodec makes the codec of a database. alarm is called for every row that
// was refused, within the transaction that read it: it must return at once and
// must not call the store. It may be nil.
func NewCodec(seal Sealer, alarm func(table string, err error)) (*Codec, error) {
	if seal == nil {
		return nil, errors.New("store: no vault to seal rows with")
	}
	if alarm == nil {
		alarm = func(string, error) {}
	}
	return &Codec{seal: seal, alarm: alarm, tables: newTables()}, nil
}

// open checks a row and decodes its body.
func open[T any](c *Codec, t *Table, r Row) (v T, err error) {
	if err = t.check(c.seal, r); err == nil {
		if err = decode(r.Body, &v); err != nil {
			err = fault(t, err)
		}
	}
	if errors.Is(err, store.ErrSeal) {
		c.alarm(t.Name, err)
	}
	return v, err
}

// row seals a value as a row at a rev.
func row[T any](c *Codec, k *kind[T], key []byte, v *T, rev uint64) (Row, error) {
	body, err := encode(v)
	if err != nil {
		return Row{}, err
	}
	return k.sealed(c.seal, Row{Key: key, Looks: k.looks(v), Rev: rev, Body: body})
}

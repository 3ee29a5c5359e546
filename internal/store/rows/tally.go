package rows

import (
	"encoding/binary"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
)

// tallyTable has a row an hour; the column is for forgetting.
func tallyTable() kind[store.Tally] {
	return kind[store.Tally]{Table{Name: "tallies", Columns: []Column{{Name: "hour", Number: true}}},
		func(t *store.Tally) []byte { return tallyKey(t.Hour) },
		func(t *store.Tally) []Value { return []Value{int64(spanOf(t.Hour, time.Hour))} }}
}

func tallyKey(at time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, spanOf(at, time.Hour))
}

func (r *Reader) Tally(at time.Time) (store.Tally, error) {
	t, _, err := get(r, &r.codec.tallies, tallyKey(at))
	return t, err
}

// PutTally is written with the digest that covers what was counted: a crash before the
// commit leaves neither (I-16).
func (t *Tx) PutTally(v store.Tally) error {
	v.Hour = time.Unix(int64(spanOf(v.Hour, time.Hour))*3600, 0).UTC()
	return put(t, &t.codec.tallies, &v)
}

func (t *Tx) PruneTallies(before time.Time) (int64, error) {
	return t.delete(&t.codec.tallies.Table, Query{Column: "hour", To: int64(spanOf(before, time.Hour)) - 1, Limit: -1})
}

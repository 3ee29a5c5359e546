package rows

import (
	"bytes"
	"errors"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
)

// sum is store.Sum without its Rev, which is the row's.
type sum struct {
	Kind  string
	Epoch int64
	From  [16]byte
	Until time.Time
	Body  []byte
}

// sumTable has a row for each process, kind and epoch; the column is for forgetting.
func sumTable() kind[sum] {
	return kind[sum]{Table{Name: "sums", Columns: []Column{{Name: "until", Number: true}}},
		func(s *sum) []byte { return sumKey(s.Kind, s.Epoch, s.From) },
		func(s *sum) []Value { return []Value{s.Until.UnixMilli()} }}
}

func sumKey(kind string, epoch int64, from [16]byte) []byte {
	return append(ordered(join(kind), epoch), from[:]...)
}

// Sums goes on after a row that is refused: what the other processes counted still counts.
func (r *Reader) Sums(kind string, from int64) ([]store.Sum, error) {
	if r.ended {
		return nil, errEnded
	}
	k := &r.codec.sums
	last := append(ordered(join(kind), latest), bytes.Repeat([]byte{255}, 16)...)
	found, err := r.from.List(&k.Table, Query{From: ordered(join(kind), from), To: last, Limit: -1})
	if err != nil {
		return nil, err
	}
	var all []store.Sum
	for _, row := range found {
		s, err := open[sum](r.codec, &k.Table, row)
		switch {
		case errors.Is(err, store.ErrSeal):
			continue
		case err != nil:
			return nil, err
		}
		all = append(all, store.Sum{Kind: s.Kind, Epoch: s.Epoch, From: s.From, Until: s.Until, Body: s.Body, Rev: row.Rev})
	}
	return all, nil
}

// PutSum reads the row before it replaces it, so that one that was altered is told of. Such a
// row is replaced too: nobody but its process can say what it counted. A crash
// before the commit leaves the sum before, which the next one takes in.
func (t *Tx) PutSum(s store.Sum) error {
	wrote, k := t.wrote, &t.codec.sums
	v := sum{Kind: s.Kind, Epoch: s.Epoch, From: s.From, Until: s.Until, Body: s.Body}
	key := k.key(&v)
	var err error
	if s.Rev == 0 {
		err = insert(t, k, key, &v, 1)
	} else {
		var rev uint64
		_, rev, err = get(&t.Reader, k, key)
		if err == nil && rev != s.Rev {
			err = store.ErrConflict
		}
		switch {
		case err == nil:
			err = update(t, k, key, &v, rev)
		case errors.Is(err, store.ErrSeal): // told by its alarm
			if err = t.deleteOne(&k.Table, key); err == nil {
				err = insert(t, k, key, &v, s.Rev+1)
			}
		}
	}
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

func (t *Tx) PruneSums(before time.Time) (int64, error) {
	wrote := t.wrote
	n, err := t.delete(&t.codec.sums.Table, Query{Column: "until", To: before.UnixMilli() - 1, Limit: -1})
	t.wrote, t.kept = wrote, t.kept || n > 0
	return n, err
}

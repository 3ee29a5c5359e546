package rows

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
)

// asked is a Source that gives what was asked for. A row's seal says that it was
// written, not that the database found the right one: whoever can write to it
// can exchange an index, or a table for a view, so that one holder's look-up
// leads to the genuine row of another (I-13).
type asked struct {
	Source
	codec *Codec
}

func (a asked) Get(t *Table, home, key []byte) (Row, error) {
	r, err := a.Source.Get(t, home, key)
	if err == nil && !bytes.Equal(r.Key, key) {
		return Row{}, a.refused(t)
	}
	return r, err
}

func (a asked) List(t *Table, q Query) ([]Row, error) {
	found, err := a.Source.List(t, q)
	if err != nil {
		return nil, err
	}
	for i, r := range found {
		if !q.Selects(t, r) || i > 0 && !q.Before(t, found[i-1], r) {
			return nil, a.refused(t)
		}
	}
	return found, nil
}

func (a asked) refused(t *Table) error {
	err := fault(t, errors.New("a row is not the one that was asked for"))
	a.codec.alarm(t.Name, err)
	return err
}

// of is the value of the query's column in a row.
func (q Query) of(t *Table, r Row) Value {
	if q.Column == "" {
		return r.Key
	}
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == q.Column })
	if i < 0 || i >= len(r.Looks) {
		return nil
	}
	return r.Looks[i]
}

// Selects reports whether a query selects a row.
func (q Query) Selects(t *Table, r Row) bool {
	v := q.of(t, r)
	return (q.From == nil || compare(q.From, v) <= 0) && (q.To == nil || compare(v, q.To) <= 0) &&
		(q.After == nil || bytes.Compare(r.Key, q.After) > 0)
}

// Conditions gives the comparisons of columns with values that hold for what a query
// selects; none for one that selects all.
func (q Query) Conditions(each func(column, operator string, v Value)) {
	column := cmp.Or(q.Column, "key")
	if Same(q.From, q.To) {
		each(column, "=", q.From)
	} else {
		if q.From != nil {
			each(column, ">=", q.From)
		}
		if q.To != nil {
			each(column, "<=", q.To)
		}
	}
	if q.After != nil {
		each("key", ">", q.After)
	}
}

// Before reports whether a row comes before another in the order of a query. No
// row comes twice.
func (q Query) Before(t *Table, r, next Row) bool {
	keys := bytes.Compare(r.Key, next.Key)
	if q.Column == "" {
		return keys < 0 != q.Desc && keys != 0
	}
	values := compare(q.of(t, r), q.of(t, next))
	if q.Desc && values != incomparable {
		values = -values
	}
	return cmp.Or(values, keys) < 0
}

// incomparable is greater than any order: nothing without a value, or of another
// type, is selected.
const incomparable = 2

// Same reports whether two look-up columns hold the same value. Without a value they do not.
func Same(a, b Value) bool { return compare(a, b) == 0 }

func compare(a, b Value) int {
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case []byte:
		if b, ok := b.([]byte); ok {
			return bytes.Compare(a, b)
		}
	}
	return incomparable
}

package rows

import (
	"errors"

	"github.com/liuma-pin/liuma/internal/store"
)

// Examined is what Examine found in one table.
type Examined struct {
	Table   string
	Rows    int64
	Refused int64 // fail their seals: whoever reads them is refused (I-13)
}

// examinePage is how many rows Examine reads at once.
const examinePage = 512

// Examine checks the seal of every row, and that the rows of the shared tables are those that were written last, all of
// them. Of other tables it says nothing of rows that are gone; the record tells
// of cards.
func (r *Reader) Examine() ([]Examined, error) {
	var out []Examined
	for _, t := range Tables() {
		found, err := r.examine(&t)
		if err != nil {
			return nil, err
		}
		out = append(out, found)
	}
	return out, nil
}

func (r *Reader) examine(t *Table) (Examined, error) {
	out := Examined{Table: t.Name}
	if r.ended {
		return out, errEnded
	}
	for after := []byte(nil); ; {
		list, err := r.from.List(t, Query{After: after, Limit: examinePage})
		if errors.Is(err, store.ErrSeal) { // an index or a table of another shape: nothing of it is believed
			out.Refused++
			return out, nil
		}
		if err != nil {
			return out, err
		}
		for _, row := range list {
			out.Rows++
			err := t.check(r.codec.seal, row)
			if err == nil {
				err = r.vouch(t, row)
			}
			if err != nil {
				out.Refused++
			}
			after = row.Key
		}
		if len(list) < examinePage {
			if r.vouchAll(t, int(out.Rows)) != nil {
				out.Refused++
			}
			return out, nil
		}
	}
}

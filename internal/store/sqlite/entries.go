package sqlite

import (
	"math"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
)

const entryColumns = `kind, stream, number, id, previous, after_stream, after_number, at, actor, event, business_no,
	outcome, note`

const insertEntry = "INSERT INTO audit (" + entryColumns + ", hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

// AppendEntry writes one entry of the record. That the entry follows the one
// before it is checked by a trigger too.
func (t *change) AppendEntry(r audit.Recorded) error {
	if err := t.usable(); err != nil {
		return err
	}
	hash := r.Hash()
	_, err := t.conn.exec(insertEntry, int64(r.Stream.Kind), r.Stream.ID[:], int64(r.Number), r.ID[:], fixed(r.Previous[:]),
		fixed(r.After.Stream.ID[:]), int64(r.After.Number), r.At.UnixMilli(), r.Actor, string(r.Event), string(r.BusinessNo),
		r.Outcome, r.Note, hash[:])
	if err != nil {
		return t.breaks(err)
	}
	return nil
}

func scanStream(r *row) (s audit.Stream) {
	kind := r.int()
	if kind != int64(audit.OfCard) && kind != int64(audit.OfProcess) {
		r.fail("is not a kind of stream")
	}
	s.Kind = audit.Kind(kind)
	r.fixed(s.ID[:])
	return s
}

func scanEntry(r *row) (e audit.Recorded) {
	e.Stream = scanStream(r)
	if e.Stream.Kind == audit.OfCard {
		e.Card = e.Stream.ID
	}
	e.Number = uint64(r.int())
	r.fixed(e.ID[:])
	r.fixed(e.Previous[:])
	r.fixed(e.After.Stream.ID[:])
	if e.After.Number = uint64(r.int()); e.After.Number > 0 {
		e.After.Stream.Kind = audit.OfProcess
	}
	e.At = r.time()
	e.Actor = r.text()
	e.Event = audit.Event(r.text())
	e.BusinessNo = liuma.BusinessNo(r.text())
	e.Outcome = r.text()
	e.Note = r.text()
	return e
}

func (r *snapshot) Entries(s audit.Stream, after uint64, limit int) ([]audit.Recorded, error) {
	if after > math.MaxInt64 {
		return nil, nil
	}
	return list(r, scanEntry, "SELECT "+entryColumns+` FROM audit
		WHERE kind = ? AND stream = ? AND number > ? ORDER BY number LIMIT ?`,
		int64(s.Kind), s.ID[:], int64(after), int64(limit))
}

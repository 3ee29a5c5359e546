package postgres

import (
	"errors"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
)

const entryColumns = `kind, stream, number, id, previous, after_stream, after_number, at, actor, event, business_no,
	outcome, note`

// errColumn is returned for a column that holds what no code of ours writes. Its text
// shows no value: it may be personal.
var errColumn = errors.New("store: a column of the record has a value that was not written by Liuma")

// fixed fills dst; NULL leaves it zero.
func fixed(dst, b []byte) error {
	if b != nil && (len(b) != len(dst) || copy(dst, b) != len(b)) {
		return errColumn
	}
	return nil
}

func streamOf(kind int64, id []byte) (s audit.Stream, err error) {
	if kind != int64(audit.OfCard) && kind != int64(audit.OfProcess) {
		return s, errColumn
	}
	s.Kind = audit.Kind(kind)
	return s, fixed(s.ID[:], id)
}

func scanStream(from pgx.CollectableRow) (audit.Stream, error) {
	var kind int64
	var id []byte
	if err := from.Scan(&kind, &id); err != nil {
		return audit.Stream{}, err
	}
	return streamOf(kind, id)
}

func scanEntry(from pgx.CollectableRow) (e audit.Recorded, err error) {
	var kind, number, afterNumber, at int64
	var stream, id, previous, after []byte
	var event, business string
	if err := from.Scan(&kind, &stream, &number, &id, &previous, &after, &afterNumber, &at, &e.Actor, &event, &business, &e.Outcome, &e.Note); err != nil {
		return e, err
	}
	if e.Stream, err = streamOf(kind, stream); err != nil {
		return e, err
	}
	if e.Stream.Kind == audit.OfCard {
		e.Card = e.Stream.ID
	}
	e.Number = uint64(number)
	if e.After.Number = uint64(afterNumber); e.After.Number > 0 {
		e.After.Stream.Kind = audit.OfProcess
	}
	e.At, e.Event, e.BusinessNo = time.UnixMilli(at).UTC(), audit.Event(event), liuma.BusinessNo(business)
	return e, errors.Join(fixed(e.ID[:], id), fixed(e.Previous[:], previous), fixed(e.After.Stream.ID[:], after))
}

func (r *snapshot) Entries(s audit.Stream, after uint64, limit int) ([]audit.Recorded, error) {
	if after > math.MaxInt64 {
		return nil, nil
	}
	return all(r, scanEntry, "SELECT "+entryColumns+` FROM audit
		WHERE kind = $1 AND stream = $2 AND number > $3 ORDER BY number LIMIT $4`,
		int64(s.Kind), s.ID[:], int64(after), int64(max(0, limit)))
}

package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// record writes the entry of a change at the end of its stream, in the
// transaction of the change (I-8). It touches only rows of that stream, so that
// a database with several writers could write other streams at the same time. A
// crash before the commit leaves neither the change nor the entry nor the head,
// one after it all three.
func (w *writer) record(e audit.Entry) error {
	if e == (audit.Entry{}) {
		return store.ErrNoAudit
	}
	if err := e.Validate(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrNoAudit, err)
	}
	if err := w.chain(e); err != nil {
		return fmt.Errorf("store: audit entry: %w", err)
	}
	return nil
}

func (w *writer) chain(e audit.Entry) error {
	stream := audit.StreamOf(e, w.process)
	head, err := w.head("SELECT "+headColumns+" FROM streams WHERE kind = ? AND stream = ?",
		int64(stream.Kind), stream.ID[:])
	switch {
	case errors.Is(err, store.ErrNotFound) && stream.Kind == audit.OfProcess:
		return w.start(e)
	case errors.Is(err, store.ErrNotFound):
		head.Stream = stream
		return w.begin(head.Next(audit.NewEntryID(), e), nil)
	case err != nil:
		return err
	}
	r := head.Next(audit.NewEntryID(), e)
	if err := w.insertEntry(r); err != nil {
		return err
	}
	hash := r.Hash()
	_, err = w.conn.exec(moveHead, int64(r.Number), hash[:], int64(stream.Kind), stream.ID[:])
	return err
}

// start writes the first entry of this process start. It names the last entry,
// so far, of the process start before it.
func (w *writer) start(e audit.Entry) error {
	before, err := w.head("SELECT " + headColumns + " FROM streams WHERE start IS NOT NULL ORDER BY start DESC LIMIT 1")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	starts, err := w.conn.number("SELECT coalesce(max(start), 0) FROM streams WHERE start IS NOT NULL")
	if err != nil {
		return err
	}
	starts++
	return w.begin(w.process.First(before, audit.NewEntryID(), e), &starts)
}

// begin writes the first entry of a stream and the stream's row.
func (w *writer) begin(r audit.Recorded, start *int64) error {
	if err := w.insertEntry(r); err != nil {
		return err
	}
	hash := r.Hash()
	var counted driver.Value
	if start != nil {
		counted = *start
	}
	_, err := w.conn.exec("INSERT INTO streams (kind, stream, number, hash, start) VALUES (?, ?, ?, ?, ?)",
		int64(r.Stream.Kind), r.Stream.ID[:], int64(r.Number), hash[:], counted)
	return err
}

const entryColumns = `kind, stream, number, id, previous, after_stream, after_number, at, actor, event, business_no,
	outcome, note`

const insertEntry = "INSERT INTO audit (" + entryColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

const moveHead = "UPDATE streams SET number = ?, hash = ? WHERE kind = ? AND stream = ?"

func (w *writer) insertEntry(r audit.Recorded) error {
	_, err := w.conn.exec(insertEntry, int64(r.Stream.Kind), r.Stream.ID[:], int64(r.Number), r.ID[:], fixed(r.Previous[:]), fixed(r.After.Stream.ID[:]),
		int64(r.After.Number), r.At.UnixMilli(), r.Actor, string(r.Event), string(r.BusinessNo), r.Outcome, r.Note)
	return err
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

const headColumns = "kind, stream, number, hash"

func scanHead(r *row) (h audit.Head) {
	h.Stream = scanStream(r)
	h.Number = uint64(r.int())
	r.fixed(h.Hash[:])
	return h
}

// head reads one head, or store.ErrNotFound, in the open transaction.
func (w *writer) head(query string, args ...driver.Value) (h audit.Head, err error) {
	found := false
	err = w.conn.query(func(r *row) error { h, found = scanHead(r), true; return nil }, query, args...)
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return h, err
}

func (r *reader) Streams(after audit.Stream, limit int) ([]audit.Head, error) {
	return list(r, scanHead, "SELECT "+headColumns+` FROM streams
		WHERE (kind, stream) > (?, ?) ORDER BY kind, stream LIMIT ?`, int64(after.Kind), after.ID[:], atMost(limit))
}

func (r *reader) Entries(s audit.Stream, after uint64, limit int) ([]audit.Recorded, error) {
	if after > math.MaxInt64 {
		return nil, nil
	}
	return list(r, scanEntry, "SELECT "+entryColumns+` FROM audit
		WHERE kind = ? AND stream = ? AND number > ? ORDER BY number LIMIT ?`,
		int64(s.Kind), s.ID[:], int64(after), atMost(limit))
}

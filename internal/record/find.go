package record

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Limits of one call of Find; the caller continues where it ended.
const (
	findMost = 100    // entries returned
	lookMost = 20_000 // entries looked at
)

// Search says which entries to find; an empty member matches everything.
type Search struct {
	Stream       audit.Stream // for example a card's
	Actor        string
	Event        audit.Event
	Outcome      string
	BusinessNo   liuma.BusinessNo
	Since, Until time.Time   // from Since on, and before Until
	After        audit.Place // continue after this place, as an earlier answer said
}

func (q Search) matches(e audit.Recorded) bool {
	return (q.Actor == "" || e.Actor == q.Actor) && (q.Event == "" || e.Event == q.Event) &&
		(q.Outcome == "" || e.Outcome == q.Outcome) && (q.BusinessNo == "" || e.BusinessNo == q.BusinessNo) &&
		!e.At.Before(q.Since) && (q.Until.IsZero() || e.At.Before(q.Until))
}

// Found is the result of one call of Find.
type Found struct {
	Entries []audit.Recorded // in the order of streams and numbers
	Looked  int              // number of entries looked at
	Next    audit.Place      // where to continue; zero: the end was reached
}

// Find searches the entries of the database, stream by stream. It stops, and says where
// to continue, after a hundred entries found or twenty thousand looked at, so that a
// search delays nobody. It does not search archives.
func (d *Digester) Find(ctx context.Context, q Search) (out Found, err error) {
	err = d.c.Store.View(ctx, func(r store.Reader) error {
		out = Found{}
		if !q.Stream.IsZero() {
			_, err := out.look(r, q, q.Stream, q.After.Number)
			return err
		}
		if s := q.After.Stream; !s.IsZero() {
			if full, err := out.look(r, q, s, q.After.Number); err != nil || full {
				return err
			}
		}
		return out.streams(r, q)
	})
	return out, err
}

// streams searches the streams after the one where q continues.
func (f *Found) streams(r store.Reader, q Search) error {
	after := q.After.Stream
	for {
		heads, err := r.Streams(after, page)
		if err != nil {
			return err
		}
		for _, h := range heads {
			if full, err := f.look(r, q, h.Stream, 0); err != nil || full {
				return err
			}
			after = h.Stream
		}
		if len(heads) < page {
			return nil
		}
	}
}

// look searches one stream after a number, and reports whether a limit was reached.
func (f *Found) look(r store.Reader, q Search, s audit.Stream, after uint64) (full bool, err error) {
	err = entries(r, s, after, func(e audit.Recorded) bool {
		f.Looked++
		if q.matches(e) {
			f.Entries = append(f.Entries, e)
		}
		if full = len(f.Entries) == findMost || f.Looked == lookMost; full {
			f.Next = e.Place
		}
		return !full
	})
	return full, err
}

// Checked is the result of examining one stream.
type Checked struct {
	Head  audit.Head   // in the stream's row; the chain was compared with it
	From  uint64       // number of the first entry in the database; earlier ones are in archives
	Break *audit.Break // nil: the chain is whole
	// Digested is the number of the last entry that a signed digest covers; the chain was
	// compared with that too. 0: no digest covers the stream yet.
	Digested uint64
}

// CheckStream examines a stream's chain from its first entry in the database to its
// head, and compares it with the last digest that lists the stream. It returns
// store.ErrNotFound if there is no such stream.
func (d *Digester) CheckStream(ctx context.Context, s audit.Stream) (out Checked, err error) {
	err = d.c.Store.View(ctx, func(r store.Reader) error {
		out = Checked{}
		var from audit.Head
		last, err := anchor(r)
		if err == nil && last.Number > 0 {
			from, err = digestedHead(r, s, last.Digest)
		}
		if err != nil {
			return err
		}
		out.From = from.Number + 1
		digested, err := digestedHead(r, s, math.MaxInt64)
		if err != nil {
			return err
		}
		out.Head, err = r.Head(s)
		if errors.Is(err, store.ErrSeal) {
			out.Head, err = audit.Head{Place: audit.Place{Stream: s}}, nil
			out.Break = &audit.Break{Place: audit.Place{Stream: s, Number: digested.Number + 1}, Fault: audit.Altered}
		}
		if err != nil || out.Break != nil {
			return err
		}
		differs := digested.Number > out.Head.Number
		out.Break, err = verify(r, from, out.Head, func(e audit.Recorded) {
			differs = differs || e.Number == digested.Number && e.Hash() != digested.Hash
		})
		if out.Digested = digested.Number; differs && out.Break == nil {
			out.Break = &audit.Break{Place: digested.Place, Fault: audit.Altered}
		}
		return err
	})
	return out, err
}

package rows

import (
	"bytes"
	"errors"
	"math"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// chain writes the entry of a change at the end of its stream, in the
// transaction of the change (I-8). The end of a card's stream stands in the
// card's row, that of a process start in a row of its own. It touches only rows
// of that stream, so that a database with several writers could write other
// streams at the same time. A crash before the commit leaves neither the change
// nor the entry nor the head, one after it all three.
//
// An entry about a card that is not there goes to the stream of the process, and
// its note names the card: a card's stream ends where its row says.
func (t *Tx) chain(e audit.Entry, p audit.ProcessID) error {
	stream := audit.StreamOf(e, p)
	if stream.Kind == audit.OfProcess {
		return t.chainStart(e, p)
	}
	c, err := t.card(e.Card)
	if errors.Is(err, store.ErrNotFound) {
		e.Note = strings.TrimSpace(e.Note + " card=" + e.Card.String())
		e.Card = liuma.CardID{}
		return t.chainStart(e, p)
	}
	if err != nil {
		return err
	}
	if c.stored <= 1 && c.Number == 0 {
		if err := t.resume(c); err != nil {
			return err
		}
	}
	r := c.head().Next(audit.NewEntryID(), e)
	if err := t.to.AppendEntry(r); err != nil {
		return err
	}
	c.Number, c.Last, c.dirty = r.Number, r.Hash(), true
	return nil
}

// resume finds the end of the stream of a card whose row was lost and made anew
// from the keepers: its record goes on after the entries that are there. A card
// that is really new has none.
func (t *Tx) resume(c *cardState) error {
	const page = 1000
	stream := audit.CardStream(c.Card.ID)
	// Where all or the first entries were archived and left, the stream goes on
	// after its cut.
	cut, err := t.from.DigestedHead(stream, math.MaxInt64)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	from, err := t.from.Entries(stream, 0, 1)
	if err != nil {
		return err
	}
	if len(from) == 0 || from[0].Number > 1 {
		c.Number, c.Last = cut.Number, cut.Hash
	}
	for {
		there, err := t.from.Entries(stream, c.Number, page)
		if err != nil {
			return err
		}
		for _, r := range there {
			c.Number, c.Last = r.Number, r.Hash()
		}
		if len(there) < page {
			return nil
		}
	}
}

// head is the end of the card's stream.
func (w *whole) head() audit.Head {
	return audit.Head{Place: audit.Place{Stream: audit.CardStream(w.Card.ID), Number: w.Number}, Hash: w.Last}
}

func (s *start) head(rev uint64) audit.Head {
	return audit.Head{Place: audit.Place{Stream: s.Process.Stream(), Number: rev}, Hash: s.Hash}
}

func (t *Tx) chainStart(e audit.Entry, p audit.ProcessID) error {
	k := &t.codec.starts
	s, rev, err := get(&t.Reader, k, startKey(p))
	if errors.Is(err, store.ErrNotFound) {
		return t.firstOfStart(e, p)
	}
	if err != nil {
		return err
	}
	r := s.head(rev).Next(audit.NewEntryID(), e)
	if err := t.to.AppendEntry(r); err != nil {
		return err
	}
	s.Hash = r.Hash()
	return update(t, k, startKey(p), &s, rev)
}

// firstOfStart writes the first entry of a process start. It names the last
// entry, so far, of the start before it of the same authority; where there was none, of
// the last start of any.
func (t *Tx) firstOfStart(e audit.Entry, p audit.ProcessID) error {
	k := &t.codec.starts
	found, err := t.from.List(&k.Table, Query{Column: "start", Desc: true, Limit: startsBack})
	if err != nil {
		return err
	}
	var before audit.Head
	mine := start{Process: p, Start: 1, Authority: t.codec.Authority}
	for i, row := range found {
		last, err := open[start](t.codec, &k.Table, row)
		if err != nil {
			return err
		}
		if i == 0 {
			before, mine.Start = last.head(row.Rev), last.Start+1
		}
		if last.Authority == mine.Authority {
			before = last.head(row.Rev)
			break
		}
	}
	r := p.First(before, audit.NewEntryID(), e)
	if err := t.to.AppendEntry(r); err != nil {
		return err
	}
	mine.Hash = r.Hash()
	return insert(t, k, startKey(p), &mine, 1)
}

// startsBack bounds how many starts of other authorities are passed over. Beyond it the
// start follows the last one of any, which ties it to the record as well.
const startsBack = 64

// Streams lists cards' streams by the cards' rows, then those of process
// starts.
func (r *Reader) Streams(after audit.Stream, limit int) ([]audit.Head, error) {
	if r.ended {
		return nil, errEnded
	}
	var heads []audit.Head
	if after.Kind <= audit.OfCard {
		q := Query{After: after.ID[:], Limit: max(0, limit)}
		if after.IsZero() {
			q.After = nil
		}
		for len(heads) < limit {
			found, err := r.from.List(&r.codec.cards.Table, q)
			if err != nil {
				return nil, err
			}
			for _, row := range found {
				w, err := open[whole](r.codec, &r.codec.cards.Table, row)
				switch {
				case errors.Is(err, store.ErrSeal) && len(row.Key) == len(w.Card.ID) && len(heads) < limit:
					heads = append(heads, audit.Head{Place: audit.Place{Stream: audit.CardStream(liuma.CardID(row.Key))}})
				case err != nil:
					return nil, err
				}
				if w.Number > 0 && len(heads) < limit { // a card that no entry is about has no stream yet
					heads = append(heads, w.head())
				}
				q.After = bytes.Clone(row.Key)
			}
			if len(found) < q.Limit {
				break
			}
		}
		after = audit.Stream{Kind: audit.OfProcess}
	}
	found, err := r.from.List(&r.codec.starts.Table, Query{After: after.ID[:], Limit: max(0, limit-len(heads))})
	if err != nil {
		return nil, err
	}
	for _, row := range found {
		s, err := open[start](r.codec, &r.codec.starts.Table, row)
		if err != nil {
			return nil, err
		}
		heads = append(heads, s.head(row.Rev))
	}
	return heads, nil
}

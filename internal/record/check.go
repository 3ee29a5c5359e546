package record

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/tally"
)

// gathered is the result of looking at the record.
type gathered struct {
	last     audit.SignedDigest
	changes  []audit.Head // streams that grew, with unbroken chains
	findings []*audit.Finding
	// Of the record, with the changes.
	sum              audit.Sum
	streams, entries uint64
	// What the changes add to the tallies.
	counted tally.Count
}

// digest returns the digest that follows the last one.
func (g *gathered) digest(issuer string, now time.Time) audit.Digest {
	out := audit.Digest{Issuer: issuer, Number: g.last.Number + 1, At: time.UnixMilli(now.UnixMilli()).UTC(),
		Streams: g.streams, Entries: g.entries, Changed: uint64(len(g.changes)), Changes: audit.ChangesHash(g.changes),
		Faulty: uint64(len(g.findings)), Sum: g.sum}
	if g.last.Number > 0 {
		out.Previous = g.last.Hash()
	}
	return out
}

// Check checks the entries since the last digest, and that the shipped digests are the
// database's. It makes no digest.
func (d *Digester) Check(ctx context.Context) error {
	d.making.Lock()
	defer d.making.Unlock()
	g, err := d.gather(ctx, d.c.Signer.ReceiptKeys())
	if f, ok := errors.AsType[*audit.Finding](err); ok {
		g.findings, err = append(g.findings, f), nil
	}
	if err != nil {
		return err
	}
	d.tell(ctx, g.findings)
	d.ship(ctx)
	return nil
}

// gather looks, in one snapshot, at every stream that grew since the last digest. It
// checks that digest with keys.
func (d *Digester) gather(ctx context.Context, keys jose.JSONWebKeySet) (g gathered, err error) {
	err = d.c.Store.View(ctx, func(r store.Reader) error {
		last, err := d.lastBy(r, keys)
		if err != nil {
			return err
		}
		g = gathered{last: last, sum: last.Sum, streams: last.Streams, entries: last.Entries}
		return undigested(r, func(s audit.Stream) error { return g.grew(r, s) })
	})
	return g, err
}

// grew checks one stream and adds it to the result.
func (g *gathered) grew(r store.Reader, s audit.Stream) error {
	from, err := digestedHead(r, s, g.last.Number)
	if err != nil {
		return err
	}
	to, err := r.Head(s)
	switch {
	case errors.Is(err, store.ErrNotFound):
		g.find(audit.Place{Stream: s, Number: from.Number + 1}, audit.Missing)
		return nil
	case errors.Is(err, store.ErrSeal): // the row that holds the head was altered; the other streams go on
		g.find(audit.Place{Stream: s, Number: from.Number + 1}, audit.Altered)
		return nil
	case err != nil:
		return err
	}
	var counted tally.Count
	region := regionOf(r, s)
	broken, err := verify(r, from, to, func(e audit.Recorded) { counted.Add(e.Entry, region) })
	if broken != nil {
		g.find(broken.Place, broken.Fault)
	}
	if err != nil || broken != nil {
		return err
	}
	if to.Number == from.Number {
		return nil // somebody put the stream on the list by hand
	}
	if from.Number > 0 {
		g.sum.Remove(from)
	} else {
		g.streams++
	}
	g.sum.Add(to)
	g.entries += to.Number - from.Number
	g.changes = append(g.changes, to)
	g.counted.AddAll(counted)
	return nil
}

// regionOf returns the region of a stream's card; empty for a process start, and for a
// card that cannot be read.
func regionOf(r store.Reader, s audit.Stream) liuma.Region {
	if s.Kind != audit.OfCard {
		return ""
	}
	c, err := r.Card(s.ID)
	if err != nil {
		return ""
	}
	return c.Region
}

func (g *gathered) find(p audit.Place, f audit.Fault) {
	g.findings = append(g.findings, &audit.Finding{Place: p, What: string(f)})
}

// verify checks the entries between two heads, and the entry that a process start
// follows. It passes each entry to visit.
func verify(r store.Reader, from, to audit.Head, visit func(audit.Recorded)) (*audit.Break, error) {
	var failed error
	var first audit.Recorded
	err := audit.Verify(from, to, func(yield func(audit.Recorded) bool) {
		failed = entries(r, to.Stream, from.Number, func(e audit.Recorded) bool {
			if e.Number == 1 {
				first = e
			}
			visit(e)
			return yield(e)
		})
	})
	if failed != nil {
		return nil, failed
	}
	if broken, ok := errors.AsType[*audit.Break](err); ok {
		return broken, nil
	}
	if err != nil || first.After.IsZero() {
		return nil, err
	}
	before, err := r.Entries(first.After.Stream, first.After.Number-1, 1)
	switch {
	case err != nil:
		return nil, err
	case len(before) == 0 || before[0].Place != first.After:
		archived, other, err := cutBefore(r, first)
		if err != nil || archived && !other {
			return nil, err
		}
		return &audit.Break{Place: first.After, Fault: audit.Missing}, nil
	case !first.Follows(before[0]):
		return &audit.Break{Place: first.After, Fault: audit.Altered}, nil
	}
	return nil, nil
}

// digestedHead returns the head that the digests up to a number have for the stream, or
// zero if none lists it.
func digestedHead(r store.Reader, s audit.Stream, upTo uint64) (audit.Head, error) {
	h, err := r.DigestedHead(s, upTo)
	if errors.Is(err, store.ErrNotFound) {
		return audit.Head{}, nil
	}
	return h, err
}

// undigested calls visit for every stream with entries that no digest covers.
func undigested(r store.Reader, visit func(audit.Stream) error) error {
	var after audit.Stream
	for {
		list, err := r.Undigested(after, page)
		if err != nil {
			return err
		}
		for _, s := range list {
			if err := visit(s); err != nil {
				return err
			}
			after = s
		}
		if len(list) < page {
			return nil
		}
	}
}

// entries calls visit for a stream's entries after a number, until visit returns false.
func entries(r store.Reader, s audit.Stream, after uint64, visit func(audit.Recorded) bool) error {
	for {
		list, err := r.Entries(s, after, page)
		if err != nil {
			return err
		}
		for _, e := range list {
			if !visit(e) {
				return nil
			}
			after = e.Number
		}
		if len(list) < page {
			return nil
		}
	}
}

// tell raises the alarm about a check's findings: each time in the log and in the
// state, and once in the record. A crash before the entry is written loses nothing,
// because the next start finds the same faults.
func (d *Digester) tell(ctx context.Context, findings []*audit.Finding) {
	d.mu.Lock()
	d.state.Checked, d.state.Faults = d.c.Now().UTC(), nil
	d.mu.Unlock()
	for _, f := range findings {
		d.alarm(ctx, f)
	}
}

func (d *Digester) alarm(ctx context.Context, f *audit.Finding) {
	d.c.Logger.ErrorContext(ctx, "the record is not what was written; see docs/AUDIT.md", "what", f.Error())
	d.mu.Lock()
	d.state.Faults = append(d.state.Faults, f.Error())
	again := d.told[f.Error()]
	d.told[f.Error()] = true
	d.mu.Unlock()
	if again {
		return
	}
	outcome, _, _ := strings.Cut(f.What, ":")
	err := d.c.Store.Update(ctx, func(store.Tx) (audit.Entry, error) {
		e := d.entry(audit.RecordFault, outcome)
		e.Note = note(f)
		return e, nil
	})
	if err != nil {
		d.c.Logger.ErrorContext(ctx, "the fault is not in the record", "err", err)
	}
}

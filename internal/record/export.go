package record

import (
	"context"
	"errors"
	"io"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Query says which part of the record to export; the zero Query means all of it.
type Query struct {
	Stream audit.Stream // only this stream; zero: all streams
	From   uint64       // of that stream, only the entries from this number on
	// Recent: only the entries that no digest covers, or only the last entry.
	Recent bool
	// Archive: the next archive, up to the digest with this number, instead of an
	// export.
	Archive uint64
}

// part reports whether q leaves anything out.
func (q Query) part() bool { return q != Query{} }

// Export writes the record as lines of JSON (docs/AUDIT.md); a whole export
// includes the digests. It reads in steps, so that nobody waits for it: entries
// that are written meanwhile may or may not be in it, and every stream is whole
// up to its head.
func (d *Digester) Export(ctx context.Context, q Query, w io.Writer) error {
	d.leaving.RLock()
	defer d.leaving.RUnlock()
	if q.Archive > 0 {
		return d.archive(ctx, q.Archive, w)
	}
	x := &export{d: d, ctx: ctx, w: w}
	head := &audit.ExportLine{Format: audit.Format, Issuer: d.c.Issuer, At: d.c.Now().UnixMilli(), Part: q.part()}
	if err := audit.WriteLine(w, audit.Line{Export: head}); err != nil {
		return err
	}
	var err error
	switch {
	case q.Recent:
		err = x.recent()
	case !q.Stream.IsZero():
		err = x.view(func(r store.Reader) error {
			h, err := headOf(r, q.Stream)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return errors.Join(err, x.stream(r, h, max(q.From, 1)-1))
		})
	default:
		err = errors.Join(x.digests(), x.streams())
	}
	if err != nil {
		return err
	}
	return audit.WriteLine(w, audit.Line{End: &x.end})
}

// export is the state of Export.
type export struct {
	d   *Digester
	ctx context.Context
	w   io.Writer
	end audit.EndLine
	// begins is the last digest of the archive after which the record begins.
	begins uint64
}

func (x *export) view(f func(store.Reader) error) error { return x.d.c.Store.View(x.ctx, f) }

// digests writes the digests. If the first digests are archived, it begins with
// the last archived one and the cuts of all streams.
func (x *export) digests() error {
	if err := x.anchor(); err != nil {
		return err
	}
	return x.view(func(r store.Reader) error {
		last, err := r.LastDigest()
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		for n := x.begins + 1; n <= last.Number; n++ {
			err := writeDigest(r, x.w, n)
			if _, gone := errors.AsType[*audit.Finding](err); err != nil && !gone {
				return err // a missing digest is left for the examiner to find
			}
		}
		return nil
	})
}

func (x *export) anchor() error {
	err := x.view(func(r store.Reader) error {
		a, err := anchor(r)
		if err != nil || a.Number == 0 {
			return err
		}
		x.begins = a.Digest
		list, err := r.Digests(a.Digest-1, 1)
		if err != nil {
			return err
		}
		if err := audit.WriteLine(x.w, audit.Line{Signed: &audit.SignedLine{Token: a.Token}}); err != nil {
			return err
		}
		if len(list) == 0 || list[0].Number != a.Digest {
			return nil // left for the examiner to find
		}
		return audit.WriteLine(x.w, audit.Line{Digest: &audit.DigestLine{Token: list[0].Token}})
	})
	if err != nil || x.begins == 0 {
		return err
	}
	return cuts(x.view, x.begins, func(h audit.Head) error { return audit.WriteLine(x.w, audit.Line{Change: audit.LineOfHead(h)}) })
}

// cut returns the number of a stream's last archived entry, which is not
// exported.
func (x *export) cut(r store.Reader, s audit.Stream) (uint64, error) {
	if x.begins == 0 {
		return 0, nil
	}
	h, err := digestedHead(r, s, x.begins)
	return h.Number, err
}

func (x *export) streams() error {
	var after audit.Stream
	for {
		full := false
		err := x.view(func(r store.Reader) error {
			heads, err := r.Streams(after, page)
			if err != nil {
				return err
			}
			full = len(heads) == page
			for _, h := range heads {
				cut, err := x.cut(r, h.Stream)
				if err != nil {
					return err
				}
				if err := x.stream(r, h, cut); err != nil {
					return err
				}
				after = h.Stream
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !full {
			return x.headless()
		}
	}
}

// headless writes the streams whose heads were lost with their rows, as far as
// they have entries since the last digest. Entries that a digest lists would
// otherwise be missing.
func (x *export) headless() error {
	return x.view(func(r store.Reader) error {
		return undigested(r, func(s audit.Stream) error {
			_, err := headOf(r, s)
			if errors.Is(err, store.ErrNotFound) {
				cut, err := x.cut(r, s)
				return errors.Join(err, x.stream(r, audit.Head{Place: audit.Place{Stream: s}}, cut))
			}
			return err
		})
	})
}

func (x *export) recent() error {
	return x.view(func(r store.Reader) error {
		last, err := r.LastDigest()
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		before := max(last.Number, 1) - 1
		done := map[audit.Stream]bool{}
		visit := func(s audit.Stream) error {
			if done[s] {
				return nil
			}
			done[s] = true
			from, err := digestedHead(r, s, before)
			if err != nil {
				return err
			}
			h, err := headOf(r, s)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return errors.Join(err, x.stream(r, h, from.Number))
		}
		return errors.Join(changes(r, last.Number, func(h audit.Head) error { return visit(h.Stream) }), undigested(r, visit))
	})
}

// headOf returns a stream's head. If the card's row was altered, the head has
// no number, so that whoever examines the export finds the stream's end
// missing.
func headOf(r store.Reader, s audit.Stream) (audit.Head, error) {
	h, err := r.Head(s)
	if errors.Is(err, store.ErrSeal) {
		return audit.Head{Place: audit.Place{Stream: s}}, nil
	}
	return h, err
}

// stream writes a stream's head and its entries after a number.
func (x *export) stream(r store.Reader, h audit.Head, after uint64) error {
	if err := audit.WriteLine(x.w, audit.Line{Stream: audit.LineOfHead(h)}); err != nil {
		return err
	}
	x.end.Streams++
	var failed error
	err := entries(r, h.Stream, after, func(e audit.Recorded) bool {
		failed = audit.WriteLine(x.w, audit.Line{Entry: audit.LineOf(e)})
		x.end.Entries++
		return failed == nil
	})
	return errors.Join(err, failed)
}

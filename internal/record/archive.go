package record

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Errors of archiving.
var (
	// ErrNothingToArchive: no digest outside of the archives is old enough.
	ErrNothingToArchive = errors.New("record: nothing to archive")
	// ErrArchive: this is not the signature of the record's next archive.
	ErrArchive = errors.New("record: not the next archive of this record")
)

// ArchiveName is the name of an archive's file.
func ArchiveName(number uint64) string { return fmt.Sprintf("archive-%08d.jsonl", number) }

// ArchivesIn finds the archives in a directory by their file names, in the order
// of their numbers. It ignores other files.
func ArchivesIn(dir string) ([]audit.ArchiveFile, error) {
	names, err := os.ReadDir(dir) // in the order of the names
	if err != nil {
		return nil, err
	}
	out := []audit.ArchiveFile{}
	for _, name := range names {
		digits, isArchive := strings.CutPrefix(strings.TrimSuffix(name.Name(), ".jsonl"), "archive-")
		number, err := strconv.ParseUint(digits, 10, 63)
		if !isArchive || err != nil || name.Name() != ArchiveName(number) {
			continue
		}
		out = append(out, audit.ArchiveFile{Number: number, Open: func() (io.ReadCloser, error) { return os.Open(filepath.Join(dir, name.Name())) }})
	}
	return out, nil
}

// Plan describes the next archive.
type Plan struct {
	Number   uint64    // of the archive
	Digest   uint64    // the last digest that it would hold
	DigestAt time.Time // its time
}

// Plan finds the last digest before a time. A zero time means now minus the time
// for which the record is kept. It may return ErrNothingToArchive.
func (d *Digester) Plan(ctx context.Context, before time.Time) (p Plan, err error) {
	if before.IsZero() {
		before = d.c.Now().Add(-d.c.Keep)
	}
	err = d.c.Store.View(ctx, func(r store.Reader) error {
		last, err := lastArchive(r)
		if err != nil {
			return err
		}
		newest, err := d.last(r)
		if err != nil {
			return err
		}
		p = Plan{Number: last.Number + 1}
		for from, to := last.Digest+1, newest.Number; from <= to; {
			middle := from + (to-from)/2
			at, err := digestTime(r, middle)
			if err != nil {
				return err
			}
			if at.Before(before) {
				p.Digest, p.DigestAt, from = middle, at, middle+1
			} else {
				to = middle - 1
			}
		}
		if p.Digest == 0 {
			return ErrNothingToArchive
		}
		return nil
	})
	return p, err
}

// digestTime returns when a digest was made.
func digestTime(r store.Reader, number uint64) (time.Time, error) {
	d, err := digestAt(r, number)
	return d.At, err
}

func digestAt(r store.Reader, number uint64) (audit.SignedDigest, error) {
	list, err := r.Digests(number-1, 1)
	if err != nil {
		return audit.SignedDigest{}, err
	}
	if len(list) == 0 || list[0].Number != number {
		return audit.SignedDigest{}, &audit.Finding{Digest: number, What: string(audit.Missing)}
	}
	d, err := audit.ParseDigest(list[0].Token, nil)
	if err != nil {
		return d, &audit.Finding{Digest: number, What: string(audit.Altered) + ": " + err.Error()}
	}
	return d, nil
}

func lastArchive(r store.Reader) (store.Archive, error) {
	last, err := r.LastArchive()
	if errors.Is(err, store.ErrNotFound) {
		return store.Archive{}, nil
	}
	return last, err
}

// archive writes the next archive, up to a digest. It records nothing: the
// archive counts only after Keep has its signature. If its entries are not an
// unbroken chain, the archive is not signed (*audit.Finding).
func (d *Digester) archive(ctx context.Context, upTo uint64, w io.Writer) error {
	content := sha256.New()
	a := &archiving{d: d, ctx: ctx, w: io.MultiWriter(w, content), heads: map[audit.Stream]audit.Head{}, upTo: upTo,
		head: audit.Archive{Issuer: d.c.Issuer, At: time.UnixMilli(d.c.Now().UnixMilli()).UTC(), Digest: upTo}}
	if err := errors.Join(a.begin(), a.digests()); err != nil {
		return err
	}
	streams := slices.SortedFunc(maps.Keys(a.heads), audit.Stream.Compare)
	for _, s := range streams {
		if err := a.view(func(r store.Reader) error { return a.stream(r, a.heads[s]) }); err != nil {
			return err
		}
	}
	a.head.Content = audit.Hash(content.Sum(nil))
	signed, err := d.c.Signer.SignArchive(a.head)
	if err != nil {
		return err
	}
	return audit.WriteLine(w, audit.Line{Signed: &audit.SignedLine{Token: signed.Token}})
}

// archiving is the state of archive.
type archiving struct {
	d     *Digester
	ctx   context.Context
	w     io.Writer
	upTo  uint64
	after uint64 // the last digest of the previous archive
	heads map[audit.Stream]audit.Head
	head  audit.Archive
}

func (a *archiving) view(f func(store.Reader) error) error { return a.d.c.Store.View(a.ctx, f) }

// begin finds the previous archive and writes the first line.
func (a *archiving) begin() error {
	err := a.view(func(r store.Reader) error {
		last, err := lastArchive(r)
		if err != nil {
			return err
		}
		if a.upTo <= last.Digest {
			return ErrNothingToArchive
		}
		a.after, a.head.Number = last.Digest, last.Number+1
		if last.Number > 0 {
			before, err := audit.ParseArchive(last.Token, nil)
			if err != nil {
				return err
			}
			a.head.Previous = before.Hash()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return audit.WriteLine(a.w, audit.Line{Archive: &audit.ArchiveLine{Format: audit.ArchiveFormat, Issuer: a.head.Issuer,
		Number: a.head.Number, Previous: a.head.Previous, At: a.head.At.UnixMilli()}})
}

func (a *archiving) digests() error {
	for n := a.after + 1; n <= a.upTo && a.head.Number > 0; n++ {
		err := a.view(func(r store.Reader) error {
			d, err := digestAt(r, n)
			if err != nil {
				return err
			}
			a.head.DigestHash = d.Hash()
			if err := writeDigest(r, a.w, n); err != nil {
				return err
			}
			return changes(r, n, func(h audit.Head) error { a.heads[h.Stream] = h; return nil })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stream writes a stream's entries from the previous archive up to a head.
func (a *archiving) stream(r store.Reader, to audit.Head) error {
	from, err := digestedHead(r, to.Stream, a.after)
	if err != nil {
		return err
	}
	if err := audit.WriteLine(a.w, audit.Line{Stream: audit.LineOfHead(to)}); err != nil {
		return err
	}
	a.head.Streams++
	var failed error
	err = audit.Verify(from, to, func(yield func(audit.Recorded) bool) {
		err := entries(r, to.Stream, from.Number, func(e audit.Recorded) bool {
			if e.Number > to.Number {
				return false
			}
			failed = audit.WriteLine(a.w, audit.Line{Entry: audit.LineOf(e)})
			a.head.Entries++
			return failed == nil && yield(e)
		})
		failed = errors.Join(failed, err)
	})
	if failed != nil {
		return failed
	}
	if broken, ok := errors.AsType[*audit.Break](err); ok {
		return &audit.Finding{Place: broken.Place, What: string(broken.Fault)}
	}
	return err
}

// Keep records that an archive was written and read back: from then on its
// content may leave the database. It accepts only this authority's signature of
// the record's next archive; otherwise it returns ErrArchive. A crash before the
// commit leaves a file that a later Keep accepts; nothing has left the database
// (I-16).
func (d *Digester) Keep(ctx context.Context, token, actor string, reason audit.Reason) (store.Archive, error) {
	keys := d.c.Signer.ReceiptKeys()
	a, err := audit.ParseArchive(token, &keys)
	if err != nil {
		return store.Archive{}, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	kept := store.Archive{Number: a.Number, Digest: a.Digest, Token: token, At: a.At}
	err = d.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		last, err := lastArchive(tx)
		if err != nil {
			return audit.Entry{}, err
		}
		var previous audit.Hash
		if last.Number > 0 {
			previous = sha256.Sum256([]byte(last.Token))
		}
		digest, err := digestAt(tx, a.Digest)
		if err != nil || a.Issuer != d.c.Issuer || a.Number != last.Number+1 || a.Previous != previous || digest.Hash() != a.DigestHash {
			return audit.Entry{}, errors.Join(ErrArchive, err)
		}
		e := d.entry(audit.RecordArchived, "ok")
		e.Actor, e.Note = actor, reason.Note(fmt.Sprintf("archive=%d digest=%d", a.Number, a.Digest))
		return e, tx.InsertArchive(kept)
	})
	return kept, err
}

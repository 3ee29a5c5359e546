package audit

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Errors of an export that cannot be examined. They say nothing about the record.
var (
	ErrPart  = errors.New("audit: an export of a part of the record; only a whole one can be examined")
	ErrCut   = errors.New("audit: the export has no end: it was cut off")
	ErrOrder = errors.New("audit: the lines of the export are not in their order")
)

// ShippedDigest is a digest that was stored outside of the database.
type ShippedDigest struct {
	Token   string
	Changes []Head
}

// ExamineConfig says what to compare an export with. All members are optional.
type ExamineConfig struct {
	Keys    *jose.JSONWebKeySet // the keys that signed the digests and archives
	Shipped []ShippedDigest
	// Archives are the files of all archives, in the order of their numbers. Without
	// them (nil) an export that begins after an archive is examined from there on.
	Archives []ArchiveFile
}

// Examined describes what was examined and found whole.
type Examined struct {
	Issuer           string
	At               time.Time // when the export began, as the export says
	Streams, Entries uint64
	Digest           uint64    // number of the last digest; zero: none
	DigestAt         time.Time // its time
	Uncovered        uint64    // entries after that digest
	Shipped, Newer   int       // shipped digests, and how many of them are later than the export
	Signatures       bool      // signatures were checked
	// Begins is the number of the archive after which the record begins; zero if the
	// record has everything. Archived counts the entries before that, and Archives how
	// many archives were read and found whole.
	Begins, Archived uint64
	Archives         int
	// TakenUp are entries that could not be compared with anything, because the end of
	// their stream had been lost.
	TakenUp []TakenUp
}

// Examine reads a whole export and compares it with its digests and with the shipped
// ones. It returns a *Finding for the first entry or digest that is missing or altered.
func Examine(export io.Reader, c ExamineConfig) (Examined, error) {
	next, stop := iter.Pull2(linesOf(export))
	defer stop()
	x := &examination{book: NewBook(c.Keys), c: c, lines: lines{next: next, stop: stop}}
	x.out.Signatures = c.Keys != nil
	if err := x.archives(); err != nil {
		return x.out, err
	}
	err := x.run()
	return x.out, err
}

func linesOf(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		ended := errors.New("ended")
		err := ReadLines(r, func(l Line) error {
			if !yield(l, nil) {
				return ended
			}
			return nil
		})
		if err != nil && !errors.Is(err, ended) {
			yield(Line{}, err)
		}
	}
}

// examination is the state of Examine.
type examination struct {
	lines
	book *Book
	c    ExamineConfig
	out  Examined
}

// archives reads the archives, all of them before the export.
func (x *examination) archives() error {
	for _, f := range x.c.Archives {
		r, err := f.Open()
		if err != nil {
			return err
		}
		err = errors.Join(x.book.Archive(f.Number, r), r.Close())
		if err != nil {
			return err
		}
		x.out.Archives++
	}
	x.book.next = 1 // the record has its digests from the first on, or says where it begins
	return nil
}

// anchor reads the lines before the first digest of a record that begins after an
// archive.
func (x *examination) anchor() error {
	archive := x.line.Signed.Token
	x.read()
	if x.done {
		return errors.Join(ErrCut, x.err)
	}
	if x.line.Digest == nil {
		a, err := ParseArchive(archive, x.c.Keys)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrOrder, err)
		}
		return wrongDigest(a.Digest, Missing, "the record begins after archive %d, which ends with it", a.Number)
	}
	token := x.line.Digest.Token
	cuts, err := x.heads()
	if err != nil {
		return err
	}
	if x.c.Archives != nil && len(x.c.Archives) == 0 {
		return wrongArchive(1, Missing, "the record begins after an archive, and there is no file of any")
	}
	if err := x.book.Anchored(archive, token, cuts); err != nil {
		return err
	}
	x.out.Begins = x.book.anchor.Number
	return nil
}

// heads reads the heads that follow a digest.
func (x *examination) heads() (heads []Head, err error) {
	for x.read(); !x.done && x.line.Change != nil; x.read() {
		heads = append(heads, x.line.Change.Head())
	}
	if x.err != nil {
		return nil, x.err
	}
	if x.done {
		return nil, ErrCut // within the list, so the digest is not at fault
	}
	return heads, nil
}

func (x *examination) run() error {
	x.read()
	head := x.line.Export
	switch {
	case x.err != nil:
		return x.err
	case head == nil || head.Format != Format:
		return fmt.Errorf("%w: the first is not that of a %s", ErrOrder, Format)
	case head.Part:
		return ErrPart
	}
	x.out.Issuer, x.out.At = head.Issuer, time.UnixMilli(head.At).UTC()
	x.read()
	if !x.done && x.line.Signed != nil {
		if err := x.anchor(); err != nil {
			return err
		}
	}
	if err := x.digests(); err != nil {
		return err
	}
	for !x.done && x.line.Stream != nil {
		if err := x.stream(); err != nil {
			return err
		}
	}
	switch end := x.line.End; {
	case x.err != nil:
		return x.err
	case x.done:
		return ErrCut
	case end == nil:
		return ErrOrder
	case end.Streams != x.out.Streams || end.Entries != x.out.Entries:
		return fmt.Errorf("%w: its end counts %d streams and %d entries, and there are %d and %d", ErrCut, end.Streams, end.Entries, x.out.Streams, x.out.Entries)
	}
	if x.read(); x.err != nil || !x.done {
		return errors.Join(ErrOrder, x.err)
	}
	err := x.book.End()
	x.out.Uncovered, x.out.TakenUp, x.out.Archived = x.book.Uncovered, x.book.TakenUp, x.book.Archived
	return err
}

// digests reads the export's digests, and then the shipped ones.
func (x *examination) digests() error {
	for !x.done && x.line.Digest != nil {
		token := x.line.Digest.Token
		changes, err := x.heads()
		if err != nil {
			return err
		}
		if err := x.book.Digest(token, changes); err != nil {
			return err
		}
	}
	if d := x.book.Last(); d.Number > 0 {
		if d.Issuer != x.out.Issuer {
			return wrongDigest(d.Number, Altered, "it is of %s, and the export of %s", d.Issuer, x.out.Issuer)
		}
		x.out.Digest, x.out.DigestAt = d.Number, d.At
	}
	for _, s := range x.c.Shipped {
		newer, err := x.book.Shipped(s.Token, s.Changes, x.out.At)
		if err != nil {
			return err
		}
		x.out.Shipped++
		if newer {
			x.out.Newer++
		}
	}
	return nil
}

// stream reads one stream with its entries.
func (x *examination) stream() error {
	head := x.line.Stream.Head()
	x.read()
	err := x.book.Stream(head, func(yield func(Recorded) bool) {
		for !x.done && x.line.Entry != nil {
			e := x.line.Entry.Recorded()
			x.out.Entries++
			x.read()
			if !yield(e) {
				return
			}
		}
	})
	x.out.Streams++
	if err == nil {
		return x.err
	}
	// If the export was cut off within a stream, that says nothing about the record.
	if x.err != nil {
		return x.err
	}
	if x.done {
		return ErrCut
	}
	return err
}

// ReadShipped reads the file of one shipped digest.
func ReadShipped(r io.Reader) (ShippedDigest, error) {
	var s ShippedDigest
	err := ReadLines(r, func(l Line) error {
		switch {
		case l.Digest != nil && s.Token == "":
			s.Token = l.Digest.Token
		case l.Change != nil && s.Token != "":
			s.Changes = append(s.Changes, l.Change.Head())
		default:
			return ErrOrder
		}
		return nil
	})
	if err == nil && s.Token == "" {
		err = ErrCut
	}
	return s, err
}

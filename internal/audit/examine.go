package audit

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Errors of an export that cannot be examined. Nothing is known about the
// record then.
var (
	ErrPart  = errors.New("audit: an export of a part of the record; only a whole one can be examined")
	ErrCut   = errors.New("audit: the export has no end: it was cut off")
	ErrOrder = errors.New("audit: the lines of the export are not in their order")
)

// ShippedDigest is a digest that was kept outside of the database.
type ShippedDigest struct {
	Token   string
	Changes []Head
}

// ExamineConfig says what an export is compared with. Both members are optional.
type ExamineConfig struct {
	Keys    *jose.JSONWebKeySet // that the digests were signed with
	Shipped []ShippedDigest
}

// Examined says what was examined and found whole.
type Examined struct {
	Issuer           string
	At               time.Time // when the export began, as it says itself
	Streams, Entries uint64
	Digest           uint64    // number of the last digest; zero: none
	DigestAt         time.Time // its time
	Uncovered        uint64    // entries that came after it
	Shipped, Newer   int       // shipped digests, and those of them later than the export
	Signatures       bool      // were checked
	// TakenUp are entries that were not compared with anything, because the end of
	// their stream had been lost.
	TakenUp []TakenUp
}

// Examine reads a whole export and compares it with its digests and with those
// that were shipped. It returns a *Finding for the first thing that is missing
// or altered.
func Examine(export io.Reader, c ExamineConfig) (Examined, error) {
	next, stop := iter.Pull2(linesOf(export))
	defer stop()
	x := &examination{book: NewBook(c.Keys), c: c, next: next}
	x.out.Signatures = c.Keys != nil
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
	book *Book
	c    ExamineConfig
	next func() (Line, error, bool)
	line Line // the one that was read last and not yet used
	done bool // there is none
	err  error
	out  Examined
}

// read gets the next line.
func (x *examination) read() {
	var there bool
	x.line, x.err, there = x.next()
	x.done = !there || x.err != nil
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
	x.out.Uncovered, x.out.TakenUp = x.book.Uncovered, x.book.TakenUp
	return err
}

// digests takes the export's digests, and then the shipped ones.
func (x *examination) digests() error {
	for !x.done && x.line.Digest != nil {
		token := x.line.Digest.Token
		var changes []Head
		for x.read(); !x.done && x.line.Change != nil; x.read() {
			changes = append(changes, x.line.Change.Head())
		}
		if x.err != nil {
			return x.err
		}
		if x.done {
			return ErrCut // with its list, so the digest is not at fault
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

// stream takes one stream with its entries.
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
	// A stream that was cut off with the export says nothing about the record.
	if x.err != nil {
		return x.err
	}
	if x.done {
		return ErrCut
	}
	return err
}

// ReadShipped reads one file of a shipped digest.
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

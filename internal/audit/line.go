package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/liuma-pin/liuma"
)

// Format names the format of exports; it is in their first line.
const Format = "liuma/1/export"

// Line is one line of an export or of a shipped digest: a JSON object with
// exactly one member. docs/AUDIT.md describes the order of the lines.
type Line struct {
	Export *ExportLine `json:"export,omitempty"` // first
	// Archive is the first line of an archive, and Signed its last. In an export,
	// Signed is the second line if the record begins after that archive; the digest
	// that follows is then the archive's last digest, with the cuts of all streams.
	Archive *ArchiveLine `json:"archive,omitempty"`
	Signed  *SignedLine  `json:"signed,omitempty"`
	Digest  *DigestLine  `json:"digest,omitempty"` // followed by its changes
	Change  *HeadLine    `json:"change,omitempty"`
	Stream  *HeadLine    `json:"stream,omitempty"` // followed by its entries
	Entry   *EntryLine   `json:"entry,omitempty"`
	End     *EndLine     `json:"end,omitempty"` // last
}

// ExportLine says which export the lines belong to.
type ExportLine struct {
	Format string `json:"format"`
	Issuer string `json:"issuer"`
	At     int64  `json:"at"` // when the export began; milliseconds since 1970
	// Part says that only some streams, or some entries of them, follow.
	Part bool `json:"part"`
}

// ArchiveLine says which archive the lines belong to.
type ArchiveLine struct {
	Format   string `json:"format"`
	Issuer   string `json:"issuer"`
	Number   uint64 `json:"number"`
	Previous Hash   `json:"previous"` // SHA-256 of the previous archive's signature
	At       int64  `json:"at"`       // when writing it began; milliseconds since 1970
}

// SignedLine is the signature of an archive.
type SignedLine struct {
	Token string `json:"token"`
}

// DigestLine is a signed digest.
type DigestLine struct {
	Token string `json:"token"`
}

// HeadLine is the end of a stream.
type HeadLine struct {
	Stream Stream `json:"stream"`
	Number uint64 `json:"number"`
	Hash   Hash   `json:"hash"`
}

// EntryLine is an entry at its place, with the members that its hash covers.
type EntryLine struct {
	Stream     Stream   `json:"stream"`
	Number     uint64   `json:"number"`
	ID         EntryID  `json:"id"`
	Previous   Hash     `json:"previous"`
	After      *PlaceOf `json:"after,omitempty"`
	At         int64    `json:"at"` // milliseconds since 1970
	Actor      string   `json:"actor"`
	Event      string   `json:"event"`
	BusinessNo string   `json:"business_no"`
	Outcome    string   `json:"outcome"`
	Note       string   `json:"note"`
}

// PlaceOf is the place of an entry in another stream.
type PlaceOf struct {
	Stream Stream `json:"stream"`
	Number uint64 `json:"number"`
}

// EndLine is the last line of an export, so that a cut-off export is noticed.
type EndLine struct {
	Streams uint64 `json:"streams"`
	Entries uint64 `json:"entries"`
}

// LineOfHead returns the line of a head in an export.
func LineOfHead(h Head) *HeadLine { return &HeadLine{h.Stream, h.Number, h.Hash} }

// Head returns the head in the line.
func (l HeadLine) Head() Head { return Head{Place{l.Stream, l.Number}, l.Hash} }

// LineOf returns the line of an entry in an export.
func LineOf(r Recorded) *EntryLine {
	l := &EntryLine{Stream: r.Stream, Number: r.Number, ID: r.ID, Previous: r.Previous, At: r.At.UnixMilli(), Actor: r.Actor,
		Event: string(r.Event), BusinessNo: string(r.BusinessNo), Outcome: r.Outcome, Note: r.Note}
	if !r.After.IsZero() {
		l.After = &PlaceOf{r.After.Stream, r.After.Number}
	}
	return l
}

// Recorded returns the entry in the line.
func (l EntryLine) Recorded() Recorded {
	r := Recorded{Place: Place{l.Stream, l.Number}, ID: l.ID, Previous: l.Previous,
		Entry: Entry{At: time.UnixMilli(l.At).UTC(), Actor: l.Actor, Event: Event(l.Event),
			BusinessNo: liuma.BusinessNo(l.BusinessNo), Outcome: l.Outcome, Note: l.Note}}
	if l.Stream.Kind == OfCard {
		r.Card = l.Stream.ID
	}
	if l.After != nil {
		r.After = Place{l.After.Stream, l.After.Number}
	}
	return r
}

// maxLine bounds a line, in bytes. A digest's line is the longest: its sum alone has
// 2,731 characters.
const maxLine = 64 << 10

// ErrLine means that a line is not a line of an export. It is wrapped with the line's
// number.
var ErrLine = errors.New("audit: not a line of an export")

// ParseLine reads one line, without its line break. It accepts a line only in the
// encoding that WriteLine writes, so that all readers of an export agree.
func ParseLine(raw []byte) (Line, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var l Line
	if err := dec.Decode(&l); err != nil {
		return Line{}, fmt.Errorf("%w: %w", ErrLine, err)
	}
	n := 0
	for _, there := range []bool{l.Export != nil, l.Archive != nil, l.Signed != nil, l.Digest != nil, l.Change != nil, l.Stream != nil, l.Entry != nil, l.End != nil} {
		if there {
			n++
		}
	}
	again, err := json.Marshal(l)
	if err != nil || n != 1 || !bytes.Equal(again, raw) {
		return Line{}, fmt.Errorf("%w: not written as exports are", ErrLine)
	}
	return l, nil
}

// WriteLine writes one line.
func WriteLine(w io.Writer, l Line) error {
	raw, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("audit: export: %w", err)
	}
	_, err = w.Write(append(raw, '\n'))
	return err
}

// ReadLines calls visit for every line of r.
func ReadLines(r io.Reader, visit func(Line) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for n := 1; lines.Scan(); n++ {
		l, err := ParseLine(lines.Bytes())
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := visit(l); err != nil {
			return err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%w: longer than %d bytes", ErrLine, maxLine)
	} else if err != nil {
		return err
	}
	return nil
}

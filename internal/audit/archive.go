package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ArchiveType is the typ of an archive's signature. The key that signs digests
// also signs archives.
const ArchiveType = "liuma-archive+jws"

// ArchiveFormat names the format of archives; it is in their first line.
const ArchiveFormat = "liuma/1/archive"

// Archive describes the content of an archive's file: the digests after the
// previous archive, up to one of its own, with their changes, and the entries that
// they cover. Archives are numbered, and each one names the previous one.
type Archive struct {
	Issuer     string
	Number     uint64 // 1, 2, 3 … without gaps
	At         time.Time
	Previous   Hash   // SHA-256 of the previous archive's signature; zero for the first
	Digest     uint64 // number of the last digest
	DigestHash Hash   // SHA-256 of its token
	Content    Hash   // SHA-256 of all lines before the signature
	Streams    uint64 // streams that have entries in it
	Entries    uint64
}

// SignedArchive is an Archive with its signature, the last line of the file.
type SignedArchive struct {
	Archive
	Token string // compact JWS (ES256), typ ArchiveType
}

// Hash is the value of Previous in the next archive.
func (a SignedArchive) Hash() Hash { return sha256.Sum256([]byte(a.Token)) }

// archiveClaims is the signed form. Every member is required.
type archiveClaims struct {
	Issuer     string `json:"iss"`
	Number     uint64 `json:"number"`
	At         int64  `json:"at"` // milliseconds since 1970
	Previous   Hash   `json:"previous"`
	Digest     uint64 `json:"digest"`
	DigestHash Hash   `json:"digest_hash"`
	Content    Hash   `json:"content"`
	Streams    uint64 `json:"streams"`
	Entries    uint64 `json:"entries"`
}

// Payload returns the bytes that are signed: one JSON object.
func (a Archive) Payload() ([]byte, error) {
	if a.Issuer == "" || a.Number == 0 || a.At.IsZero() || a.Digest == 0 || (a.Number == 1) != (a.Previous == Hash{}) {
		return nil, errors.New("audit: archive without issuer, number, time, digest or predecessor")
	}
	return json.Marshal(archiveClaims{a.Issuer, a.Number, a.At.UnixMilli(), a.Previous, a.Digest, a.DigestHash, a.Content, a.Streams, a.Entries})
}

// ParseArchive reads an archive's signature and checks it with keys. Without keys
// (nil) it does not check the signature.
func ParseArchive(token string, keys *jose.JSONWebKeySet) (SignedArchive, error) {
	payload, err := openToken(token, ArchiveType, keys)
	if err != nil {
		return SignedArchive{}, fmt.Errorf("audit: archive: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	var c archiveClaims
	if err := dec.Decode(&c); err != nil {
		return SignedArchive{}, fmt.Errorf("audit: archive: %w", err)
	}
	a := Archive{c.Issuer, c.Number, time.UnixMilli(c.At).UTC(), c.Previous, c.Digest, c.DigestHash, c.Content, c.Streams, c.Entries}
	again, err := a.Payload()
	if err != nil {
		return SignedArchive{}, err
	}
	if !bytes.Equal(again, payload) {
		return SignedArchive{}, errors.New("audit: archive: not written as archives are")
	}
	return SignedArchive{Archive: a, Token: token}, nil
}

// ArchiveFile is one file of an archive, by the number in its name.
type ArchiveFile struct {
	Number uint64
	Open   func() (io.ReadCloser, error)
}

func wrongArchive(number uint64, f Fault, format string, args ...any) *Finding {
	return &Finding{Archive: number, What: string(f) + ": " + fmt.Sprintf(format, args...)}
}

// ReadArchive reads one archive on its own, for example to read it back after
// writing. It checks its lines, the chains of its entries and digests, and that its
// signature covers all of them. Examine, which needs all archives, checks that it
// follows the previous one.
func ReadArchive(r io.Reader, keys *jose.JSONWebKeySet) (SignedArchive, error) {
	a := newReading(r, keys, nil)
	return a.signed, a.run()
}

// reading is one pass over the file of an archive.
type reading struct {
	lines
	keys    *jose.JSONWebKeySet
	book    *Book // nil: the archive is read on its own
	head    ArchiveLine
	last    SignedDigest
	heads   map[Stream]Head // of each stream, in the last digest of the archive that lists it
	streams uint64
	entries uint64
	signed  SignedArchive
}

func newReading(r io.Reader, keys *jose.JSONWebKeySet, book *Book) *reading {
	a := &reading{keys: keys, book: book, heads: map[Stream]Head{}}
	a.content = sha256.New()
	a.next, a.stop = iter.Pull2(linesOf(r))
	return a
}

func (a *reading) run() error {
	defer a.stop()
	a.read()
	if a.err != nil || a.line.Archive == nil || a.line.Archive.Format != ArchiveFormat {
		return errors.Join(fmt.Errorf("%w: the first is not that of a %s", ErrOrder, ArchiveFormat), a.err)
	}
	a.head = *a.line.Archive
	a.read()
	if err := a.digests(); err != nil {
		return err
	}
	for !a.done && a.line.Stream != nil {
		if err := a.stream(); err != nil {
			return err
		}
	}
	content := Hash(a.content.Sum(nil))
	switch signed := a.line.Signed; {
	case a.err != nil:
		return a.err
	case a.done:
		return ErrCut
	case signed == nil:
		return ErrOrder
	default:
		var err error
		if a.signed, err = ParseArchive(signed.Token, a.keys); err != nil {
			return err
		}
	}
	if a.read(); a.err != nil || !a.done {
		return errors.Join(ErrOrder, a.err)
	}
	want := Archive{a.head.Issuer, a.head.Number, time.UnixMilli(a.head.At).UTC(), a.head.Previous,
		a.last.Number, a.last.Hash(), content, a.streams, a.entries}
	if a.signed.Archive != want {
		return errors.New("its lines are not those that were signed")
	}
	return nil
}

// digests takes the archive's digests with their changes.
func (a *reading) digests() error {
	for !a.done && a.line.Digest != nil {
		token := a.line.Digest.Token
		var changes []Head
		for a.read(); !a.done && a.line.Change != nil; a.read() {
			changes = append(changes, a.line.Change.Head())
		}
		d, err := ParseDigest(token, a.keys)
		switch {
		case err != nil:
			return err
		case a.book != nil:
			if err := a.book.Digest(token, changes); err != nil {
				return err
			}
		case a.last.Number > 0 && (d.Number != a.last.Number+1 || d.Previous != a.last.Hash()):
			return fmt.Errorf("digest %d does not follow the one before it", d.Number)
		}
		if f := listed(d, changes); f != nil {
			return f
		}
		a.last = d
		for _, c := range changes {
			a.heads[c.Stream] = c
		}
	}
	if a.last.Number == 0 {
		return fmt.Errorf("%w: it has no digest", ErrOrder)
	}
	return a.err
}

// stream reads one stream with its entries, up to the head in the digests.
func (a *reading) stream() error {
	to := a.line.Stream.Head()
	if want, there := a.heads[to.Stream]; !there || want != to {
		return fmt.Errorf("stream %s does not end where the digests of the archive have it", to.Stream)
	}
	delete(a.heads, to.Stream)
	a.streams++
	a.read()
	entries := func(yield func(Recorded) bool) {
		for !a.done && a.line.Entry != nil {
			e := a.line.Entry.Recorded()
			a.entries++
			a.read()
			if !yield(e) {
				return
			}
		}
	}
	var err error
	if a.book != nil {
		err = a.book.archived(to, entries)
	} else {
		err = alone(to, entries)
	}
	if a.err != nil {
		return a.err
	}
	return err
}

// alone verifies a part of a stream from its own first entry on.
func alone(to Head, entries iter.Seq[Recorded]) error {
	next, stop := iter.Pull(entries)
	defer stop()
	first, there := next()
	if !there {
		return &Break{to.Place, Missing}
	}
	from := Head{Place{to.Stream, first.Number - 1}, first.Previous}
	if first.Number <= 1 {
		from = Head{}
	}
	return Verify(from, to, func(yield func(Recorded) bool) {
		for e, there := first, true; there && yield(e); e, there = next() {
		}
	})
}

// lines reads the lines of a file, one ahead.
type lines struct {
	next    func() (Line, error, bool)
	stop    func()
	content interface {
		io.Writer
		Sum([]byte) []byte
	} // of everything that was read, except the signature
	line Line // the last line that was read and not used yet
	done bool // no line is left
	err  error
}

func (l *lines) read() {
	var there bool
	l.line, l.err, there = l.next()
	l.done = !there || l.err != nil
	if !l.done && l.content != nil && l.line.Signed == nil {
		l.err = WriteLine(l.content, l.line) // the same bytes that were read, because a line has only one encoding
	}
}

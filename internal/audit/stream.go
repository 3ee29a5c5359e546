package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/liuma-pin/liuma"
)

// Kind distinguishes the two kinds of streams.
type Kind uint8

// A card has one stream for as long as it is known. A process that works on the
// database has one stream from its start to its end, for entries without a
// card, and is its only writer.
const (
	OfCard    Kind = 1
	OfProcess Kind = 2
)

func (k Kind) String() string {
	switch k {
	case OfCard:
		return "card"
	case OfProcess:
		return "process"
	}
	return "unknown"
}

// Stream names one chain of entries. Streams have no common order, so that
// changes of different cards do not wait for one another.
type Stream struct {
	Kind Kind
	ID   [16]byte // of a card: its liuma.CardID; of a process start: its ProcessID
}

// CardStream returns the stream of a card.
func CardStream(card liuma.CardID) Stream { return Stream{OfCard, card} }

// IsZero reports whether s names no stream.
func (s Stream) IsZero() bool { return s == Stream{} }

func (s Stream) String() string { return s.Kind.String() + ":" + hex.EncodeToString(s.ID[:]) }

// ProcessID identifies one start of a process.
type ProcessID [16]byte

// NewProcessID draws an ID from the system's random source.
func NewProcessID() (id ProcessID) {
	rand.Read(id[:]) // never fails since Go 1.24
	return id
}

// String returns the ID in hexadecimal.
func (p ProcessID) String() string { return hex.EncodeToString(p[:]) }

// Stream returns the stream of the process start.
func (p ProcessID) Stream() Stream { return Stream{OfProcess, p} }

// EntryID identifies one entry in the whole record.
type EntryID [16]byte

// NewEntryID draws an ID from the system's random source.
func NewEntryID() (id EntryID) {
	rand.Read(id[:]) // never fails since Go 1.24
	return id
}

func (id EntryID) String() string { return hex.EncodeToString(id[:]) }

// Hash is the SHA-256 of an entry. It has no key: an auditor can compute it.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Place is the position of an entry.
type Place struct {
	Stream Stream
	Number uint64 // 1, 2, 3 … within the stream, without gaps
}

// IsZero reports whether p is no place.
func (p Place) IsZero() bool { return p == Place{} }

// Head is the end of a stream: the place and the hash of its last entry. The
// store keeps it in the stream's row, and writes it together with the entry.
type Head struct {
	Place
	Hash Hash
}

// Recorded is an entry in the record, at the place that the store gave it.
// Because it contains the hash of the previous entry, each entry proves all
// earlier ones of its stream.
type Recorded struct {
	Entry
	Place
	ID       EntryID
	Previous Hash // hash of the previous entry; zero if there is none
	// After is set in the first entry of a process start if the database had an
	// earlier start: it is the place of that start's last entry, and Previous is
	// then that entry's hash.
	After Place
}

// Next returns the entry that follows the head, or the first entry of a card.
func (h Head) Next(id EntryID, e Entry) Recorded {
	e.At = time.UnixMilli(e.At.UnixMilli()).UTC() // the record keeps milliseconds
	return Recorded{Entry: e, Place: Place{h.Stream, h.Number + 1}, ID: id, Previous: h.Hash}
}

// First returns the first entry of a process start. predecessor is the head of
// the previous start, or zero if there was none.
func (p ProcessID) First(predecessor Head, id EntryID, e Entry) Recorded {
	r := Head{Place: Place{Stream: p.Stream()}, Hash: predecessor.Hash}.Next(id, e)
	r.After = predecessor.Place
	return r
}

// Head returns the head of the stream when r is its last entry.
func (r Recorded) Head() Head { return Head{Place: r.Place, Hash: r.Hash()} }

// label separates these hashes from hashes of other data.
const label = "liuma/1/audit"

// Hash is the SHA-256 of the entry's members, each preceded by its length.
// docs/AUDIT.md describes the encoding for those who recompute it.
func (r Recorded) Hash() Hash {
	b := make([]byte, 0, 320)
	field := func(value []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
		b = append(b, value...)
	}
	number := func(n uint64) { field(binary.BigEndian.AppendUint64(nil, n)) }
	field([]byte(label))
	field([]byte(r.Stream.Kind.String()))
	field(r.Stream.ID[:])
	number(r.Number)
	field(r.ID[:])
	field(r.Previous[:])
	if r.After.IsZero() {
		field(nil)
		field(nil)
	} else {
		field(r.After.Stream.ID[:])
		number(r.After.Number)
	}
	number(uint64(r.At.UnixMilli()))
	for _, text := range []string{r.Actor, string(r.Event), string(r.BusinessNo), r.Outcome, r.Note} {
		field([]byte(text))
	}
	return sha256.Sum256(b)
}

package store

import "github.com/liuma-pin/liuma/internal/audit"

// Digest is a signed digest of the record, as the database keeps it. The
// signature is checked by whoever reads it (audit.ParseDigest).
type Digest struct {
	Number uint64
	Token  string
}

// DigestReader reads digests, and what they do not cover yet.
type DigestReader interface {
	// Head returns the head of a stream; ErrNotFound if it has no entry.
	Head(audit.Stream) (audit.Head, error)
	// Undigested lists the streams that have entries which no digest covers, in
	// the order of Streams, at most limit, after a stream. Every entry puts its
	// stream on this list in its own transaction.
	Undigested(after audit.Stream, limit int) ([]audit.Stream, error)
	// DigestedHead is the head of the stream in the last digest that lists it,
	// among those with numbers up to upTo; ErrNotFound if none does.
	DigestedHead(s audit.Stream, upTo uint64) (audit.Head, error)
	// LastDigest returns the latest digest; ErrNotFound if there is none.
	LastDigest() (Digest, error)
	// Digests lists digests by number, at most limit, after a number.
	Digests(after uint64, limit int) ([]Digest, error)
	// DigestChanges lists the changes of a digest in the order of Streams, at
	// most limit, after a stream.
	DigestChanges(number uint64, after audit.Stream, limit int) ([]audit.Head, error)
}

// DigestWriter writes digests.
type DigestWriter interface {
	// InsertDigest keeps a digest with its changes, and takes the streams that
	// have no later entry off the list of Undigested. ErrDecided: its number is
	// not the next.
	InsertDigest(d Digest, changes []audit.Head) error
}

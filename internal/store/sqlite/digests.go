package sqlite

import (
	"database/sql/driver"
	"errors"
	"math"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

const headColumns = "kind, stream, number, hash"

func scanHead(r *row) (h audit.Head) {
	h.Stream = scanStream(r)
	h.Number = uint64(r.int())
	r.fixed(h.Hash[:])
	return h
}

// first is the first row that a query returns, or store.ErrNotFound.
func first[T any](r *snapshot, scan func(*row) T, query string, args ...driver.Value) (v T, err error) {
	found, err := list(r, scan, query, args...)
	switch {
	case err != nil:
		return v, err
	case len(found) == 0:
		return v, store.ErrNotFound
	}
	return found[0], nil
}

func (r *snapshot) Undigested(after audit.Stream, limit int) ([]audit.Stream, error) {
	return list(r, scanStream, `SELECT kind, stream FROM undigested
		WHERE (kind, stream) > (?, ?) ORDER BY kind, stream LIMIT ?`, int64(after.Kind), after.ID[:], int64(limit))
}

// DigestedHead is the cut of a stream that no digest of the database lists: the
// digests that did are archived.
func (r *snapshot) DigestedHead(s audit.Stream, upTo uint64) (audit.Head, error) {
	h, err := first(r, scanHead, "SELECT "+headColumns+` FROM digest_changes
		WHERE kind = ? AND stream = ? AND digest <= ? ORDER BY digest DESC LIMIT 1`, int64(s.Kind), s.ID[:], int64(min(upTo, math.MaxInt64)))
	if errors.Is(err, store.ErrNotFound) && upTo > 0 {
		return first(r, scanHead, "SELECT "+headColumns+" FROM cuts WHERE kind = ? AND stream = ?", int64(s.Kind), s.ID[:])
	}
	return h, err
}

func scanDigest(r *row) store.Digest { return store.Digest{Number: uint64(r.int()), Token: r.text()} }

func (r *snapshot) LastDigest() (store.Digest, error) {
	return first(r, scanDigest, "SELECT number, token FROM digests WHERE number > 0 ORDER BY number DESC LIMIT 1")
}

func (r *snapshot) Digests(after uint64, limit int) ([]store.Digest, error) {
	if after > math.MaxInt64 {
		return nil, nil
	}
	return list(r, scanDigest, "SELECT number, token FROM digests WHERE number > ? ORDER BY number LIMIT ?", int64(after), int64(limit))
}

func (r *snapshot) DigestChanges(number uint64, after audit.Stream, limit int) ([]audit.Head, error) {
	if number > math.MaxInt64 {
		return nil, nil
	}
	return list(r, scanHead, "SELECT "+headColumns+` FROM digest_changes
		WHERE digest = ? AND (kind, stream) > (?, ?) ORDER BY kind, stream LIMIT ?`,
		int64(number), int64(after.Kind), after.ID[:], int64(limit))
}

// InsertDigest writes the digest, its changes and the shorter list in the
// caller's transaction: a crash leaves all of it or nothing (I-16).
func (t *change) InsertDigest(d store.Digest, changes []audit.Head) error {
	if _, err := t.write("INSERT INTO digests (number, token) VALUES (?, ?)", int64(d.Number), d.Token); err != nil {
		return err
	}
	for _, c := range changes {
		key := []driver.Value{int64(c.Stream.Kind), c.Stream.ID[:], int64(c.Number)}
		_, err := t.write("INSERT INTO digest_changes (kind, stream, number, hash, digest) VALUES (?, ?, ?, ?, ?)",
			append(key, c.Hash[:], int64(d.Number))...)
		if err != nil {
			return err
		}
		// A stream that grew since the digest was computed stays on the list.
		_, err = t.write(`DELETE FROM undigested WHERE kind = ?1 AND stream = ?2
			AND NOT EXISTS (SELECT 1 FROM audit WHERE kind = ?1 AND stream = ?2 AND number > ?3)`, key[:3]...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *snapshot) Cuts(after audit.Stream, limit int) ([]audit.Head, error) {
	return list(r, scanHead, "SELECT "+headColumns+` FROM cuts
		WHERE (kind, stream) > (?, ?) ORDER BY kind, stream LIMIT ?`, int64(after.Kind), after.ID[:], int64(limit))
}

// DropDigested goes through the changes of the digests, the oldest digest first.
// Each is the last entry of its stream that a digest covers: that becomes the
// stream's cut, and the entries up to it may go. The triggers refuse any other
// order. All is in the caller's transaction: a crash leaves all or nothing.
func (t *change) DropDigested(upTo uint64, limit int) (n int, done bool, err error) {
	last := int64(min(upTo, math.MaxInt64))
	for n < limit {
		c, err := first(&t.snapshot, scanListed, "SELECT "+headColumns+`, digest FROM digest_changes
			WHERE digest <= ? ORDER BY digest, kind, stream LIMIT 1`, last)
		if errors.Is(err, store.ErrNotFound) {
			gone, err := t.write(`DELETE FROM digests WHERE number < ?1
				AND number IN (SELECT number FROM digests WHERE number < ?1 ORDER BY number LIMIT ?2)`, last, int64(limit-n))
			return n + int(gone), err == nil && int(gone) < limit-n, err
		}
		if err != nil {
			return n, false, err
		}
		gone, err := t.dropTo(c, limit-n)
		n += gone
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

// listed is a head in a digest.
type listed struct {
	audit.Head
	digest int64
}

func scanListed(r *row) listed { return listed{scanHead(r), r.int()} }

// dropTo deletes at most limit rows: the entries of a stream up to one that a
// digest lists, and then that digest's change.
func (t *change) dropTo(c listed, limit int) (int, error) {
	_, err := t.write(`INSERT INTO cuts (kind, stream, number, hash) VALUES (?, ?, ?, ?)
		ON CONFLICT (kind, stream) DO UPDATE SET number = excluded.number, hash = excluded.hash`,
		int64(c.Stream.Kind), c.Stream.ID[:], int64(c.Number), c.Hash[:])
	if err != nil {
		return 0, err
	}
	oldest, err := first(&t.snapshot, func(r *row) int64 { return r.int() },
		"SELECT number FROM audit WHERE kind = ? AND stream = ? ORDER BY number LIMIT 1", int64(c.Stream.Kind), c.Stream.ID[:])
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	n := 0
	if err == nil && oldest <= int64(c.Number) {
		gone, err := t.write("DELETE FROM audit WHERE kind = ? AND stream = ? AND number <= ?",
			int64(c.Stream.Kind), c.Stream.ID[:], min(int64(c.Number), oldest+int64(limit)-1))
		n = int(gone)
		if err != nil || n >= limit {
			return n, err
		}
	}
	gone, err := t.write("DELETE FROM digest_changes WHERE kind = ? AND stream = ? AND digest = ?",
		int64(c.Stream.Kind), c.Stream.ID[:], c.digest)
	return n + int(gone), err
}

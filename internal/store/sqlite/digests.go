package sqlite

import (
	"database/sql/driver"
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

func (r *snapshot) DigestedHead(s audit.Stream, upTo uint64) (audit.Head, error) {
	return first(r, scanHead, "SELECT "+headColumns+` FROM digest_changes
		WHERE kind = ? AND stream = ? AND digest <= ? ORDER BY digest DESC LIMIT 1`, int64(s.Kind), s.ID[:], int64(min(upTo, math.MaxInt64)))
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

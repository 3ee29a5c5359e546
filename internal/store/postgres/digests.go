package postgres

import (
	"errors"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

const headColumns = "kind, stream, number, hash"

func headOf(kind int64, stream []byte, number int64, hash []byte) (h audit.Head, err error) {
	if h.Stream, err = streamOf(kind, stream); err != nil {
		return h, err
	}
	h.Number = uint64(number)
	return h, fixed(h.Hash[:], hash)
}

func scanHead(from pgx.CollectableRow) (audit.Head, error) {
	var kind, number int64
	var stream, hash []byte
	if err := from.Scan(&kind, &stream, &number, &hash); err != nil {
		return audit.Head{}, err
	}
	return headOf(kind, stream, number, hash)
}

func (r *snapshot) Undigested(after audit.Stream, limit int) ([]audit.Stream, error) {
	return all(r, scanStream, `SELECT kind, stream FROM undigested
		WHERE (kind, stream) > ($1, $2) ORDER BY kind, stream LIMIT $3`, int64(after.Kind), after.ID[:], int64(max(0, limit)))
}

// DigestedHead is the cut of a stream that no digest of the database lists: the digests
// that did are archived.
func (r *snapshot) DigestedHead(s audit.Stream, upTo uint64) (audit.Head, error) {
	h, err := first(r, scanHead, "SELECT "+headColumns+` FROM digest_changes
		WHERE kind = $1 AND stream = $2 AND digest <= $3 ORDER BY digest DESC LIMIT 1`, int64(s.Kind), s.ID[:], int64(min(upTo, math.MaxInt64)))
	if errors.Is(err, store.ErrNotFound) && upTo > 0 {
		return first(r, scanHead, "SELECT "+headColumns+" FROM cuts WHERE kind = $1 AND stream = $2", int64(s.Kind), s.ID[:])
	}
	return h, err
}

func scanDigest(from pgx.CollectableRow) (d store.Digest, err error) {
	var number int64
	err = from.Scan(&number, &d.Token)
	d.Number = uint64(number)
	return d, err
}

func (r *snapshot) LastDigest() (store.Digest, error) {
	return first(r, scanDigest, "SELECT number, token FROM digests WHERE number > 0 ORDER BY number DESC LIMIT 1")
}

func (r *snapshot) Digests(after uint64, limit int) ([]store.Digest, error) {
	if after > math.MaxInt64 {
		return nil, nil
	}
	return all(r, scanDigest, "SELECT number, token FROM digests WHERE number > $1 ORDER BY number LIMIT $2", int64(after), int64(max(0, limit)))
}

func (r *snapshot) DigestChanges(number uint64, after audit.Stream, limit int) ([]audit.Head, error) {
	if number > math.MaxInt64 {
		return nil, nil
	}
	return all(r, scanHead, "SELECT "+headColumns+` FROM digest_changes
		WHERE digest = $1 AND (kind, stream) > ($2, $3) ORDER BY kind, stream LIMIT $4`,
		int64(number), int64(after.Kind), after.ID[:], int64(max(0, limit)))
}

func (r *snapshot) Cuts(after audit.Stream, limit int) ([]audit.Head, error) {
	return all(r, scanHead, "SELECT "+headColumns+` FROM cuts
		WHERE (kind, stream) > ($1, $2) ORDER BY kind, stream LIMIT $3`, int64(after.Kind), after.ID[:], int64(max(0, limit)))
}

// InsertDigest writes the digest, its changes and the shorter list in the caller's
// transaction: a crash leaves all of it or nothing (I-16).
func (t *change) InsertDigest(d store.Digest, changes []audit.Head) error {
	if err := t.now(); err != nil {
		return err
	}
	last, err := first(&t.snapshot, scanNumber, "SELECT coalesce(max(number), 0) FROM digests")
	if err != nil {
		return err
	}
	if d.Number != uint64(last)+1 {
		return store.ErrDecided
	}
	if _, err := t.exec("INSERT INTO digests (number, token) VALUES ($1, $2)", int64(d.Number), d.Token); err != nil {
		return err
	}
	for len(changes) > 0 {
		n := min(len(changes), 1000)
		if err := t.insertChanges(int64(d.Number), changes[:n]); err != nil {
			return err
		}
		changes = changes[n:]
	}
	return nil
}

func (t *change) insertChanges(digest int64, changes []audit.Head) error {
	var kinds, numbers []int64
	var streams, hashes [][]byte
	for _, c := range changes {
		kinds, numbers = append(kinds, int64(c.Stream.Kind)), append(numbers, int64(c.Number))
		streams, hashes = append(streams, c.Stream.ID[:]), append(hashes, c.Hash[:])
	}
	if _, err := t.exec(`INSERT INTO digest_changes (kind, stream, number, hash, digest)
		SELECT c.kind, c.stream, c.number, c.hash, $5 FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bytea[]) AS c (kind, stream, number, hash)`,
		kinds, streams, numbers, hashes, digest); err != nil {
		return err
	}
	// A stream that grew since the digest was computed stays on the list, and so does one
	// that grows at this moment: the row is locked before its stream is looked at, and
	// whoever adds an entry puts it on the list again.
	if _, err := t.exec(`SELECT 1 FROM undigested AS u JOIN unnest($1::bigint[], $2::bytea[]) AS c (kind, stream)
		ON u.kind = c.kind AND u.stream = c.stream ORDER BY u.kind, u.stream FOR UPDATE OF u`, kinds, streams); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM undigested AS u USING unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS c (kind, stream, number)
		WHERE u.kind = c.kind AND u.stream = c.stream
		AND NOT EXISTS (SELECT 1 FROM audit AS a WHERE a.kind = c.kind AND a.stream = c.stream AND a.number > c.number)`, kinds, streams, numbers)
	return err
}

// DropDigested goes through the changes of the digests, the oldest digest first. Each is
// the last entry of its stream that a digest covers: that becomes the stream's cut, and
// the entries up to it may go. The triggers refuse any other order. All is in the caller's
// transaction: a crash leaves all or nothing.
func (t *change) DropDigested(upTo uint64, limit int) (n int, done bool, err error) {
	if err := t.now(); err != nil {
		return 0, false, err
	}
	last := int64(min(upTo, math.MaxInt64))
	for n < limit {
		c, err := first(&t.snapshot, scanListed, "SELECT "+headColumns+`, digest FROM digest_changes
			WHERE digest <= $1 ORDER BY digest, kind, stream LIMIT 1`, last)
		if errors.Is(err, store.ErrNotFound) {
			gone, err := t.exec(`DELETE FROM digests WHERE number < $1
				AND number IN (SELECT number FROM digests WHERE number < $1 ORDER BY number LIMIT $2)`, last, int64(limit-n))
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

func scanListed(from pgx.CollectableRow) (l listed, err error) {
	var kind, number int64
	var stream, hash []byte
	if err := from.Scan(&kind, &stream, &number, &hash, &l.digest); err != nil {
		return l, err
	}
	l.Head, err = headOf(kind, stream, number, hash)
	return l, err
}

// dropTo deletes at most limit rows: the entries of a stream up to one that a digest
// lists, and then that digest's change.
func (t *change) dropTo(c listed, limit int) (int, error) {
	kind, number := int64(c.Stream.Kind), int64(c.Number)
	_, err := t.exec(`INSERT INTO cuts (kind, stream, number, hash) VALUES ($1, $2, $3, $4)
		ON CONFLICT (kind, stream) DO UPDATE SET number = excluded.number, hash = excluded.hash`, kind, c.Stream.ID[:], number, c.Hash[:])
	if err != nil {
		return 0, err
	}
	oldest, err := first(&t.snapshot, scanNumber,
		"SELECT number FROM audit WHERE kind = $1 AND stream = $2 ORDER BY number LIMIT 1", kind, c.Stream.ID[:])
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	n := 0
	if err == nil && oldest <= number {
		gone, err := t.exec("DELETE FROM audit WHERE kind = $1 AND stream = $2 AND number <= $3",
			kind, c.Stream.ID[:], min(number, oldest+int64(limit)-1))
		n = int(gone)
		if err != nil || n >= limit {
			return n, err
		}
	}
	gone, err := t.exec("DELETE FROM digest_changes WHERE kind = $1 AND stream = $2 AND digest = $3", kind, c.Stream.ID[:], c.digest)
	return n + int(gone), err
}

package rows

import (
	"errors"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Head reads the end of a stream from the sealed row of its card or process
// start.
func (r *Reader) Head(s audit.Stream) (audit.Head, error) {
	if s.Kind == audit.OfProcess {
		p, rev, err := get(r, &r.codec.starts, s.ID[:])
		if err != nil {
			return audit.Head{}, err
		}
		return p.head(rev), nil
	}
	c, err := r.card(s.ID)
	switch {
	case err != nil:
		return audit.Head{}, err
	case c.Number == 0:
		return audit.Head{}, store.ErrNotFound
	}
	return c.head(), nil
}

func (r *Reader) Undigested(after audit.Stream, limit int) ([]audit.Stream, error) {
	if r.ended {
		return nil, errEnded
	}
	return r.from.Undigested(after, max(0, limit))
}

func (r *Reader) DigestedHead(s audit.Stream, upTo uint64) (audit.Head, error) {
	if r.ended {
		return audit.Head{}, errEnded
	}
	return r.from.DigestedHead(s, upTo)
}

func (r *Reader) LastDigest() (store.Digest, error) {
	if r.ended {
		return store.Digest{}, errEnded
	}
	return r.from.LastDigest()
}

func (r *Reader) Digests(after uint64, limit int) ([]store.Digest, error) {
	if r.ended {
		return nil, errEnded
	}
	return r.from.Digests(after, max(0, limit))
}

func (r *Reader) DigestChanges(number uint64, after audit.Stream, limit int) ([]audit.Head, error) {
	if r.ended {
		return nil, errEnded
	}
	return r.from.DigestChanges(number, after, max(0, limit))
}

// InsertDigest writes the digest, its changes and the shorter list in the
// caller's transaction: a crash leaves all of it or nothing (I-16).
func (t *Tx) InsertDigest(d store.Digest, changes []audit.Head) error {
	if t.ended {
		return errEnded
	}
	err := t.to.InsertDigest(d, changes)
	t.wrote = t.wrote || err == nil
	if err != nil && !errors.Is(err, store.ErrDecided) {
		t.wrote = true // a part of it may have been written
	}
	return err
}

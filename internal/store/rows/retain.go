package rows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// The keys of the rows of table sweeps.
const (
	sweepKey       = "requests"
	handleSweepKey = "handles"
)

func archiveKey(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

// lastChange is when a request last changed.
func lastChange(q *store.Request) time.Time {
	return slices.MaxFunc([]time.Time{q.At, q.DecidedAt, q.RedeemedAt, q.ResetAt}, time.Time.Compare)
}

func (r *Reader) WalkRequests(after []byte, before time.Time, limit int) (w store.Walked, err error) {
	if r.ended {
		return w, errEnded
	}
	limit = max(0, limit)
	if after == nil {
		after = []byte{} // no key is empty
	}
	found, err := r.from.List(&r.codec.requests.Table, Query{After: after, Limit: limit})
	if err != nil {
		return w, err
	}
	w.Rows = len(found)
	for _, row := range found {
		w.Next = bytes.Clone(row.Key)
		q, err := open[store.Request](r.codec, &r.codec.requests.Table, row)
		switch {
		case errors.Is(err, store.ErrSeal):
			continue
		case err != nil:
			return w, err
		}
		if at := lastChange(&q); at.Before(before) {
			w.Old = append(w.Old, store.RequestKey{Channel: q.Channel, BusinessNo: q.BusinessNo})
		} else if w.Oldest.IsZero() || at.Before(w.Oldest) {
			w.Oldest = at
		}
	}
	if len(found) < limit {
		w.Next = nil
	}
	return w, nil
}

func (r *Reader) Sweep() (store.Sweep, error) { return r.sweep(sweepKey) }

func (r *Reader) sweep(key string) (store.Sweep, error) {
	s, _, err := get(r, &r.codec.sweeps, []byte(key))
	if errors.Is(err, store.ErrNotFound) {
		return store.Sweep{}, nil
	}
	return s, err
}

func (r *Reader) EndedCeremonies(from, at time.Time, limit int) ([]store.Ceremony, error) {
	q := before("ended", at)
	if !from.IsZero() {
		q.From = from.UnixMilli()
	}
	q.Limit = max(0, limit)
	return queue(r, &r.codec.ceremonies, q)
}

func (r *Reader) Archives(after uint64, limit int) ([]store.Archive, error) {
	return list(r, &r.codec.archives, Query{After: archiveKey(after), Limit: max(0, limit)})
}

func (r *Reader) LastArchive() (store.Archive, error) {
	return first(r, &r.codec.archives, Query{Desc: true, From: archiveKey(1)})
}

func (r *Reader) Cuts(after audit.Stream, limit int) ([]audit.Head, error) {
	if r.ended {
		return nil, errEnded
	}
	return r.from.Cuts(after, max(0, limit))
}

// DeleteRequest reads the row once more, in the transaction that deletes it: the
// age stands under the seal. A crash before the commit leaves the request, and
// the next round finds it again.
func (t *Tx) DeleteRequest(q store.RequestKey) error {
	key := requestKey(q.Channel, q.BusinessNo)
	home, err := t.homeOf(q.Channel, q.BusinessNo)
	if err != nil {
		return err
	}
	if _, _, err := getAt(&t.Reader, &t.codec.requests, home, key); err != nil {
		return err
	}
	if err := t.deleteOneAt(&t.codec.requests.Table, home, key); err != nil {
		return err
	}
	return t.freeNumber(q.Channel, q.BusinessNo)
}

// SaveSweep may be lost or put back: the walk then reads some rows twice, or
// begins its round again.
func (t *Tx) SaveSweep(s store.Sweep) error { return t.saveSweep(sweepKey, s) }

func (t *Tx) saveSweep(of string, s store.Sweep) error {
	wrote := t.wrote
	k, key := &t.codec.sweeps, []byte(of)
	_, rev, err := get(&t.Reader, k, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = insert(t, k, key, &s, 1)
	case err == nil:
		err = update(t, k, key, &s, rev)
	}
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

// InsertArchive comes after the file was written and read back. A crash before
// the commit leaves a file that the next act takes up (I-16).
func (t *Tx) InsertArchive(a store.Archive) error {
	last, err := t.LastArchive()
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if a.Number != last.Number+1 || a.Digest <= last.Digest {
		return store.ErrNotArchived
	}
	there, err := t.Digests(a.Digest-1, 1)
	if err != nil {
		return err
	}
	if len(there) == 0 || there[0].Number != a.Digest {
		return store.ErrNotArchived
	}
	a.LeavesAt, a.LeftAt = time.Time{}, time.Time{}
	return insert(t, &t.codec.archives, archiveKey(a.Number), &a, 1)
}

// UpdateArchive lets archives leave one after the other, each once.
func (t *Tx) UpdateArchive(a store.Archive) error {
	k, key := &t.codec.archives, archiveKey(a.Number)
	there, rev, err := get(&t.Reader, k, key)
	if err != nil {
		return err
	}
	if a.Number > 1 {
		before, _, err := get(&t.Reader, k, archiveKey(a.Number-1))
		if err != nil {
			return err
		}
		if before.LeftAt.IsZero() {
			return store.ErrNotArchived
		}
	}
	if !there.LeftAt.IsZero() || a.LeavesAt.IsZero() || !there.LeavesAt.IsZero() && !a.LeavesAt.Equal(there.LeavesAt) {
		return store.ErrNotArchived
	}
	there.LeavesAt, there.LeftAt = a.LeavesAt, a.LeftAt
	return update(t, k, key, &there, rev)
}

// DropArchived never passes the digest of the archive that is leaving. A crash
// before the commit leaves all rows of the step, one after it none: the next
// step goes on, for what is the oldest is read anew (I-16).
func (t *Tx) DropArchived(limit int) (int, bool, error) {
	if t.ended {
		return 0, false, errEnded
	}
	var after uint64
	for {
		some, err := t.Archives(after, 100)
		if err != nil {
			return 0, false, err
		}
		for _, a := range some {
			if a.LeavesAt.IsZero() {
				return 0, true, nil
			}
			if a.LeftAt.IsZero() {
				n, done, err := t.to.DropDigested(a.Digest, max(0, limit))
				t.kept = t.kept || n > 0 || err != nil // of an error, a part may have been written
				return n, done, err
			}
			after = a.Number
		}
		if len(some) == 0 {
			return 0, true, nil
		}
	}
}

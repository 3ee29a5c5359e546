package record

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/upkeep"
)

const (
	// Kept is how long the database keeps the record by default, and KeptLeast the
	// shortest time that may be configured.
	Kept      = 3 * 365 * 24 * time.Hour
	KeptLeast = 183 * 24 * time.Hour

	// leaveEvery is the pause between two steps, and leaveRows how many rows a step
	// deletes.
	leaveEvery = time.Second
	leaveRows  = 500
)

// Retain deletes archived entries from the database once they were kept long enough,
// until ctx ends: one step a second, so that it does not disturb other work.
func (d *Digester) Retain(ctx context.Context) {
	upkeep.Every(ctx, leaveEvery, d.c.Logger, "archived entries not dropped", d.RetainStep)
}

// RetainStep is one step of Retain, for tests that move the clock. It does not wait:
// while the record is being exported, nothing is deleted.
func (d *Digester) RetainStep(ctx context.Context) error {
	if !d.leaving.TryLock() {
		return nil
	}
	defer d.leaving.Unlock()
	var a store.Archive
	due := false
	err := d.c.Store.View(ctx, func(r store.Reader) (err error) {
		if a, err = nextToLeave(r); err != nil || a.Number == 0 {
			return err
		}
		at, err := digestTime(r, a.Digest)
		due = d.c.Now().Sub(at) >= d.c.Keep
		return err
	})
	if err != nil || a.Number == 0 || a.LeavesAt.IsZero() && !due {
		return err
	}
	now := d.c.Now().UTC()
	if a.LeavesAt.IsZero() {
		a.LeavesAt = now
		return d.dropped(ctx, a, "begun")
	}
	done := false
	err = d.c.Store.Update(ctx, func(tx store.Tx) (_ audit.Entry, err error) {
		_, done, err = tx.DropArchived(leaveRows)
		return audit.Entry{}, err
	})
	if err != nil || !done {
		return err
	}
	a.LeftAt = now
	return d.dropped(ctx, a, "ok")
}

// dropped records that an archive's entries are leaving, or have left, the database. A
// crash before the commit leaves the step to the next start (I-16).
func (d *Digester) dropped(ctx context.Context, a store.Archive, outcome string) error {
	return d.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		e := d.entry(audit.RecordDropped, outcome)
		e.Note = fmt.Sprintf("archive=%d digest=%d", a.Number, a.Digest)
		return e, tx.UpdateArchive(a)
	})
}

// nextToLeave returns the first archive whose entries have not left the database; zero:
// there is none.
func nextToLeave(r store.Reader) (next store.Archive, err error) {
	err = archives(r, func(a store.Archive) bool {
		if a.LeftAt.IsZero() {
			next = a
		}
		return next.Number == 0
	})
	return next, err
}

// anchor returns the archive after which the record in the database begins, or zero.
func anchor(r store.Reader) (last store.Archive, err error) {
	err = archives(r, func(a store.Archive) bool {
		if a.LeavesAt.IsZero() {
			return false
		}
		last = a
		return true
	})
	return last, err
}

// archives calls visit for the archives in their order, until visit returns false.
func archives(r store.Reader, visit func(store.Archive) bool) error {
	var after uint64
	for {
		list, err := r.Archives(after, page)
		if err != nil {
			return err
		}
		for _, a := range list {
			if !visit(a) {
				return nil
			}
			after = a.Number
		}
		if len(list) < page {
			return nil
		}
	}
}

// cuts calls visit for the cut of every stream at the end of an archive, in their
// order. While the archive is leaving, some stand in the digests still.
func cuts(view func(func(store.Reader) error) error, upTo uint64, visit func(audit.Head) error) error {
	listed := map[audit.Stream]audit.Head{}
	err := view(func(r store.Reader) error {
		first, err := r.Digests(0, 1)
		if err != nil || len(first) == 0 {
			return err
		}
		for n := first[0].Number; n <= upTo; n++ {
			if err := changes(r, n, func(h audit.Head) error { listed[h.Stream] = h; return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	waiting := slices.SortedFunc(maps.Keys(listed), audit.Stream.Compare)
	some := func(upTo audit.Stream) error { // of the waiting cuts, the ones before this stream
		for len(waiting) > 0 && (upTo.IsZero() || waiting[0].Compare(upTo) < 0) {
			if err := visit(listed[waiting[0]]); err != nil {
				return err
			}
			waiting = waiting[1:]
		}
		return nil
	}
	for after := (audit.Stream{}); ; {
		var heads []audit.Head
		err := view(func(r store.Reader) (err error) {
			heads, err = r.Cuts(after, page)
			return err
		})
		if err != nil {
			return err
		}
		for _, h := range heads {
			after = h.Stream
			err := some(h.Stream)
			if _, there := listed[h.Stream]; err == nil && !there {
				err = visit(h)
			}
			if err != nil {
				return err
			}
		}
		if len(heads) < page {
			return some(audit.Stream{})
		}
	}
}

// cutBefore reports whether the entry that another one follows may be in an archive,
// and whether the stream's cut shows that it is a different entry.
func cutBefore(r store.Reader, follows audit.Recorded) (archived, other bool, err error) {
	cut, err := r.DigestedHead(follows.After.Stream, 1)
	if errors.Is(err, store.ErrNotFound) {
		return false, false, nil
	}
	return cut.Number >= follows.After.Number, cut.Number == follows.After.Number && cut.Hash != follows.Previous, err
}

package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/upkeep"
)

const (
	// RequestsKept is the default for how long a request is kept.
	RequestsKept = 180 * 24 * time.Hour
	// RequestsKeptLeast is the shortest time that may be configured. While a request is
	// kept, its channel may ask for it by business number, and the number names this
	// request and no other (I-11).
	RequestsKeptLeast = 30 * 24 * time.Hour

	// retainEvery is the pause between two steps of the walk through requests.
	retainEvery = time.Second
	// walkPage is how many requests a step reads. While fewer come in a second than a
	// step reads, the walk keeps up: a request stays for the configured time and at most
	// one round more.
	walkPage = 500
	// dropPage is how many requests one transaction deletes. It holds the writer for
	// some milliseconds, like a large import.
	dropPage = 100
)

// Retain deletes requests that were kept long enough, until ctx ends. It walks through
// all of them in the order of their keys, a step a second. A request's age is under its
// row's seal, so there is no index by age, which saves space.
func (a *Authority) Retain(ctx context.Context) {
	a.walk.forget()
	upkeep.Every(ctx, retainEvery, a.log, "old requests not dropped", a.RetainStep)
}

// RetainStep is one step of Retain, for tests that move the clock. A crash in it leaves
// the position that was saved last: the rows after it are read once more.
func (a *Authority) RetainStep(ctx context.Context) error {
	if err := a.timely(); err != nil {
		return err // nothing is forgotten by a clock that is not trusted
	}
	a.walk.mu.Lock()
	defer a.walk.mu.Unlock()
	now := a.Now()
	before := now.Add(-a.keepRequests)
	sw, err := a.walk.position(ctx)
	if err != nil {
		return err
	}
	if sw.BegunAt.IsZero() {
		sw.BegunAt = now
	}
	var w store.Walked
	err = a.store.View(ctx, func(r store.Reader) (err error) {
		w, err = r.WalkRequests(sw.After, before, walkPage)
		return err
	})
	if err != nil {
		return fmt.Errorf("walk through requests: %w", err)
	}
	for old := w.Old; len(old) > 0; {
		page := old[:min(len(old), dropPage)]
		old = old[len(page):]
		if err := a.dropRequests(ctx, page, before); err != nil {
			return err
		}
	}
	if !w.Oldest.IsZero() && (sw.Oldest.IsZero() || w.Oldest.Before(sw.Oldest)) {
		sw.Oldest = w.Oldest
	}
	sw.Kept += uint64(w.Rows - len(w.Old))
	if sw.After = w.Next; w.Next == nil {
		sw = store.Sweep{EndedAt: now, LastOldest: sw.Oldest, LastKept: sw.Kept}
	}
	if w.Next == nil {
		if err := a.pruneNumbers(ctx, before); err != nil {
			return err
		}
	}
	return a.walk.move(ctx, sw, now, len(w.Old) > 0 || w.Next == nil)
}

// dropRequests deletes the requests of a page that nothing needs any more.
func (a *Authority) dropRequests(ctx context.Context, page []store.RequestKey, before time.Time) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		n := 0
		for _, k := range page {
			row, err := tx.Request(k.Channel, k.BusinessNo)
			if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrSeal) {
				continue // altered since it was read: it stays, and its alarm is raised
			}
			if err != nil {
				return audit.Entry{}, err
			}
			needed, err := requestNeeded(tx, row, before)
			if err != nil {
				return audit.Entry{}, err
			}
			if needed {
				continue
			}
			if err := tx.DeleteRequest(k); err != nil {
				return audit.Entry{}, err
			}
			n++
		}
		if n == 0 {
			return audit.Entry{}, nil
		}
		e := a.Entry("system", audit.RowsPruned, liuma.CardID{}, "", "ok")
		e.Note = fmt.Sprintf("requests=%d", n)
		return e, nil
	})
}

// pruneNumbers drops claims of business numbers for which no request was ever stored, at
// the end of a round. A crash before the commit leaves them to the next round.
func (a *Authority) pruneNumbers(ctx context.Context, before time.Time) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		n, err := tx.PruneNumbers(before, 10*dropPage)
		if err != nil || n == 0 {
			return audit.Entry{}, err
		}
		e := a.Entry("system", audit.RowsPruned, liuma.CardID{}, "", "ok")
		e.Note = fmt.Sprintf("numbers=%d", n)
		return e, nil
	})
}

// requestNeeded reports whether a request must stay: it changed since it was read, or it
// belongs to an open ceremony or to a card whose PIN is being set. An open intent must
// find its request however long its keepers are away (I-7).
func requestNeeded(r store.Reader, row store.Request, before time.Time) (bool, error) {
	for _, at := range []time.Time{row.At, row.DecidedAt, row.RedeemedAt, row.ResetAt} {
		if !at.Before(before) {
			return true, nil
		}
	}
	if !row.Card.IsZero() {
		if _, err := r.Intent(row.Card); !errors.Is(err, store.ErrNotFound) {
			return err == nil, err
		}
	}
	if row.Ceremony == "" {
		return false, nil
	}
	c, err := r.Ceremony(row.Ceremony)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && c.Ended.IsZero(), err
}

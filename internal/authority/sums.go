package authority

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/guard"
	"github.com/liuma-pin/liuma/internal/store"
)

// Some counts would cost too much if each request wrote them to the database: guesses by
// value (package guard), and wrong codes by source. Each process counts them in memory,
// saves its counts as sums, and reads the sums of the others: of running processes, and of
// ended ones while their epoch still counts. So several authorities together see what one
// would have seen; saving takes up to SumsEvery, and reading as much again. After a restart
// the large counts go on.
//
// Rows are sealed (I-13), so an attacker who can write to the database cannot make up
// counts. Removing a row or putting an earlier one back does not lower the counts of
// processes that have read it, because counts in memory only rise. Its own process, and
// every other that had read it, raises an alarm (SumsAltered).

// SumsEvery is how often a process saves its sums, if they have changed, and reads the
// others' sums.
const SumsEvery = 2 * time.Second

// sumsGrace is how long sums are kept after their epoch is over, so that a process whose
// clock is a little behind does not miss them.
const sumsGrace = time.Hour

// SumsAltered is the alarm that a sum was removed or put back.
const SumsAltered guard.Kind = "sums_altered"

// sumID names the row of a sum.
type sumID struct {
	kind  string
	epoch int64
	from  [16]byte
}

func idOf(s store.Sum) sumID { return sumID{s.Kind, s.Epoch, s.From} }

// counting is one thing that is counted in memory and added up over processes.
type counting interface {
	// sums returns the sums that others should know since the last call; all: every sum.
	sums(all bool) ([]store.Sum, error)
	// kinds returns the kinds of sums that it makes and takes, with the first epoch that
	// counts.
	kinds() (map[string]int64, error)
	// add takes a sum of another process. A sum that comes twice counts once.
	add(store.Sum) error
}

// sharing is the knowledge of an Authority about the rows of sums.
type sharing struct {
	mu      sync.Mutex // held while sums are saved and read
	of      []counting
	from    [16]byte
	own     map[sumID]uint64 // revisions that this process wrote last; guarded by mu
	seen    map[sumID]uint64 // revisions of others' rows that were read; guarded by mu
	refused map[sumID]uint64 // revisions that add refused and that an alarm has told of; guarded by mu
	unsaved bool             // the last save failed, though the database may have kept it; guarded by mu
}

func newSharing(from [16]byte, of ...counting) *sharing {
	return &sharing{of: of, from: from, own: map[sumID]uint64{}, seen: map[sumID]uint64{}, refused: map[sumID]uint64{}}
}

// shareOften shares sums until ctx ends, and once more at the end.
func (a *Authority) shareOften(ctx context.Context) {
	t := time.NewTicker(SumsEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTime)
			defer cancel()
			if err := a.saveSums(last); err != nil {
				a.log.WarnContext(ctx, "the last sums were not saved", "err", err)
			}
			return
		case <-t.C:
		}
		if err := a.ShareSums(ctx); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "sums of other authorities are not added up now", "err", err)
		}
	}
}

// ShareSums saves the counts of this process, and adds up the others' counts. Maintain
// calls it every SumsEvery. Until it is called, or while it fails, the process uses its own
// counts and the sums that it read before.
func (a *Authority) ShareSums(ctx context.Context) error {
	return errors.Join(a.saveSums(ctx), a.readSums(ctx))
}

// saveSums saves the sums that have changed. A crash before the commit loses the counts of
// the last SumsEvery.
func (a *Authority) saveSums(ctx context.Context) error {
	s := a.sharing
	s.mu.Lock()
	defer s.mu.Unlock()
	var news []store.Sum
	for _, c := range s.of {
		some, err := c.sums(s.unsaved)
		if err != nil {
			s.unsaved = true
			return fmt.Errorf("authority: sums: %w", err)
		}
		news = append(news, some...)
	}
	if len(news) == 0 {
		return nil
	}
	altered := 0
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		altered = 0
		for i := range news {
			news[i].From = s.from
			news[i].Rev = s.own[idOf(news[i])]
			wrong, err := putSum(tx, &news[i])
			if err != nil {
				return audit.Entry{}, err
			}
			if wrong {
				altered++
			}
		}
		return audit.Entry{}, nil // it only says how often something came
	})
	if err != nil {
		s.unsaved = true
		return fmt.Errorf("authority: save sums: %w", err)
	}
	for _, n := range news {
		s.own[idOf(n)] = n.Rev + 1
	}
	if !s.unsaved { // otherwise an earlier save may have been kept after all
		a.tellAltered(altered)
	}
	s.unsaved = false
	return nil
}

// putSum writes a sum of this process over the present row, and reports whether that row
// was not the one that the process wrote last. It sets the revision that was there.
func putSum(tx store.Tx, n *store.Sum) (altered bool, err error) {
	err = tx.PutSum(*n)
	if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
		return false, err
	}
	there, err := tx.Sums(n.Kind, n.Epoch)
	if err != nil {
		return true, err
	}
	n.Rev = 0
	for _, x := range there {
		if idOf(x) == idOf(*n) {
			n.Rev = x.Rev
		}
	}
	return true, tx.PutSum(*n)
}

// readSums adds up the sums of other processes.
func (a *Authority) readSums(ctx context.Context) error {
	s := a.sharing
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, c := range s.of {
		kinds, err := c.kinds()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for kind, since := range kinds {
			var there []store.Sum
			err := a.store.View(ctx, func(r store.Reader) (err error) {
				there, err = r.Sums(kind, since)
				return err
			})
			if err != nil {
				errs = append(errs, fmt.Errorf("authority: read sums: %w", err))
				continue
			}
			a.addSums(c, kind, since, there)
		}
	}
	return errors.Join(errs...)
}

// addSums adds the sums that are new, and drops those that are over. The caller holds mu.
func (a *Authority) addSums(c counting, kind string, since int64, there []store.Sum) {
	s := a.sharing
	found, altered := map[sumID]bool{}, 0
	for _, x := range there {
		id := idOf(x)
		found[id] = true
		switch seen := s.seen[id]; {
		case x.From == s.from || x.Rev == seen:
			continue
		case x.Rev < seen:
			altered++
			s.seen[id] = x.Rev // so that the alarm comes once; the counts read before still count
			continue
		}
		if err := c.add(x); err != nil {
			if s.refused[id] != x.Rev {
				a.log.Warn("a sum of another authority was not taken", "kind", x.Kind, "err", err)
			}
			s.refused[id] = x.Rev
			continue // its clock may be ahead of ours: it is tried again
		}
		s.seen[id] = x.Rev
		delete(s.refused, id)
	}
	for _, known := range []map[sumID]uint64{s.seen, s.refused, s.own} {
		for id := range known {
			if id.kind == kind && id.epoch < since {
				delete(known, id)
			}
		}
	}
	for id := range s.seen {
		if id.kind == kind && !found[id] {
			altered++
			delete(s.seen, id)
		}
	}
	a.tellAltered(altered)
}

// tellAltered raises the alarm about sums that were removed or put back.
func (a *Authority) tellAltered(n int) {
	if n > 0 {
		a.sprays.raise(guard.Alarm{Kind: SumsAltered, At: a.Now(), Guesses: uint64(n)})
	}
}

// valuesCounted are guesses by value, which the guard counts.
type valuesCounted struct{ g *guard.Guard }

const sumOfValues = "values:" // and the span

func (v valuesCounted) sums(all bool) ([]store.Sum, error) {
	found, err := v.g.Sums(all)
	var out []store.Sum
	for _, s := range found {
		out = append(out, store.Sum{Kind: sumOfValues + string(s.Span), Epoch: s.Epoch, Until: s.Until, Body: s.Bytes})
	}
	return out, err
}

func (v valuesCounted) kinds() (map[string]int64, error) {
	short, long, err := v.g.Since()
	return map[string]int64{sumOfValues + string(guard.Short): short, sumOfValues + string(guard.Long): long}, err
}

func (v valuesCounted) add(s store.Sum) error { return v.g.Merge(s.Body) }

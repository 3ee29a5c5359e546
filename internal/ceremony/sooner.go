package ceremony

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// A region may let ceremonies be deleted sooner than the configuration does. Ended ceremonies
// are indexed by the time of their end, not by region, so they are found by a walk over all
// that ended since. Each round makes some steps, and at the end the walk starts again from
// the oldest. So a ceremony may stay up to one whole walk longer than its region says, but
// never longer than the configuration says.

// walked is the position of the walk; owned by Maintain.
type walked struct{ from time.Time }

// regionsKeep is the shortest time for which any region keeps ceremonies; the configured
// one if none keeps them shorter.
func (s *Ceremonies) regionsKeep() time.Duration {
	regions := []liuma.Region{""}
	if l, ok := s.policy.(interface{ Regions() []liuma.Region }); ok {
		regions = append(regions, l.Regions()...)
	}
	keep := s.keep
	for _, r := range regions {
		keep = min(keep, s.keepIn(r))
	}
	return keep
}

// keepIn is how long ceremonies of a region are kept.
func (s *Ceremonies) keepIn(r liuma.Region) time.Duration {
	if keep := s.policy.For(r, "").Retention.Ceremonies; keep > 0 {
		return min(keep, s.keep)
	}
	return s.keep
}

// pruneSooner makes the steps of one round.
func (s *Ceremonies) pruneSooner(ctx context.Context) error {
	keep := s.regionsKeep()
	if keep >= s.keep {
		return nil
	}
	for range pruneSteps {
		more, err := s.pruneStep(ctx, s.now().Add(-keep))
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// pruneStep deletes the ceremonies of one page that their region no longer keeps. A crash
// leaves all of a step or none of it, and the walk starts anew.
func (s *Ceremonies) pruneStep(ctx context.Context, before time.Time) (more bool, err error) {
	var due []store.Ceremony
	var page int
	next := time.Time{}
	err = s.store.View(ctx, func(r store.Reader) error {
		ended, err := r.EndedCeremonies(s.walked.from, before, prunePage)
		due, page = nil, len(ended)
		for _, c := range ended {
			keep, kerr := s.keepOf(r, c)
			if err = errors.Join(err, kerr); kerr == nil && s.now().Sub(c.Ended) > keep {
				due = append(due, c)
			}
			next = c.Ended
		}
		return err
	})
	if err != nil {
		return false, err
	}
	if more = page == prunePage; !more {
		next = time.Time{}
	} else if !next.After(s.walked.from) {
		next = next.Add(time.Millisecond) // more ended at once than a page has
	}
	s.walked.from = next
	if len(due) == 0 {
		return more, nil
	}
	return more, s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		there := due[:0:0]
		for _, c := range due {
			switch now, err := tx.Ceremony(c.ID); {
			case errors.Is(err, store.ErrNotFound):
			case err != nil:
				return audit.Entry{}, err
			default:
				there = append(there, now)
			}
		}
		_, e, err := s.forget(tx, there)
		return e, err
	})
}

// keepOf is how long a ceremony is kept, by the region of its card or, if it has no card, of
// its push.
func (s *Ceremonies) keepOf(r store.Reader, c store.Ceremony) (time.Duration, error) {
	region := s.engine.RegionOf(c.Channel, c.Region)
	if !c.Card.IsZero() {
		switch card, err := r.Card(c.Card); {
		case err == nil:
			region = card.Region
		case !errors.Is(err, store.ErrNotFound):
			return 0, err
		}
	}
	return s.keepIn(region), nil
}

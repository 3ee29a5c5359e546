package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
)

// ErrNoTime means that a database which holds a record has lost its own time.
// Starting again from the wall clock would end every wait and lock, so the
// database is refused.
var ErrNoTime = errors.New("server: the database has lost its time; put back a backup")

// openClock continues the time that the database keeps, or starts it in a new
// database. A crash before a new database has its time leaves the database
// empty, and the next call starts its time.
func openClock(ctx context.Context, db store.Store, m clock.Machine) (*clock.Clock, error) {
	var kept clock.State
	err := db.View(ctx, func(r store.Reader) (err error) {
		kept, err = r.Clock()
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		streams, err := r.Streams(audit.Stream{}, 1)
		if err == nil && len(streams) > 0 {
			err = ErrNoTime
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the clock: %w", err)
	}
	c := clock.Resume(m, kept)
	if kept != (clock.State{}) {
		return c, nil
	}
	err = db.Update(ctx, func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, tx.SaveClock(c.State()) })
	return c, err
}

// timely is a store that refuses all work while the wall clock is more than a
// minute behind the time that the database keeps. Every door and every act needs
// the store, so none of them has to check the clock itself. Administration uses
// the store behind this one.
type timely struct {
	store.Store
	clock *clock.Clock
	// standing returns why the policy that runs here may not decide anything, or nil if
	// it may.
	standing func() error
	logger   *slog.Logger
	behind   atomic.Bool // the log and the record already say that the clock is behind
}

func (t *timely) View(ctx context.Context, f func(store.Reader) error) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	return t.Store.View(ctx, f)
}

func (t *timely) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	if err := t.check(ctx); err != nil {
		return err
	}
	return t.Store.Update(ctx, f)
}

// check refuses while the clock is behind, and says so once in the log and in
// the record. If the disk has no room for the entry, the entry is lost, but
// requests are refused all the same.
func (t *timely) check(ctx context.Context) error {
	now := t.clock.Read()
	err := now.Check()
	if err == nil {
		t.behind.Store(false)
		if t.standing == nil {
			return nil
		}
		if err := t.standing(); err != nil {
			return liuma.Fail(liuma.CodeUnavailable, err)
		}
		return nil
	}
	if !t.behind.Swap(true) {
		by := now.High.Sub(now.Wall).Truncate(time.Second)
		t.logger.ErrorContext(ctx, "clock behind: nothing is served until it is right", "by", by)
		if e := t.Store.Update(context.WithoutCancel(ctx), func(store.Tx) (audit.Entry, error) {
			return audit.Entry{At: now.High, Actor: "system", Event: audit.ClockBehind, Outcome: "refused", Note: "by=" + by.String()}, nil
		}); e != nil {
			t.logger.ErrorContext(ctx, "clock behind: not recorded", "err", e)
		}
	}
	return &liuma.Error{Code: liuma.CodeUnavailable, Reason: authority.ReasonClock, Cause: err}
}

// nodes returns the keepers inside this process, without those that are gone.
func (s *System) nodes() []*keeper.Node {
	if s.seats == nil {
		return nil
	}
	return s.seats.Nodes()
}

// Times returns the clock readings of each embedded keeper that is not gone, by
// the keeper's id.
func (s *System) Times() map[string]clock.Times {
	out := map[string]clock.Times{}
	for _, n := range s.nodes() {
		out[string(n.ID())] = n.Times()
	}
	return out
}

// AcceptTime moves the time of every embedded keeper up to the wall clock. If
// one keeper fails it goes on with the others. It may be repeated: a keeper
// whose time is already there is no error.
func (s *System) AcceptTime(ctx context.Context) error {
	var errs []error
	for _, n := range s.nodes() {
		if err := n.AcceptTime(ctx); err != nil && !errors.Is(err, clock.ErrNotAhead) {
			errs = append(errs, fmt.Errorf("keeper %s: %w", n.ID(), err))
		}
	}
	return errors.Join(errs...)
}

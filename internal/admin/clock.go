package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/store"
)

// ClockState holds the times of an authority and its keepers.
type ClockState struct {
	Wall time.Time `json:"wall"` // the machine's clock
	High time.Time `json:"high"` // the time that the database goes by
	// Behind says that the machine's clock is more than a minute behind High, so
	// that nothing is served.
	Behind  bool          `json:"behind"`
	Keepers []KeeperClock `json:"keepers"` // embedded ones, while the server runs
}

// KeeperClock is the time of one embedded keeper.
type KeeperClock struct {
	ID   string    `json:"id"`
	High time.Time `json:"high"`
}

// Lag is how far the furthest of the times is behind the machine's clock.
func (s ClockState) Lag() time.Duration {
	lag := s.Wall.Sub(s.High)
	for _, k := range s.Keepers {
		lag = max(lag, s.Wall.Sub(k.High))
	}
	return max(0, lag)
}

// Keepers are the embedded keepers of a serving process; *server.System
// implements it.
type Keepers interface {
	// Times returns the times of each keeper, by its id.
	Times() map[string]clock.Times
	// AcceptTime moves their time up to the machine's clock.
	AcceptTime(context.Context) error
}

// Clock returns the times.
func (a *Admin) Clock(context.Context) (ClockState, error) {
	now := a.c.Clock.Read()
	s := ClockState{Wall: now.Wall, High: now.High, Behind: now.Check() != nil, Keepers: []KeeperClock{}}
	if server := a.c.Server; server != nil {
		for id, t := range server.Keepers.Times() {
			s.Keepers = append(s.Keepers, KeeperClock{ID: id, High: t.High})
			s.Behind = s.Behind || t.Check() != nil
		}
	}
	slices.SortFunc(s.Keepers, func(x, y KeeperClock) int { return strings.Compare(x.ID, y.ID) })
	return s, nil
}

// AcceptClock moves the time of the database and of the embedded keepers up to the
// machine's clock, and records the member and the reason. Everything that waits then
// goes on as if the time in between had passed.
//
// The record and the database come first, in one transaction. A crash after it leaves
// keepers whose time is behind: their locks end later, and the act can be repeated.
func (a *Admin) AcceptClock(ctx context.Context, reason audit.Reason) (ClockState, error) {
	reason, err := a.withReason(reason)
	if err != nil {
		return ClockState{}, err
	}
	before, err := a.Clock(ctx)
	if err != nil {
		return ClockState{}, err
	}
	if before.Behind {
		return ClockState{}, clock.ErrBehind
	}
	if before.Lag() == 0 {
		return ClockState{}, clock.ErrNotAhead
	}
	next, err := a.c.Clock.Accept()
	if errors.Is(err, clock.ErrNotAhead) {
		next, err = a.c.Clock.State(), nil // only a keeper's time is behind
	}
	if err != nil {
		return ClockState{}, err
	}
	by := before.Lag().Truncate(time.Millisecond)
	err = a.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: before.High, Actor: ActorOf(ctx), Event: audit.ClockAccepted, Outcome: "ok",
			Note: reason.Note(fmt.Sprintf("by=%s", by))}, tx.SaveClock(next)
	})
	if err != nil {
		return ClockState{}, err
	}
	a.c.Clock.Adopt(next)
	a.c.Logger.ErrorContext(ctx, "an operator moved the time up to the machine's clock", "by", by, "reason", reason)
	if err := a.c.Server.Keepers.AcceptTime(ctx); err != nil {
		return ClockState{}, err
	}
	return a.Clock(ctx)
}

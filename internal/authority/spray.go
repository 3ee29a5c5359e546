package authority

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/guard"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Allow asks the guard whether a guess may be made. known says that it comes
// through the known lane or with evidence; such a guess is never refused. An act whose
// caller may not learn whether there is a card calls it before looking the card up; for
// other acts Attempt calls it. The pass is ended by Attempt or by Drop. CodeSlowDown:
// the PIN is being tried on many cards.
func (a *Authority) Allow(p pin.PIN, ch liuma.ChannelID, source string, known bool) (*guard.Pass, error) {
	lane := ledger.Stranger
	if known {
		lane = ledger.Known
	}
	pass, err := a.guard.Allow(p, guard.Guess{Channel: ch, Source: source, Lane: lane})
	switch {
	case errors.Is(err, guard.ErrSlowDown):
		return nil, liuma.Fail(liuma.CodeSlowDown, err)
	case err != nil:
		return nil, liuma.Fail(liuma.CodeUnavailable, err)
	}
	return pass, nil
}

// Spraying is a report to operators about guess spraying since the start.
type Spraying struct {
	Guesses uint64 // guesses that came to a verdict
	Wrong   uint64
	Slowed  uint64 // guesses that were told to slow down
	// Alarms are the last alarms of each kind. They name no address.
	Alarms []guard.Alarm
}

// Spraying returns the report about guess spraying.
func (a *Authority) Spraying() Spraying {
	s := a.guard.Stats()
	out := Spraying{Slowed: s.Slowed, Alarms: a.sprays.last()}
	for i := range out.Alarms {
		out.Alarms[i].At = a.ToWall(out.Alarms[i].At)
	}
	for lane := range s.Guesses {
		out.Guesses += s.Guesses[lane]
		out.Wrong += s.Wrong[lane]
	}
	return out
}

const (
	// spraysWaiting is how many alarms may wait for Maintain.
	spraysWaiting = 64
	// sprayEvery is the least time between two entries about one kind of alarm.
	sprayEvery = time.Minute
	// tickSprayTold marks that an alarm of a kind was recorded.
	tickSprayTold = "spray_told"
)

// sprays hands the guard's alarms to Maintain: they are raised in the middle of
// transactions, where nothing may wait or write.
type sprays struct {
	logger  *slog.Logger
	waiting chan guard.Alarm

	mu     sync.Mutex
	newest map[guard.Kind]guard.Alarm // guarded by mu

	recorded map[guard.Kind]time.Time // owned by Maintain
}

func newSprays(l *slog.Logger) *sprays {
	return &sprays{logger: l, waiting: make(chan guard.Alarm, spraysWaiting),
		newest: map[guard.Kind]guard.Alarm{}, recorded: map[guard.Kind]time.Time{}}
}

// raise takes an alarm of the guard and never waits. The address is personal
// data and is dropped here.
func (s *sprays) raise(al guard.Alarm) {
	al.Source = ""
	s.mu.Lock()
	s.newest[al.Kind] = al
	s.mu.Unlock()
	select {
	case s.waiting <- al:
	default:
		s.logger.Error("ALARM: guesses look like a spray; too many alarms wait to be recorded", "kind", al.Kind)
	}
}

func (s *sprays) last() []guard.Alarm {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.newest), func(x, y guard.Alarm) int { return strings.Compare(string(x.Kind), string(y.Kind)) })
}

// tellSpray logs an alarm and writes an audit entry, at most one a minute and kind among
// all authorities of the database. A crash before the commit loses the entry; the log
// has the alarm, and if the spray goes on the next alarm comes within a minute. It is
// written even when ctx has ended: the caller has taken the alarm from the queue, and
// nobody else would write it.
func (a *Authority) tellSpray(ctx context.Context, al guard.Alarm) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTime)
	defer cancel()
	a.log.ErrorContext(ctx, "ALARM: guesses look like a spray", "kind", al.Kind, "channel", al.Channel, "guesses", al.Guesses, "slowed", al.Slowed)
	if since := al.At.Sub(a.sprays.recorded[al.Kind]); since >= 0 && since < sprayEvery {
		return
	}
	told := al.At
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		told = al.At
		kind := tickSprayTold + ":" + string(al.Kind)
		lately, err := tx.Ticks(kind, vault.Index{}, al.At.Add(-sprayEvery))
		if n := len(lately); err != nil || n > 0 {
			if n > 0 {
				told = lately[n-1] // by another authority, or before a restart
			}
			return audit.Entry{}, err
		}
		e := a.Entry("system", audit.GuardAlarm, liuma.CardID{}, "", string(al.Kind))
		e.Note = fmt.Sprintf("channel=%s;guesses=%d;slowed=%d", al.Channel, al.Guesses, al.Slowed)
		return e, tx.InsertTick(store.Tick{Kind: kind, At: al.At})
	})
	if err != nil {
		a.log.ErrorContext(ctx, "the alarm about a spray was not recorded", "kind", al.Kind, "err", err)
		return
	}
	a.sprays.recorded[al.Kind] = told
}

// tellSprays writes the alarms that are waiting.
func (a *Authority) tellSprays(ctx context.Context) {
	for {
		select {
		case al := <-a.sprays.waiting:
			a.tellSpray(ctx, al)
		default:
			return
		}
	}
}

package authority

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	// tickRationTold marks that an alarm of a spent ration was written; key: as its
	// meter.
	tickRationTold = "ration_told"
	// rationTold is how long after such an alarm no other is written for the same
	// client and act, so that a flood fills neither the log nor the record.
	rationTold = time.Hour
)

// rationKey is one client's ration of one act.
type rationKey struct {
	client string
	act    Act
}

// rations is what an Authority knows about rations in memory: the clients that were
// refused, and the counts that are not saved yet. Each holds at most the number of
// registered clients times their acts.
type rations struct {
	wake chan struct{} // an alarm is waiting

	mu      sync.Mutex
	refused map[rationKey]*refusals // guarded by mu
	counts  map[rationKey]*count    // guarded by mu

	// telling is held while alarms are written, so that a caller who finds nothing to
	// write knows that everything is written. Taken before mu.
	telling sync.Mutex

	// saving is held while counts are read or saved, so that a count that is read is
	// not older than one that was saved. Taken before mu.
	saving sync.Mutex
}

// refusals counts the refusals of one client and act since the start.
type refusals struct {
	caller Caller
	n      uint64
	last   time.Time // time of the last refusal
	told   time.Time // time of the last alarm
	tell   bool      // an alarm is to be written
}

func newRations() *rations {
	return &rations{wake: make(chan struct{}, 1), refused: map[rationKey]*refusals{}, counts: map[rationKey]*count{}}
}

// raise counts a refusal and has Maintain write the alarm. It is called within
// transactions, which must not write anything else, and never waits. If a transaction
// is run again, its refusal counts twice.
func (r *rations) raise(c Caller, act Act, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := rationKey{c.Client.ID, act}
	x := r.refused[k]
	if x == nil {
		x = &refusals{}
		r.refused[k] = x
	}
	x.caller, x.last = c, now
	x.n++
	if !x.told.IsZero() && now.Sub(x.told) < rationTold {
		return
	}
	x.tell = true
	select {
	case r.wake <- struct{}{}:
	default: // Maintain is woken already
	}
}

// toTell takes the refusals whose alarms are to be written.
func (r *rations) toTell() map[rationKey]Caller {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[rationKey]Caller{}
	for k, x := range r.refused {
		if x.tell {
			all[k], x.tell = x.caller, false
		}
	}
	return all
}

// wasTold notes when an alarm was written, or that it is still to be written.
func (r *rations) wasTold(k rationKey, at time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.refused[k].tell = true // the next round writes it
		return
	}
	r.refused[k].told = at
}

// tellRations writes an error to the log and an audit entry for each client whose
// request a spent ration refused: at most one an hour and act, among all authorities
// of the database. A crash before the commit loses the entry; if the client goes on,
// its next refusal is written.
func (a *Authority) tellRations(ctx context.Context) error {
	a.rations.telling.Lock()
	defer a.rations.telling.Unlock()
	var errs []error
	for k, c := range a.rations.toTell() {
		now, most := a.Now(), a.rationOf(c, k.act)
		told, first := now, true
		_, key := a.meterOf(k.client, k.act)
		err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
			told, first = now, true
			lately, err := tx.Ticks(tickRationTold+":"+string(k.act), key, now.Add(-rationTold))
			if err != nil {
				return audit.Entry{}, err
			}
			if n := len(lately); n > 0 {
				told, first = lately[n-1], false // by another authority, or before a restart
				return audit.Entry{}, nil
			}
			e := a.Entry(c.Actor(), audit.RationSpent, liuma.CardID{}, "", string(k.act))
			e.Note = fmt.Sprintf("hour=%d;day=%d", most.Hour, most.Day)
			return e, tx.InsertTick(store.Tick{Kind: tickRationTold + ":" + string(k.act), Key: key, At: now})
		})
		if first {
			a.log.ErrorContext(ctx, "ALARM: a client has spent a ration: is its key in other hands?",
				"client", c.Actor(), "act", k.act, "hour", most.Hour, "day", most.Day)
		}
		a.rations.wasTold(k, told, err)
		if err != nil {
			errs = append(errs, fmt.Errorf("alarm about a spent ration not recorded: %w", err))
		}
	}
	return errors.Join(errs...)
}

// RationUse is how much of one ration one client has used.
type RationUse struct {
	Client    string
	Kind      store.ClientKind
	Act       Act
	Hour, Day uint64        // how often it was used within the last hour and the last 24
	Most      policy.Ration // the ration
	Refused   uint64        // about how often it was refused since the start of this process
	Last      time.Time     // the last of these refusals
	Told      time.Time     // the last alarm within the last 24 hours, also of another process
}

// High reports whether the client used more than half of its ration, or was
// refused lately.
func (u RationUse) High() bool {
	return u.Refused > 0 || !u.Told.IsZero() || 2*u.Hour > uint64(max(0, u.Most.Hour)) || 2*u.Day > uint64(max(0, u.Most.Day))
}

// RationUses lists the use of every ration by every registered client. Counts of the
// last second may be missing.
func (a *Authority) RationUses(ctx context.Context) ([]RationUse, error) {
	var all []RationUse
	now := a.Now()
	err := a.store.View(ctx, func(r store.Reader) error {
		all = nil
		clients, err := r.Clients()
		if err != nil {
			return err
		}
		for _, client := range clients {
			for _, x := range rationedActs() {
				if x.kind != client.Kind {
					continue
				}
				u, err := a.rationUse(r, Caller{Client: client}, x.Act, now)
				if err != nil {
					return err
				}
				all = append(all, u)
			}
		}
		return nil
	})
	slices.SortStableFunc(all, func(x, y RationUse) int { return strings.Compare(x.Client, y.Client) })
	return all, liuma.Outward(err)
}

func (a *Authority) rationUse(r store.Reader, c Caller, act Act, now time.Time) (RationUse, error) {
	u := RationUse{Client: c.Client.ID, Kind: c.Client.Kind, Act: act, Most: a.rationOf(c, act)}
	kind, key := a.meterOf(c.Client.ID, act)
	var err1, err2 error
	u.Hour, err1 = r.Metered(kind, key, now.Add(-time.Hour))
	u.Day, err2 = r.Metered(kind, key, now.Add(-day))
	told, err3 := r.Ticks(tickRationTold+":"+string(act), key, now.Add(-day))
	if n := len(told); n > 0 {
		u.Told = a.ToWall(told[n-1])
	}
	a.rations.mu.Lock()
	defer a.rations.mu.Unlock()
	if x := a.rations.refused[rationKey{c.Client.ID, act}]; x != nil {
		u.Refused, u.Last = x.n, a.ToWall(x.last)
	}
	return u, errors.Join(err1, err2, err3)
}

package store

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
)

// Alone implements Among for a database that one process works with at a time. It is in
// memory: nobody else asks. Safe for concurrent use.
type Alone struct {
	self Peer

	mu     sync.Mutex
	holds  map[HoldKey]aloneHold // guarded by mu
	duties map[Duty]time.Time    // guarded by mu: since when
}

type aloneHold struct {
	token [16]byte
	until time.Time // of the machine's boot clock, as time.Time carries it
}

var _ Among = (*Alone)(nil)

// NewAlone is for a process with a name of its own.
func NewAlone(process string) *Alone {
	now := time.Now()
	return &Alone{self: Peer{Process: process, Host: Host(), PID: os.Getpid(), Since: now.UTC(), Seen: now.UTC()},
		holds: map[HoldKey]aloneHold{}, duties: map[Duty]time.Time{}}
}

// Host is how this machine is called before people.
func Host() string {
	host, err := os.Hostname()
	if err != nil {
		return "?"
	}
	return host
}

// Self implements Among.
func (a *Alone) Self() Peer { return a.self }

// Peers implements Among.
func (a *Alone) Peers(ctx context.Context) ([]Peer, error) {
	self := a.self
	self.Seen = time.Now().UTC()
	return []Peer{self}, ctx.Err()
}

// Away implements Among: nobody else can have been here.
func (a *Alone) Away(ctx context.Context) ([]Peer, error) { return nil, ctx.Err() }

// Ended implements Among: every other process has.
func (a *Alone) Ended(process string) bool { return process != a.self.Process }

// Hold implements Among.
func (a *Alone) Hold(ctx context.Context, key HoldKey, d time.Duration) (Hold, error) {
	if err := ctx.Err(); err != nil {
		return Hold{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if there, ok := a.holds[key]; ok && !now.After(there.until) {
		return Hold{}, ErrHeld
	}
	h := NewHold(key)
	h.Here = true
	a.holds[key] = aloneHold{token: h.Token, until: now.Add(d)}
	return h, nil
}

// Release implements Among.
func (a *Alone) Release(_ context.Context, h Hold) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.holds[h.Key].token == h.Token {
		delete(a.holds, h.Key)
	}
	return nil
}

// Stand is ErrUnheld if another has taken one of the holds over.
func (a *Alone) Stand(all []Hold) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range all {
		if there, ok := a.holds[h.Key]; !ok || there.token != h.Token {
			return ErrUnheld
		}
	}
	return nil
}

// Kept is f for an Update with the context: it refuses where a hold does not stand.
func (a *Alone) Kept(ctx context.Context, f func(Tx) (audit.Entry, error)) func(Tx) (audit.Entry, error) {
	under := HoldsIn(ctx)
	if len(under) == 0 {
		return f
	}
	return func(tx Tx) (audit.Entry, error) {
		if err := a.Stand(under); err != nil {
			return audit.Entry{}, err
		}
		return f(tx)
	}
}

// TakeDuty implements Among.
func (a *Alone) TakeDuty(ctx context.Context, name Duty, _ time.Duration) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.duties[name]; !ok {
		a.duties[name] = time.Now().UTC()
	}
	return true, ctx.Err()
}

// DropDuty implements Among.
func (a *Alone) DropDuty(_ context.Context, name Duty) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.duties, name)
	return nil
}

// Duties implements Among.
func (a *Alone) Duties(ctx context.Context) ([]DutyState, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []DutyState
	for name, since := range a.duties {
		out = append(out, DutyState{Name: name, Process: a.self.Process, Since: since})
	}
	slices.SortFunc(out, func(x, y DutyState) int { return strings.Compare(string(x.Name), string(y.Name)) })
	return out, ctx.Err()
}

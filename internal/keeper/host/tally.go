package host

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// count names one number of a tally: the kind of event and, if the event has several,
// its subkind.
type count struct{ what, kind string }

// tally counts requests since the process began. Nothing in it is about a card.
type tally struct {
	mu sync.Mutex
	n  map[count]uint64 // guarded by mu
}

func (t *tally) add(what, kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[count]uint64{}
	}
	t.n[count{what, kind}]++
}

// read returns a copy of the numbers.
func (t *tally) read() map[count]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.n)
}

// states lists all states; the first means that all is well.
func states() []State {
	return []State{Serves, Gone, RolledBack, Repairing, Unrepaired, Poisoned, Full, ClockOff, ShareKeys, Faulty}
}

// State is a keeper's state. Its text is a code; the sentences are in the catalogue.
type State string

// The states.
const (
	Serves     State = "serves"
	Gone       State = "gone"        // its ledger or its keys are missing, or are another keeper's
	RolledBack State = "rolled_back" // its ledger is an older copy
	Repairing  State = "repairing"
	Unrepaired State = "unrepaired" // a repair was begun and did not end
	Poisoned   State = "poisoned"   // a disk error: restart
	Full       State = "full"       // no room on the disk
	ClockOff   State = "clock"
	ShareKeys  State = "share_keys" // the token with the share keys does not answer
	Faulty     State = "faulty"     // anything else
)

// stateOf returns the state of the keeper that an error of the node shows.
func stateOf(err error) State {
	switch {
	case err == nil:
		return Serves
	case errors.Is(err, ErrRepairing):
		return Repairing
	case errors.Is(err, errUnrepaired), errors.Is(err, ledger.ErrRepairing):
		return Unrepaired
	case errors.Is(err, keeper.ErrGone), errors.Is(err, ledger.ErrMissing), errors.Is(err, ledger.ErrOwner):
		return Gone
	case errors.Is(err, ledger.ErrRolledBack):
		return RolledBack
	case errors.Is(err, ledger.ErrPoisoned):
		return Poisoned
	case errors.Is(err, ledger.ErrFull):
		return Full
	case errors.Is(err, ledger.ErrClock):
		return ClockOff
	case errors.Is(err, keeper.ErrShareKeys):
		return ShareKeys
	}
	return Faulty
}

// failureOf names a request's error in a metric: by the state that it shows, or by the
// fault in the request.
func failureOf(err error) string {
	switch {
	case errors.Is(err, keeper.ErrMetered):
		return "metered"
	case errors.Is(err, keeper.ErrUncounted):
		return "uncounted"
	case errors.Is(err, ledger.ErrHeadStep):
		return "head"
	case errors.Is(err, keeper.ErrKeySet):
		return "key_set"
	case errors.Is(err, keeper.ErrRequest), errors.Is(err, ledger.ErrRequest):
		return "request"
	case errors.Is(err, ledger.ErrSettlement):
		return "settlement"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "time"
	}
	return string(stateOf(err))
}

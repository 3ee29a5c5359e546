package keeper

import (
	"fmt"
	"sync"
	"time"
)

// pulseEvery is how often share keys are asked whether they answer.
const pulseEvery = time.Second

// pulse knows whether the share keys of a ring answer. One caller asks them, once a
// second at most, and the others take the last answer. So readiness shows an
// unreachable token before a guess needs it, and many checks do not flood the token.
type pulse struct {
	asking sync.Mutex // held by the caller that asks

	mu    sync.Mutex
	asked time.Time // guarded by mu
	last  error     // guarded by mu
}

// of returns nil or ErrShareKeys. The first callers all wait for the first answer.
func (p *pulse) of(r *Ring) error {
	asked, last := p.read()
	if !asked.IsZero() && time.Since(asked) < pulseEvery {
		return last
	}
	if asked.IsZero() {
		p.asking.Lock()
	} else if !p.asking.TryLock() {
		return last
	}
	defer p.asking.Unlock()
	if asked, last = p.read(); !asked.IsZero() && time.Since(asked) < pulseEvery {
		return last
	}
	err := r.answers()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.last = time.Now(), err
	return err
}

func (p *pulse) read() (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, p.last
}

// answers asks one share key of each key set for its fingerprint, which is not secret.
func (r *Ring) answers() error {
	for _, id := range r.KeySets() {
		set := r.sets[id]
		m := set.Shape.SubsetsOf(set.Member)[0]
		if _, err := fingerprint(id, m, set.Keys[m]); err != nil {
			return fmt.Errorf("%w: key set %d: %w", ErrShareKeys, id, err)
		}
	}
	return nil
}

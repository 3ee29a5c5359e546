package keeper

import (
	"sync"
	"time"
)

// meter limits an act to a number per hour, with bursts up to that number. It
// starts full and is kept in memory, so a restart of the keeper allows a full
// burst again. Its purpose: a stolen authority cannot replace or stop every
// card within minutes without being noticed.
type meter struct {
	perHour float64

	mu   sync.Mutex
	left float64   // guarded by mu
	at   time.Time // guarded by mu: when left was last computed
}

func newMeter(perHour int, now time.Time) *meter {
	return &meter{perHour: float64(perHour), left: float64(perHour), at: now}
}

// take uses up one act, or returns ErrMetered. A clock that goes back adds
// nothing.
func (m *meter) take(now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := now.Sub(m.at); d > 0 {
		m.left = min(m.perHour, m.left+m.perHour*d.Hours())
		m.at = now
	}
	if m.left < 1 {
		return ErrMetered
	}
	m.left--
	return nil
}

// give gives one act back.
func (m *meter) give() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = min(m.perHour, m.left+1)
}

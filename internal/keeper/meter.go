package keeper

import (
	"sync"
	"time"
)

// meter allows so many acts an hour, all of them at once if need be. It starts
// full and is kept in memory: a restart fills it, so whoever can restart a
// keeper can exceed it. It is there so that a stolen authority cannot replace
// or stop every card within minutes, unseen.
type meter struct {
	perHour float64

	mu   sync.Mutex
	left float64   // mu
	at   time.Time // mu: when left was brought up to date
}

func newMeter(perHour int, now time.Time) *meter {
	return &meter{perHour: float64(perHour), left: float64(perHour), at: now}
}

// take uses one act up, or returns ErrMetered. A clock that goes back refills
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

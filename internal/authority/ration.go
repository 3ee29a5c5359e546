package authority

import "time"

// SpentUntil says, of ticks oldest first, when the latest so many (most) of
// them no longer stand within one window: until then nothing more is allowed.
// It is zero where there were never so many, and may be over already where the
// ticks reach further back than the window.
func SpentUntil(ticks []time.Time, most int, window time.Duration) time.Time {
	if n := len(ticks); n >= most {
		return ticks[n-most].Add(window)
	}
	return time.Time{}
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

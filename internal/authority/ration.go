package authority

import "time"

// SpentUntil looks at ration marks (ticks, oldest first) and returns the time
// until which no more are allowed: when the oldest of the last most marks is a
// period old. It is zero if there are fewer than most, and may be in the past
// if the ticks reach further back than the period.
func SpentUntil(ticks []time.Time, most int, period time.Duration) time.Time {
	if n := len(ticks); n >= most {
		return ticks[n-most].Add(period)
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

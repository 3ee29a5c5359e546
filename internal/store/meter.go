package store

import (
	"time"

	"github.com/liuma-pin/liuma/internal/vault"
)

// How far back a meter reaches, and for how long it knows the minute. Both are
// longer than the periods that rations are given for, an hour and a day.
const (
	MeterKept    = 48 * time.Hour
	MeterMinutes = 2 * time.Hour
)

// MeterReader reads meters. A meter counts events of a kind and key in one row,
// however many there are, for rations that are too large for a mark each.
type MeterReader interface {
	// Metered is how many events of a kind and key came after since; none if
	// nothing was metered. It is never too low: an event counts as long as the
	// minute in which it came is not over by since, and where since is more than
	// MeterMinutes before the last event, the hour. Since is at most MeterKept
	// back; what is older may be forgotten.
	Metered(kind string, key vault.Index, since time.Time) (uint64, error)
}

// MeterWriter writes meters.
type MeterWriter interface {
	// Meter counts n events at a time. A time that is earlier than one that was
	// metered before counts as that one, so a clock that was set back frees
	// nothing (I-15). It needs no audit entry by itself: the act that is counted
	// has its own.
	Meter(kind string, key vault.Index, at time.Time, n uint64) error
	// PruneMeters drops meters whose last event came an hour or more before a time,
	// and returns how many. It needs no audit entry.
	PruneMeters(before time.Time) (int64, error)
}

package guard

import (
	"errors"
	"time"
)

// Limits say when a value counts as sprayed. They count strangers' wrong
// guesses; one card adds at most six in an epoch, the number that locks it. A
// span's window is its present epoch and the one before.
type Limits struct {
	ShortEpoch, LongEpoch time.Duration

	// Short and Long are how many guesses of one value within a span's window
	// count as a spray while few guesses are made.
	Short, Long uint64
	// OneIn: while many guesses are made, a value must also be in more than one
	// of so many wrong guesses. The rules do not allow a PIN that one in 47,000
	// holders has (docs/PINS.md), so one in 10,000 is five times the usual rate.
	OneIn uint64
	// Refused is the limit, in the short span, for values that the rules refuse to
	// everybody. No card has them, so spraying one gains nothing; but people type
	// 123456 by mistake. Such a value must also be Surge times as frequent as
	// usual, which the long span shows.
	Refused, Surge uint64

	// Channel: an alarm is raised if a channel has more strangers' wrong guesses
	// within the short window than this plus twice its usual share.
	Channel uint64
	// Source: an alarm is raised if an address has this many strangers' wrong
	// guesses within the short window, and at least as many wrong guesses as
	// right ones.
	Source uint64
}

// DefaultLimits are for a service of up to a few thousand verifications a
// second. The tests simulate days to show the margins on both sides.
func DefaultLimits() Limits {
	return Limits{
		ShortEpoch: 10 * time.Minute, LongEpoch: 12 * time.Hour,
		Short: 60, Long: 300, OneIn: 10_000,
		Refused: 900, Surge: 4,
		Channel: 200, Source: 30,
	}
}

func (l Limits) validate() error {
	if l.ShortEpoch < time.Second || l.LongEpoch < 2*l.ShortEpoch || l.ShortEpoch%time.Second != 0 || l.LongEpoch%time.Second != 0 {
		return errors.New("guard: epochs must be whole seconds, and the long one at least two short ones")
	}
	if l.Short <= noiseTail || l.Long < l.Short || l.Refused < l.Short {
		return errors.New("guard: Short must be above the noise, Long and Refused not below Short")
	}
	if l.OneIn == 0 || l.Surge == 0 || l.Channel == 0 || l.Source == 0 {
		return errors.New("guard: no limit may be zero")
	}
	return nil
}

// counted holds counts within a span's window: of one value, and of all values.
type counted struct{ value, total uint64 }

// windows holds the counts of both spans.
type windows struct{ short, long counted }

// sprayed reports whether a value's count, including pending guesses, is high
// enough for a spray.
func (l Limits) sprayed(w windows, under uint64, refused bool) bool {
	if refused {
		return w.short.value+under >= max(l.Refused, l.Surge*w.usual())
	}
	return w.short.value+under >= max(l.Short, w.short.total/l.OneIn) ||
		w.long.value+under >= max(l.Long, w.long.total/l.OneIn)
}

// usual returns how often the value would occur within the short window if it had
// the same share of guesses as in the rest of the long window. The short window
// is left out of the comparison, because otherwise a spray would raise its own
// limit.
func (w windows) usual() uint64 {
	rest := counted{value: less(w.long.value, w.short.value), total: less(w.long.total, w.short.total)}
	others := less(rest.total, rest.value)
	if others == 0 {
		return 0
	}
	return rest.value * less(w.short.total, w.short.value) / others
}

// less returns a-b, or zero if that would be negative because of the noise.
func less(a, b uint64) uint64 { return a - min(a, b) }

package guard

import (
	"errors"
	"time"
)

// Limits say when a value is being sprayed. Counts are of strangers' wrong
// guesses; one card adds at most six in an epoch, the number that locks it. A
// span's window is its present epoch and the one before.
type Limits struct {
	ShortEpoch, LongEpoch time.Duration

	// Short and Long are how many guesses of one value within a span's window are
	// a spray, where few guesses are made.
	Short, Long uint64
	// OneIn: where many are made, a value must also have more than one in so many
	// of all wrong guesses. The rules leave no PIN to choose that one in 47,000
	// holders has (docs/PINS.md), so one in 10,000 is five times what is usual.
	OneIn uint64
	// Refused is the limit, in the short span, for values that the rules refuse to
	// everybody. No card has them, so spraying one gains nothing; but people do
	// type 123456 by mistake. Such a value must also come Surge times as often as
	// the long span says is usual for it beside the others.
	Refused, Surge uint64

	// Channel: an alarm when a channel has more wrong guesses of strangers within
	// the short window than this, and twice its usual share on top.
	Channel uint64
	// Source: an alarm when an address has this many wrong guesses of strangers
	// within the short window, and at least as many wrong as right.
	Source uint64
}

// DefaultLimits are for a service of up to a few thousand verifications a
// second. The simulated days of the tests say how far they are from both sides.
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

// counted is what a span's window says: of one value, and of all.
type counted struct{ value, total uint64 }

// windows are both spans.
type windows struct{ short, long counted }

// sprayed reports whether a value's count, with the guesses under way, is that
// of a spray.
func (l Limits) sprayed(w windows, under uint64, refused bool) bool {
	if refused {
		return w.short.value+under >= max(l.Refused, l.Surge*w.usual())
	}
	return w.short.value+under >= max(l.Short, w.short.total/l.OneIn) ||
		w.long.value+under >= max(l.Long, w.long.total/l.OneIn)
}

// usual is how often the value would come within the short window, if it kept the
// proportion to all others that it has in the rest of the long one. It is left
// out of what it is compared with, or a spray would raise its own limit.
func (w windows) usual() uint64 {
	rest := counted{value: less(w.long.value, w.short.value), total: less(w.long.total, w.short.total)}
	others := less(rest.total, rest.value)
	if others == 0 {
		return 0
	}
	return rest.value * less(w.short.total, w.short.value) / others
}

// less is a-b, and zero where the noise of counts would make it negative.
func less(a, b uint64) uint64 { return a - min(a, b) }

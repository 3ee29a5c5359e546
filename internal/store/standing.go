package store

import (
	"time"

	"github.com/liuma-pin/liuma"
)

// Standing is whether the card may be used at a time of H. It is derived at each
// use and never stored: a reported loss ends by itself, and nothing else does. What
// forbids more goes first: cancelled, frozen, reported, suspended.
func (c Card) Standing(now time.Time) liuma.Standing {
	standing := liuma.StandingOf(c.Physical, c.Frozen)
	if c.Reported(now) && (standing == liuma.StandingActive || standing == liuma.StandingSuspended) {
		return liuma.StandingReported
	}
	return standing
}

// Reported tells whether a loss that was reported by phone stops the card.
func (c Card) Reported(now time.Time) bool { return now.Before(c.ReportedUntil) }

// Thawed is the card without freeze, report and closing, as an act that ends them sees
// it.
func (c Card) Thawed() Card {
	c.Frozen, c.FrozenAt = false, time.Time{}
	c.ReportedAt, c.ReportedUntil = time.Time{}, time.Time{}
	c.Closing = Closing{}
	return c
}

// StoppedAt is when the freeze or the report that stops the card began, the earlier
// of the two; zero if neither does. A report that has ended counts as long as a freeze
// lasts that was made during it: the card was never usable in between.
func (c Card) StoppedAt(now time.Time) (at time.Time) {
	if c.Frozen {
		at = c.FrozenAt
	}
	if (c.Reported(now) || c.Frozen && c.FrozenAt.Before(c.ReportedUntil)) && (at.IsZero() || c.ReportedAt.Before(at)) {
		at = c.ReportedAt
	}
	return at
}

// Closing says that a card is being closed at a counter: its holder died or emigrated.
// It stands in the card's row, so that only a closing that the card knows of counts.
type Closing struct {
	Ticket liuma.TicketID
	Until  time.Time // from then on keepers are asked to retire the card
	Stops  uint64    // the card's: a freeze that came later stops the closing
}

// IsClosing reports whether a closing waits that nothing has stopped.
func (c *Card) IsClosing() bool { return !c.Closing.Until.IsZero() && c.Closing.Stops == c.Stops }

// ClosingDue says when to look after the closing of a card. It decides nothing.
type ClosingDue struct {
	Card liuma.CardID
	At   time.Time
}

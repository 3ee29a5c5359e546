package counter

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/internal/written"
)

// A ticket's code does not say who typed it. So a ticket that needs a supervisor is first
// taken by a screen: the person's phone or the agency's pad. It shows a number and can do
// nothing else yet. The supervisor comes to the desk, sees the person, and reads the
// number off the screen in the person's hands. Each browser has a number of its own. So
// if an accomplice elsewhere took the ticket, the supervisor cannot read the right number
// at the desk.

// NumberTries is how many wrong numbers end a ticket. A supervisor who approves by
// guessing is right in one of 3,300 tickets.
const NumberTries = 3

// numberRange is how many numbers there are: four digits.
const numberRange = 10_000

// Number is the number on the screen that has a ticket; empty before a screen has it. It
// is a keyed hash of ticket and ceremony, so it is stored nowhere, and each browser has
// another.
func (c *Counter) Number(t store.Ticket) string {
	if t.Ceremony == "" {
		return ""
	}
	hash := c.c.Vault.Index(vault.IndexTicket, "number\x00"+t.ID.String()+"\x00"+t.Ceremony)
	return fmt.Sprintf("%04d", binary.BigEndian.Uint64(hash[:8])%numberRange)
}

// fits compares a typed number with the number on the screen. Text that is not four
// digits is refused and not counted. Errors: ErrUnseen, ErrNumberWrong.
func (c *Counter) fits(t store.Ticket, typed string) (bool, error) {
	shown := c.Number(t)
	if shown == "" {
		return false, ErrUnseen
	}
	typed = written.Number(typed)
	if len(typed) != len(shown) || strings.Trim(typed, "0123456789") != "" {
		return false, ErrNumberWrong
	}
	return subtle.ConstantTimeCompare([]byte(typed), []byte(shown)) == 1, nil
}

// wrongNumber counts a wrong number. The last one allowed ends the ticket and has it
// reviewed: either the supervisor was shown a wrong screen, or did not look at one.
func (c *Counter) wrongNumber(tx store.Tx, t store.Ticket, by liuma.StaffID) (e audit.Entry, refused, err error) {
	now := c.c.Now()
	t.Wrong++
	if t.Wrong < NumberTries {
		return c.entry(by.Actor(), audit.TicketRefused, t, store.TicketEndedNumber), ErrNumberWrong, tx.UpdateTicket(t)
	}
	t.ReviewUntil = now.Add(ReviewTime)
	t.End(store.TicketStopped, store.TicketEndedNumber, now)
	return c.entry(by.Actor(), audit.TicketEnded, t, store.TicketEndedNumber), ErrNumberOver, tx.UpdateTicket(t)
}

// handable reports whether a ticket can be handed to a browser: its time runs, no browser
// has it, and it is open by link or waits for a supervisor. An approved ticket has its
// browser already.
func (c *Counter) handable(t store.Ticket) bool {
	waits := t.State == store.TicketOpened
	if t.Route == store.RouteSupervisor {
		waits = t.State == store.TicketAsked && t.Kind != liuma.TicketClose
	}
	return waits && t.Ceremony == "" && c.c.Now().Before(t.Until)
}

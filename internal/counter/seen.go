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

// A ticket's code says nothing of who typed it. So a ticket of a supervisor is taken
// first, by the phone of the person or the pad of the agency, which then shows a number
// and can do nothing else. The supervisor comes to the desk, sees the person, and reads
// the number off the screen in the person's hands. It is the browser's own: on a clerk's
// phone stands a number too, and nobody looks there.

// NumberTries is how many wrong numbers end a ticket. Who approves without having looked
// guesses right once in more than 3,300 tickets.
const NumberTries = 3

// numberRange is how many numbers there are: four digits.
const numberRange = 10_000

// Number is what the screen shows that has a ticket; empty before one has it. It is a
// keyed hash of ticket and ceremony, so it is kept nowhere, and each browser has another.
func (c *Counter) Number(t store.Ticket) string {
	if t.Ceremony == "" {
		return ""
	}
	hash := c.c.Vault.Index(vault.IndexTicket, "number\x00"+t.ID.String()+"\x00"+t.Ceremony)
	return fmt.Sprintf("%04d", binary.BigEndian.Uint64(hash[:8])%numberRange)
}

// fits compares a typed number with the one on the screen. What is no number of four
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

// wrongNumber counts a number that no screen shows. The last one ends the ticket, which
// is looked at: either a wrong screen was held out, or nobody looked at one.
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

// handable reports whether a ticket can be handed to a browser: its time runs, none has
// it, and it is open by link or waits for a supervisor. One that was approved has its
// browser already.
func (c *Counter) handable(t store.Ticket) bool {
	waits := t.State == store.TicketOpened
	if t.Route == store.RouteSupervisor {
		waits = t.State == store.TicketAsked && t.Kind != liuma.TicketClose
	}
	return waits && t.Ceremony == "" && c.c.Now().Before(t.Until)
}

package admin

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/staff"
)

// ErrOnlyPages says that an act needs a fresh touch of a passkey, which a terminal does
// not have.
var ErrOnlyPages = errors.New("approve this on the console, where your passkey is asked for")

// TicketDecision ends a ticket that waits for the caller, or its review.
type TicketDecision struct {
	ID liuma.TicketID `json:"id"`
	// Finding of a review is counter.FindingFine or counter.FindingWrong.
	Finding string `json:"finding,omitempty"`
	Words   string `json:"words"`
}

// TicketApproval approves a ticket that waits for the caller.
type TicketApproval struct {
	ID liuma.TicketID `json:"id"`
	// Number is the number on the screen in the person's hands; empty for a closing.
	Number string `json:"number,omitempty"`
}

// PadTicket sends a ticket to a pad.
type PadTicket struct {
	ID  liuma.TicketID `json:"id"`
	Pad string         `json:"pad"`
}

// atCounter runs an act at the counter for the calling member. Only a serving process
// has a counter, and every act at it needs a member's name.
func atCounter[T any](ctx context.Context, a *Admin, f func(*counter.Counter, liuma.StaffID) (T, error)) (none T, err error) {
	who := callerOf(ctx)
	switch {
	case who.ID == "":
		return none, staff.ErrNobody
	case a.c.Server == nil || a.c.Server.Counter == nil:
		return none, ErrNotServing
	}
	return f(a.c.Server.Counter, who.ID)
}

// only adapts a function without a result for atCounter.
func only(err error) (struct{}, error) { return struct{}{}, err }

// LookUpPerson looks a person up for a clerk, on the record with the reason.
func (a *Admin) LookUpPerson(ctx context.Context, q counter.Seeking) (counter.Person, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (counter.Person, error) { return c.LookUp(ctx, by, q) })
}

// LookedUp shows a person whom the clerk looked up less than half an hour ago.
func (a *Admin) LookedUp(ctx context.Context, lookUp string) (counter.Person, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (counter.Person, error) { return c.Person(ctx, by, lookUp) })
}

// OpenTicket opens a ticket for the person of a look-up, or asks a supervisor for it.
func (a *Admin) OpenTicket(ctx context.Context, q counter.Opening) (counter.View, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (counter.View, error) { return c.Open(ctx, by, q) })
}

// Tickets lists the clerk's own tickets, after a given one.
func (a *Admin) Tickets(ctx context.Context, after liuma.TicketID) ([]counter.View, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) ([]counter.View, error) { return c.Tickets(ctx, by, after) })
}

// Ticket shows the progress of one of them.
func (a *Admin) Ticket(ctx context.Context, id liuma.TicketID) (counter.View, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (counter.View, error) { return c.Progress(ctx, by, id) })
}

// TicketCode makes the code of a ticket; it is shown once.
func (a *Admin) TicketCode(ctx context.Context, id liuma.TicketID) (string, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (string, error) { return c.NewCode(ctx, by, id) })
}

// WithdrawTicket ends a ticket.
func (a *Admin) WithdrawTicket(ctx context.Context, id liuma.TicketID) error {
	_, err := atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (struct{}, error) { return only(c.Withdraw(ctx, by, id)) })
	return err
}

// PairPad pairs the pad that shows a number with the clerk's desk.
func (a *Admin) PairPad(ctx context.Context, number string) (counter.PadView, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (counter.PadView, error) { return c.PairPad(ctx, by, number) })
}

// UnpairPad ends a pairing.
func (a *Admin) UnpairPad(ctx context.Context, pad string) error {
	_, err := atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (struct{}, error) { return only(c.UnpairPad(ctx, by, pad)) })
	return err
}

// Pads lists the pads of the clerk's desk.
func (a *Admin) Pads(ctx context.Context) ([]counter.PadView, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) ([]counter.PadView, error) { return c.Pads(ctx, by) })
}

// SendToPad shows an open ticket on the pad of the clerk's desk.
func (a *Admin) SendToPad(ctx context.Context, q PadTicket) error {
	_, err := atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (struct{}, error) {
		return only(c.SendToPad(ctx, by, q.ID, q.Pad))
	})
	return err
}

// AskedTickets lists the tickets that wait for the supervisor.
func (a *Admin) AskedTickets(ctx context.Context) ([]counter.View, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) ([]counter.View, error) { return c.Waiting(ctx, by) })
}

// AskedTicket shows one of them.
func (a *Admin) AskedTicket(ctx context.Context, id liuma.TicketID) (counter.View, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (counter.View, error) { return c.Asked(ctx, by, id) })
}

// ApproveTicket approves a ticket; the caller has checked the supervisor's passkey for
// it.
func (a *Admin) ApproveTicket(ctx context.Context, q TicketApproval) (counter.View, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (counter.View, error) {
		return c.Approve(ctx, by, q.ID, q.Number)
	})
}

// DeclineTicket ends a ticket that waits, with words for the clerk.
func (a *Admin) DeclineTicket(ctx context.Context, q TicketDecision) error {
	_, err := atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (struct{}, error) {
		return only(c.Decline(ctx, by, q.ID, q.Words))
	})
	return err
}

// Reviews lists the tickets that the security officer must review, after a given one.
func (a *Admin) Reviews(ctx context.Context, after liuma.TicketID) ([]counter.View, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) ([]counter.View, error) { return c.Reviews(ctx, by, after) })
}

// Review shows one of them.
func (a *Admin) Review(ctx context.Context, id liuma.TicketID) (counter.View, error) {
	return atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (counter.View, error) { return c.Review(ctx, by, id) })
}

// DecideReview stores the security officer's finding.
func (a *Admin) DecideReview(ctx context.Context, q TicketDecision) error {
	_, err := atCounter(ctx, a, func(c *counter.Counter, by liuma.StaffID) (struct{}, error) {
		return only(c.DecideReview(ctx, by, q.ID, q.Finding, q.Words))
	})
	return err
}

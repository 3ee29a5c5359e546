package admin

import (
	"context"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/counter"
)

// LookUpPerson is Admin.LookUpPerson, for who may.
func (g *Guarded) LookUpPerson(ctx context.Context, q counter.Seeking) (counter.Person, error) {
	return allowed(ctx, g, "LookUpPerson", func(ctx context.Context) (counter.Person, error) { return g.admin.LookUpPerson(ctx, q) })
}

// LookedUp is Admin.LookedUp, for who may.
func (g *Guarded) LookedUp(ctx context.Context, lookUp string) (counter.Person, error) {
	return allowed(ctx, g, "LookedUp", func(ctx context.Context) (counter.Person, error) { return g.admin.LookedUp(ctx, lookUp) })
}

// OpenTicket is Admin.OpenTicket, for who may.
func (g *Guarded) OpenTicket(ctx context.Context, q counter.Opening) (counter.View, error) {
	return allowed(ctx, g, "OpenTicket", func(ctx context.Context) (counter.View, error) { return g.admin.OpenTicket(ctx, q) })
}

// Tickets is Admin.Tickets, for who may.
func (g *Guarded) Tickets(ctx context.Context, after liuma.TicketID) ([]counter.View, error) {
	return allowed(ctx, g, "Tickets", func(ctx context.Context) ([]counter.View, error) { return g.admin.Tickets(ctx, after) })
}

// Ticket is Admin.Ticket, for who may.
func (g *Guarded) Ticket(ctx context.Context, id liuma.TicketID) (counter.View, error) {
	return allowed(ctx, g, "Ticket", func(ctx context.Context) (counter.View, error) { return g.admin.Ticket(ctx, id) })
}

// TicketCode is Admin.TicketCode, for who may.
func (g *Guarded) TicketCode(ctx context.Context, id liuma.TicketID) (string, error) {
	return allowed(ctx, g, "TicketCode", func(ctx context.Context) (string, error) { return g.admin.TicketCode(ctx, id) })
}

// WithdrawTicket is Admin.WithdrawTicket, for who may.
func (g *Guarded) WithdrawTicket(ctx context.Context, id liuma.TicketID) error {
	_, err := allowed(ctx, g, "WithdrawTicket", done(func(ctx context.Context) error { return g.admin.WithdrawTicket(ctx, id) }))
	return err
}

// PairPad is Admin.PairPad, for who may.
func (g *Guarded) PairPad(ctx context.Context, number string) (counter.PadView, error) {
	return allowed(ctx, g, "PairPad", func(ctx context.Context) (counter.PadView, error) { return g.admin.PairPad(ctx, number) })
}

// UnpairPad is Admin.UnpairPad, for who may.
func (g *Guarded) UnpairPad(ctx context.Context, pad string) error {
	_, err := allowed(ctx, g, "UnpairPad", done(func(ctx context.Context) error { return g.admin.UnpairPad(ctx, pad) }))
	return err
}

// Pads is Admin.Pads, for who may.
func (g *Guarded) Pads(ctx context.Context) ([]counter.PadView, error) {
	return allowed(ctx, g, "Pads", func(ctx context.Context) ([]counter.PadView, error) { return g.admin.Pads(ctx) })
}

// SendToPad is Admin.SendToPad, for who may.
func (g *Guarded) SendToPad(ctx context.Context, q PadTicket) error {
	_, err := allowed(ctx, g, "SendToPad", done(func(ctx context.Context) error { return g.admin.SendToPad(ctx, q) }))
	return err
}

// AskedTickets is Admin.AskedTickets, for who may.
func (g *Guarded) AskedTickets(ctx context.Context) ([]counter.View, error) {
	return allowed(ctx, g, "AskedTickets", func(ctx context.Context) ([]counter.View, error) { return g.admin.AskedTickets(ctx) })
}

// AskedTicket is Admin.AskedTicket, for who may.
func (g *Guarded) AskedTicket(ctx context.Context, id liuma.TicketID) (counter.View, error) {
	return allowed(ctx, g, "AskedTicket", func(ctx context.Context) (counter.View, error) { return g.admin.AskedTicket(ctx, id) })
}

// ApproveTicket is Admin.ApproveTicket, for who may and sits at the console: it has asked
// for their passkey.
func (g *Guarded) ApproveTicket(ctx context.Context, q TicketApproval) (counter.View, error) {
	return allowed(ctx, g, "ApproveTicket", func(ctx context.Context) (counter.View, error) {
		if !g.origin(ctx).Pages {
			return counter.View{}, ErrOnlyPages
		}
		return g.admin.ApproveTicket(ctx, q)
	})
}

// DeclineTicket is Admin.DeclineTicket, for who may.
func (g *Guarded) DeclineTicket(ctx context.Context, q TicketDecision) error {
	_, err := allowed(ctx, g, "DeclineTicket", done(func(ctx context.Context) error { return g.admin.DeclineTicket(ctx, q) }))
	return err
}

// Reviews is Admin.Reviews, for who may.
func (g *Guarded) Reviews(ctx context.Context, after liuma.TicketID) ([]counter.View, error) {
	return allowed(ctx, g, "Reviews", func(ctx context.Context) ([]counter.View, error) { return g.admin.Reviews(ctx, after) })
}

// Review is Admin.Review, for who may.
func (g *Guarded) Review(ctx context.Context, id liuma.TicketID) (counter.View, error) {
	return allowed(ctx, g, "Review", func(ctx context.Context) (counter.View, error) { return g.admin.Review(ctx, id) })
}

// DecideReview is Admin.DecideReview, for who may.
func (g *Guarded) DecideReview(ctx context.Context, q TicketDecision) error {
	_, err := allowed(ctx, g, "DecideReview", done(func(ctx context.Context) error { return g.admin.DecideReview(ctx, q) }))
	return err
}

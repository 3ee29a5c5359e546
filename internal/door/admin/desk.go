package admin

import (
	"context"
	"net/http"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/counter"
)

// The routes of the counter. All of them take a body, so that no document is in an
// address.
const (
	pathLookUpPerson   = "/v1/counter/look-up"
	pathLookedUp       = "/v1/counter/person"
	pathOpenTicket     = "/v1/counter/open"
	pathTickets        = "/v1/counter/tickets"
	pathTicket         = "/v1/counter/ticket"
	pathTicketCode     = "/v1/counter/code"
	pathWithdrawTicket = "/v1/counter/withdraw"
	pathPairPad        = "/v1/counter/pads/pair"
	pathUnpairPad      = "/v1/counter/pads/unpair"
	pathPads           = "/v1/counter/pads"
	pathSendToPad      = "/v1/counter/pads/send"
	pathAskedTickets   = "/v1/counter/asked"
	pathAskedTicket    = "/v1/counter/asked/one"
	pathApproveTicket  = "/v1/counter/approve"
	pathDeclineTicket  = "/v1/counter/decline"
	pathReviews        = "/v1/counter/reviews"
	pathReview         = "/v1/counter/reviews/one"
	pathDecideReview   = "/v1/counter/reviews/decide"
)

// The error codes of the counter.
const (
	CodeDeskMember       Code = "counter_member"
	CodeDeskDocument     Code = "own_document_unknown"
	CodeDeskOwn          Code = "own_household"
	CodeDeskBounds       Code = "person_out_of_bounds"
	CodeDeskNumber       Code = "document_invalid"
	CodeDeskNobody       Code = "document_unknown"
	CodeDeskReason       Code = "look_up_reason"
	CodeDeskLookUps      Code = "look_ups_spent"
	CodeDeskTickets      Code = "tickets_spent"
	CodeDeskLookUp       Code = "look_up_over"
	CodeDeskChecked      Code = "original_unchecked"
	CodeDeskKind         Code = "ticket_not_possible"
	CodeDeskLive         Code = "ticket_live"
	CodeDeskNoSupervisor Code = "supervisor_none"
	CodeDeskPairSpent    Code = "supervisor_spent"
	CodeDeskTicket       Code = "ticket_unknown"
	CodeDeskState        Code = "ticket_moved"
	CodeDeskPad          Code = "pad_unknown"
	CodeDeskPadGone      Code = "pad_not_paired"
	CodeDeskPadRoute     Code = "pad_takes_supervisor"
	CodeDeskFinding      Code = "finding_invalid"
	CodeDeskOwnTicket    Code = "own_ticket"
	CodeDeskCloseReason  Code = "close_reason"
	CodeDeskCarried      Code = "pin_carried"
	CodeDeskUnseen       Code = "number_unseen"
	CodeDeskNumberWrong  Code = "number_wrong"
	CodeDeskNumberOver   Code = "number_over"
	CodeCameNumber       Code = "came_document_invalid"
	CodeCameName         Code = "came_name_invalid"
	CodeCameYoung        Code = "came_under_age"
	CodeCameSelf         Code = "came_themself"
	CodeAgentKind        Code = "agent_not_possible"
	CodeAgentRegion      Code = "agent_not_here"
	CodeBorn             Code = "birthday_unknown"
	CodeHeir             Code = "heir_missing"
	CodeGuardian         Code = "guardian_missing"
	CodeOnlyPages        Code = "only_pages"
)

func knownOfDesk() []knownError {
	return []knownError{
		{counter.ErrMember, CodeDeskMember, http.StatusForbidden},
		{counter.ErrDocument, CodeDeskDocument, http.StatusForbidden},
		{counter.ErrOwn, CodeDeskOwn, http.StatusForbidden},
		{counter.ErrBounds, CodeDeskBounds, http.StatusForbidden},
		{counter.ErrNumber, CodeDeskNumber, http.StatusUnprocessableEntity},
		{counter.ErrNobody, CodeDeskNobody, http.StatusNotFound},
		{admin.ErrReserved, CodeReserved, http.StatusUnprocessableEntity},             // the counter's own client
		{counter.ErrCloseReason, CodeDeskCloseReason, http.StatusUnprocessableEntity}, // before ErrReason, which it wraps
		{counter.ErrReason, CodeDeskReason, http.StatusUnprocessableEntity},
		{counter.ErrLookUps, CodeDeskLookUps, http.StatusConflict},
		{counter.ErrTickets, CodeDeskTickets, http.StatusConflict},
		{counter.ErrLookUp, CodeDeskLookUp, http.StatusNotFound},
		{counter.ErrChecked, CodeDeskChecked, http.StatusUnprocessableEntity},
		{counter.ErrKind, CodeDeskKind, http.StatusConflict},
		{counter.ErrLive, CodeDeskLive, http.StatusConflict},
		{counter.ErrNoSupervisor, CodeDeskNoSupervisor, http.StatusConflict},
		{counter.ErrPairSpent, CodeDeskPairSpent, http.StatusConflict},
		{counter.ErrTicket, CodeDeskTicket, http.StatusNotFound},
		{counter.ErrState, CodeDeskState, http.StatusConflict},
		{counter.ErrPad, CodeDeskPad, http.StatusNotFound},
		{counter.ErrPadGone, CodeDeskPadGone, http.StatusConflict},
		{counter.ErrPadRoute, CodeDeskPadRoute, http.StatusConflict},
		{counter.ErrFinding, CodeDeskFinding, http.StatusUnprocessableEntity},
		{counter.ErrOwnTicket, CodeDeskOwnTicket, http.StatusForbidden},
		{counter.ErrCarried, CodeDeskCarried, http.StatusConflict},
		{counter.ErrUnseen, CodeDeskUnseen, http.StatusConflict},
		{counter.ErrNumberWrong, CodeDeskNumberWrong, http.StatusUnprocessableEntity},
		{counter.ErrNumberOver, CodeDeskNumberOver, http.StatusConflict},
		{counter.ErrCameNumber, CodeCameNumber, http.StatusUnprocessableEntity},
		{counter.ErrCameName, CodeCameName, http.StatusUnprocessableEntity},
		{counter.ErrCameYoung, CodeCameYoung, http.StatusUnprocessableEntity},
		{counter.ErrCameSelf, CodeCameSelf, http.StatusUnprocessableEntity},
		{counter.ErrAgentKind, CodeAgentKind, http.StatusConflict},
		{counter.ErrAgentRegion, CodeAgentRegion, http.StatusConflict},
		{counter.ErrBorn, CodeBorn, http.StatusConflict},
		{counter.ErrHeir, CodeHeir, http.StatusConflict},
		{counter.ErrGuardian, CodeGuardian, http.StatusConflict},
		{admin.ErrOnlyPages, CodeOnlyPages, http.StatusForbidden},
	}
}

// byTicket names a ticket, byLookUp a look-up, and byPad a pad or its pairing number.
type byTicket struct {
	ID liuma.TicketID `json:"id"`
}

type byLookUp struct {
	LookUp string `json:"look_up"`
}

type byPad struct {
	Pad string `json:"pad"`
}

type ticketsListed struct {
	Tickets []counter.View `json:"tickets"`
}

type padsListed struct {
	Pads []counter.PadView `json:"pads"`
}

// codeShown is a ticket's code; it is not logged.
type codeShown struct {
	Code string `json:"code"`
}

// listing adapts a list of tickets to a request without content.
func listing(f func(context.Context) ([]counter.View, error)) func(*http.Request) (any, error) {
	return asked(func(ctx context.Context, _ noWords) (ticketsListed, error) {
		found, err := f(ctx)
		return ticketsListed{found}, err
	})
}

// afterTicket is the ticket after which a list goes on; nil: from the beginning.
type afterTicket struct {
	After *liuma.TicketID `json:"after,omitempty"`
}

// goingOn makes the request for a list after a ticket, or from the beginning.
func goingOn(after liuma.TicketID) (q afterTicket) {
	if !after.IsZero() {
		q.After = &after
	}
	return q
}

// listingOn adapts a list of tickets that goes on after a given one.
func listingOn(f func(context.Context, liuma.TicketID) ([]counter.View, error)) func(*http.Request) (any, error) {
	return asked(func(ctx context.Context, q afterTicket) (ticketsListed, error) {
		var after liuma.TicketID
		if q.After != nil {
			after = *q.After
		}
		found, err := f(ctx, after)
		return ticketsListed{found}, err
	})
}

// about adapts a function about the ticket that the request names.
func about[A any](f func(context.Context, liuma.TicketID) (A, error)) func(*http.Request) (any, error) {
	return asked(func(ctx context.Context, q byTicket) (A, error) { return f(ctx, q.ID) })
}

// ending adapts a function that has no answer.
func ending[Q any](f func(context.Context, Q) error) func(*http.Request) (any, error) {
	return asked(func(ctx context.Context, q Q) (done, error) { return done{}, f(ctx, q) })
}

// deskRoutes mounts the counter's routes.
func (d *Door) deskRoutes(mux *http.ServeMux) {
	for path, f := range map[string]func(*http.Request) (any, error){
		pathLookUpPerson: asked(d.admin.LookUpPerson),
		pathLookedUp:     asked(func(ctx context.Context, q byLookUp) (counter.Person, error) { return d.admin.LookedUp(ctx, q.LookUp) }),
		pathOpenTicket:   asked(d.admin.OpenTicket),
		pathTickets:      listingOn(d.admin.Tickets),
		pathTicket:       about(d.admin.Ticket),
		pathTicketCode: about(func(ctx context.Context, id liuma.TicketID) (codeShown, error) {
			code, err := d.admin.TicketCode(ctx, id)
			return codeShown{code}, err
		}),
		pathWithdrawTicket: ending(func(ctx context.Context, q byTicket) error { return d.admin.WithdrawTicket(ctx, q.ID) }),
		pathPairPad:        asked(func(ctx context.Context, q byPad) (counter.PadView, error) { return d.admin.PairPad(ctx, q.Pad) }),
		pathUnpairPad:      ending(func(ctx context.Context, q byPad) error { return d.admin.UnpairPad(ctx, q.Pad) }),
		pathPads: asked(func(ctx context.Context, _ noWords) (padsListed, error) {
			found, err := d.admin.Pads(ctx)
			return padsListed{found}, err
		}),
		pathSendToPad:     ending(d.admin.SendToPad),
		pathAskedTickets:  listing(d.admin.AskedTickets),
		pathAskedTicket:   about(d.admin.AskedTicket),
		pathApproveTicket: asked(d.admin.ApproveTicket),
		pathDeclineTicket: ending(d.admin.DeclineTicket),
		pathReviews:       listingOn(d.admin.Reviews),
		pathReview:        about(d.admin.Review),
		pathDecideReview:  ending(d.admin.DecideReview),
	} {
		mux.HandleFunc("POST "+path, d.answer(f))
	}
}

// LookUpPerson looks a person up.
func (r *Remote) LookUpPerson(ctx context.Context, q counter.Seeking) (out counter.Person, err error) {
	err = r.call(ctx, http.MethodPost, pathLookUpPerson, q, &out)
	return out, err
}

// LookedUp shows a person who was looked up.
func (r *Remote) LookedUp(ctx context.Context, lookUp string) (out counter.Person, err error) {
	err = r.call(ctx, http.MethodPost, pathLookedUp, byLookUp{lookUp}, &out)
	return out, err
}

// OpenTicket opens a ticket.
func (r *Remote) OpenTicket(ctx context.Context, q counter.Opening) (out counter.View, err error) {
	err = r.call(ctx, http.MethodPost, pathOpenTicket, q, &out)
	return out, err
}

// Tickets lists the caller's tickets, after a given one.
func (r *Remote) Tickets(ctx context.Context, after liuma.TicketID) ([]counter.View, error) {
	var out ticketsListed
	err := r.call(ctx, http.MethodPost, pathTickets, goingOn(after), &out)
	return out.Tickets, err
}

// Ticket shows the progress of a ticket.
func (r *Remote) Ticket(ctx context.Context, id liuma.TicketID) (out counter.View, err error) {
	err = r.call(ctx, http.MethodPost, pathTicket, byTicket{id}, &out)
	return out, err
}

// TicketCode makes a ticket's code.
func (r *Remote) TicketCode(ctx context.Context, id liuma.TicketID) (string, error) {
	var out codeShown
	err := r.call(ctx, http.MethodPost, pathTicketCode, byTicket{id}, &out)
	return out.Code, err
}

// WithdrawTicket ends a ticket.
func (r *Remote) WithdrawTicket(ctx context.Context, id liuma.TicketID) error {
	return r.call(ctx, http.MethodPost, pathWithdrawTicket, byTicket{id}, &done{})
}

// PairPad pairs a pad with the caller's desk.
func (r *Remote) PairPad(ctx context.Context, number string) (out counter.PadView, err error) {
	err = r.call(ctx, http.MethodPost, pathPairPad, byPad{number}, &out)
	return out, err
}

// UnpairPad ends a pairing.
func (r *Remote) UnpairPad(ctx context.Context, pad string) error {
	return r.call(ctx, http.MethodPost, pathUnpairPad, byPad{pad}, &done{})
}

// Pads lists the pads of the desk.
func (r *Remote) Pads(ctx context.Context) ([]counter.PadView, error) {
	var out padsListed
	err := r.call(ctx, http.MethodPost, pathPads, noWords{}, &out)
	return out.Pads, err
}

// SendToPad shows a ticket on a pad.
func (r *Remote) SendToPad(ctx context.Context, q admin.PadTicket) error {
	return r.call(ctx, http.MethodPost, pathSendToPad, q, &done{})
}

// AskedTickets lists the tickets that wait for the caller.
func (r *Remote) AskedTickets(ctx context.Context) ([]counter.View, error) {
	var out ticketsListed
	err := r.call(ctx, http.MethodPost, pathAskedTickets, noWords{}, &out)
	return out.Tickets, err
}

// AskedTicket shows one of them.
func (r *Remote) AskedTicket(ctx context.Context, id liuma.TicketID) (out counter.View, err error) {
	err = r.call(ctx, http.MethodPost, pathAskedTicket, byTicket{id}, &out)
	return out, err
}

// ApproveTicket approves a ticket.
func (r *Remote) ApproveTicket(ctx context.Context, q admin.TicketApproval) (out counter.View, err error) {
	err = r.call(ctx, http.MethodPost, pathApproveTicket, q, &out)
	return out, err
}

// DeclineTicket ends a ticket that waits.
func (r *Remote) DeclineTicket(ctx context.Context, q admin.TicketDecision) error {
	return r.call(ctx, http.MethodPost, pathDeclineTicket, q, &done{})
}

// Reviews lists the tickets to be reviewed, after a given one.
func (r *Remote) Reviews(ctx context.Context, after liuma.TicketID) ([]counter.View, error) {
	var out ticketsListed
	err := r.call(ctx, http.MethodPost, pathReviews, goingOn(after), &out)
	return out.Tickets, err
}

// Review shows one of them.
func (r *Remote) Review(ctx context.Context, id liuma.TicketID) (out counter.View, err error) {
	err = r.call(ctx, http.MethodPost, pathReview, byTicket{id}, &out)
	return out, err
}

// DecideReview stores a finding.
func (r *Remote) DecideReview(ctx context.Context, q admin.TicketDecision) error {
	return r.call(ctx, http.MethodPost, pathDecideReview, q, &done{})
}

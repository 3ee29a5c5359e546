package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/store"
)

// approvalRoutes are the pages of supervisors, for tickets that they were picked for, and of
// security officers, for tickets to be reviewed.
func (h *console) approvalRoutes() []Route {
	return []Route{
		{Pattern: "GET /approvals", Method: "AskedTickets", do: approvalsPage},
		{Pattern: "GET /approvals/state", Method: "AskedTickets", do: approvalsNow},
		{Pattern: "GET /approvals/{id}", Method: "AskedTicket", do: approvalPage},
		{Pattern: "GET /approvals/{id}/state", Method: "AskedTicket", do: askedNow},
		{Pattern: "GET /approvals/{id}/offer", Method: "ApproveTicket", do: offerTicketApproval},
		{Pattern: "POST /approvals/{id}/approve", Method: "ApproveTicket", do: approveTicket, again: approvalPage},
		{Pattern: "POST /approvals/{id}/decline", Method: "DeclineTicket", do: declineTicket, again: approvalPage},
		{Pattern: "GET /reviews", Method: "Reviews", do: reviewsPage},
		{Pattern: "GET /reviews/{id}", Method: "Review", do: reviewPage},
		{Pattern: "POST /reviews/{id}", Method: "DecideReview", do: reviewTicket, again: reviewPage},
	}
}

// counterReasons are the refusals of the counter.
func counterReasons() []reason {
	const bad, conflict, missing, forbidden, often = http.StatusUnprocessableEntity, http.StatusConflict, http.StatusNotFound, http.StatusForbidden, http.StatusTooManyRequests
	return append([]reason{
		{counter.ErrMember, "counter_member", forbidden}, {counter.ErrDocument, "counter_document", forbidden}, {counter.ErrOwn, "counter_own", forbidden},
		{counter.ErrBounds, "counter_bounds", forbidden}, {counter.ErrNumber, "number", bad}, {counter.ErrNobody, "counter_nobody", missing},
		{counter.ErrCloseReason, "counter_close_reason", bad}, // before ErrReason, which it is too
		{counter.ErrReason, "counter_reason", bad}, {counter.ErrLookUps, "counter_look_ups", often}, {counter.ErrTickets, "counter_tickets", often},
		{counter.ErrLookUp, "counter_look_up", missing}, {counter.ErrChecked, "counter_checked", bad}, {counter.ErrKind, "counter_kind", conflict},
		{counter.ErrLive, "counter_live", conflict}, {counter.ErrNoSupervisor, "counter_no_supervisor", conflict}, {counter.ErrPairSpent, "counter_pair_spent", conflict},
		{counter.ErrTicket, "counter_ticket", missing},
		{counter.ErrState, "counter_state", conflict}, {counter.ErrPad, "counter_pad", missing}, {counter.ErrPadGone, "counter_pad_gone", conflict},
		{counter.ErrPadRoute, "counter_pad_route", conflict}, {counter.ErrFinding, "counter_finding", bad},
		{counter.ErrOwnTicket, "counter_own_ticket", forbidden}, {counter.ErrUnseen, "counter_unseen", conflict}, {counter.ErrNumberWrong, "counter_number", bad},
		{counter.ErrNumberOver, "counter_number_over", conflict}, {counter.ErrCarried, "counter_carried", conflict},
	}, cameReasons()...)
}

// approvalsPage lists the tickets that wait for the supervisor; it is redrawn when the list
// changes.
func approvalsPage(v *visit) (*view, error) {
	all, err := v.admin().AskedTickets(v.ctx())
	if err != nil {
		return nil, err
	}
	list := &table{Head: []string{v.t.DeskWhat(), v.t.Name(), v.t.TicketClerk(), v.t.Agency(), v.t.ApprovalAsked(), v.t.TicketUntil()}, None: v.t.ApprovalsNone()}
	for _, t := range all {
		list.Rows = append(list.Rows, []cell{{Text: v.ticketKind(t.Kind), Link: "/approvals/" + t.ID.String()}, text(t.Name), text(t.Clerk.Name),
			text(v.t.agency(t.Agency)), text(v.clock(t.AskedAt)), text(v.clock(t.Until))})
	}
	return &view{Title: v.t.NavApprovals(), Lead: v.t.ApprovalsLead(), Blocks: []block{{Table: list}}, Watch: "/approvals/state", Is: waitingNow(all), Next: "/approvals"}, nil
}

// waitingNow is the state that the list was drawn for.
func waitingNow(all []counter.View) string {
	ids := make([]string, len(all))
	for i, t := range all {
		ids[i] = t.ID.String()[:8]
	}
	return strings.Join(ids, " ")
}

// approvalsNow answers the list's question whether it has changed.
func approvalsNow(v *visit) (*view, error) {
	all, err := v.admin().AskedTickets(v.ctx())
	if err != nil {
		return nil, err
	}
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = v.w.Write([]byte(waitingNow(all))) // the browser may have gone
	return nil, nil
}

// approvalsWaiting counts them.
func approvalsWaiting(v *visit) (int, error) {
	if !v.may("AskedTickets") {
		return 0, nil
	}
	return v.many(v.admin().AskedTickets(v.ctx()))
}

// many counts tickets. If they cannot be listed, it returns zero; the page of the list says
// why.
func (v *visit) many(all []counter.View, err error) (int, error) {
	if err != nil && !v.t.because(err).internal {
		err = nil
	}
	return len(all), err
}

// asked is the ticket of the address, if this supervisor was picked for it.
func (v *visit) asked() (counter.View, error) {
	id, err := v.ticketID()
	if err != nil {
		return counter.View{}, err
	}
	return v.admin().AskedTicket(v.ctx(), id)
}

func (v *visit) askedFacts(t counter.View) []fact {
	out := []fact{{v.t.State(), v.ticketState(t)}, {v.t.Name(), text(t.Name)}, {v.t.DeskDocument(), cell{Text: t.Number, Class: "mono"}},
		{v.t.Region(), text(v.t.region(t.Region))}, {v.t.TicketClerk(), cell{Text: t.Clerk.Name, Under: string(t.Clerk.ID)}}, {v.t.Agency(), text(v.t.agency(t.Agency))},
		{v.t.ApprovalReason(), text(v.reasoned(t))}, {v.t.ApprovalAsked(), text(v.moment(t.AskedAt))}}
	out = append(out, v.cameFacts(t.Came)...)
	if live(t) {
		out = append(out, fact{v.t.TicketUntil(), text(v.clock(t.Until))})
	}
	return out
}

// reasoned is the reason why the clerk looked the person up, with the clerk's words.
func (v *visit) reasoned(t counter.View) string {
	said := v.t.all.Word("ticket_for", t.Reason)
	if t.Words != "" {
		said = v.t.Said(said, t.Words)
	}
	return said
}

func approvalPage(v *visit) (*view, error) {
	t, err := v.asked()
	if err != nil {
		return nil, err
	}
	page := &view{Title: v.t.ApprovalTitle(v.ticketKind(t.Kind)), Blocks: []block{{Facts: v.askedFacts(t)}}}
	if t.Lost {
		page = page.with(block{Notice: &notice{Kind: "warn", Title: v.t.ApprovalLost(), Text: v.t.ApprovalLostText()}})
	}
	at := "/approvals/" + t.ID.String()
	if t.State == counter.Asked {
		page.Watch, page.Is, page.Next = at+"/state", stateNow(t), at
		page = page.with(v.approving(t, at)...)
		page = page.with(block{Title: v.t.DeclineTitle(), Text: v.t.DeclineText(), Folded: true, Form: &form{Post: at + "/decline", Button: v.t.DeclineButton(), Kind: "danger", Fields: []field{v.words(v.t.Reason())}}})
	}
	return page.with(block{Links: []link{{v.t.GoBack(), "/approvals"}}}), nil
}

// approving is the form by which a waiting ticket is approved: with the number on the
// person's screen, once there is one. A closing has no number, because no holder uses a
// screen.
func (v *visit) approving(t counter.View, at string) []block {
	f := &form{Post: at + "/approve", Button: v.t.ApprovalButton(), Passkey: &passkey{Way: "get", Offer: at + "/offer"}}
	approve := block{Title: v.t.ApprovalCheckTitle(), Text: v.t.ApprovalCheckText(), Form: f}
	if t.Kind == liuma.TicketClose {
		approve.Text = v.t.ApprovalCloseText()
		return []block{approve}
	}
	never := block{Notice: &notice{Kind: "warn", Title: v.t.ApprovalNumberTitle(), Text: v.t.ApprovalNumberText()}}
	if !t.Shown {
		return []block{never, {Notice: &notice{Title: v.t.ApprovalWait(), Text: v.t.ApprovalWaitText()}}}
	}
	f.Fields = []field{{Name: "number", Label: v.t.ApprovalNumber(), Required: true, Most: 4, Mode: "numeric", Class: "mono number"}}
	if t.Tries < counter.NumberTries {
		f.Fields[0].Hint = v.t.ApprovalNumberLeft(strconv.Itoa(t.Tries))
	}
	return []block{never, approve}
}

// askedNow answers a waiting ticket's question whether it has changed.
func askedNow(v *visit) (*view, error) {
	t, err := v.asked()
	if err != nil {
		return nil, err
	}
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = v.w.Write([]byte(stateNow(t))) // the browser may have gone
	return nil, nil
}

// words is a field for a line of text that goes into the record.
func (v *visit) words(label string) field {
	return field{Name: "words", Label: label, Hint: v.t.DeskWordsHint(), Value: v.typed("words"), Required: true, Most: 200}
}

// actApproval is the name of the act for which an approval's touch is asked. It cannot be a
// proposal's, whose names have 12 letters.
func actApproval(t counter.View) string { return "ticket-" + t.ID.String() }

// offerTicketApproval returns the values with which the browser asks for the touch that an
// approval needs.
func offerTicketApproval(v *visit) (*view, error) {
	t, err := v.asked()
	if err != nil {
		return nil, err
	}
	return v.offer(actApproval(t))
}

// approveTicket approves after a touch of the member's passkey for this ticket. So a session
// that was left open on a desk or stolen cannot approve. A crash between the two leaves the
// ticket waiting.
func approveTicket(v *visit) (*view, error) {
	t, err := v.asked()
	if err != nil {
		return nil, err
	}
	if err := v.h.c.Staff.Confirm(v.ctx(), v.who, actApproval(t), []byte(v.r.PostFormValue("answer"))); err != nil {
		return nil, err
	}
	if _, err := v.admin().ApproveTicket(v.ctx(), admin.TicketApproval{ID: t.ID, Number: v.typed("number")}); err != nil {
		return nil, err
	}
	return v.to("/approvals", "ticket_approved")
}

func declineTicket(v *visit) (*view, error) {
	id, err := v.ticketID()
	if err == nil {
		err = v.admin().DeclineTicket(v.ctx(), admin.TicketDecision{ID: id, Words: v.typed("words")})
	}
	if err != nil {
		return nil, err
	}
	return v.to("/approvals", "ticket_declined")
}

// reviewsPage lists the tickets to be reviewed: those drawn by lot, and those without the
// bound phone.
func reviewsPage(v *visit) (*view, error) {
	after, err := v.afterTicket()
	if err != nil {
		return nil, err
	}
	all, err := v.admin().Reviews(v.ctx(), after)
	if err != nil {
		return nil, err
	}
	list := &table{Head: []string{v.t.DeskWhat(), v.t.State(), v.t.TicketClerk(), v.t.TicketSupervisor(), v.t.DeskOpenedAt(), v.t.ReviewUntil()}, None: v.t.ReviewsNone()}
	for _, t := range all {
		until := cell{Text: v.moment(t.ReviewUntil), Class: "nowrap"}
		if t.ReviewUntil.Before(v.h.c.Now()) {
			until = cell{Text: v.t.ReviewOverdue(), Under: v.moment(t.ReviewUntil), Tag: "bad"}
		}
		list.Rows = append(list.Rows, []cell{{Text: v.ticketKind(t.Kind), Link: "/reviews/" + t.ID.String()}, v.ticketState(t), text(t.Clerk.Name), text(v.t.orNone(t.Supervisor.Name)),
			{Text: v.moment(t.AskedAt), Class: "nowrap"}, until})
	}
	return &view{Title: v.t.NavReviews(), Lead: v.t.ReviewsLead(), Blocks: []block{{Table: list, Links: v.moreTickets("/reviews", all)}}}, nil
}

// afterTicket is the ticket in the address after which a list goes on.
func (v *visit) afterTicket() (id liuma.TicketID, err error) {
	after := v.r.URL.Query().Get("after")
	if after == "" {
		return id, nil
	}
	if id, err = liuma.ParseTicketID(after); err != nil {
		return id, counter.ErrTicket
	}
	return id, nil
}

// moreTickets leads to the next page of a list of tickets.
func (v *visit) moreTickets(path string, all []counter.View) []link {
	if len(all) == 0 {
		return nil
	}
	return v.more(path, all[len(all)-1].ID.String(), len(all) == counter.MaxTickets)
}

// reviewsWaiting counts the tickets to be reviewed.
func reviewsWaiting(v *visit) (int, error) {
	if !v.may("Reviews") {
		return 0, nil
	}
	return v.many(v.admin().Reviews(v.ctx(), liuma.TicketID{}))
}

func reviewPage(v *visit) (*view, error) {
	id, err := v.ticketID()
	if err != nil {
		return nil, err
	}
	t, err := v.admin().Review(v.ctx(), id)
	if err != nil {
		return nil, err
	}
	facts := append(v.askedFacts(t), fact{v.t.TicketSupervisor(), text(v.t.orNone(t.Supervisor.Name))}, fact{v.t.ApprovalLost(), text(v.t.yes(t.Lost))})
	if froze := t.Frozen || t.Ended == store.TicketEndedFrozen || t.Ended == store.TicketEndedAgent; froze || t.ReviewedAt.IsZero() { // a closed review no longer knows whether the card is frozen
		facts = append(facts, fact{v.t.ReviewFroze(), v.bad(froze)})
	}
	if t.Ended != "" {
		facts = append(facts, fact{v.t.TicketWhy(), text(v.why(t))})
	}
	page := &view{Title: v.t.ReviewTitle(v.ticketKind(t.Kind)), Blocks: []block{{Facts: facts}}}
	switch {
	case !t.ReviewedAt.IsZero():
		page = page.with(block{Facts: []fact{{v.t.ReviewFinding(), v.finding(t.Finding)}, {v.t.ReviewWords(), text(t.ReviewWords)}, {v.t.ReviewBy(), text(t.Reviewer.Name)}}})
	case live(t):
		page = page.with(block{Text: v.t.ReviewLater()})
	default:
		page = page.with(block{Title: v.t.ReviewFinding(), Form: &form{Post: "/reviews/" + t.ID.String(), Button: v.t.ReviewButton(), Fields: []field{
			{Name: "finding", Type: "one", Label: v.t.ReviewFinding(), Required: true, Options: []option{
				{Value: counter.FindingFine, Text: v.t.ReviewFine(), On: v.typed("finding") == counter.FindingFine},
				{Value: counter.FindingWrong, Text: v.t.ReviewWrong(), Hint: v.t.ReviewWrongHint(), On: v.typed("finding") == counter.FindingWrong}}},
			v.words(v.t.ReviewWords())}}})
	}
	return page.with(block{Links: []link{{v.t.GoBack(), "/reviews"}}}), nil
}

// bad is a cell with yes, marked as bad, or no.
func (v *visit) bad(is bool) cell {
	if is {
		return cell{Text: v.t.Yes(), Tag: "bad"}
	}
	return text(v.t.No())
}

func (v *visit) finding(f string) cell {
	if f == counter.FindingFine {
		return cell{Text: v.t.ReviewFine(), Tag: "good"}
	}
	return cell{Text: v.t.ReviewWrong(), Tag: "bad"}
}

func reviewTicket(v *visit) (*view, error) {
	id, err := v.ticketID()
	if err == nil {
		err = v.admin().DecideReview(v.ctx(), admin.TicketDecision{ID: id, Finding: v.typed("finding"), Words: v.typed("words")})
	}
	if err != nil {
		return nil, err
	}
	return v.to("/reviews", "reviewed")
}

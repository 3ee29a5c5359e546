package console

import (
	"cmp"
	"errors"
	"html/template"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/qr"
	"github.com/liuma-pin/liuma/internal/store"
)

// ticketRoutes are the pages of a clerk's ticket from its opening to its end, and of the
// pad on the desk.
func (h *console) ticketRoutes() []Route {
	return []Route{
		{Pattern: "GET /desk/ticket/{id}", Method: "Ticket", do: ticketPage},
		{Pattern: "GET /desk/ticket/{id}/state", Method: "Ticket", do: ticketStateNow},
		{Pattern: "POST /desk/ticket/{id}/code", Method: "TicketCode", do: ticketCode, again: ticketPage},
		{Pattern: "POST /desk/ticket/{id}/send", Method: "SendToPad", do: sendTicket, again: ticketPage},
		{Pattern: "POST /desk/ticket/{id}/withdraw", Method: "WithdrawTicket", do: withdrawTicket, again: ticketPage},
		{Pattern: "GET /desk/pad", Method: "Pads", do: padPage},
		{Pattern: "POST /desk/pad", Method: "PairPad", do: pairPad, again: padPage},
		{Pattern: "POST /desk/pad/{id}/end", Method: "UnpairPad", do: unpairPad, again: padPage},
	}
}

func ticketPath(t counter.View) string { return "/desk/ticket/" + t.ID.String() }

func (v *visit) ticketKind(k liuma.TicketKind) string { return v.t.all.Word("ticket", string(k)) }

func (v *visit) ticketState(t counter.View) cell {
	tag := "bad"
	switch t.State {
	case counter.Asked, counter.Opened, counter.Taken:
		tag = "warn"
	case counter.Used:
		tag = "good"
	case counter.Withdrawn, counter.Expired:
		tag = "plain"
	}
	return cell{Text: v.t.all.Word("ticket_state", t.State), Tag: tag}
}

// live reports whether a ticket has not ended.
func live(t counter.View) bool {
	return t.State == counter.Asked || t.State == counter.Opened || t.State == counter.Taken
}

// handable reports whether a ticket can be handed to the holder: no browser has it yet.
func handable(t counter.View) bool {
	return t.State == counter.Opened || t.State == counter.Asked && !t.Shown && t.Kind != liuma.TicketClose
}

// ticketID is the ticket of the address.
func (v *visit) ticketID() (liuma.TicketID, error) {
	id, err := liuma.ParseTicketID(v.r.PathValue("id"))
	if err != nil {
		return id, counter.ErrTicket
	}
	return id, nil
}

func (v *visit) ticket() (counter.View, error) {
	id, err := v.ticketID()
	if err != nil {
		return counter.View{}, err
	}
	return v.admin().Ticket(v.ctx(), id)
}

// ticketPage shows how far a ticket is, and what the clerk may do about it now. Of the
// holder's part it shows only the step, and nothing that they type.
func ticketPage(v *visit) (*view, error) {
	t, err := v.ticket()
	if err != nil {
		return nil, err
	}
	page := v.ticketView(t)
	if handable(t) {
		handed, err := v.handing(t)
		if err != nil {
			return nil, err
		}
		page = page.with(handed...)
	}
	if live(t) {
		page.Refresh = true
		page = page.with(block{Title: v.t.TicketWithdrawTitle(), Text: v.t.TicketWithdrawText(), Folded: true,
			Form: &form{Post: ticketPath(t) + "/withdraw", Button: v.t.TicketWithdrawButton(), Kind: "danger"}})
		return page, nil
	}
	told := v.t.TicketTellTitle()
	if t.Came.As != "" && t.Kind.Holderless() {
		told = v.t.TicketTellAgent()
	}
	return page.with(block{Title: told, Text: v.tell(t)}, block{Links: []link{{v.t.TicketNext(), "/desk"}}}), nil
}

// ticketView is a page of a ticket with the parts that all of them share; it is redrawn
// when the ticket's state changes.
func (v *visit) ticketView(t counter.View) *view {
	page := &view{Title: v.t.TicketTitle(v.ticketKind(t.Kind)), Blocks: []block{{Steps: v.steps(t)}, {Facts: v.ticketFacts(t)}}}
	if live(t) {
		page.Watch, page.Is, page.Next = ticketPath(t)+"/state", stateNow(t), ticketPath(t)
	}
	return page
}

// stateNow is the state that a page of a ticket was drawn for.
func stateNow(t counter.View) string { return t.State + "/" + t.Step + "/" + t.Pad }

// ticketStateNow answers a page's question whether its ticket has changed.
func ticketStateNow(v *visit) (*view, error) {
	t, err := v.ticket()
	if err != nil {
		return nil, err
	}
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = v.w.Write([]byte(stateNow(t))) // the browser may have gone
	return nil, nil
}

// steps are the stages of a ticket: who has to do what now.
func (v *visit) steps(t counter.View) []step {
	var out []step
	add := func(text string) { out = append(out, step{Text: text, Is: "done"}) }
	add(v.t.TicketStepOpen())
	switch {
	case t.Kind == liuma.TicketFreeze: // done when it was asked for
	case t.Kind.Holderless():
		add(v.t.TicketStepApprove(t.Supervisor.Name))
	case t.Route == store.RouteSupervisor:
		add(v.t.TicketStepShown())
		add(v.t.TicketStepApprove(t.Supervisor.Name))
		add(v.t.TicketStepAct())
	default:
		add(v.t.TicketStepBegin())
		add(v.t.TicketStepAct())
	}
	add(v.t.TicketStepDone())
	if t.State == counter.Used {
		return out
	}
	at := 1 // the present stage, or the one where it ended
	if !t.TakenAt.IsZero() {
		at++
	}
	if !t.OpenedAt.IsZero() && t.Route == store.RouteSupervisor {
		at++
	}
	for i := at; i < len(out); i++ {
		out[i].Is = "later"
	}
	out[at].Is = "now"
	if !live(t) {
		out[at].Is = "stopped"
		return out
	}
	switch t.State {
	case counter.Asked:
		out[at].Note = v.t.TicketStepApproveNote()
		if handable(t) {
			out[at].Note = v.t.TicketStepShownNote()
		}
	case counter.Opened:
		out[at].Note = v.t.TicketStepBeginLink()
	case counter.Taken:
		out[at].Note = v.t.TicketStepActNote()
		if said := v.t.all.Word("ticket_step", t.Step); said != "" {
			out[at].Text = v.t.Said(out[at].Text, said)
		}
	}
	return out
}

func (v *visit) ticketFacts(t counter.View) []fact {
	route := v.t.TicketByLink()
	switch t.Route {
	case store.RouteSupervisor:
		route = v.t.TicketBySupervisor()
	case store.RouteAgent:
		route = v.t.TicketByAgent()
	}
	out := []fact{{v.t.State(), v.ticketState(t)}, {v.t.Name(), text(t.Name)}, {v.t.DeskDocument(), cell{Text: t.Number, Class: "mono"}},
		{v.t.TicketRoute(), text(route)}}
	out = append(out, v.cameFacts(t.Came)...)
	if live(t) {
		out = append(out, fact{v.t.TicketUntil(), text(v.clock(t.Until))})
		if t.Elsewhere && t.State == counter.Asked {
			out = append(out, fact{v.t.TicketSupervisor(), text(v.t.TicketStepElsewhere())})
		}
	}
	if t.Ended != "" {
		out = append(out, fact{v.t.TicketWhy(), text(v.why(t))})
	}
	return out
}

// why is the reason why a ticket ended: a word of the program, or the supervisor's own.
func (v *visit) why(t counter.View) string {
	if t.State == counter.Declined {
		return t.Ended
	}
	return cmp.Or(v.t.all.Word("ticket_why", t.Ended), t.Ended)
}

// tell is the sentence that the clerk tells the person at the end.
func (v *visit) tell(t counter.View) string {
	if t.State == counter.Used {
		return v.t.all.Word("ticket_tell", string(t.Kind))
	}
	over := v.t.all.Word("ticket_over", t.State)
	if t.State == counter.Stopped { // some reasons have a sentence of their own
		return cmp.Or(v.t.all.Word("ticket_over", t.Ended), over)
	}
	return over
}

// handing are the ways to hand a ticket to the holder: the pad on the desk, or a code.
func (v *visit) handing(t counter.View) ([]block, error) {
	code := block{Title: v.t.TicketCodeTitle(), Form: &form{Post: ticketPath(t) + "/code", Button: v.t.TicketCodeButton()}}
	if t.Code || t.Pad != "" {
		code.Text = v.t.TicketCodeAgain()
		code.Form.Kind = "plain"
	}
	if t.Route == store.RouteLink {
		return []block{code}, nil
	}
	pads, err := v.admin().Pads(v.ctx())
	if err != nil {
		return nil, err
	}
	pad := block{Title: v.t.PadTitle(), Text: v.t.TicketPadNone(), Links: []link{{v.t.PadPairButton(), "/desk/pad"}}}
	if len(pads) > 0 {
		pad.Text, pad.Links, code.Form.Kind = "", nil, "plain"
		pad.Form = &form{Post: ticketPath(t) + "/send", Button: v.t.TicketPadButton(), Fields: []field{{Type: "hidden", Name: "pad", Value: pads[0].ID}}}
	}
	if t.Pad != "" {
		pad = block{Title: v.t.PadTitle(), Text: v.t.TicketSent()}
	}
	return []block{pad, code}, nil
}

// ticketCode shows the code of a ticket, once: in large letters, and as a QR code if the
// holder's page can take it from its address.
func ticketCode(v *visit) (*view, error) {
	id, err := v.ticketID()
	if err != nil {
		return nil, err
	}
	code, err := v.admin().TicketCode(v.ctx(), id)
	if err != nil {
		return nil, err
	}
	t, err := v.admin().Ticket(v.ctx(), id)
	if err != nil {
		return nil, err
	}
	page := v.ticketView(t)
	shown := block{Title: v.t.TicketCodeTitle(), Text: v.t.TicketCodeLink(), Code: counter.ShownCode(code)}
	if t.Route == store.RouteSupervisor {
		address := v.h.c.Holder + "/counter"
		drawn, err := qr.New(address + "#" + code)
		if err != nil {
			return nil, err
		}
		shown.Text = v.t.TicketCodeText(address)
		shown.Chart = template.HTML(drawn.SVG(v.t.TicketCodeLabel())) //nolint:gosec // squares, and a label that is escaped
	}
	page.Blocks = append([]block{shown}, page.Blocks...)
	return page.with(block{Links: []link{{v.t.TicketProgress(), ticketPath(t)}}}), nil
}

func sendTicket(v *visit) (*view, error) {
	id, err := v.ticketID()
	if err == nil {
		err = v.admin().SendToPad(v.ctx(), admin.PadTicket{ID: id, Pad: v.typed("pad")})
	}
	if err != nil {
		return nil, err
	}
	return v.to("/desk/ticket/"+id.String(), "ticket_sent")
}

func withdrawTicket(v *visit) (*view, error) {
	id, err := v.ticketID()
	if err == nil {
		err = v.admin().WithdrawTicket(v.ctx(), id)
	}
	if err != nil {
		return nil, err
	}
	return v.to("/desk/ticket/"+id.String(), "ticket_withdrawn")
}

// padPage shows the device on the clerk's desk, or how to pair one.
func padPage(v *visit) (*view, error) {
	pads, err := v.admin().Pads(v.ctx())
	if err != nil {
		return nil, err
	}
	page := &view{Title: v.t.PadTitle(), Lead: v.t.PadLead()}
	if len(pads) == 0 {
		page = page.with(block{Text: v.t.PadNone()})
	}
	for _, p := range pads {
		facts := []fact{{v.t.State(), cell{Text: v.t.PadPaired(), Tag: "good"}}, {v.t.PadUntil(), text(v.moment(p.Until))}}
		if !p.SeenAt.IsZero() {
			facts = append(facts, fact{v.t.PadSeen(), text(v.moment(p.SeenAt))})
		}
		page = page.with(block{Facts: facts}, block{Title: v.t.PadEndTitle(), Text: v.t.PadEndText(), Folded: true,
			Form: &form{Post: "/desk/pad/" + p.ID + "/end", Button: v.t.PadEndButton(), Kind: "danger"}})
	}
	pair := block{Title: v.t.PadPairTitle(), Text: v.t.PadHow(v.h.c.Holder + "/desk"), Folded: len(pads) > 0, Form: &form{Post: "/desk/pad", Button: v.t.PadPairButton(), Fields: []field{
		{Name: "number", Label: v.t.PadNumber(), Required: true, Most: 20, Class: "mono"}}}}
	return page.with(pair, block{Links: []link{{v.t.GoBack(), "/desk"}}}), nil
}

func pairPad(v *visit) (*view, error) {
	if _, err := v.admin().PairPad(v.ctx(), v.typed("number")); err != nil {
		return nil, err
	}
	return v.to("/desk/pad", "pad_paired")
}

func unpairPad(v *visit) (*view, error) {
	if err := v.admin().UnpairPad(v.ctx(), v.r.PathValue("id")); err != nil && !errors.Is(err, counter.ErrPadGone) {
		return nil, err
	}
	return v.to("/desk/pad", "pad_ended")
}

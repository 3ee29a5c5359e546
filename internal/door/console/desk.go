package console

import (
	"net/url"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/counter"
)

// deskRoutes are the counter's first steps: find a person, choose what to do, and open a
// ticket. tickets.go has the steps after that.
func (h *console) deskRoutes() []Route {
	return []Route{
		{Pattern: "GET /desk", Method: "Tickets", do: deskPage},
		{Pattern: "POST /desk", Method: "LookUpPerson", do: seekAtCounter, again: deskPage},
		{Pattern: "GET /desk/person/{id}", Method: "LookedUp", do: personPage},
		{Pattern: "POST /desk/person/{id}", Method: "OpenTicket", do: openTicket, again: personPage},
	}
}

// deskPage is the desk between two people. A typed number is not shown again, because the
// page stays open on a desk.
func deskPage(v *visit) (*view, error) {
	after, err := v.afterTicket()
	if err != nil {
		return nil, err
	}
	mine, err := v.admin().Tickets(v.ctx(), after)
	if err != nil {
		return nil, err
	}
	find := block{Title: v.t.DeskFindTitle(), Text: v.t.DeskFindText(), Form: &form{Post: "/desk", Button: v.t.DeskFindButton(), Fields: v.seekFields()}}
	list := &table{Caption: v.t.DeskMine(), Head: []string{v.t.DeskWhat(), v.t.Name(), v.t.State(), v.t.DeskOpenedAt()}, None: v.t.DeskMineNone()}
	for _, t := range mine {
		list.Rows = append(list.Rows, []cell{{Text: v.ticketKind(t.Kind), Link: ticketPath(t)}, text(t.Name), v.ticketState(t), {Text: v.moment(t.AskedAt), Class: "nowrap"}})
	}
	return &view{Title: v.t.NavDesk(), Lead: v.t.DeskLead(), Blocks: []block{find, v.cameBlock(), {Links: []link{{v.t.PadTitle(), "/desk/pad"}}}, {Table: list, Links: v.moreTickets("/desk", mine)}}}, nil
}

// seekFields ask which person the clerk looks up, and why.
func (v *visit) seekFields() []field {
	reasons := field{Name: "reason", Type: "choice", Label: v.t.DeskReason(), Required: true, Options: []option{{Text: v.t.DeskChoose()}}}
	for _, r := range counter.Reasons() {
		reasons.Options = append(reasons.Options, option{Value: r, Text: v.t.all.Word("ticket_for", r), On: v.typed("reason") == r})
	}
	return []field{{Name: "number", Label: v.t.IDNumber(), Hint: v.t.IDNumberHint(), Required: true, Most: 60, Class: "mono"}, reasons,
		{Name: "words", Label: v.t.DeskWords(), Hint: v.t.DeskWordsHint(), Value: v.typed("words"), Most: 200}}
}

// seekAtCounter finds the person, and leads to their page, whose address says nothing about
// them.
func seekAtCounter(v *visit) (*view, error) {
	p, err := v.admin().LookUpPerson(v.ctx(), counter.Seeking{Number: v.typed("number"), Reason: v.typed("reason"), Words: v.typed("words"), Came: v.somebody()})
	if err != nil {
		return nil, err
	}
	return v.to("/desk/person/"+url.PathEscape(p.LookUp), "")
}

// personPage shows the person, masked, and the tickets that are possible now.
func personPage(v *visit) (*view, error) {
	p, err := v.admin().LookedUp(v.ctx(), v.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	page := &view{Title: v.t.DeskPersonTitle(), Lead: v.t.DeskPersonLead(), Blocks: append([]block{{Facts: v.personFacts(p)}}, v.cameNotice(p.Came)...)}
	if p.Live != nil {
		n := block{Notice: &notice{Kind: "warn", Title: v.t.DeskLiveOther(), Text: v.t.DeskLiveOtherText()}}
		switch {
		case p.Left:
			n.Notice.Title, n.Notice.Text = v.t.DeskLiveLeft(), v.t.DeskLiveLeftText()
		case p.Mine:
			n = block{Notice: &notice{Title: v.t.DeskLiveMine(), Text: v.t.DeskLiveMineText()}, Links: []link{{v.t.TicketProgress(), "/desk/ticket/" + p.Live.String()}}}
		}
		page.Blocks = append(page.Blocks, n)
	}
	cannot := &table{Caption: v.t.DeskCannot(), Head: []string{v.t.DeskWhat(), v.t.DeskCannotWhy()}}
	kinds := field{Name: "kind", Type: "one", Label: v.t.DeskKind(), Required: true}
	for _, k := range p.Kinds {
		if k.Not != "" {
			cannot.Rows = append(cannot.Rows, []cell{text(v.ticketKind(k.Kind)), text(v.t.all.Word("not_possible", k.Not))})
			continue
		}
		kinds.Options = append(kinds.Options, option{Value: string(k.Kind), Text: v.ticketKind(k.Kind), Hint: v.t.all.Word("ticket_hint", string(k.Kind)), On: v.typed("kind") == string(k.Kind)})
	}
	switch {
	case len(kinds.Options) == 0:
		page.Blocks = append(page.Blocks, block{Notice: &notice{Kind: "warn", Title: v.t.DeskNothing(), Text: v.t.DeskNothingText()}})
	case p.Live == nil || p.Mine || p.Left:
		page.Blocks = append(page.Blocks, block{Text: v.t.DeskOpenNote(), Form: v.openForm(p, kinds)})
	}
	return page.with(block{Table: cannot}, block{Links: []link{{v.t.TicketNext(), "/desk"}}}), nil
}

// openForm asks for the kind of ticket, whether the phone is here, and whether the document
// was checked.
func (v *visit) openForm(p counter.Person, kinds field) *form {
	f := &form{Post: "/desk/person/" + url.PathEscape(p.LookUp), Button: v.t.DeskOpenButton(), Fields: []field{kinds}}
	if p.Phone != "" && p.Came.As == "" { // the holder's phone is not here
		phone := field{Name: "phone", Type: "one", Label: v.t.DeskPhoneAsk(), Required: true}
		if slices.ContainsFunc(p.Kinds, func(k counter.Possible) bool { return k.Link }) { // without such a kind the answer would be refused
			phone.Options = []option{{Value: "here", Text: v.t.DeskPhoneYes(), Hint: v.t.DeskPhoneYesHint()}}
		}
		phone.Options = append(phone.Options, option{Value: "away", Text: v.t.DeskPhoneNo(), Hint: v.t.DeskPhoneNoHint()},
			option{Value: "lost", Text: v.t.DeskPhoneLost(), Hint: v.t.DeskPhoneLostHint()})
		for i := range phone.Options {
			phone.Options[i].On = v.typed("phone") == phone.Options[i].Value
		}
		f.Fields = append(f.Fields, phone)
	}
	f.Fields = append(f.Fields, field{Name: "checked", Type: "tick", Label: v.checkedWords(p.Came), Value: "yes", Required: true})
	return f
}

func (v *visit) personFacts(p counter.Person) []fact {
	pin, phone := v.t.DeskPINNone(), p.Phone
	if p.PIN {
		pin = v.t.DeskPINThere()
	}
	if phone == "" {
		phone = v.t.DeskPhoneNone()
	}
	card := text(v.t.SeekNoCard())
	if p.Card {
		card = v.standing(p.Standing)
	}
	out := []fact{{v.t.Name(), text(p.Name)}, {v.t.DeskDocument(), cell{Text: p.Number, Class: "mono"}}, {v.t.Region(), text(v.t.region(p.Region))},
		{v.t.DeskStanding(), card}, {v.t.DeskHasPIN(), text(pin)}, {v.t.DeskBound(), text(phone)}}
	if p.Listed != "" {
		out = append(out, fact{v.t.DeskListed(), text(p.Listed)})
	}
	switch p.Post {
	case counter.PostGoes:
		out = append(out, fact{v.t.DeskPost(), text(v.t.DeskPostGoes())})
	case counter.PostBack:
		out = append(out, fact{v.t.DeskPost(), cell{Text: v.t.DeskPostBack(), Tag: "warn"}})
	case counter.PostNone:
		out = append(out, fact{v.t.DeskPost(), cell{Text: v.t.DeskPostNone(), Tag: "warn"}})
	}
	if !p.Anew.IsZero() {
		out = append(out, fact{v.t.DeskAnew(), text(v.moment(p.Anew))})
	}
	return append(out, v.cameFacts(p.Came)...)
}

// standing is a cell with a card's standing; empty for a card that only the keepers know.
func (v *visit) standing(s liuma.Standing) cell {
	switch s {
	case "":
		return text(v.t.DeskKept())
	case liuma.StandingActive:
		return cell{Text: v.t.all.Word("standing", string(s)), Tag: "good"}
	}
	return cell{Text: v.t.all.Word("standing", string(s)), Tag: "warn"}
}

// openTicket opens a ticket at once, or asks a supervisor.
func openTicket(v *visit) (*view, error) {
	kind, err := liuma.ParseTicketKind(v.typed("kind"))
	if err != nil {
		return nil, counter.ErrKind
	}
	phone := v.typed("phone")
	t, err := v.admin().OpenTicket(v.ctx(), counter.Opening{LookUp: v.r.PathValue("id"), Kind: kind, Checked: v.typed("checked") == "yes", Phone: phone == "here", Lost: phone == "lost"})
	if err != nil {
		return nil, err
	}
	said := "ticket_asked"
	switch t.State {
	case counter.Opened:
		said = "ticket_opened"
	case counter.Used:
		said = "ticket_froze"
	}
	return v.to(ticketPath(t), said)
}

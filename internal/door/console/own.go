package console

import (
	"cmp"
	"strconv"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
)

// ownRoutes are the pages that every member has.
func (h *console) ownRoutes() []Route {
	return []Route{
		{Pattern: "GET /{$}", Method: "WhoAmI", do: startPage},
		{Pattern: "GET /own", Method: "WhoAmI", do: ownPage},
		{Pattern: "GET /own/terminal/offer", Method: "TerminalCode", do: offerTerminal},
		{Pattern: "POST /own/terminal", Method: "TerminalCode", do: terminalCode, again: ownPage},
		{Pattern: "POST /own/suspend", Method: "SuspendStaff", do: suspendSelf, again: ownPage},
		{Pattern: "POST /sign-out", do: signOut},
	}
}

// startPage shows what waits for the member, and the state of the service.
func startPage(v *visit) (*view, error) {
	s, err := v.admin().Status(v.ctx())
	if err != nil {
		return nil, err
	}
	page := &view{Title: v.t.Hello(v.who.Name)}
	waits, err := v.waits(s)
	if err != nil {
		return nil, err
	}
	list := &table{Caption: v.t.WaitsTitle(), Head: []string{v.t.WaitsWhat(), v.t.WaitsCount()}, None: v.t.WaitsNone()}
	for _, one := range waits {
		list.Rows = append(list.Rows, []cell{{Text: one.text, Link: one.path}, text(strconv.Itoa(one.count))})
	}
	page.Blocks = append(page.Blocks, block{Table: list}, block{Title: v.t.ServiceTitle(), Facts: v.serviceFacts(s)})
	if v.may("LookUpPerson") {
		page.Blocks = append([]block{{Links: []link{{v.t.DeskFindTitle(), "/desk"}}}}, page.Blocks...)
	}
	alarms, err := v.alarms()
	if err == nil && len(alarms) > 0 {
		page.Blocks = append([]block{{Table: v.alarmsTable(v.t.AlarmsTitle(), alarms)}}, page.Blocks...)
	}
	return page, err
}

// waiting is one thing that somebody must look at.
type waiting struct {
	text, path string
	count      int
}

// waits lists the things that the member can act on.
func (v *visit) waits(s admin.Status) ([]waiting, error) {
	var out []waiting
	add := func(count int, text, path string) {
		if count > 0 {
			out = append(out, waiting{text, path, count})
		}
	}
	if v.may("ApproveStaff") {
		mine, err := proposalsWaiting(v)
		if err != nil {
			return nil, err
		}
		add(mine, v.t.WaitsProposals(), "/proposals")
	}
	for _, one := range []struct {
		count func(*visit) (int, error)
		text  string
		path  string
	}{{approvalsWaiting, v.t.WaitsApprovals(), "/approvals"}, {reviewsWaiting, v.t.WaitsReviews(), "/reviews"}} {
		n, err := one.count(v)
		if err != nil {
			return nil, err
		}
		add(n, one.text, one.path)
	}
	if v.may("KeepConflict") {
		all, err := v.admin().Conflicts(v.ctx(), "")
		if err != nil {
			return nil, err
		}
		open := 0
		for _, c := range all {
			if c.KeptAt == nil {
				open++
			}
		}
		add(open, v.t.WaitsConflicts(), "/conflicts")
	}
	if v.may("CancelCorrection") {
		add(int(s.Corrections.Stopped), v.t.WaitsCorrections(), "/corrections")
	}
	if v.may("RetryText") {
		add(s.Texts.Codes.Dead+s.Texts.Notices.Dead, v.t.WaitsDead(), "")
	}
	return out, nil
}

// proposalsWaiting counts the proposals that the member may approve.
func proposalsWaiting(v *visit) (n int, err error) {
	if !v.may("ApproveStaff") {
		return 0, nil
	}
	open, err := v.admin().Proposals(v.ctx())
	for _, p := range open {
		if p.By != v.who.ID && p.ApprovedAt == nil {
			n++
		}
	}
	return n, err
}

// serviceFacts are the state of the service.
func (v *visit) serviceFacts(s admin.Status) []fact {
	ready := cell{Text: v.t.ServiceReady(), Tag: "good"}
	if s.Serving == nil || !s.Serving.Ready {
		ready = cell{Text: v.t.ServiceNotReady(), Tag: "bad"}
	}
	return []fact{
		{v.t.ServiceState(), ready},
		{v.t.ServiceAddress(), cell{Text: s.Issuer, Class: "mono"}},
		{v.t.ServiceCards(), text(strconv.FormatInt(s.Cards, 10))},
		{v.t.ServicePeople(), text(strconv.FormatInt(s.People, 10))},
	}
}

// alarms are rows of the table of alarms.
func (v *visit) alarms() ([][]cell, error) {
	all, err := v.admin().Alarms(v.ctx())
	if err != nil {
		return nil, err
	}
	var rows [][]cell
	for _, al := range all {
		said := v.t.all.Alarm(al.Kind, al.About, al.N)
		rows = append(rows, []cell{{Text: cmp.Or(v.moment(al.Since), v.t.AlarmsNow()), Class: "nowrap"}, text(said.What), text(said.Next)})
	}
	return rows, nil
}

// ownPage holds the acts of members on themselves.
func ownPage(v *visit) (*view, error) {
	bounds := v.t.NoBounds()
	if v.who.Region != "" || v.who.Agency != "" {
		bounds = v.t.where(v.who.Region, v.who.Agency)
	}
	return &view{Title: v.t.OwnTitle(), Blocks: []block{
		{Facts: []fact{{v.t.Name(), text(v.who.Name)}, {v.t.ID(), cell{Text: string(v.who.ID), Class: "mono"}}, {v.t.Roles(), text(v.t.roles(v.who.Roles))}, {v.t.Bounds(), text(bounds)}}},
		{Title: v.t.TerminalTitle(), Text: v.t.TerminalText(), Form: &form{Post: "/own/terminal", Button: v.t.TerminalButton(), Kind: "plain",
			Passkey: &passkey{Way: "get", Offer: "/own/terminal/offer"}}},
		{Title: v.t.SuspendSelfTitle(), Text: v.t.SuspendSelfText(), Folded: true, Form: &form{Post: "/own/suspend", Button: v.t.SuspendSelfButton(), Kind: "danger",
			Fields: []field{v.reason()}}},
	}}, nil
}

// reason is the field of the words that go into the record.
func (v *visit) reason() field {
	return field{Name: "reason", Label: v.t.Reason(), Hint: v.t.ReasonHint(), Value: v.typed("reason"), Required: true, Most: 200}
}

// actTerminal is the name of the act for which a terminal code's touch is asked. It cannot
// be a proposal's, whose identifiers have 12 letters.
const actTerminal = "terminal"

// offerTerminal returns the values with which the browser asks for the touch that a code
// needs.
func offerTerminal(v *visit) (*view, error) { return v.offer(actTerminal) }

// terminalCode shows a code by which a terminal signs in as the member. It needs a touch,
// because a terminal approves without one: otherwise anybody at a desk that was left open
// could approve by way of a terminal.
func terminalCode(v *visit) (*view, error) {
	if err := v.h.c.Staff.Confirm(v.ctx(), v.who, actTerminal, []byte(v.r.PostFormValue("answer"))); err != nil {
		return nil, err
	}
	code, until, err := v.admin().TerminalCode(v.ctx())
	if err != nil {
		return nil, err
	}
	return &view{Title: v.t.TerminalTitle(), Blocks: []block{{Text: v.t.TerminalShown(v.moment(until)), Code: code, Links: []link{{v.t.GoBack(), "/own"}}}}}, nil
}

func suspendSelf(v *visit) (*view, error) {
	if err := v.admin().SuspendStaff(v.ctx(), v.who.ID, audit.Reason(v.typed("reason"))); err != nil {
		return nil, err
	}
	v.h.cookies.Set(v.w, sessionCookie, "", -1)
	return v.to("/sign-in", "")
}

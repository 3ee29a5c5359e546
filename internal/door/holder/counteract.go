package holder

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// counterRow holds the texts of the pages of a ticket, by its kind. A new kind needs a
// row here, which a test checks, unless no holder takes part in it. own says that the
// bound phone's code is asked for.
func counterRow(t *wordings, k liuma.TicketKind, own bool) act {
	at := func(name string, steps ...ceremony.Step) stageOf { return stageOf{name: name, steps: steps} }
	check, done := at(t.StageAgree(), ceremony.StepNumber, ceremony.StepConfirm), at(t.StageDone(), ceremony.StepDone)
	phone, set := at(t.StageMobile(), ceremony.StepPhone, ceremony.StepCode), at(t.StageNew(), ceremony.StepPIN)
	code, before := at(t.StageCode(), ceremony.StepCode), at(t.StageCode(), ceremony.StepEvidence) // see view.stages
	switch k {
	case liuma.TicketReset:
		row := act{title: t.CounterResetTitle(), next: t.CounterResetNext(), pad: "new", success: t.ResetDoneTitle(), successMeans: t.CounterSetText(),
			stages: []stageOf{check, set, done}}
		if own {
			row.next, row.stages = t.CounterResetCodeNext(), []stageOf{check, code, set, done}
		}
		return row
	case liuma.TicketRebind:
		row := act{title: t.CounterRebindTitle(), next: t.CounterRebindNext(), codeTo: t.ToNew(), newPhone: true,
			success: t.ReboundTitle(), successMeans: t.CounterReboundText(), stages: []stageOf{check, phone, done}}
		if own {
			row.next, row.stages = t.CounterRebindCodeNext(), []stageOf{check, before, phone, done}
		}
		return row
	case liuma.TicketRebindReset:
		row := act{title: t.CounterBothTitle(), next: t.CounterBothNext(), pad: "new", codeTo: t.ToNew(), newPhone: true,
			success: t.CounterBothDone(), successMeans: t.CounterBothText(), stages: []stageOf{check, phone, set, done}}
		if own {
			row.next, row.stages = t.CounterBothCodeNext(), []stageOf{check, before, phone, set, done}
		}
		return row
	case liuma.TicketUnfreeze:
		row := act{title: t.CounterUnfreezeTitle(), next: t.CounterUnfreezeNext(), success: t.UnfrozenTitle(), successMeans: t.UnfrozenText(),
			stages: []stageOf{check, done}}
		if own {
			row.next, row.stages = t.CounterUnfreezeCodeNext(), []stageOf{check, code, done}
		}
		return row
	case liuma.TicketEnroll:
		return act{title: t.CounterEnrollTitle(), next: t.CounterEnrollNext(), pad: "new", codeTo: t.ToNew(), newPhone: true,
			success: t.EnrolledTitle(), successMeans: t.CounterSetText(), face: true, stages: []stageOf{check, phone, set, done}}
	case liuma.TicketOpen:
		return act{title: t.CounterOpenTitle(), next: t.CounterOpenNext(), pad: "new", success: t.CounterOpenDone(), successMeans: t.CounterSetText(),
			stages: []stageOf{check, set, done}}
	}
	return act{}
}

// atCounter reports whether a page belongs to a ticket.
func atCounter(p ceremony.Page) bool { return p.Action == liuma.ActionCounter }

// standsAt names the clerk and the agency on a page of a ticket, where other pages name
// the channel.
func (h *handler) standsAt(v *view, p ceremony.Page) {
	if p.Counter == nil {
		return
	}
	v.Asker = cmp.Or(h.agencyName(v, p.Counter.Agency, p.Region), v.Asker)
	v.Clerk, v.BusinessNo = p.Counter.Clerk, ""
}

// AskerNote is the text beneath the name of the channel or clerk.
func (v *view) AskerNote() string {
	if v.Clerk != "" {
		return v.T.CounterBy(v.Clerk)
	}
	return v.T.Registered()
}

// counterDone is the last page of a ticket. Nothing leads back to a channel, so it says
// that it may be closed.
func (h *handler) counterDone(v *view, p ceremony.Page) {
	v.stages(p)
	row := actAt(v.T, p)
	v.heading(func(t *wordings) string { return actAt(t, p).success })
	v.Result = &result{Kind: "ok", Icon: "ok", Text: row.successMeans}
	if row.face {
		v.Card = &face{Region: v.T.all.Region(p.Region), Name: p.NameMasked, Number: p.IDMasked, Note: v.T.issued(h.now().In(h.zone))}
	}
	if from := p.Counter.PINFrom; !from.IsZero() {
		v.Below = &notice{Kind: "notice-warn", Title: v.T.CounterFromTitle(), Text: v.T.CounterFrom(v.T.moment(from.In(h.zone), h.now().In(h.zone)))}
	}
	v.Notice = &notice{Title: v.T.CounterCloseTitle(), Text: v.T.CounterClose()}
	if h.offersNotices(v, p) {
		return
	}
	h.closing(v)
	v.saidOfNotices(p)
}

// counterEnded is the last page of a ticket that did nothing: it says why, and that the
// clerk helps further.
func (h *handler) counterEnded(v *view, p ceremony.Page) {
	code := codeOf(p)
	look := refusedLook(code)
	e, _ := v.T.explain(code)
	v.heading(look.title)
	v.Result = &result{Kind: look.kind, Icon: look.icon, Text: e.What, Next: v.T.CounterTell()}
	switch code {
	case liuma.CodeLeft:
		v.Result.Text = v.T.CounterLeftText()
	case liuma.CodeCeremonyExpired:
		v.heading(func(t *wordings) string { return t.CounterEndedTitle() })
		v.Result.Text = v.T.CounterExpiredText()
	case liuma.CodeTicketEnded:
		v.heading(func(t *wordings) string { return t.CounterEndedTitle() })
	case liuma.CodeTicketTaken:
		v.Result.Next = e.Next
	}
	h.closing(v)
}

// closing completes a page from which nothing leads back to a channel.
func (h *handler) closing(v *view) {
	if v.OnPad {
		if v.Notice != nil {
			v.Notice.Text = v.T.CounterCleared()
		}
		return // a pad clears the page itself
	}
	v.Ways = append(v.Ways, h.call(v))
}

// number is the page of a ticket that waits. It shows the ticket's number in large
// digits, for the supervisor who looks at this screen, and the ticket's kind. It has no
// field.
func (h *handler) number(v *view, p ceremony.Page) {
	v.heading(func(t *wordings) string { return t.SeenTitle() })
	v.Say = v.T.SeenSay()
	v.Shown = &shown{Number: strings.Join(strings.Split(p.Counter.Number, ""), " "), Watch: address(p.ID) + numberNow}
	v.cell(v.T.Name(), p.NameMasked, "", "")
	v.cell(v.T.documentLabel(p.Document), p.IDMasked, "number", "")
	v.cell(v.T.For(), actAt(v.T, p).title, "", "purpose")
	v.Notice = &notice{Kind: "notice-warn", Title: v.T.SeenOtherTitle(), Text: v.T.SeenOther()}
	v.Ways = []way{{Class: "btn-plain", Text: v.T.SeenLook(), See: address(p.ID)}, {Class: "btn-plain", Text: v.T.CounterNotMe(), Post: "leave"}}
}

// numberNow is the address at which this page asks whether its number is still right.
const numberNow = "/waits"

// stillWaits answers that question: 204 while the ticket waits. A browser that does not
// have the ceremony gets the same answer as when it has moved on, and learns nothing
// about the holder.
func (h *handler) stillWaits(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p, err := h.authority.Look(r.Context(), id, h.handOf(r, id).Hand)
	w.Header().Set("Cache-Control", "no-store")
	if err == nil && p.Step == ceremony.StepNumber {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// noPhone offers, at the step of the phone, to go on without a phone. At that step nobody
// has an earlier number.
func (v *view) noPhone(p ceremony.Page) {
	if p.Counter == nil || !p.Counter.MayLackPhone {
		return
	}
	v.heading(func(t *wordings) string { return t.CounterPhoneTitle() })
	v.Say, v.Field.Label = v.T.CounterPhoneSay(), v.T.CounterPhoneLabel()
	v.Below = &notice{Title: v.T.NoPhoneTitle(), Text: v.T.NoPhoneText()}
	v.First = append(v.First, way{Class: "btn-plain", Text: v.T.NoPhoneGive(), Post: "no-phone"})
}

// askClerk is the notice on a ticket's page that sends the holder to the clerk; other
// pages say there where a counter is.
func (v *view) askClerk() *notice {
	return &notice{Title: v.T.CounterHelpTitle(), Text: v.T.CounterHelp()}
}

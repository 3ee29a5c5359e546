package console

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
)

// textsRoutes are the pages of texts to phones and their states.
func (h *console) textsRoutes() []Route {
	return []Route{
		{Pattern: "GET /texts", Method: "Texts", do: textsPage},
		{Pattern: "GET /texts/{id}", Method: "Texts", do: textPage},
		{Pattern: "POST /texts/{id}/retry", Method: "RetryText", do: retryText, again: textPage},
		{Pattern: "POST /texts/{id}/drop", Method: "DropText", do: dropText, again: textPage},
	}
}

// textStates are the states for the list of texts; first those that need somebody to
// act.
func textStates() []store.MessageState {
	return []store.MessageState{store.MessageDead, store.MessageWaiting, store.MessageSent, store.MessageDelivered}
}

func textsPage(v *visit) (*view, error) {
	q := v.r.URL.Query()
	state := store.MessageState(cmp.Or(q.Get("state"), string(store.MessageDead)))
	found, err := v.admin().Texts(v.ctx(), state, q.Get("after"))
	if err != nil {
		return nil, err
	}
	tabs := make([]tab, 0, len(textStates()))
	for _, s := range textStates() {
		tabs = append(tabs, tab{v.textState(s), "/texts?state=" + url.QueryEscape(string(s)), s == state})
	}
	list := &table{Head: []string{v.t.TextID(), v.t.TextKind(), v.t.TextTemplate(), v.t.TextAt(), v.t.TextTries(), v.t.TextFault()}, None: v.t.TextsNone()}
	for _, m := range found {
		list.Rows = append(list.Rows, []cell{{Text: m.ID, Link: "/texts/" + url.PathEscape(m.ID)}, text(v.textKind(m)), {Text: m.Template, Class: "mono"},
			{Text: v.moment(m.At), Class: "nowrap"}, {Text: strconv.Itoa(m.Tries), Class: "num"}, {Text: m.Fault, Class: "mono"}})
	}
	page := &view{Title: v.t.NavTexts(), Lead: v.t.TextsLead(), Blocks: []block{{Tabs: tabs, Table: list}}}
	if len(found) == admin.MaxTexts {
		page.Blocks[0].Links = []link{{v.t.GoOn(), "/texts?" + url.Values{"state": {string(state)}, "after": {found[len(found)-1].ID}}.Encode()}}
	}
	return page, nil
}

func (v *visit) textState(s store.MessageState) string { return v.t.all.Word("message", string(s)) }

func (v *visit) textKind(m notify.MessageView) string {
	switch {
	case m.Kind == notify.KindNotice:
		return v.t.TextNotice()
	case m.Way == liuma.ByVoice:
		return v.t.TextCall()
	}
	return v.t.TextCode()
}

// message is the message of the address. The list is in the order of IDs, so it is the
// first after the ID right before it.
func (v *visit) message() (notify.MessageView, error) {
	id := v.r.PathValue("id")
	found, err := v.admin().Texts(v.ctx(), "", strings.TrimSuffix(id, id[max(0, len(id)-1):]))
	for _, m := range found {
		if m.ID == id {
			return m, nil
		}
	}
	if err == nil {
		err = store.ErrNotFound
	}
	return notify.MessageView{}, err
}

func textPage(v *visit) (*view, error) {
	m, err := v.message()
	if err != nil {
		return nil, err
	}
	facts := []fact{{v.t.TextID(), cell{Text: m.ID, Class: "mono"}}, {v.t.TextKind(), text(v.textKind(m))}, {v.t.TextTemplate(), cell{Text: m.Template, Class: "mono"}},
		{v.t.State(), text(v.textState(m.State))}, {v.t.Region(), text(v.t.region(m.Region))}, {v.t.Card(), cell{Text: m.Card, Class: "mono"}},
		{v.t.TextAt(), text(v.moment(m.At))}, {v.t.TextTries(), text(strconv.Itoa(m.Tries))}, {v.t.TextFault(), cell{Text: m.Fault, Class: "mono"}}}
	page := &view{Title: v.t.TextTitle(), Lead: v.t.TextsLead(), Blocks: []block{{Facts: facts}}}
	at := "/texts/" + url.PathEscape(m.ID)
	if m.Retriable && v.may("RetryText") {
		page.Blocks = append(page.Blocks, block{Title: v.t.TextRetryTitle(), Text: v.t.TextRetryText(), Form: &form{Post: at + "/retry", Button: v.t.TextRetryButton()}})
	}
	if m.State == store.MessageDead && v.may("DropText") {
		page.Blocks = append(page.Blocks, block{Title: v.t.TextDropTitle(), Text: v.t.TextDropText(), Folded: true,
			Form: &form{Post: at + "/drop", Button: v.t.TextDropButton(), Kind: "danger", Fields: []field{v.reason()}}})
	}
	return page, nil
}

func retryText(v *visit) (*view, error) {
	if _, err := v.admin().RetryText(v.ctx(), v.r.PathValue("id")); err != nil {
		return nil, err
	}
	return v.to("/texts", "text_retried")
}

func dropText(v *visit) (*view, error) {
	if err := v.admin().DropText(v.ctx(), v.r.PathValue("id"), audit.Reason(v.typed("reason"))); err != nil {
		return nil, err
	}
	return v.to("/texts", "text_dropped")
}

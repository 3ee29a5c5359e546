package holder

import (
	"context"
	"net/http"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/genuine"
)

// Genuine answers whether a thing is real.
type Genuine interface {
	Ask(ctx context.Context, typed string) genuine.Answer
}

// genuinePath is the page that says whether an app, a page or a text is real. It is
// asked by GET, so that it works without script and can be linked to. The typed text is
// in the address, so the page tells people not to type a PIN or code, and looks none
// up.
const genuinePath = "/genuine"

// asked is an answer as the page shows it.
type asked struct {
	Field  string // what was typed; empty if it may be a secret
	Answer *notice
	Apps   []listedApp
	More   string
}

// listedApp is an official app on the page.
type listedApp struct {
	Name, Under, Serves, State string
	Stopped                    bool
	Pages                      []string
}

// showGenuine shows the page, and the answer if something was typed.
func (h *handler) showGenuine(w http.ResponseWriter, r *http.Request) {
	h.door.KeepLang(w, r)
	v := h.newView(r, pageGenuine)
	v.Back = genuinePath
	g := v.T.all.Genuine
	v.heading(func(t *wordings) string { return t.all.Genuine.Title() })
	v.Say = g.Say()
	v.Asked = &asked{}
	if query := r.URL.Query(); query.Has("q") {
		h.lookUp(v, r.Context(), query.Get("q"))
	}
	v.TipsTitle, v.Tips = g.NextTitle(), v.realTips(h.real)
	v.Ways = []way{{Class: "btn-plain", Text: v.T.all.Guide.Way(), Link: guidePath}, h.call(v)}
	h.show(w, r, http.StatusOK, v)
}

// lookUp puts the answer on the page.
func (h *handler) lookUp(v *view, ctx context.Context, typed string) {
	a := h.genuine.Ask(ctx, typed)
	v.Asked.Answer = h.answerOf(v, a)
	if repeats(a.Kind, typed) {
		v.Asked.Field = typed
	}
	if a.Kind == genuine.NoPage || a.Kind == genuine.Plain {
		v.First = []way{{Class: "btn-plain", Text: v.T.FreezeGive(), Link: freezePath}}
	}
	for _, app := range a.Apps {
		v.Asked.Apps = append(v.Asked.Apps, h.listed(v, app))
	}
	if a.More {
		v.Asked.More = v.T.all.Genuine.More()
	}
}

// repeats reports whether what was typed may stand in the field again: no secret, and where
// nothing of that name or address is known, no sentence of a stranger's whose link led here.
func repeats(k genuine.Kind, typed string) bool {
	switch k {
	case genuine.Code, genuine.Short:
		return false
	case genuine.NoApp, genuine.Away:
		return quotable(typed)
	case genuine.NoPage, genuine.Plain:
		return !strings.ContainsFunc(strings.TrimSpace(typed), func(r rune) bool { return r <= ' ' || r > '~' })
	}
	return true
}

// The looks of an answer: genuine, caution, false.
const (
	answerGood = "notice-good"
	answerCare = "notice-warn"
	answerBad  = "notice-refuse"
)

// answerOf is the sentence of an answer.
func (h *handler) answerOf(v *view, a genuine.Answer) *notice {
	g := v.T.all.Genuine
	switch a.Kind {
	case genuine.Own:
		return &notice{Kind: answerGood, Title: g.OwnTitle(), Text: g.Own(h.real)}
	case genuine.App:
		return &notice{Kind: answerGood, Title: g.AppsTitle(), Text: g.Apps()}
	case genuine.AppPage:
		return &notice{Kind: answerGood, Title: g.ChannelPageTitle(), Text: g.ChannelPage(h.real)}
	case genuine.Similar:
		return &notice{Kind: answerCare, Title: g.SimilarTitle(), Text: g.Similar()}
	case genuine.NoApp:
		return &notice{Kind: answerBad, Title: g.NoAppTitle(), Text: g.NoApp(v.Hotline)}
	case genuine.Stopped:
		return &notice{Kind: answerBad, Title: g.StoppedTitle(), Text: g.Stopped(v.Hotline)}
	case genuine.NoPage:
		return &notice{Kind: answerBad, Title: g.NoPageTitle(), Text: g.NoPage(v.Hotline)}
	case genuine.Plain:
		return &notice{Kind: answerBad, Title: g.PlainTitle(), Text: g.Plain()}
	case genuine.Code:
		return &notice{Kind: answerCare, Title: g.CodeTitle(), Text: g.Code()}
	case genuine.Short:
		return &notice{Kind: answerCare, Title: g.ShortTitle(), Text: g.Short()}
	case genuine.Sender, genuine.Line, genuine.NoSender, genuine.NoList:
		return h.numberAnswer(v, a.Kind)
	}
	return &notice{Kind: answerCare, Title: g.AwayTitle(), Text: g.Away(v.Hotline)}
}

// numberAnswer is the sentence about a number: the content of a text matters more than
// the sender that it shows.
func (h *handler) numberAnswer(v *view, k genuine.Kind) *notice {
	g, mark := v.T.all.Genuine, strings.TrimSpace(v.say(h.mark))
	switch k {
	case genuine.Sender:
		return &notice{Kind: answerCare, Title: g.SenderTitle(), Text: g.Sender(mark)}
	case genuine.Line:
		return &notice{Kind: answerCare, Title: g.LineTitle(), Text: g.Line()}
	case genuine.NoSender:
		return &notice{Kind: answerBad, Title: g.NoSenderTitle(), Text: g.NoSender(v.Hotline)}
	}
	return &notice{Kind: answerCare, Title: g.NoListTitle(), Text: g.NoList(mark, v.Hotline)}
}

// listed is an app in the page's language.
func (h *handler) listed(v *view, a genuine.Listed) listedApp {
	g := v.T.all.Genuine
	out := listedApp{Name: v.say(a.Name), Stopped: a.Stopped, State: g.StateOn(), Pages: a.Origins}
	if a.Stopped {
		out.State, out.Pages = g.StateOff(), nil
	}
	if a.Under != (liuma.Text{}) {
		out.Under = g.Under(v.say(a.Under))
	}
	var where []string
	for _, r := range a.Regions {
		name := h.placeOf(v.T, r)
		if r == "" {
			name = g.Everywhere()
		}
		where = append(where, name)
	}
	if len(where) > mostRegions {
		where = append(where[:mostRegions], "…")
	}
	out.Serves = g.Serves(strings.Join(where, v.T.Comma()))
	return out
}

const mostRegions = 5 // of an app, by name

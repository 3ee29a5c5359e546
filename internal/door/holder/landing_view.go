package holder

import (
	"html/template"
	"net/http"
	"net/url"

	"github.com/liuma-pin/liuma/internal/ceremony"
)

// landingView is the page at the address that a channel sends its holder to.
// Nobody is bound to the ceremony yet, so it names the channel and nobody else.
func (h *handler) landingView(r *http.Request, p ceremony.Page, requestURI string) *view {
	v := h.newView(r, pageLanding)
	v.ID, v.RequestURI = p.ID, requestURI
	v.Asker = v.say(p.ChannelName)
	v.heading(titleOf(p.Action))
	v.Back = "/authorize?" + url.Values{"client_id": {r.URL.Query().Get("client_id")}, "request_uri": {requestURI}}.Encode()
	return v
}

// goingView leads back to the channel from a web view without cookies.
func (h *handler) goingView(r *http.Request, to template.URL) *view {
	v := h.newView(r, pageResult)
	v.heading(func(t *texts) string { return t.GoingTitle })
	v.Result = &result{Kind: "ok", Icon: "ok", Text: v.T.GoingText}
	v.Forward = string(to)
	v.Ways = []way{{Class: "btn-primary", Text: v.T.BackPlain, Out: to}, h.call(v)}
	return v
}

package holder

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/liuma-pin/liuma"
)

// showOfficial is the page at the door's bare address: it explains the site, how to
// freeze a card, which number to call, and how to recognise a genuine page.
func (h *handler) showOfficial(w http.ResponseWriter, r *http.Request) {
	h.door.KeepLang(w, r)
	h.show(w, r, http.StatusOK, h.officialView(r))
}

// officialView is that page.
func (h *handler) officialView(r *http.Request) *view {
	v := h.newView(r, pageStep)
	v.Back = "/"
	v.heading(func(t *wordings) string { return t.OfficialTitle() })
	v.Say = v.T.OfficialSay()
	v.Notice = &notice{Title: v.T.FreezeTitle(), Text: v.T.OfficialFreeze()}
	v.First = []way{{Class: "btn-primary", Text: v.T.FreezeGive(), Link: freezePath}}
	v.TipsTitle = v.T.RealTitle()
	v.Tips = v.realTips(h.real)
	for _, where := range h.whereWay(v, "") {
		where.Class = "btn-plain"
		v.Ways = append(v.Ways, where)
	}
	v.Ways = append(v.Ways, way{Class: "btn-plain", Text: v.T.all.Guide.Way(), Link: guidePath}, way{Class: "btn-plain", Text: v.T.all.Guide.GenuineWay(), Link: genuinePath})
	if h.rules != nil {
		v.Below = h.thieves(v)
		v.Ways = append(v.Ways, way{Class: "btn-plain", Text: v.T.RulesWay(), Link: regionPath})
	}
	v.Ways = append(v.Ways, way{Class: "btn-plain", Text: v.T.TicketWay(), Link: counterPath}, h.call(v))
	return v
}

// realTips say how to know a genuine page.
func (v *view) realTips(real string) []string {
	return []string{v.T.RealAddress(real), v.T.RealName(), v.T.RealNotice(), v.T.RealNever()}
}

// thieves says what a thief gains under the present rules; nil if that is not known.
func (h *handler) thieves(v *view) *notice {
	p := h.rules.For("", "")
	none, under, err := h.simulator.Thieves(p)
	if err != nil {
		h.log.Error("thieves not reckoned", "err", err)
		return nil
	}
	return &notice{Title: v.T.ThievesTitle(), Text: v.T.Thieves(strconv.Itoa(p.Limits.Attempts), strconv.Itoa(none), strconv.Itoa(under))}
}

const largestCheck = 64 << 10

var checkPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}\.(txt|html)$`)

// showDomainCheck serves the files by which an operator proves to a mini-program
// platform that the domain is theirs. Links that lead out of their directory are not
// followed (os.Root).
func (h *handler) showDomainCheck(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	content, ok := h.readCheck(name)
	if !ok {
		h.fault(w, r, http.StatusNotFound, liuma.CodeNotFound)
		return
	}
	kind := "text/plain; charset=utf-8"
	if strings.HasSuffix(name, ".html") {
		kind = "text/html; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	_, _ = w.Write(content) // the client has disconnected
}

func (h *handler) readCheck(name string) ([]byte, bool) {
	if !checkPattern.MatchString(name) {
		return nil, false
	}
	f, err := h.checks.Open(name)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > largestCheck {
		return nil, false
	}
	content, err := io.ReadAll(io.LimitReader(f, largestCheck))
	return content, err == nil
}

// showNothing answers browsers that ask for /favicon.ico, so that they do not
// fill the log with errors.
func (h *handler) showNothing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	w.WriteHeader(http.StatusNoContent)
}

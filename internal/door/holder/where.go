package holder

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// Agencies is the directory, as the page about it reads it; *agency.Book implements it. The
// search is by region: nothing here knows where a device is.
type Agencies interface{ Listing() *agency.Listing }

const (
	wherePath = "/where"
	// whereShown is how many agencies stand on one page.
	whereShown = 5
)

// asking is the search that the page's address describes.
type asking struct {
	region liuma.Region
	text   string
	page   int // from 1
}

// link is the address of the page with the result.
func (a asking) link() string {
	q := url.Values{}
	if a.region != "" {
		q.Set("region", string(a.region))
	}
	if a.text != "" {
		q.Set("q", a.text)
	}
	if a.page > 1 {
		q.Set("page", strconv.Itoa(a.page))
	}
	if len(q) == 0 {
		return wherePath
	}
	return wherePath + "?" + q.Encode()
}

// askedWhere reads the address. Parts that cannot be read are ignored, so that every reader
// finds somebody to ask.
func askedWhere(r *http.Request, l *agency.Listing) asking {
	q := r.URL.Query()
	a := asking{page: 1}
	if region, err := liuma.ParseRegion(q.Get("region")); err == nil {
		a.region = l.Region(region)
	}
	if len(q.Get("q")) <= longestTyped {
		a.text = strings.Join(strings.Fields(strings.ToValidUTF8(q.Get("q"), "")), " ")
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 && n <= agency.MaxFound {
		a.page = n
	}
	return a
}

// showWhere is the page on which holders find an agency.
func (h *handler) showWhere(w http.ResponseWriter, r *http.Request) {
	h.door.KeepLang(w, r)
	h.show(w, r, http.StatusOK, h.whereView(r))
}

// search is the page's form.
type search struct {
	Text   string
	Region liuma.Region
	In     string // the region that it searches
}

// office is an agency or a hotline as pages show it.
type office struct {
	Name, Region, Address, Hours, Telephone, Documents, Agent, StepFree, Languages, Services spoken
	Sample                                                                                   bool
}

// spoken is a text with its language, which may differ from the page's.
type spoken struct{ Text, Lang string }

func (h *handler) whereView(r *http.Request) *view {
	l := h.agencies.Listing()
	a := askedWhere(r, l)
	v := h.newView(r, pageWhere)
	v.Back = a.link()
	v.region = a.region
	if h.rules != nil {
		v.helpedBy(h.rules.For(a.region, "").Hotline)
	}
	v.heading(func(t *wordings) string { return t.WhereTitle() })
	v.Search = &search{Text: a.text, Region: a.region, In: v.T.WhereIn(v.T.place(l, a.region))}
	near := l.Nearest(a.region, whereShown)
	if a.text != "" {
		h.whereFound(v, l, a)
	} else {
		h.whereAround(v, l, a, near)
	}
	for _, line := range near.Hotlines {
		v.Lines = append(v.Lines, h.officeOf(v, l, line))
	}
	h.whereOn(v, l, a)
	return v
}

// whereFound shows the results of a search, or what to do if nothing was found.
func (h *handler) whereFound(v *view, l *agency.Listing, a asking) {
	found, more := l.Search(agency.Query{Region: a.region, Text: a.text})
	if len(found) == 0 {
		if v.Say = v.T.WhereNone(a.text); !quotable(a.text) {
			v.Say, v.Search.Text = v.T.WhereNoneAtAll(), ""
		}
		v.Tips = []string{v.T.WhereNoneWords(), v.T.WhereNoneWider(), v.T.WhereNoneCall(v.Hotline)}
		v.TipsTitle = v.T.WhereNoneTitle()
		return
	}
	if !agency.Searched(a.text) {
		v.Search.Text = "" // more than was looked for, and found
	}
	count := strconv.Itoa(len(found))
	if v.Say = v.T.WhereFound(len(found), count); more {
		v.Say = v.T.WhereMore(count)
	}
	h.wherePaged(v, l, a, found)
}

// quotedMost is the longest name that the page repeats.
const quotedMost = 16

// quotable reports whether the typed text may be repeated when nothing is found. Anybody
// can send such an address to others, and the text would appear on our page: so it may be
// no sentence, no number and no address.
func quotable(typed string) bool {
	return utf8.RuneCountInString(typed) <= quotedMost && !agency.Hides(typed)
}

// whereAround shows the offices of a region or, if it has none, of the next region above it
// that has some.
func (h *handler) whereAround(v *view, l *agency.Listing, a asking, near agency.Near) {
	switch {
	case a.region == "":
		v.Say = v.T.WhereSay()
	case len(near.Offices) == 0:
		v.Say = v.T.WhereNobody(v.T.place(l, a.region), v.Hotline)
	case near.Region != a.region:
		v.Say = v.T.WhereAbove(v.T.place(l, a.region), v.T.place(l, near.Region))
	}
	if a.region == "" {
		return
	}
	var offices []store.Agency
	all, _ := l.Search(agency.Query{Region: near.Region})
	for _, one := range all {
		if one.Kind == store.AgencyOffice && (near.Region == a.region || one.Region == near.Region) {
			offices = append(offices, one)
		}
	}
	h.wherePaged(v, l, a, offices)
}

// wherePaged shows one page of a list.
func (h *handler) wherePaged(v *view, l *agency.Listing, a asking, all []store.Agency) {
	pages := (len(all) + whereShown - 1) / whereShown
	if a.page = min(a.page, pages); a.page < 1 {
		return
	}
	for _, one := range all[(a.page-1)*whereShown : min(a.page*whereShown, len(all))] {
		v.Offices = append(v.Offices, h.officeOf(v, l, one))
	}
	at := a.page
	if at > 1 {
		a.page = at - 1
		v.Links = append(v.Links, way{Class: "btn-aside", Text: v.T.WhereBefore(), Link: a.link()})
	}
	if at < pages {
		a.page = at + 1
		v.First = append(v.First, way{Class: "btn-plain", Text: v.T.WhereNext(strconv.Itoa(at), strconv.Itoa(pages)), Link: a.link()})
	}
}

// whereOn leads to the regions around and below, and to the help line.
func (h *handler) whereOn(v *view, l *agency.Listing, a asking) {
	if a.region != "" {
		v.WaysTitle = v.T.WhereElsewhere()
	}
	for at := a.region; at != ""; {
		at = l.Above(at)
		text := v.T.WhereWider(v.T.place(l, at))
		if at == "" {
			text = v.T.WhereNation()
		}
		v.Ways = append(v.Ways, way{Class: "btn-plain", Text: text, Link: asking{region: at, text: a.text, page: 1}.link()})
	}
	for _, below := range l.Below(a.region) {
		v.Regions = append(v.Regions, way{Class: "btn-plain", Text: v.T.place(l, below), Link: asking{region: below, text: a.text, page: 1}.link()})
	}
	if h.rules != nil && a.region != "" {
		v.Links = append(v.Links, way{Class: "btn-aside", Text: v.T.WhereRules(), Link: inRegion(regionPath, a.region)})
	}
	if v.Named = true; !slices.ContainsFunc(v.Lines, func(o office) bool { return o.Telephone.Text == v.Hotline }) {
		v.Ways = append(v.Ways, h.call(v))
	}
}

// place names a region with the regions around it.
func (t *wordings) place(l *agency.Listing, r liuma.Region) string {
	return cmp.Or(l.Place(t.all, r), t.WhereEverywhere())
}

// placeOf is place for pages that work without a directory of agencies: without it they
// name the province. Empty for the nation.
func (h *handler) placeOf(t *wordings, r liuma.Region) string {
	if h.agencies == nil {
		return t.all.Region(r)
	}
	return h.agencies.Listing().Place(t.all, r)
}

// officeOf is an agency in the page's language; texts that it does not have in that
// language are in Chinese.
func (h *handler) officeOf(v *view, l *agency.Listing, a store.Agency) office {
	o := office{Name: v.spoken(a.Name), Region: spoken{Text: l.Place(v.T.all, a.Region)}, Address: v.spoken(a.Address), Hours: v.spoken(a.Hours),
		Telephone: spoken{Text: a.Telephone}, Documents: v.spoken(a.Documents), Languages: v.spoken(a.Languages), Services: v.spoken(a.Services), Sample: a.Sample}
	own := func(when store.Said, yes, no string) spoken {
		switch when {
		case store.SaidYes:
			return spoken{Text: yes}
		case store.SaidNo:
			return spoken{Text: no}
		}
		return spoken{}
	}
	switch {
	case a.Kind == store.AgencyHotline:
	case h.rules != nil:
		o.Agent = spoken{Text: v.T.comesFor(h.rules.For(a.Region, "").Agents)}
	default:
		o.Agent = own(a.Agent, v.T.WhereAgentYes(), v.T.WhereAgentNo())
	}
	o.StepFree = own(a.StepFree, v.T.WhereStepFreeYes(), v.T.WhereStepFreeNo())
	return o
}

// comesFor says what an agent may come to an office for. The office's own statement counts
// only if no policy is read, since clerks go by the policy.
func (t *wordings) comesFor(a policy.Agents) string {
	switch a {
	case policy.AgentsFreeze:
		return t.WhereAgentFreeze()
	case policy.AgentsClose:
		return t.WhereAgentClose()
	case policy.AgentsBoth:
		return t.WhereAgentBoth()
	}
	return t.WhereAgentNo()
}

func (v *view) spoken(t liuma.Text) spoken {
	said := v.T.of(t)
	switch {
	case said == "" && t.ZH != "":
		return spoken{Text: t.ZH, Lang: "zh-CN"}
	case v.T.Lang() != "zh-CN" && said == t.ZH && said != t.EN:
		return spoken{Text: said, Lang: "zh-CN"}
	}
	return spoken{Text: said}
}

// whereOf is the region whose offices a ceremony's page names: the card's if the page knows
// whose it is, and else the region of the channel's request. A page that may not know a
// card must not show its region (0013).
func whereOf(p ceremony.Page) liuma.Region { return cmp.Or(p.Home, p.Region) }

// whereWay leads to the page with a region filled in; nil if there is no directory.
func (h *handler) whereWay(v *view, region liuma.Region) []way {
	if h.agencies == nil || v.Clerk != "" || v.OnPad {
		return nil
	}
	l := h.agencies.Listing()
	if l.Len() == 0 {
		return nil
	}
	return []way{{Class: "btn-aside", Text: v.T.WhereWay(), Link: asking{region: l.Region(region), page: 1}.link()}}
}

// nearest are the offices that a page names.
func (h *handler) nearest(v *view, region liuma.Region) []office {
	if h.agencies == nil {
		return nil
	}
	var out []office
	l := h.agencies.Listing()
	for _, a := range l.Nearest(region, 1).Offices {
		out = append(out, h.officeOf(v, l, a))
	}
	return out
}

// agencyName is the name on pages of an agency of staff.
func (h *handler) agencyName(v *view, a liuma.Agency, r liuma.Region) string {
	if h.agencies != nil && a != "" {
		if one, ok := h.agencies.Listing().Agency(a); ok {
			return v.spoken(one.Name).Text
		}
	}
	return cmp.Or(string(a), h.placeOf(v.T, r))
}

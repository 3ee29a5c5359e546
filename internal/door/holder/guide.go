package holder

import (
	"net/http"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/locale"
)

// guidePath is the page that explains the PIN to holders. It needs no script, can be
// printed, and describes the rules as they are now.
const guidePath = "/guide"

// chapter is a part of the guide.
type chapter struct {
	ID, Title string
	Says      []string
	Ways      []way
}

// showGuide shows the whole guide, for a region if the address names one.
func (h *handler) showGuide(w http.ResponseWriter, r *http.Request) {
	h.door.KeepLang(w, r)
	h.show(w, r, http.StatusOK, h.guideView(r, regionOf(r)))
}

func (h *handler) guideView(r *http.Request, region liuma.Region) *view {
	v := h.newView(r, pageGuide)
	v.Back = inRegion(guidePath, region)
	p := policy.National()
	if h.rules != nil {
		p = h.rules.For(region, "")
		v.helpedBy(p.Hotline)
	}
	v.heading(func(t *wordings) string { return t.all.Guide.Title() })
	v.Lead = v.T.all.Guide.Lead()
	v.Chapters = h.chapters(v, region, p)
	v.Ways, v.Real = []way{h.call(v)}, h.real
	return v
}

// chapters are the chapters of the guide, in the order in which people need them.
func (h *handler) chapters(v *view, region liuma.Region, p policy.Policy) []chapter {
	t, g, where := v.T, v.T.all.Guide, h.whereWay(v, region)
	out := []chapter{
		{ID: "what", Title: g.WhatTitle(), Says: []string{g.WhatOwn(), g.WhatFor(), g.WhatPhysical(), g.WhatMedical()}},
		{ID: "set", Title: g.SetTitle(), Says: []string{g.SetWhere(), g.SetHow(), g.SetNeeds(t.proofs(liuma.ActionEnroll, p.Steps)), g.SetNoPhone()},
			Ways: []way{{Text: g.GenuineWay(), Link: genuinePath}}},
		{ID: "good", Title: g.GoodTitle(), Says: []string{g.GoodNot(), g.GoodOther(), g.GoodKeep(), g.GoodPaper()}},
		{ID: "change", Title: g.ChangeTitle(), Says: []string{g.ChangeHow(), g.ChangeWhen()}},
		{ID: "forgot", Title: g.ForgotTitle(), Says: []string{g.ForgotTries(t.tries(p)), g.ForgotOnline(t.proofs(liuma.ActionReset, p.Steps)), g.ForgotCounter()},
			Ways: append([]way{{Text: t.TicketWay(), Link: counterPath}}, where...)},
		{ID: "phone", Title: g.PhoneTitle(), Says: []string{g.PhoneWhy(), g.PhoneNew(), g.PhoneOwn()}},
		{ID: "lost", Title: g.LostTitle(), Says: []string{g.LostFreeze(), g.LostCall(v.Hotline), g.LostBack()},
			Ways: []way{{Text: t.FreezeGive(), Link: freezePath}}},
		{ID: "safe", Title: g.SafeTitle(), Says: []string{g.SafeLinks(), g.SafeApps(), g.SafeScare(v.Hotline), g.SafeReal()},
			Ways: []way{{Text: g.GenuineWay(), Link: genuinePath}}},
		{ID: "never", Title: g.NeverTitle(), Says: []string{g.NeverCodes(), g.NeverHome()}},
		{ID: "family", Title: g.FamilyTitle(), Says: []string{g.FamilyOld(), t.ruleOfMinors(p)}},
		{ID: "region", Title: g.RegionTitle(), Says: append([]string{g.RegionSay(), h.ruleOf(t, region)}, t.rules(p)...), Ways: append(h.regionWays(g.RegionWay(), region), where...)},
		{ID: "other", Title: g.OtherTitle(), Says: []string{g.OtherYears(), g.OtherMedical(), g.OtherLines(locale.MedicalLine, v.Hotline), g.OtherLapse()}, Ways: where},
	}
	if p.Passphrase {
		out[2].Says = append(out[2].Says, g.GoodLetters())
	}
	return out
}

// regionWays lead to the page of a region's rules, if there is one.
func (h *handler) regionWays(text string, region liuma.Region) []way {
	if h.rules == nil {
		return nil
	}
	return []way{{Text: text, Link: inRegion(regionPath, region)}}
}

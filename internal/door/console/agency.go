package console

import (
	"cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/store"
)

// agencyRoutes are the agencies, as holders see them.
func (h *console) agencyRoutes() []Route {
	return []Route{{Pattern: "GET /agency", Method: "Agencies", do: agencyPage}}
}

// agencyPage shows the member's own agency as holders see it, and the agencies of the
// member's region, so that a member can tell people at the counter where else to go.
func agencyPage(v *visit) (*view, error) {
	page := &view{Title: v.t.NavAgency(), Lead: v.t.AgencyLead()}
	if v.who.Agency != "" {
		own, err := v.admin().Agencies(v.ctx(), admin.AgencyQuery{Code: v.who.Agency})
		if err == nil && len(own.Agencies) == 1 && !own.Agencies[0].Closed {
			page.Blocks = append(page.Blocks, block{Title: v.t.AgencyOwn(), Facts: v.agencyFacts(own.Agencies[0])})
		} else {
			page.Blocks = append(page.Blocks, block{Notice: &notice{Kind: "warn", Title: v.t.AgencyUnlisted(string(v.who.Agency)), Text: v.t.AgencyUnlistedText()}})
		}
	}
	found, err := v.admin().Agencies(v.ctx(), admin.AgencyQuery{Region: v.who.Region})
	if err != nil {
		return nil, err
	}
	list := &table{Caption: v.t.AgencyAll(v.t.region(v.who.Region)), Head: []string{v.t.AgencyName(), v.t.Region(), v.t.AgencyAddress(), v.t.AgencyTelephone(), v.t.AgencyHours()}, None: v.t.AgencyNone(), Wide: true}
	for _, a := range found.Agencies {
		under := string(a.Code)
		if a.Sample {
			under += v.t.Between("", "") + v.t.AgencySample()
		}
		list.Rows = append(list.Rows, []cell{{Text: inEither(v.t, a.Name), Under: under}, text(v.t.region(a.Region)), text(inEither(v.t, a.Address)), {Text: a.Telephone, Class: "mono nowrap"}, text(inEither(v.t, a.Hours))})
	}
	page.Blocks = append(page.Blocks, block{Table: list})
	if found.More {
		page.Blocks = append(page.Blocks, block{Text: v.t.AgencyMore()})
	}
	page.Blocks = append(page.Blocks, block{Text: v.t.AgencyPage(v.h.c.Holder + "/where")})
	return page, nil
}

// inEither is a text in the page's language, or in Chinese where it has no other.
func inEither(t *wordings, text liuma.Text) string { return cmp.Or(t.of(text), text.ZH) }

// agencyFacts are the facts about an agency that holders see.
func (v *visit) agencyFacts(a store.Agency) []fact {
	yes := func(s store.Said) string {
		switch s {
		case store.SaidYes:
			return v.t.AgencyYes()
		case store.SaidNo:
			return v.t.AgencyNo()
		}
		return ""
	}
	facts := []fact{{v.t.AgencyName(), cell{Text: inEither(v.t, a.Name), Under: string(a.Code)}}, {v.t.Region(), text(v.t.region(a.Region))}}
	for _, one := range [][2]string{{v.t.AgencyAddress(), inEither(v.t, a.Address)}, {v.t.AgencyTelephone(), a.Telephone}, {v.t.AgencyHours(), inEither(v.t, a.Hours)},
		{v.t.AgencyBring(), inEither(v.t, a.Documents)}, {v.t.AgencyAgent(), yes(a.Agent)}, {v.t.AgencyStepFree(), yes(a.StepFree)},
		{v.t.AgencyLanguages(), inEither(v.t, a.Languages)}, {v.t.AgencyServices(), inEither(v.t, a.Services)}} {
		if one[1] != "" {
			facts = append(facts, fact{one[0], text(one[1])})
		}
	}
	if a.Sample {
		facts = append(facts, fact{v.t.State(), cell{Text: v.t.AgencySample(), Tag: "warn"}})
	}
	return facts
}

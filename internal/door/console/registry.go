package console

import (
	"net/url"
	"slices"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
)

// registryRoutes are the pages on which an operator decides about the registry. Names
// and numbers come masked from the administration.
func (h *console) registryRoutes() []Route {
	return []Route{
		{Pattern: "GET /conflicts", Method: "Conflicts", do: conflictsPage},
		{Pattern: "GET /conflicts/{id}", Method: "Conflict", do: conflictPage},
		{Pattern: "POST /conflicts/{id}/keep", Method: "KeepConflict", do: keepConflict, again: conflictPage},
		{Pattern: "POST /conflicts/{id}/replace", Method: "ReplaceConflict", do: replaceConflict, again: conflictPage},
		{Pattern: "GET /corrections", Method: "Corrections", do: correctionsPage},
		{Pattern: "GET /corrections/new", Method: "CorrectNumber", do: newCorrectionPage},
		{Pattern: "POST /corrections/new", Method: "CorrectNumber", do: correctNumber, again: newCorrectionPage},
		{Pattern: "GET /corrections/{id}", Method: "Corrections", do: correctionPage},
		{Pattern: "POST /corrections/{id}/cancel", Method: "CancelCorrection", do: cancelCorrection, again: correctionPage},
		{Pattern: "POST /corrections/{id}/go-on", Method: "ProposeAct", do: proposeAct(admin.ActResume), again: correctionPage},
		{Pattern: "POST /corrections/{id}/hasten", Method: "ProposeAct", do: proposeAct(admin.ActHasten), again: correctionPage},
	}
}

// more is the link to the next page of a list; nil: there are no more pages.
func (v *visit) more(path, last string, full bool) []link {
	if !full {
		return nil
	}
	return []link{{v.t.More(), path + "?after=" + url.QueryEscape(last)}}
}

func conflictsPage(v *visit) (*view, error) {
	all, err := v.admin().Conflicts(v.ctx(), v.r.URL.Query().Get("after"))
	if err != nil {
		return nil, err
	}
	list := &table{Head: []string{v.t.IDNumber(), v.t.Registered(), v.t.Imported(), v.t.ConflictAt(), v.t.State()}, None: v.t.ConflictsNone()}
	last := ""
	for _, c := range all {
		last = c.ID
		state := cell{Text: v.t.ConflictOpen(), Tag: "warn"}
		if c.KeptAt != nil {
			state = cell{Text: v.t.ConflictKept(), Tag: "plain"}
		}
		list.Rows = append(list.Rows, []cell{{Text: c.IDNumber, Link: "/conflicts/" + url.PathEscape(c.ID)}, text(c.Registered.Name), text(c.Imported.Name),
			{Text: v.moment(c.At), Class: "nowrap"}, state})
	}
	return &view{Title: v.t.NavConflicts(), Lead: v.t.ConflictsLead(), Blocks: []block{{Table: list, Links: v.more("/conflicts", last, len(all) == admin.MaxConflicts)}}}, nil
}

func conflictPage(v *visit) (*view, error) {
	c, err := v.admin().Conflict(v.ctx(), v.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	sides := &table{Head: []string{"", v.t.Registered(), v.t.Imported()}}
	row := func(name string, of func(registry.Side) string) {
		sides.Rows = append(sides.Rows, []cell{text(name), text(of(c.Registered)), text(of(c.Imported))})
	}
	row(v.t.Name(), func(s registry.Side) string { return s.Name })
	row(v.t.Phone(), func(s registry.Side) string { return v.t.orNone(s.Phone) })
	row(v.t.CardNo(), func(s registry.Side) string { return v.t.orNone(s.CardNo) })
	row(v.t.Region(), func(s registry.Side) string { return v.t.region(s.Region) })
	row(v.t.Physical(), func(s registry.Side) string { return v.t.all.Word("physical", string(s.Physical)) })
	row(v.t.Died(), func(s registry.Side) string { return v.t.yes(s.Died) })
	page := &view{Title: v.t.ConflictTitle(c.IDNumber), Lead: v.t.ConflictLead(), Blocks: []block{{Table: sides}}}
	if c.Former != "" {
		page.Blocks = append(page.Blocks, block{Notice: &notice{Title: v.t.ConflictFormer(c.Former), Text: v.t.ConflictFormerText()}})
	}
	if c.HasCard {
		page.Blocks = append(page.Blocks, block{Notice: &notice{Kind: "warn", Title: v.t.ConflictCard(), Text: v.t.ConflictCardText()}})
	}
	at := "/conflicts/" + url.PathEscape(c.ID)
	if v.may("KeepConflict") && c.KeptAt == nil {
		page.Blocks = append(page.Blocks, block{Title: v.t.KeepTitle(), Text: v.t.KeepText(), Form: &form{Post: at + "/keep", Button: v.t.KeepButton(), Fields: []field{v.reason()}}})
	}
	if v.may("ReplaceConflict") {
		page.Blocks = append(page.Blocks, block{Title: v.t.ReplacePersonTitle(), Text: v.t.ReplacePersonText(), Folded: true,
			Form: &form{Post: at + "/replace", Button: v.t.ReplacePersonButton(), Kind: "danger", Fields: []field{v.reason()}}})
	}
	return page, nil
}

func keepConflict(v *visit) (*view, error) {
	if err := v.admin().KeepConflict(v.ctx(), v.r.PathValue("id"), audit.Reason(v.typed("reason"))); err != nil {
		return nil, err
	}
	return v.to("/conflicts", "kept")
}

func replaceConflict(v *visit) (*view, error) {
	if _, err := v.admin().ReplaceConflict(v.ctx(), v.r.PathValue("id"), audit.Reason(v.typed("reason"))); err != nil {
		return nil, err
	}
	return v.to("/conflicts", "replaced")
}

func correctionsPage(v *visit) (*view, error) {
	all, err := v.admin().Corrections(v.ctx(), v.r.URL.Query().Get("after"))
	if err != nil {
		return nil, err
	}
	list := &table{Head: []string{v.t.Former(), v.t.NewNumber(), v.t.Name(), v.t.State(), v.t.CorrectionAt()}, None: v.t.CorrectionsNone()}
	last := ""
	for _, c := range all {
		last = c.ID
		list.Rows = append(list.Rows, []cell{{Text: c.Former, Link: "/corrections/" + url.PathEscape(c.ID)}, text(c.Number), text(c.Name), v.correctionState(c),
			{Text: v.moment(c.At), Class: "nowrap"}})
	}
	page := &view{Title: v.t.NavCorrections(), Lead: v.t.CorrectionsLead(), Blocks: []block{{Table: list, Links: v.more("/corrections", last, len(all) == admin.MaxCorrections)}}}
	if v.may("CorrectNumber") {
		page.Blocks = append(page.Blocks, block{Links: []link{{v.t.CorrectTitle(), "/corrections/new"}}})
	}
	return page, nil
}

func (v *visit) correctionState(c registry.CorrectionView) cell {
	tag := "plain"
	if c.State == "stopped" {
		tag = "warn"
	}
	return cell{Text: v.t.all.Word("correction", c.State), Tag: tag}
}

// correction is the correction of the address. A list begins after an ID, so it is the
// first of such a list.
func (v *visit) correction() (registry.CorrectionView, error) {
	for after := ""; ; {
		all, err := v.admin().Corrections(v.ctx(), after)
		if err != nil {
			return registry.CorrectionView{}, err
		}
		if i := slices.IndexFunc(all, func(c registry.CorrectionView) bool { return c.ID == v.r.PathValue("id") }); i >= 0 {
			return all[i], nil
		}
		if len(all) < admin.MaxCorrections {
			return registry.CorrectionView{}, registry.ErrUnknownCorrection
		}
		after = all[len(all)-1].ID
	}
}

func correctionPage(v *visit) (*view, error) {
	c, err := v.correction()
	if err != nil {
		return nil, err
	}
	facts := []fact{{v.t.Former(), text(c.Former)}, {v.t.NewNumber(), text(c.Number)}, {v.t.Name(), text(c.Name)}, {v.t.State(), v.correctionState(c)},
		{v.t.CorrectionAt(), text(v.moment(c.At))}, {v.t.CorrectionBy(), cell{Text: c.By, Class: "mono"}}, {v.t.HasCard(), text(v.t.yes(c.HasCard))}}
	if c.Until != nil {
		facts = append(facts, fact{v.t.CorrectionUntil(), text(v.moment(*c.Until))})
	}
	if c.Why != "" {
		facts = append(facts, fact{v.t.CorrectionWhy(), text(v.t.all.Word("halt", c.Why))})
	}
	page := &view{Title: v.t.CorrectionTitle(), Blocks: []block{{Facts: facts}}}
	at := "/corrections/" + url.PathEscape(c.ID)
	if v.may("ProposeAct") && c.State == "waiting" && c.Until != nil {
		page.Blocks = append(page.Blocks, block{Title: v.t.HastenTitle(), Text: v.t.HastenText(), Folded: true,
			Form: &form{Post: at + "/hasten", Button: v.t.ProposeButton(), Kind: "plain", Fields: []field{v.reason()}}})
	}
	if v.may("ProposeAct") && c.State == "stopped" && c.Why == "untold" {
		page.Blocks = append(page.Blocks, block{Title: v.t.GoOnTitle(), Text: v.t.GoOnText(), Form: &form{Post: at + "/go-on", Button: v.t.ProposeButton(), Fields: []field{v.reason()}}})
	}
	if v.may("CancelCorrection") {
		page.Blocks = append(page.Blocks, block{Title: v.t.CancelTitle(), Text: v.t.CancelText(), Folded: true,
			Form: &form{Post: at + "/cancel", Button: v.t.CancelButton(), Kind: "danger", Fields: []field{v.reason()}}})
	}
	return page, nil
}

// newCorrectionPage asks for both numbers and the card's number. None is shown again.
func newCorrectionPage(v *visit) (*view, error) {
	return &view{Title: v.t.CorrectTitle(), Lead: v.t.CorrectLead(), Blocks: []block{{Form: &form{Post: "/corrections/new", Button: v.t.CorrectButton(), Fields: []field{
		{Name: "former", Label: v.t.Former(), Hint: v.t.FormerHint(), Required: true, Most: 60, Class: "mono"},
		{Name: "number", Label: v.t.NewNumber(), Hint: v.t.NewNumberHint(), Required: true, Most: 60, Class: "mono"},
		{Name: "card_no", Label: v.t.CardNo(), Hint: v.t.CardNoHint(), Required: true, Most: 20, Class: "mono"},
		v.reason(),
	}}}}}, nil
}

func correctNumber(v *visit) (*view, error) {
	out, err := v.admin().CorrectNumber(v.ctx(), admin.NumberCorrection{Former: v.typed("former"), Number: v.typed("number"), CardNo: v.typed("card_no")}, audit.Reason(v.typed("reason")))
	if err != nil {
		return nil, err
	}
	if out.Waiting != nil {
		return v.to("/corrections/"+url.PathEscape(out.Waiting.ID), "correcting")
	}
	return v.to("/corrections", "corrected")
}

func cancelCorrection(v *visit) (*view, error) {
	if err := v.admin().CancelCorrection(v.ctx(), v.r.PathValue("id"), audit.Reason(v.typed("reason"))); err != nil {
		return nil, err
	}
	return v.to("/corrections", "cancelled")
}

// proposeAct proposes an act on the correction of the address that takes two members.
func proposeAct(kind string) func(*visit) (*view, error) {
	return func(v *visit) (*view, error) {
		made, err := v.admin().ProposeAct(v.ctx(), admin.Act{Kind: kind, ID: v.r.PathValue("id"), Reason: audit.Reason(v.typed("reason"))})
		if err != nil {
			return nil, err
		}
		return v.to("/proposals/"+url.PathEscape(string(made.ID)), "proposed")
	}
}

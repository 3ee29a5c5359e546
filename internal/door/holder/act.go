package holder

import (
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/policy"
)

// act holds the texts of the pages for one act of a holder, in one language.
type act struct {
	title        string
	next         string // at the confirmation: the next step
	pad          string // the pad's mode, as the markup contract in web/README.md names it
	codeTo       string // where the one-time code goes; empty: the bound phone
	forgot       string // at the pad: advice about a forgotten PIN, where no reset is offered here
	padLead      string // above the pad
	wrong        string // the title after a wrong PIN
	prove        string // what the evidence is for
	more         bool   // the pad offers to stay on the last page, for its settings
	oldNumber    string // what to do if the number that codes go to is no longer the holder's
	newPhone     bool   // the one-time code goes to a number that was just typed
	success      string // the title when it succeeded
	successMeans string
	face         bool      // the last page shows the card
	showsPurpose bool      // the last page repeats the purpose
	stages       []stageOf // the act's stages; empty for an act of one page
}

// stageOf is a stage of an act, and the steps of the ceremony that belong to it.
type stageOf struct {
	name  string
	steps []ceremony.Step
	also  string // its name at later steps, if that is different
}

// actAt is the act of a page; for one at a counter it depends on the kind of ticket.
func actAt(t *wordings, p ceremony.Page) act {
	if !atCounter(p) {
		row := actOf(t, p.Action)
		if p.CodeToBound { // with a ticket, before the new number
			row.codeTo, row.newPhone, row.oldNumber = "", false, t.CounterTell()
		}
		return row
	}
	var row act
	if p.Counter != nil {
		row = counterRow(t, p.Counter.Kind, p.Counter.Own)
	}
	if p.CodeToBound {
		row.codeTo, row.newPhone = "", false
	}
	row.wrong, row.oldNumber = t.WrongTitle(), t.CounterTell()
	return row
}

// actOf is the table of acts. A new act needs a row here; without one its pages would
// be empty, and a test fails.
func actOf(t *wordings, a liuma.Action) act {
	row := actRow(t, a)
	if row.wrong == "" {
		row.wrong = t.WrongTitle()
	}
	if row.prove == "" {
		row.prove = t.ProveReset()
	}
	if row.oldNumber == "" {
		row.oldNumber = t.OldBound()
	}
	return row
}

func actRow(t *wordings, a liuma.Action) act {
	at := func(name string, steps ...ceremony.Step) stageOf { return stageOf{name: name, steps: steps} }
	confirm, pad, done := ceremony.StepConfirm, ceremony.StepPIN, ceremony.StepDone
	switch a {
	case liuma.ActionEnroll: // the one-time code is part of identifying the holder, so it belongs to that stage
		return act{title: t.EnrollTitle(), next: t.NextEnroll(), pad: "new", codeTo: t.ToRegistered(), oldNumber: t.OldRegistered(),
			success: t.EnrolledTitle(), successMeans: t.EnrolledText(), face: true,
			stages: []stageOf{at(t.StageCheck(), confirm, ceremony.StepCode, ceremony.StepCardNo), at(t.StageSet(), pad), at(t.StageDone(), done)}}
	case liuma.ActionLink:
		return act{title: t.LinkTitle(), next: t.NextLink(), pad: "current", forgot: t.ForgotText(t.hotline),
			success: t.LinkedTitle(), successMeans: t.LinkedText(),
			stages: []stageOf{at(t.StageCheck(), confirm), at(t.StageEnter(), pad), at(t.StageDone(), done)}}
	case liuma.ActionChange:
		return act{title: t.ChangeTitle(), pad: "change", padLead: t.ChangeLead(), wrong: t.WrongOldTitle(),
			success: t.ChangedTitle(), successMeans: t.ChangedText()}
	case liuma.ActionReset:
		return act{title: t.ResetTitle(), next: t.NextReset(), pad: "new",
			success: t.ResetDoneTitle(), successMeans: t.ResetDoneText(),
			stages: []stageOf{at(t.StageAgree(), confirm), at(t.StageCode(), ceremony.StepCode),
				at(t.StageProve(), ceremony.StepCardNo, ceremony.StepEvidence), at(t.StageNew(), pad), at(t.StageDone(), done)}}
	case liuma.ActionRebind: // the one-time code goes to the new number, so number and code are one stage
		return act{title: t.RebindTitle(), next: t.NextRebind(), pad: "current", codeTo: t.ToNew(), newPhone: true, prove: t.ProveRebind(),
			success: t.ReboundTitle(), successMeans: t.ReboundText(),
			stages: []stageOf{at(t.StageAgree(), confirm), at(t.StagePIN(), pad), at(t.StageProve(), ceremony.StepCardNo, ceremony.StepEvidence),
				at(t.StagePhone(), ceremony.StepPhone, ceremony.StepCode), at(t.StageDone(), done)}}
	case liuma.ActionUnfreeze:
		return act{title: t.UnfreezeTitle(), next: t.NextUnfreeze(), pad: "current", forgot: t.ForgotFrozen(), oldNumber: t.OldUnfreeze(), prove: t.ProveUnfreeze(),
			success: t.UnfrozenTitle(), successMeans: t.UnfrozenText(),
			stages: []stageOf{at(t.StageAgree(), confirm), {t.StageCode(), []ceremony.Step{ceremony.StepCode, ceremony.StepCardNo, ceremony.StepEvidence}, t.StageProve()},
				at(t.StagePIN(), pad), at(t.StageDone(), done)}}
	case liuma.ActionVerify:
		return act{title: t.VerifyTitle(), pad: "current", more: true, prove: t.ProveAlone(), next: t.NextAlone(), oldNumber: t.OldConfirm(),
			success: t.VerifiedTitle(), successMeans: t.VerifiedText(), showsPurpose: true}
	}
	return act{}
}

// title makes the act the page's heading.
func (v *view) title(p ceremony.Page) {
	v.heading(func(t *wordings) string {
		if p.Alone {
			return t.AloneCheck() // no PIN is checked
		}
		return actAt(t, p).title
	})
}

// alsoAsked lists the proofs that the card's region asks for in addition, so that
// none comes as a surprise.
func (t *wordings) alsoAsked(p ceremony.Page, a liuma.Action) (all []string) {
	if p.Steps.Asks(a, policy.ProofCardNo) {
		all = append(all, t.AlsoNumber())
	}
	if a == liuma.ActionUnfreeze && p.Steps.Asks(a, policy.ProofEvidence) {
		all = append(all, t.AlsoEvidence())
	}
	return all
}

// stages shows how far an act of several pages has come.
func (v *view) stages(p ceremony.Page) {
	all := actAt(v.T, p).stages
	if p.Action == liuma.ActionReset && p.Began != "" && p.Began != p.Action {
		all = all[1:] // the holder came from the pad, and agreed to nothing first
	}
	step := p.Step
	if p.CodeToBound {
		step = ceremony.StepEvidence // this code takes the place of evidence, before the new number's code
	}
	now := max(0, slices.IndexFunc(all, func(s stageOf) bool { return slices.Contains(s.steps, step) }))
	if p.Step == ceremony.StepDone {
		now = len(all) // nothing is left to do
	}
	for i, s := range all {
		if i == now && s.also != "" && p.Step != s.steps[0] {
			s.name = s.also
		}
		v.Steps = append(v.Steps, stage{Name: s.name, Done: i < now, Current: i == now})
	}
}

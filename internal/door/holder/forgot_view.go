package holder

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// What an address of a ceremony may ask to see besides its step.
const (
	askFreeze = "freeze" // whether the holder is sure
	askReset  = "reset"  // why the PIN cannot be set anew online
)

// linked reports whether a ceremony is about a card that the channel named by
// its handle, so that its page may freeze it and set its PIN anew.
func linked(p ceremony.Page) bool {
	return p.Began != liuma.ActionEnroll && p.Began != liuma.ActionLink &&
		p.Action != liuma.ActionEnroll && p.Action != liuma.ActionLink
}

// canForget reports whether the authority takes Forgot at this step.
func canForget(p ceremony.Page) bool {
	if !linked(p) || p.Action == liuma.ActionReset || p.Action == liuma.ActionUnfreeze {
		return false
	}
	code := codeOf(p)
	return p.Step == ceremony.StepPIN || p.Step == ceremony.StepRefused && (code == liuma.CodeLocked || code == liuma.CodeBlocked)
}

func resetRefused(p ceremony.Page) bool { return p.ResetRefused != "" && canForget(p) }

// canFreeze reports whether the authority takes FreezeOwn at this step.
func canFreeze(p ceremony.Page) bool {
	switch p.Step {
	case ceremony.StepDone:
		return true
	case ceremony.StepConfirm, ceremony.StepCode, ceremony.StepEvidence, ceremony.StepPhone, ceremony.StepPIN:
		return linked(p) && p.Action != liuma.ActionUnfreeze
	case ceremony.StepRefused:
		code := codeOf(p)
		return linked(p) && p.Action != liuma.ActionUnfreeze &&
			(code == liuma.CodeLocked || code == liuma.CodeBlocked || code == liuma.CodeResetPlanned || code == liuma.CodeForbidden)
	}
	return false
}

func (v *view) freezeLink(p ceremony.Page) []way {
	if !canFreeze(p) {
		return nil
	}
	return []way{{Class: "btn-aside", Text: v.T.FreezeAsk, See: address(p.ID) + "?ask=" + askFreeze}}
}

// forgotWay leads to a new PIN, or to why there is none online. A refusal that
// is over by now is asked for again.
func (h *handler) forgotWay(v *view, p ceremony.Page, class, text string) way {
	over := !p.ResetRefusedUntil.IsZero() && !h.now().Before(p.ResetRefusedUntil)
	if resetRefused(p) && !over {
		return way{Class: "btn-plain", Text: v.T.NoResetWhy, See: address(p.ID) + "?ask=" + askReset}
	}
	return way{Class: class, Text: text, Post: "forgot"}
}

// noReset says why the PIN cannot be set anew online, and where it can.
func (h *handler) noReset(v *view, p ceremony.Page) {
	v.heading(func(t *texts) string { return t.NoResetTitle })
	why := v.say(liuma.Explain(p.ResetRefused).What)
	switch p.ResetRefused {
	case liuma.CodeRefused:
		why = v.T.NoLink
	case liuma.CodeFrozen:
		why = v.T.NoResetFrozen
	}
	v.Result = &result{Kind: "warn", Icon: "agency", Text: why}
	if v.Until = h.untilOf(v, p.ResetRefusedUntil); v.Until != nil {
		v.Until.Over = v.T.OverReload
	}
	v.Counter = v.counterOf(v.T.CounterOnly, p.Region)
	stay := way{Class: "btn-primary", Text: v.T.RememberWay, See: address(p.ID)}
	if p.Step == ceremony.StepPIN {
		v.Ways = []way{stay, {Class: "btn-plain", Text: v.T.Leave, Post: "leave"}}
	} else {
		v.Ways = []way{v.back("btn-primary")}
	}
	v.Links = v.freezeLink(p)
}

// sureToFreeze asks before the card stops.
func (h *handler) sureToFreeze(v *view, p ceremony.Page) {
	v.heading(func(t *texts) string { return t.FreezeSure })
	v.cell(v.T.Holder, p.NameMasked, "", "")
	v.Say = v.T.FreezeStops
	v.Notice = &notice{Title: v.T.ThawHow, Text: v.T.ThawText}
	v.Ways = []way{
		{Class: "btn-danger", Text: v.T.FreezeYes, Post: "freeze"},
		{Class: "btn-plain", Text: v.T.FreezeNo, See: address(p.ID)},
	}
}

package holder

import (
	"net/http"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
)

// Rules are the policy layers, as the page about regions reads them.
type Rules interface {
	For(liuma.Region, liuma.ChannelID) policy.Policy
	Regions() []liuma.Region // the regions with rules of their own
}

const regionPath = "/region"

// showRegion explains in plain sentences how the PIN works in a region; if the address
// names none, or no valid code, in the nation.
func (h *handler) showRegion(w http.ResponseWriter, r *http.Request) {
	h.door.KeepLang(w, r)
	h.show(w, r, http.StatusOK, h.regionView(r, regionOf(r)))
}

// regionOf is the region that a page's address names; empty if it names none or no
// valid code.
func regionOf(r *http.Request) liuma.Region {
	region, err := liuma.ParseRegion(r.URL.Query().Get("code"))
	if err != nil {
		return ""
	}
	return region
}

// inRegion is the address of a page for a region; empty for the nation.
func inRegion(path string, region liuma.Region) string {
	if region == "" {
		return path
	}
	return path + "?code=" + string(region)
}

func (h *handler) regionView(r *http.Request, region liuma.Region) *view {
	v := h.newView(r, pageStep)
	v.Back = inRegion(regionPath, region)
	p := h.rules.For(region, "")
	v.helpedBy(p.Hotline)
	v.heading(func(t *wordings) string { return t.RulesTitle() })
	v.Say = h.ruleOf(v.T, region)
	v.TipsTitle = v.T.RulesHere()
	v.Tips = v.T.rules(p)
	v.WaysTitle = v.T.RulesOthers()
	if region != "" {
		v.Ways = append(v.Ways, way{Class: "btn-plain", Text: v.T.RulesNation(), Link: regionPath})
	}
	for _, other := range h.rules.Regions() {
		if other != region {
			v.Ways = append(v.Ways, way{Class: "btn-plain", Text: h.placeOf(v.T, other), Link: inRegion(regionPath, other)})
		}
	}
	v.Ways, v.Named = append(v.Ways, h.call(v)), true
	v.Links = h.whereWay(v, region)
	return v
}

// ruleOf names the region that the page is about.
func (h *handler) ruleOf(t *wordings, r liuma.Region) string {
	place := h.placeOf(t, r)
	if place == "" {
		return t.RuleOfNation()
	}
	return t.RuleOf(place, string(r))
}

// rules are the plain sentences of a policy.
func (t *wordings) rules(p policy.Policy) []string {
	out := []string{
		t.tries(p),
		t.ruleProofs(liuma.ActionReset, p.Steps),
		t.ruleProofs(liuma.ActionRebind, p.Steps),
		t.ruleProofs(liuma.ActionUnfreeze, p.Steps),
		t.ruleProofs(liuma.ActionEnroll, p.Steps),
	}
	add := func(when bool, s string) {
		if when {
			out = append(out, s)
		}
	}
	days := func(d time.Duration) string { return strconv.Itoa(int(d / (24 * time.Hour))) }
	add(p.NumberForEvidence(), t.RuleNumber())
	add(p.LossReport > 0, t.RuleLoss(days(p.LossReport)))
	add(p.LossReport == 0, t.RuleNoLoss())
	out = append(out, t.ruleAgents(p.Agents))
	add(p.Passphrase, t.RulePassphrase())
	add(!p.Passphrase, t.RuleNoPassphrase())
	add(p.RemindAfter > 0, t.RuleRemind(days(p.RemindAfter)))
	add(p.ForceAfter > 0, t.RuleForce(days(p.ForceAfter)))
	add(p.RemindAfter > 0 && !p.Notices.Reminder, t.RuleNoReminder())
	add(p.Notices.EveryUse, t.RuleEveryUse())
	out = append(out, t.ruleOfMinors(p))
	add(p.Retention.Ceremonies > 0, t.RuleForgotten(days(p.Retention.Ceremonies)))
	add(p.Texts != policy.Texts{}, t.ownSentence(p.Texts))
	return out
}

// tries says what happens after wrong PINs.
func (t *wordings) tries(p policy.Policy) string {
	return t.RuleTries(strconv.Itoa(p.Limits.Attempts), strconv.Itoa(int(p.Limits.LockFor/time.Hour)))
}

func (t *wordings) ruleOfMinors(p policy.Policy) string {
	return t.RuleMinors(strconv.Itoa(p.Minors.Alone))
}

// ruleAgents says whether an agent may come to a counter for the holder, and what for.
func (t *wordings) ruleAgents(a policy.Agents) string {
	switch a {
	case policy.AgentsFreeze:
		return t.RuleAgentsFreeze()
	case policy.AgentsClose:
		return t.RuleAgentsClose()
	case policy.AgentsBoth:
		return t.RuleAgentsBoth()
	}
	return t.RuleAgentsNone()
}

// ownSentence is the region's own text.
func (t *wordings) ownSentence(s policy.Texts) string {
	return t.of(liuma.Text{ZH: string(s.ZH), EN: string(s.EN)})
}

// proofName names a kind of proof in an act.
func (t *wordings) proofName(a liuma.Action, p policy.Proof) string {
	switch p {
	case policy.ProofPIN:
		return t.ProofPIN()
	case policy.ProofCode:
		if a == liuma.ActionEnroll { // no phone is bound yet
			return t.ProofCodeOnRecord()
		}
		return t.ProofCode()
	case policy.ProofNewCode:
		return t.ProofNewCode()
	case policy.ProofEvidence:
		return t.ProofEvidence()
	}
	return t.ProofCardNo()
}

// ruleProofs says which proofs an act asks for.
func (t *wordings) ruleProofs(a liuma.Action, steps policy.Steps) string {
	return t.RuleProofs(actOf(t, a).title, t.proofs(a, steps))
}

// proofs names all proofs that an act asks for.
func (t *wordings) proofs(a liuma.Action, steps policy.Steps) string {
	var all string
	for _, p := range steps.Of(a) {
		if all == "" {
			all = t.proofName(a, p)
		} else {
			all = t.ProofAnd(all, t.proofName(a, p))
		}
	}
	return all
}

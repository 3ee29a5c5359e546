package console

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/written"
)

// authorityRoutes are the authorities on one database, and to which of them keys are handed.
func (h *console) authorityRoutes() []Route {
	return []Route{
		{Pattern: "GET /authorities", Method: "Authorities", do: authoritiesPage},
		{Pattern: "GET /authorities/{id}", Method: "Authorities", do: authorityPage},
		{Pattern: "POST /authorities/{id}/confirm", Method: "ProposeAct", do: confirmAuthority, again: authorityPage},
		{Pattern: "POST /authorities/{id}/dismiss", Method: "DismissAuthority", do: dismissAuthority, again: authorityPage},
	}
}

// unconfirmed are those that get no keys from here until somebody compares their digits.
func unconfirmed(s *keyring.State) (out []keyring.Member) {
	if s == nil {
		return nil
	}
	for _, m := range s.Members {
		if !m.Here && !m.Dismissed && !m.Confirmed {
			out = append(out, m)
		}
	}
	return out
}

// authoritiesWaiting counts them for who can propose to confirm them.
func authoritiesWaiting(v *visit) (int, error) {
	if !v.may("ProposeAct") {
		return 0, nil
	}
	all, err := v.admin().Authorities(v.ctx())
	return len(unconfirmed(all.Keyring)), err
}

func authoritiesPage(v *visit) (*view, error) {
	all, err := v.admin().Authorities(v.ctx())
	if err != nil {
		return nil, err
	}
	page := &view{Title: v.t.NavAuthorities(), Lead: v.t.AuthoritiesLead()}
	if all.Keyring == nil {
		page.Lead = ""
		return page.with(block{Notice: &notice{Title: v.t.AuthoritiesAlone(), Text: v.t.AuthoritiesAloneText()}}), nil
	}
	if n := v.handingOver(all.Keyring); n != nil {
		page.Blocks = append(page.Blocks, block{Notice: n})
	}
	if waiting := unconfirmed(all.Keyring); len(waiting) > 0 {
		list := &table{Head: []string{v.t.Authority(), v.t.AuthorityDigits()}}
		for _, m := range waiting {
			list.Rows = append(list.Rows, []cell{{Text: m.Name, Link: authorityPath(m.Name)}, {Text: m.Digits, Class: "mono"}})
		}
		page.Blocks = append(page.Blocks, block{Title: v.t.AuthoritiesWaiting(), Text: v.t.AuthoritiesWaitingText(), Table: list})
	}
	list := &table{Caption: v.t.AuthoritiesAll(), Head: []string{v.t.Authority(), v.t.State(), v.t.AuthorityThere(), v.t.AuthorityRelease(), v.t.AuthorityKeys(), v.t.AuthorityDuties()}, None: v.t.AuthoritiesNone(), Wide: true}
	for _, m := range all.Keyring.Members {
		list.Rows = append(list.Rows, []cell{{Text: m.Name, Link: authorityPath(m.Name), Class: "nowrap"}, v.authorityState(all.Keyring, m), v.authorityThere(m),
			{Text: m.Release, Class: "mono"}, text(v.authorityKeys(all.Keyring, m)), text(v.authorityDuties(all, m))})
	}
	page.Blocks = append(page.Blocks, block{Table: list})
	for _, m := range all.Keyring.Members {
		if m.Here {
			page.Blocks = append(page.Blocks, block{Title: v.t.AuthorityOwnDigits(m.Name), Text: v.t.AuthorityOwnDigitsText(), Code: m.Digits})
		}
	}
	return page, nil
}

func authorityPath(name string) string { return "/authorities/" + url.PathEscape(name) }

// handingOver says what all wait for; nil: nothing.
func (v *visit) handingOver(s *keyring.State) *notice {
	switch {
	case len(s.Waiting) > 0 && s.Edition > 0:
		return &notice{Kind: "warn", Title: v.t.KeysWaiting(), Text: v.t.KeysWaitingText(v.t.list(s.Waiting))}
	case s.Next == store.KeyringSign:
		return &notice{Title: v.t.KeysNext(s.NextID), Text: v.t.KeysNextSigns(v.moment(s.From))}
	case s.Next == store.KeyringSeal:
		return &notice{Title: v.t.KeysNext(s.NextID), Text: v.t.KeysNextSeals()}
	}
	return nil
}

// tagOf is the look of a standing.
func tagOf(s keyring.Standing) string {
	switch s {
	case keyring.Out, keyring.Refused:
		return "bad"
	case keyring.Here, keyring.Has:
		return "good"
	}
	return "warn"
}

func (v *visit) authorityState(s *keyring.State, m keyring.Member) cell {
	stands := s.Standing(m)
	return cell{Text: v.t.all.Word("authority", string(stands)), Tag: tagOf(stands)}
}

// authorityThere says since when one serves, or when it was there last.
func (v *visit) authorityThere(m keyring.Member) cell {
	switch {
	case m.Serves && !m.Since.IsZero():
		return cell{Text: v.t.AuthorityServesSince(v.moment(m.Since)), Tag: "good"}
	case m.Serves:
		return cell{Text: v.t.AuthorityServes(), Tag: "good"}
	case !m.Seen.IsZero():
		return cell{Text: v.t.AuthorityAway(v.moment(m.Seen)), Tag: "bad"}
	}
	return cell{Text: v.t.AuthorityAwayLong(), Tag: "bad"}
}

// authorityKeys says which edition of the keys one has, of which.
func (v *visit) authorityKeys(s *keyring.State, m keyring.Member) string {
	if s.Edition == 0 {
		return v.t.AuthorityKeysNone()
	}
	return v.t.AuthorityKeysOf(strconv.FormatUint(m.Edition, 10), strconv.FormatUint(s.Edition, 10))
}

// authorityDuties names what one does for all.
func (v *visit) authorityDuties(all admin.Authorities, m keyring.Member) string {
	var names []string
	for _, a := range all.Serving {
		if a.Name != m.Name {
			continue
		}
		for _, d := range a.Duties {
			names = append(names, v.t.all.Word("duty", string(d)))
		}
	}
	return v.t.list(names)
}

// authority is the one of the address.
func (v *visit) authority() (all admin.Authorities, m keyring.Member, err error) {
	if all, err = v.admin().Authorities(v.ctx()); err != nil {
		return all, m, err
	}
	if all.Keyring == nil {
		return all, m, keyring.ErrMember
	}
	i := slices.IndexFunc(all.Keyring.Members, func(m keyring.Member) bool { return m.Name == v.r.PathValue("id") })
	if i < 0 {
		return all, m, keyring.ErrMember
	}
	return all, all.Keyring.Members[i], nil
}

func authorityPage(v *visit) (*view, error) {
	all, m, err := v.authority()
	if err != nil {
		return nil, err
	}
	facts := []fact{{v.t.State(), v.authorityState(all.Keyring, m)}, {v.t.AuthorityThere(), v.authorityThere(m)}}
	if m.Release != "" {
		facts = append(facts, fact{v.t.AuthorityRelease(), cell{Text: m.Release, Class: "mono"}})
	}
	for _, a := range all.Serving {
		if a.Name == m.Name {
			facts = append(facts, fact{v.t.AuthorityMachine(), cell{Text: a.Host, Class: "mono"}})
		}
	}
	facts = append(facts, fact{v.t.AuthorityKeys(), text(v.authorityKeys(all.Keyring, m))})
	if duties := v.authorityDuties(all, m); duties != "" {
		facts = append(facts, fact{v.t.AuthorityDuties(), text(duties)})
	}
	if m.Why != "" {
		facts = append(facts, fact{v.t.AuthorityWhy(), text(v.authorityWhy(m))})
	}
	page := &view{Title: m.Name, Blocks: []block{{Text: v.t.all.Word("authority_next", string(all.Keyring.Standing(m))), Facts: facts}}}
	digits := block{Title: v.t.AuthorityDigits(), Text: v.t.AuthorityDigitsText(m.Name), Code: m.Digits}
	if m.Here {
		digits.Text = v.t.AuthorityOwnDigitsText()
	}
	page.Blocks = append(page.Blocks, digits)
	page.Blocks = append(page.Blocks, v.authorityActs(m)...)
	return page.with(block{Links: []link{{v.t.GoBack(), "/authorities"}}}), nil
}

// authorityWhy is why one does not have the last keys; in the words of a release that this one
// does not know, as they stand in the database.
func (v *visit) authorityWhy(m keyring.Member) string {
	if m.Reason == "" {
		return m.Why
	}
	return v.t.all.Word("authority_why", m.Reason)
}

// authorityActs are what the member may do about another authority.
func (v *visit) authorityActs(m keyring.Member) (out []block) {
	if m.Here {
		return nil
	}
	at := authorityPath(m.Name)
	if v.may("ProposeAct") && !m.Dismissed && !m.Confirmed {
		out = append(out, block{Title: v.t.AuthorityConfirmTitle(), Text: v.t.AuthorityConfirmText(), Form: &form{Post: at + "/confirm", Button: v.t.ProposeButton(), Fields: []field{
			{Name: "digits", Label: v.t.AuthorityHeard(), Hint: v.t.AuthorityHeardHint(), Required: true, Mode: "numeric", Most: 80, Class: "mono", Value: v.typed("digits")}, v.reason()}}})
	}
	if v.may("DismissAuthority") {
		out = append(out, block{Title: v.t.AuthorityDismissTitle(), Text: v.t.AuthorityDismissText(), Folded: true,
			Form: &form{Post: at + "/dismiss", Button: v.t.AuthorityDismissButton(), Kind: "danger", Fields: []field{v.reason()}}})
	}
	return out
}

// confirmAuthority asks for the word that an authority is what it says: it takes two. Those who
// approve it hear the digits as well.
func confirmAuthority(v *visit) (*view, error) {
	made, err := v.admin().ProposeAct(v.ctx(), admin.Act{Kind: admin.ActConfirm, ID: v.r.PathValue("id"), Digits: v.typed("digits"), Reason: audit.Reason(v.typed("reason"))})
	if err != nil {
		return nil, err
	}
	return v.to("/proposals/"+url.PathEscape(string(made.ID)), "proposed")
}

func dismissAuthority(v *visit) (*view, error) {
	if err := v.admin().DismissAuthority(v.ctx(), v.r.PathValue("id"), audit.Reason(v.typed("reason"))); err != nil {
		return nil, err
	}
	return v.to("/authorities", "authority_dismissed")
}

// proposedAuthority are the parts of a proposal to confirm one, for who approves it.
func (v *visit) proposedAuthority(a *admin.Act) []fact {
	return []fact{{v.t.Authority(), cell{Text: a.ID, Class: "mono"}}, {v.t.AuthorityDigits(), cell{Text: written.Fours(written.Number(a.Digits)), Class: "mono"}},
		{v.t.AuthorityWordOf(), cell{Text: a.At, Class: "mono"}}, {v.t.Reason(), text(string(a.Reason))}}
}

package console_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/door/console"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/locale"
)

// member joins by a passkey and signs in.
func (h *house) member(operator, officer *browser, n staff.NewMember) *browser {
	h.t.Helper()
	who := func(b *browser) staff.Caller {
		c, err := h.staff.Who(h.t.Context(), staff.Token(b.cookies["__Host-desk"].Value))
		must(h.t, err)
		return c
	}
	p, err := h.staff.Propose(h.t.Context(), who(operator), staff.Change{Kind: staff.KindInvite, Member: n})
	must(h.t, err)
	done, err := h.staff.Approve(h.t.Context(), who(officer), p.ID)
	must(h.t, err)
	b := h.browser()
	if p := b.join(p.Half + done.Half); p.status != http.StatusSeeOther {
		h.t.Fatalf("%s did not join: %s", n.ID, p.body)
	}
	b.signIn()
	return b
}

// roles are a browser of each role, signed in, without bounds.
func (h *house) roles() map[liuma.StaffRole]*browser {
	h.t.Helper()
	operator, officer := h.members()
	out := map[liuma.StaffRole]*browser{liuma.RoleOperator: operator, liuma.RoleOfficer: officer}
	for _, r := range liuma.StaffRoles() {
		if out[r] == nil {
			out[r] = h.member(operator, officer, staff.NewMember{ID: liuma.StaffID("a-" + r), Name: "赵六", Roles: []liuma.StaffRole{r}})
		}
	}
	return out
}

// ask goes to a route as the console's own page does.
func (b *browser) ask(r console.Route) page {
	b.h.t.Helper()
	method, path, _ := strings.Cut(r.Pattern, " ")
	path = strings.NewReplacer("{$}", "", "{id}", "nothing", "{kind}", "channel").Replace(path)
	if method == http.MethodGet {
		return b.get(path)
	}
	return b.post(path, "reason", "a walk")
}

// refused reports whether nobody but the sign-in or a page of the refusal answered.
func refused(p page) bool {
	return strings.HasPrefix(p.to, "/sign-in") || p.says("Your roles do not allow this") || p.says("This is beyond your region or agency")
}

// TestEveryRoleAtEveryEndpoint walks every page and act of the console as every role, as
// somebody without a session or with a made-up one, and as members who are suspended,
// signed out, or bound to a region, and looks whether they are let in, by the rules that
// docs/STAFF.md has as a table.
func TestEveryRoleAtEveryEndpoint(t *testing.T) {
	h := newHouse(t)
	all := h.roles()
	operator, officer := all[liuma.RoleOperator], all[liuma.RoleOfficer]
	bound := h.member(operator, officer, staff.NewMember{ID: "bound", Name: "周", Region: "33", Roles: []liuma.StaffRole{liuma.RoleOperator}})
	gone := h.member(operator, officer, staff.NewMember{ID: "gone", Name: "吴", Roles: []liuma.StaffRole{liuma.RoleOperator}})
	if p := officer.post("/staff/member/gone/suspend", "reason", "left"); p.status != http.StatusSeeOther {
		t.Fatal(p.body)
	}
	rules := map[string]admin.Rule{}
	for _, rule := range admin.Rules() {
		for _, m := range rule.Methods {
			rules[m] = rule
		}
	}
	routes := console.Routes()
	if len(routes) < 40 {
		t.Fatalf("only %d routes", len(routes))
	}
	walk := func(name string, b *browser, allowed func(admin.Rule) bool) {
		was := map[string]*http.Cookie{}
		for k, c := range b.cookies {
			was[k] = c
		}
		for _, r := range routes {
			if r.Method == "" || r.Pattern == "POST /own/suspend" {
				continue // the end of the session itself; below
			}
			rule, ok := rules[r.Method]
			if !ok {
				t.Fatalf("%s: no rule of %s", r.Pattern, r.Method)
			}
			p := b.ask(r)
			if want := allowed(rule); refused(p) == want {
				t.Errorf("%s at %s: %d %s", name, r.Pattern, p.status, p.to)
			}
			if p.status >= http.StatusInternalServerError {
				t.Errorf("%s at %s: %d %s", name, r.Pattern, p.status, p.body)
			}
			for k, c := range was {
				b.cookies[k] = c
			}
		}
	}
	for role, b := range all {
		walk(string(role), b, func(rule admin.Rule) bool { return rule.Anybody || slices.Contains(rule.Roles, role) })
	}
	nobody := func(admin.Rule) bool { return false }
	walk("nobody", h.browser(), nobody)
	made := h.browser()
	made.cookies["__Host-desk"] = &http.Cookie{Name: "__Host-desk", Value: "page.nonsense"}
	walk("a made-up session", made, nobody)
	walk("a suspended operator", gone, nobody)
	walk("an operator of a region", bound, func(rule admin.Rule) bool {
		return rule.Anybody || rule.Bounded && slices.Contains(rule.Roles, liuma.RoleOperator)
	})
	for _, e := range h.Entries(t) {
		if e.Event != "staff.begun" {
			t.Errorf("an act without a name: %+v", e)
		}
	}
	for _, r := range routes {
		if b := all[liuma.RoleClerk]; r.Pattern == "POST /own/suspend" {
			if p := b.ask(r); p.status != http.StatusSeeOther {
				t.Errorf("who suspends themself: %d %s", p.status, p.body)
			}
			if p := b.get("/"); p.status != http.StatusSeeOther {
				t.Errorf("after it: %d", p.status)
			}
		}
	}
}

// TestTheNavigationShowsWhatOneMay: an entry for each page that the member is let in to,
// and no other.
func TestTheNavigationShowsWhatOneMay(t *testing.T) {
	h := newHouse(t)
	for role, b := range h.roles() {
		start := b.get("/")
		for _, r := range console.Routes() {
			path, ok := strings.CutPrefix(r.Pattern, "GET /")
			if !ok || strings.Contains(path, "/") || path == "own" || path == "{$}" {
				continue
			}
			if in := !refused(b.ask(r)); in != strings.Contains(start.body, `href="/`+path+`"`) {
				t.Errorf("%s and /%s: let in %v", role, path, in)
			}
		}
	}
}

// TestEveryRefusalHasANextStep, in every language.
func TestEveryRefusalHasANextStep(t *testing.T) {
	for _, l := range locale.Own().Languages() {
		for _, name := range console.Reasons() {
			if what, next := locale.In(l).Why(name); what == "" || next == "" {
				t.Errorf("%s: why.%s", l, name)
			}
		}
		for _, r := range liuma.StaffRoles() {
			if locale.In(l).Word("role", string(r)) == "" {
				t.Errorf("%s: word.role.%s", l, r)
			}
		}
		for _, kind := range []string{staff.KindInvite, staff.KindRole, staff.KindPasskey, staff.KindMap, staff.KindUnmap, staff.KindResume} {
			if locale.In(l).Word("proposal", kind) == "" {
				t.Errorf("%s: word.proposal.%s", l, kind)
			}
		}
	}
}

// TestAPostOfAnotherSite reaches no act, at any route.
func TestAPostOfAnotherSite(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	for _, r := range console.Routes() {
		method, path, _ := strings.Cut(r.Pattern, " ")
		if method != http.MethodPost {
			continue
		}
		path = strings.NewReplacer("{id}", "nothing", "{kind}", "channel").Replace(path)
		q := httptest.NewRequest(method, origin+path, strings.NewReader("reason=x"))
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Origin", "https://elsewhere.example")
		if p := operator.send(q); p.status != http.StatusForbidden || !p.says("another site") {
			t.Errorf("%s: %d", r.Pattern, p.status)
		}
	}
}

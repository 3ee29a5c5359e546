package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
)

// TestATerminalsCodeTakesATouch: a desk that was left open gives nobody a terminal that acts
// as its member, and with it the approvals that a terminal makes without a passkey.
func TestATerminalsCodeTakesATouch(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	code := regexp.MustCompile(`(?:[0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}`)
	mine := officer.touch("/own/terminal/offer")
	for name, answer := range map[string]string{
		"nothing":         "",
		"the sign-in":     officer.touch("/sign-in/offer"),
		"another's touch": operator.touch("/own/terminal/offer"),
	} {
		if p := officer.post("/own/terminal", "answer", answer); p.status == http.StatusOK || code.MatchString(p.body) {
			t.Errorf("a code was shown for %s: %d %s", name, p.status, p.body)
		}
	}
	if p := officer.post("/own/terminal", "answer", mine); p.status != http.StatusOK || !code.MatchString(p.body) {
		t.Fatalf("no code after a touch: %d %s", p.status, p.body)
	}
	if p := officer.post("/own/terminal", "answer", mine); p.status == http.StatusOK || code.MatchString(p.body) {
		t.Errorf("the touch counts twice: %d", p.status)
	}
}

// TestProposalsStayWithinBounds: a member of a region neither sees nor ends what is
// proposed about another region's members, or about the whole service.
func TestProposalsStayWithinBounds(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	bound := h.member(operator, officer, staff.NewMember{ID: "bound", Name: "周", Region: "33", Roles: []liuma.StaffRole{liuma.RoleOperator}})
	h.member(operator, officer, staff.NewMember{ID: "clerk-far", Name: "吴", Region: "31", Roles: []liuma.StaffRole{liuma.RoleClerk}})
	h.member(operator, officer, staff.NewMember{ID: "clerk-near", Name: "郑", Region: "3305", Roles: []liuma.StaffRole{liuma.RoleClerk}})
	propose := func(path string, form ...string) string {
		p := operator.post(path, form...)
		return regexp.MustCompile(`/proposals/[a-z0-9]+`).FindString(p.body + p.to)
	}
	policy, _, _ := strings.Cut(operator.upload(map[string]string{"33.yaml": "layer: region 33\nlimits.attempts: 3\n"}, "fewer tries").to, "?")
	for name, c := range map[string]struct {
		at   string
		sees bool
	}{
		"an invitation there":    {propose("/staff/invite", "name", "冯", "id", "new-near", "role", "clerk", "region", "330521"), true},
		"an invitation far away": {propose("/staff/invite", "name", "陈", "id", "new-far", "role", "clerk", "region", "31"), false},
		"one for the nation":     {propose("/staff/invite", "name", "褚", "id", "new-all", "role", "clerk"), false},
		"a passkey there":        {propose("/staff/member/clerk-near/passkey"), true},
		"a passkey far away":     {propose("/staff/member/clerk-far/passkey"), false},
		"a role out of there":    {propose("/staff/member/clerk-near/role", "role", "clerk", "region", "31"), false},
		"a policy":               {strings.TrimPrefix(policy, "/policy"), false},
	} {
		if len(c.at) < len("/proposals/")+12 {
			t.Fatalf("%s was not proposed: %q", name, c.at)
		}
		if list := bound.get("/proposals"); strings.Contains(list.body, c.at) != c.sees {
			t.Errorf("%s: in the list: %v", name, !c.sees)
		}
		if p := bound.get(c.at); (p.status == http.StatusOK) != c.sees {
			t.Errorf("%s: shown: %d", name, p.status)
		}
		want := http.StatusForbidden
		if c.sees {
			want = http.StatusSeeOther
		}
		if p := bound.post(c.at + "/withdraw"); p.status != want {
			t.Errorf("%s: withdrawn: %d, want %d", name, p.status, want)
		}
	}
}

// TestATouchIsRecordedForWhatThereIs: nobody writes words of their own into the record by
// the address of an approval.
func TestATouchIsRecordedForWhatThereIs(t *testing.T) {
	h := newHouse(t)
	_, officer := h.members()
	at := "/policy/proposals/" + url.PathEscape("x kind=policy.change proposed_by=wang\noutcome=ok")
	if p := officer.post(at+"/approve", "answer", officer.touch(at+"/offer"), "digest", "00"); p.status != http.StatusNotFound {
		t.Errorf("%d %s", p.status, p.body)
	}
	must(t, h.Store.View(t.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		for _, e := range all {
			if strings.Contains(e.Note, "proposed_by=wang") {
				t.Errorf("recorded: %q", e.Note)
			}
		}
		return err
	}))
}

package miniapp

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// newPageSite is an app whose provider has a page of its own.
func newPageSite(t *testing.T) *site {
	t.Helper()
	return newSiteWith(t, func(c *Config) {
		c.EvidencePage, c.Evidence = strings.TrimSuffix(c.Evidence, "/evidence")+"/checks", ""
	})
}

// goes begins to apply and goes to the provider's page. It returns the business
// number and what the provider was asked.
func (s *site) goes() (businessNo string, asked map[string]string) {
	s.t.Helper()
	s.post("/person", "person", "wang")
	businessNo = s.post("/start", "action", "enroll").to.Query().Get("no")
	if g := s.post("/evidence", "no", businessNo); g.status != http.StatusSeeOther || g.to.Path != "/checks/1" {
		s.t.Fatalf("sent to %s (%d)", g.to, g.status)
	}
	return businessNo, s.sees[len(s.sees)-1]
}

// TestProvidersPage: the holder goes to the provider's page, with nothing personal
// in the address, and what comes back is pushed.
func TestProvidersPage(t *testing.T) {
	s := newPageSite(t)
	no, asked := s.goes()
	if asked["redirect_uri"] != s.server.URL+"/evidence/back" || asked["id_number"] != "330502195603120626" || asked["challenge"] != "challenge-1" || asked["state"] == "" {
		t.Errorf("the provider was asked %v", asked)
	}
	back := "/evidence/back?" + url.Values{"state": {asked["state"]}, "evidence": {"proof"}}.Encode()
	if g := s.do("GET", back, nil); g.to.Path != "/authorize" {
		t.Fatalf("then to %s", g.to)
	}
	if _, d := s.last(); d.BusinessNo != no || d.Challenge != "challenge-1" || d.Evidence != "proof" {
		t.Errorf("pushed %+v", d)
	}
	if g := s.do("GET", back, nil); g.status != http.StatusBadRequest || len(s.pushes) != 1 {
		t.Errorf("a second time: %d, %d pushes", g.status, len(s.pushes))
	}
}

// TestProvidersPageRefuses: no evidence, no push; and evidence of a state that this
// browser was not given is not looked at.
func TestProvidersPageRefuses(t *testing.T) {
	s := newPageSite(t)
	no, asked := s.goes()
	for _, state := range []string{"", "forged"} {
		if g := s.do("GET", "/evidence/back?evidence=proof&state="+state, nil); g.status != http.StatusBadRequest {
			t.Errorf("state %q: %d", state, g.status)
		}
	}
	says(t, s.get(s.do("GET", "/evidence/back?error=face_mismatch&state="+asked["state"], nil).to), "镜头前不是本人")
	s.post("/evidence", "no", no)
	again := s.sees[len(s.sees)-1]
	if again["state"] == asked["state"] {
		t.Error("one state for two checks")
	}
	if g := s.do("GET", "/evidence/back?error=left_by_holder&state="+again["state"], nil); g.to.Path != "/evidence" {
		t.Errorf("left: to %s", g.to)
	}
	if len(s.pushes) != 0 {
		t.Errorf("%d pushes without evidence", len(s.pushes))
	}
}

// TestProvidersPageElsewhere: the holder is not sent to another origin than the
// provider's.
func TestProvidersPageElsewhere(t *testing.T) {
	for _, page := range []string{"https://evil.example/checks/1", "//evil.example", "javascript:alert(1)"} {
		s := newPageSite(t)
		s.set(func() { s.page = page })
		s.post("/person", "person", "wang")
		no := s.post("/start", "action", "enroll").to.Query().Get("no")
		if g := s.post("/evidence", "no", no); g.to.Path != "/result" {
			t.Errorf("%s: sent to %s", page, g.to)
		}
	}
}

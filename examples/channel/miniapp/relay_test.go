package miniapp

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"
)

// elsewhere is another browser at the same app.
func (s *site) elsewhere() *site {
	jar, err := cookiejar.New(nil)
	other := *s
	other.client = &http.Client{Jar: must(s.t, jar, err), CheckRedirect: s.client.CheckRedirect}
	return &other
}

// closed fails if contribution years are open, or a code was exchanged or a
// receipt redeemed.
func (s *site) closed() {
	s.t.Helper()
	if g := s.do("GET", "/years", nil); g.to.Path != "/" {
		s.t.Errorf("the years are open: %d", g.status)
	}
	if len(s.tokens) != 0 || s.redeems != 0 {
		s.t.Errorf("%d codes exchanged, %d receipts redeemed", len(s.tokens), s.redeems)
	}
}

// TestARelayedPageOpensNothing: the thief, in a log-in of his own, starts a
// request about the owner and relays the page. The owner's browser brings the
// code to a log-in that pushed nothing; the thief asks by business number.
func TestARelayedPageOpensNothing(t *testing.T) {
	for _, action := range []string{"verify", "link"} {
		t.Run(action, func(t *testing.T) {
			s := newSite(t)
			if s.post("/person", "person", "wang"); action == "verify" {
				s.app.memory.setCard("wang", handle)
			}
			s.post("/start", "action", action)
			push, d := s.last()

			owner := s.elsewhere()
			q := url.Values{"state": {push.Get("state")}, "iss": {s.fake.server.URL}, "code": {"c-1"}}
			for _, as := range []string{"", "wang", "li"} { // no log-in, another one to the same account, another account
				if as != "" {
					owner.post("/person", "person", as)
				}
				if g := owner.do("GET", "/callback?"+q.Encode(), nil); g.status != http.StatusBadRequest {
					t.Errorf("the owner's callback, logged in as %q: %d", as, g.status)
				}
			}
			owner.closed()

			answer := map[string]any{"state": "returning", "action": action}
			s.set(func() { s.state = func(string) (int, any) { return 200, answer } })
			says(t, s.get(s.post("/ask", "no", d.BusinessNo).to), "还没有把结果带回来")
			s.closed()
			// Even if an authority told the thief more.
			answer = map[string]any{"state": "returning", "action": action, "verdict": "right", "card": handle, "receipt": "r"}
			s.post("/ask", "no", d.BusinessNo)
			s.closed()
			answer = map[string]any{"state": "decided", "code": "not_returned", "action": action}
			says(t, s.get(s.post("/ask", "no", d.BusinessNo).to), "结果没有带回来")
			s.closed()
			if action == "link" && s.app.memory.card("wang") != "" {
				t.Error("linked")
			}
		})
	}
}

// TestACodeInAnotherAccountsLogIn: a code that another log-in's page brought is
// redeemed in none but that one; nor in that session, once another account is
// open in it.
func TestACodeInAnotherAccountsLogIn(t *testing.T) {
	s := newSite(t)
	s.linked()
	s.post("/start", "action", "verify")
	victim, _ := s.last()

	thief := s.elsewhere()
	thief.post("/person", "person", "thief") // in the owner's account, by another log-in
	thief.post("/start", "action", "verify")
	if g := thief.do("GET", "/callback?"+url.Values{"state": {victim.Get("state")}, "iss": {s.fake.server.URL}, "code": {"c-1"}}.Encode(), nil); g.status != http.StatusBadRequest {
		t.Errorf("with the victim's state: %d", g.status)
	}
	thief.closed()
	// With the thief's own state the code goes out with the thief's verifier, which
	// the authority refuses.
	s.set(func() {
		s.fail = true
		s.state = func(string) (int, any) { return 200, map[string]any{"state": "pending", "action": "verify"} }
	})
	mine, _ := s.last()
	thief.back(url.Values{"code": {"c-1"}})
	if len(s.tokens) != 1 || s.tokens[0].Get("code_verifier") == "" || mine.Get("code_challenge") == victim.Get("code_challenge") {
		t.Errorf("the code went out with another log-in's verifier: %v", s.tokens)
	}
	if g := thief.do("GET", "/years", nil); g.to.Path != "/" {
		t.Errorf("the thief sees the years: %d", g.status)
	}

	s.set(func() { s.fail, s.tokens = false, nil })
	s.app.memory.with(s.cookie(), func(in *session) { in.person = "li" }) // an app that keeps its sessions over a log-in
	if g := s.do("GET", "/callback?"+url.Values{"state": {victim.Get("state")}, "iss": {s.fake.server.URL}, "code": {"c-1"}}.Encode(), nil); g.status != http.StatusBadRequest {
		t.Errorf("another account in the same session: %d", g.status)
	}
	s.closed()
}

// TestALostExchangeGoesOnAtThePage: the code was not redeemed, so the page that
// has the verdict is opened again, under its old address, and its next code is
// taken with the same state.
func TestALostExchangeGoesOnAtThePage(t *testing.T) {
	s := newSite(t)
	s.linked()
	address := s.post("/start", "action", "verify").to
	_, d := s.last()
	s.set(func() {
		s.fail = true
		s.state = func(string) (int, any) { return 200, map[string]any{"state": "returning", "action": "verify"} }
	})
	says(t, s.get(s.back(url.Values{"code": {"c-1"}}).to), "还没有把结果带回来")
	s.set(func() { s.fail = false })
	if to := s.post("/resume", "no", d.BusinessNo).to; to.String() != address.String() || len(s.pushes) != 1 {
		t.Errorf("to %s, %d pushes", to, len(s.pushes))
	}
	if to := s.back(url.Values{"code": {"c-2"}}).to; to.Path != "/years" {
		t.Errorf("to %s", to)
	}
	if g := s.back(url.Values{"code": {"c-2"}}); g.status != http.StatusBadRequest {
		t.Errorf("the same callback again: %d", g.status)
	}
}

// TestDoneWithoutItsCode: what the act has set is told as a success; an
// enrolment without its code has to be linked by its PIN.
func TestDoneWithoutItsCode(t *testing.T) {
	for action, want := range map[string]string{"change": "密码已修改", "reset": "密码找回来了", "enroll": "还没有关联到这里"} {
		t.Run(action, func(t *testing.T) {
			s := newSite(t)
			s.linked()
			s.set(func() {
				s.state = func(string) (int, any) { return 200, map[string]any{"state": "done", "action": action} }
			})
			no := s.post("/start", "action", action).to.Query().Get("no")
			if no == "" {
				no = mustLast(s).BusinessNo
			}
			says(t, s.get(s.post("/ask", "no", no).to), want)
			s.closed()
		})
	}
}

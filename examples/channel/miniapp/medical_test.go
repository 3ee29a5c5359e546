package miniapp

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// withEvidence makes the fake's tokens say that evidence was part of it.
func withEvidence(c map[string]any) {
	c["acr"], c["amr"] = "urn:liuma:acr:pin-evidence", []string{"pin", "face"}
}

// activates goes to the authority's page for the e-credential, and returns the
// business number.
func (s *site) activates() string {
	s.t.Helper()
	no := s.post("/start", "action", "medical").to.Query().Get("no")
	if to := s.post("/evidence", "no", no).to; to.Path != "/authorize" {
		s.t.Fatalf("to %s", to)
	}
	return no
}

// active is an app whose e-credential was just activated.
func active(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.linked()
	s.set(func() { s.spoil = withEvidence })
	s.activates()
	if to := s.back(url.Values{"code": {"c-1"}}).to; to.Path != "/medical" {
		t.Fatalf("to %s", to)
	}
	return s
}

// at sets the app's clock so much later than now.
func (s *site) at(later time.Duration) {
	now := time.Now()
	s.app.memory.now = func() time.Time { return now.Add(later) }
	s.app.c.Now = s.app.memory.now
}

// shut fails if the e-credential can be seen.
func (s *site) shut() {
	s.t.Helper()
	if g := s.do("GET", "/medical", nil); g.to.Path != "/" {
		s.t.Errorf("the e-credential is open: %d", g.status)
	}
	s.post("/medical")
	s.app.memory.mu.Lock()
	defer s.app.memory.mu.Unlock()
	if n := len(s.app.memory.codes); n != 0 {
		s.t.Errorf("%d codes", n)
	}
}

// shown is the code of the session, as it is kept.
func (s *site) shown() code {
	s.t.Helper()
	var c code
	s.app.memory.with(s.cookie(), func(in *session) { c = in.code })
	return c
}

// reads is a scanner at a window.
func (s *site) reads(value string) bool {
	s.t.Helper()
	resp, err := http.PostForm(s.server.URL+"/read", url.Values{"code": {value}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Good bool `json:"good"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		s.t.Fatal(err)
	}
	return answer.Good
}

// TestMedicalOpens: evidence before the push, a verify under a purpose of its own, and
// behind the answer a code with nothing of the person in it. The contribution years
// stay shut.
func TestMedicalOpens(t *testing.T) {
	s := newSite(t)
	s.linked()
	s.shut()
	says(t, s.do("GET", "/", nil), `name="action" value="medical"`)
	to := s.post("/start", "action", "medical").to
	if to.Path != "/evidence" || len(s.pushes) != 0 {
		t.Fatalf("to %s, %d pushes", to, len(s.pushes))
	}
	camera := s.get(to)
	says(t, camera, "激活医保电子凭证")
	says(t, camera, `href="/counter"`)
	s.set(func() { s.spoil = withEvidence })
	no := to.Query().Get("no")
	s.post("/evidence", "no", no)
	if _, d := s.last(); d != (details{Type: "liuma_pin", Action: "verify", Region: "33", Purpose: s.app.words.purpose(actionMedical), BusinessNo: no,
		Holder: holder{Card: handle}, Challenge: "challenge-1", Evidence: "proof-of-challenge"}) {
		t.Errorf("pushed %+v", d)
	}
	if to := s.back(url.Values{"code": {"c-1"}}).to; to.Path != "/medical" {
		t.Fatalf("to %s", to)
	}
	page := s.do("GET", "/medical", nil)
	for _, words := range []string{`data-medical="code"`, "<svg", `data-left="60"`, "有效到", "有它自己的密码", "不能看病、买药", no, `action="/medical"`, "pin-evidence"} {
		says(t, page, words)
	}
	c := s.shown()
	if !regexp.MustCompile(`^LIUMA-SAMPLE:\d{8}T\d{6}Z:[A-Z2-7]{26}$`).MatchString(c.value) || strings.Contains(page.body, c.value) {
		t.Errorf("the code is %s, or in clear on the page", c.value)
	}
	if g := s.do("GET", "/years", nil); g.to.Path != "/" {
		t.Errorf("years: %d", g.status)
	}
	if to := s.post("/start", "action", "medical").to; to.Path != "/medical" || len(s.pushes) != 1 {
		t.Errorf("while it is open: to %s, %d pushes", to, len(s.pushes))
	}
	if g := s.do("GET", "/medical", nil); s.shown() != c || g.status != 200 {
		t.Error("a reload draws another code")
	}
}

// TestMedicalHeaders: this page alone has a script, of the app's own.
func TestMedicalHeaders(t *testing.T) {
	s := active(t)
	for path, script := range map[string]bool{"/medical": true, "/": false} {
		resp, err := s.client.Get(s.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		policy := resp.Header.Get("Content-Security-Policy")
		if strings.Contains(policy, "; script-src 'self'") != script || !strings.Contains(policy, "default-src 'none'") || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
	body := s.do("GET", "/medical", nil).body
	if strings.Count(body, "<script") != 1 || !strings.Contains(body, `<script src="/medical.js" defer></script>`) || strings.Contains(body, " style=") {
		t.Error("another script or style")
	}
	if g := s.do("GET", "/medical.js", nil); g.status != 200 || !strings.Contains(g.body, "data-left") {
		t.Errorf("the script: %d", g.status)
	}
}

// TestMedicalTokensThatProveTooLittle: whatever the answer lacks, no code is drawn. A
// genuine one that proves the PIN alone is explained; for one that is not genuine the
// authority is asked.
func TestMedicalTokensThatProveTooLittle(t *testing.T) {
	for what, x := range map[string]struct {
		spoil func(map[string]any)
		words string
	}{
		"the PIN alone":      {func(c map[string]any) { c["acr"], c["amr"] = "urn:liuma:acr:pin", []string{"pin"} }, "还差一样"},
		"a counter's ticket": {func(c map[string]any) { c["acr"], c["amr"] = "urn:liuma:acr:pin", []string{"pin", "counter"} }, "还差一样"},
		"a level to come":    {func(c map[string]any) { c["acr"] = "urn:liuma:acr:pin-evidence-2" }, "还差一样"},
		"evidence alone":     {func(c map[string]any) { c["acr"], c["amr"] = "urn:liuma:acr:evidence", []string{"face"} }, "没有办成"},
		"no acr":             {func(c map[string]any) { delete(c, "acr") }, "没有办成"},
		"another card":       {func(c map[string]any) { c["liuma_card"] = "ffffffffffffffffffffffffffffffff" }, "没有办成"},
		"another request":    {func(c map[string]any) { c["liuma_business_no"] = "ZJ-261124-AAAAAAAA" }, "没有办成"},
		"for the years":      {func(c map[string]any) { c["liuma_purpose_hash"] = "x" }, "没有办成"},
		"another act":        {func(c map[string]any) { c["liuma_action"] = "medical" }, "没有办成"},
		"past its end":       {func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() }, "没有办成"},
	} {
		t.Run(what, func(t *testing.T) {
			s := newSite(t)
			s.linked()
			s.set(func() {
				s.spoil = func(c map[string]any) { withEvidence(c); x.spoil(c) }
				s.state = func(string) (int, any) { return 200, map[string]any{"state": "undecided", "action": "verify"} }
			})
			s.activates()
			g := s.back(url.Values{"code": {"c-1"}})
			if g.to.Path != "/result" {
				t.Fatalf("to %s", g.to)
			}
			page := s.get(g.to)
			says(t, page, x.words)
			says(t, page, `name="action" value="medical"`) // which begins with the camera
			s.shut()
		})
	}
}

// TestMedicalByBusinessNumber: what is told by business number opens nothing, a right
// verdict included; each refusal says how to go on.
func TestMedicalByBusinessNumber(t *testing.T) {
	right := func(acr string) map[string]any {
		return map[string]any{"state": "decided", "verdict": "right", "action": "verify", "card": handle, "acr": acr, "redeemed": true}
	}
	refused := func(code string) map[string]any {
		return map[string]any{"state": "decided", "verdict": "suspended", "action": "verify", "code": code}
	}
	for what, x := range map[string]struct {
		answer map[string]any
		words  []string
	}{
		"right":           {right("urn:liuma:acr:pin-evidence"), []string{"来得太晚", `value="medical"`}},
		"evidence alone":  {right("urn:liuma:acr:evidence"), []string{"还差一样", `value="medical"`, "/counter"}},
		"done":            {map[string]any{"state": "done", "action": "verify"}, []string{"来得太晚", `value="medical"`}},
		"returning":       {map[string]any{"state": "returning", "action": "verify"}, []string{"还没有把结果带回来", `value="medical"`}},
		"not returned":    {refused("not_returned"), []string{"结果没有带回来", `value="medical"`}},
		"left":            {refused("left_by_holder"), []string{"您取消了办理", `value="medical"`}},
		"wrong":           {refused("wrong_pin"), []string{"密码不正确", `value="medical"`, `value="reset"`}},
		"locked":          {refused("locked"), []string{"密码已锁定", `value="reset"`}},
		"frozen":          {refused("frozen"), []string{"已冻结", `value="unfreeze"`}},
		"evidence is old": {refused("evidence_invalid"), []string{"请再做一次", "/evidence?no="}},
	} {
		t.Run(what, func(t *testing.T) {
			s := newSite(t)
			s.linked()
			s.set(func() { s.state = func(string) (int, any) { return 200, x.answer } })
			s.activates()
			page := s.get(s.back(url.Values{"error": {"access_denied"}}).to)
			for _, words := range x.words {
				says(t, page, words)
			}
			s.shut()
		})
	}
}

// TestMedicalAnswersOnce: the callback again opens nothing anew, and an answer that
// names a request whose answer was taken before is not about this one.
func TestMedicalAnswersOnce(t *testing.T) {
	s := active(t)
	first := mustLast(s).BusinessNo
	if g := s.back(url.Values{"code": {"c-1"}}); g.status != http.StatusBadRequest || len(s.tokens) != 1 {
		t.Errorf("again: %d, %d exchanges", g.status, len(s.tokens))
	}
	s.post("/leave")
	s.linked()
	s.set(func() {
		s.spoil = func(c map[string]any) { withEvidence(c); c["liuma_business_no"] = first }
		s.state = func(string) (int, any) { return 200, map[string]any{"state": "undecided", "action": "verify"} }
	})
	s.activates()
	if to := s.back(url.Values{"code": {"c-2"}}).to; to.Path != "/result" {
		t.Errorf("to %s", to)
	}
	s.shut()
}

// TestMedicalIsThePersonsAlone: it ends with the log-in, and is not there for another
// account in the same session; a code that was drawn goes with it.
func TestMedicalIsThePersonsAlone(t *testing.T) {
	for what, leave := range map[string]func(*site){
		"leaves":   func(s *site) { s.post("/leave") },
		"switches": func(s *site) { s.post("/person", "person", "li") },
	} {
		t.Run(what, func(t *testing.T) {
			s := active(t)
			c := s.shown()
			leave(s)
			s.shut()
			if s.reads(c.value) {
				t.Error("the code is still good")
			}
		})
	}
	s := active(t)
	s.app.memory.with(s.cookie(), func(in *session) { in.person = "li" }) // an app that keeps its sessions over a log-in
	if g := s.do("GET", "/medical", nil); g.to.Path != "/" {
		t.Errorf("another account: %d", g.status)
	}
	if other := s.elsewhere(); other.do("GET", "/medical", nil).to.Path != "/" {
		t.Error("another browser sees it")
	}
}

// TestMedicalCodes: each is good for one scan and one minute, and no longer than the
// service is open; the next one takes its place.
func TestMedicalCodes(t *testing.T) {
	s := active(t)
	c := s.shown()
	for _, value := range []string{"", "LIUMA-SAMPLE:20261124T000000Z:AAAAAAAAAAAAAAAAAAAAAAAAAA", strings.ToLower(c.value)} {
		if s.reads(value) {
			t.Errorf("%q is good", value)
		}
	}
	if !s.reads(c.value) || s.reads(c.value) {
		t.Error("not good once")
	}
	page := s.do("GET", "/medical", nil)
	says(t, page, `data-medical="over"`)
	says(t, page, "请换一个新码")
	if strings.Contains(page.body, "<svg class=\"qr\"") {
		t.Error("a used code is shown")
	}
	s.post("/medical")
	second := s.shown()
	s.post("/medical")
	third := s.shown()
	if second == c || third == second || s.reads(second.value) {
		t.Error("two codes at once")
	}
	s.at(codeLife - 2*time.Second)
	says(t, s.do("GET", "/medical", nil), `data-left="2"`)
	s.at(codeLife + time.Second)
	says(t, s.do("GET", "/medical", nil), `data-medical="over"`)
	if s.reads(third.value) {
		t.Error("good after its minute")
	}
	s.at(medicalOpen - 10*time.Second)
	s.post("/medical")
	if left := s.shown().until.Sub(s.app.c.Now()); left <= 0 || left > 10*time.Second {
		t.Errorf("a code for %s, after which the service is shut", left)
	}
	s.at(medicalOpen + time.Second)
	s.post("/medical")
	page = s.do("GET", "/medical", nil)
	says(t, page, `data-medical="closed"`)
	says(t, page, `name="action" value="medical"`)
	if strings.Contains(page.body, "data-code") {
		t.Error("a code after its time")
	}
	if to := s.post("/start", "action", "medical").to; to.Path != "/evidence" {
		t.Errorf("activating again: to %s", to)
	}
}

// TestFreezingShutsServices: what the card had opened is shut with it, a drawn code too.
func TestFreezingShutsServices(t *testing.T) {
	s := active(t)
	s.set(func() { s.spoil = nil })
	s.post("/start", "action", "verify")
	s.back(url.Values{"code": {"c-2"}})
	c := s.shown()
	s.set(func() { s.frozen = func() (int, any) { return 502, "gone" } })
	s.post("/freeze")
	if g := s.do("GET", "/medical", nil); g.status != 200 || s.do("GET", "/years", nil).status != 200 {
		t.Error("shut by a freeze of which nothing is known")
	}
	s.set(func() { s.frozen = nil })
	s.post("/freeze")
	for _, path := range []string{"/medical", "/years"} {
		if g := s.do("GET", path, nil); g.to.Path != "/" {
			t.Errorf("%s is open: %d", path, g.status)
		}
	}
	if s.reads(c.value) {
		t.Error("the code is still good")
	}
}

// TestMedicalForgetsCodes: sessions that end leave no code behind.
func TestMedicalForgetsCodes(t *testing.T) {
	now := time.Now()
	m := newMemory(func() time.Time { return now })
	id := m.begin("", "wang")
	for range 3 {
		m.with(id, func(s *session) { s.medical = access{until: now.Add(medicalOpen)} })
		m.draw(id, now)
	}
	m.draw("nobody", now)
	if len(m.codes) != 1 {
		t.Errorf("%d codes of a session", len(m.codes))
	}
	now = now.Add(sessionLife + time.Second)
	m.with(id, func(*session) {})
	if len(m.codes) != 0 {
		t.Error("a code outlives its session")
	}
}

// TestMedicalGoesOn: a ceremony that was left open goes on without another look into the
// camera, which the authority remembers; one whose push brought no page begins with the
// camera again, under its number.
func TestMedicalGoesOn(t *testing.T) {
	s := newSite(t)
	s.linked()
	no := s.activates()
	if to := s.post("/resume", "no", no).to; to.Path != "/authorize" {
		t.Errorf("to %s", to)
	}
	if _, d := s.last(); d.BusinessNo != no || d.Evidence != "" {
		t.Errorf("pushed %+v", d)
	}
	s.set(func() { s.refuse = "<html>bad gateway" })
	no = s.post("/start", "action", "medical").to.Query().Get("no")
	says(t, s.get(s.post("/evidence", "no", no).to), "连不上")
	s.set(func() { s.refuse = "" })
	if to := s.post("/resume", "no", no).to; to.Path != "/evidence" {
		t.Errorf("to %s", to)
	}
	s.post("/evidence", "no", no)
	if _, d := s.last(); d.BusinessNo != no || d.Evidence == "" {
		t.Errorf("pushed %+v", d)
	}
}

// TestMedicalNeedsTheFace: a thief in the account, or a holder whose check failed, comes
// no further than the camera; without a card there is nothing to activate.
func TestMedicalNeedsTheFace(t *testing.T) {
	s := newSite(t)
	s.post("/person", "person", "wang")
	if g := s.post("/start", "action", "medical"); g.to.Path != "/" {
		t.Errorf("without a card: to %s", g.to)
	}
	s.linked()
	s.post("/person", "person", "thief")
	no := s.post("/start", "action", "medical").to.Query().Get("no")
	s.set(func() { s.face = "face_mismatch" })
	page := s.get(s.post("/evidence", "no", no).to)
	says(t, page, "镜头前不是本人")
	says(t, page, `href="/evidence?no=`+no)
	if len(s.pushes) != 0 {
		t.Errorf("%d pushes without evidence", len(s.pushes))
	}
	s.shut()
}

// TestMedicalEvidenceMidway: a holder who turns to a new PIN on the way is looked at
// again, under the same number, and then the e-credential opens.
func TestMedicalEvidenceMidway(t *testing.T) {
	s := newSite(t)
	s.linked()
	s.set(func() { s.spoil = withEvidence })
	no := s.activates()
	page := s.get(s.back(url.Values{"error": {"evidence_required"}, "challenge": {"challenge-2"}}).to)
	says(t, page, "也用于找回")
	s.post("/evidence", "no", no)
	if _, d := s.last(); d.BusinessNo != no || d.Challenge != "challenge-2" || d.Evidence == "" {
		t.Errorf("pushed %+v", d)
	}
	if to := s.back(url.Values{"code": {"c"}}).to; to.Path != "/medical" {
		t.Errorf("to %s", to)
	}
}

// TestOnlyAProofOpens: a success without a proof opens no service.
func TestOnlyAProofOpens(t *testing.T) {
	s := newSite(t)
	s.linked()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "sample-zj", Value: s.cookie()})
	for _, action := range []string{actionVerify, actionMedical} {
		f := flow{Action: action, Person: "wang", BusinessNo: "ZJ-1"}
		if page := s.app.unlock(r, f, outcome{OK: true}); page != "" {
			t.Errorf("%s opened %s", action, page)
		}
		if page := s.app.unlock(r, f, outcome{OK: true, Proof: &client.Proof{}}); page == "" {
			t.Errorf("%s: no page", action)
		}
	}
}

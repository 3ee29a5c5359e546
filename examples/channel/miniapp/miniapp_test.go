package miniapp

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func says(t *testing.T, g got, what string) {
	t.Helper()
	if !strings.Contains(g.body, what) {
		t.Errorf("status %d, to %s: does not say %q:\n%s", g.status, g.to, what, g.body)
	}
}

// TestEnroll: evidence first, then a push with all that the holder's data
// needs, and nothing of it in the browser's address.
func TestEnroll(t *testing.T) {
	s := newSite(t)
	s.post("/person", "person", "wang")
	evidence := s.post("/start", "action", "enroll").to
	if evidence.Path != "/evidence" {
		t.Fatalf("to %s", evidence)
	}
	says(t, s.get(evidence), "演示用替身认证")
	to := s.post("/evidence", "no", evidence.Query().Get("no")).to
	if to.Host != strings.TrimPrefix(s.fake.server.URL, "http://") || to.Path != "/authorize" || len(to.Query()) != 2 ||
		to.Query().Get("client_id") != "zj" || to.Query().Get("request_uri") != "urn:x:1" {
		t.Fatalf("to %s", to)
	}
	push, d := s.last()
	want := details{Type: "liuma_pin", Action: "enroll", Region: "33", Purpose: s.app.words.purpose(actionEnroll), BusinessNo: d.BusinessNo, Challenge: "challenge-1",
		Evidence: "proof-of-challenge", Holder: holder{IDNumber: "330502195603120626", Name: "王桂珍", Phone: "13857210019"}}
	if d != want {
		t.Errorf("pushed %+v", d)
	}
	for name, want := range map[string]string{"response_type": "code", "scope": "openid", "redirect_uri": s.server.URL + "/callback", "code_challenge_method": "S256", "client_id": "zj"} {
		if push.Get(name) != want {
			t.Errorf("%s = %q", name, push.Get(name))
		}
	}
	result := s.get(s.back(url.Values{"code": {"c-1"}}).to)
	says(t, result, "申领成功")
	if s.app.memory.card("wang") != handle {
		t.Error("the card's handle was not kept")
	}
	if again := s.back(url.Values{"code": {"c-1"}}); again.status != http.StatusBadRequest {
		t.Errorf("the same callback again: %d", again.status)
	}
	if len(s.tokens) != 1 {
		t.Errorf("%d exchanges", len(s.tokens))
	}
}

// TestVerifyOpensYears: only for that person, only for a while.
func TestVerifyOpensYears(t *testing.T) {
	s := newSite(t)
	s.linked()
	if g := s.do("GET", "/years", nil); g.to.Path != "/" {
		t.Errorf("years without a verdict: %d", g.status)
	}
	s.post("/start", "action", "verify")
	if _, d := s.last(); d.Holder != (holder{Card: handle}) || d.Evidence != "" || d.Purpose != s.app.words.purpose(actionVerify) {
		t.Errorf("pushed %+v", d)
	}
	to := s.back(url.Values{"code": {"c-1"}}).to
	if to.Path != "/years" {
		t.Fatalf("to %s", to)
	}
	says(t, s.get(to), "养老保险")
	now := time.Now()
	s.app.memory.now = func() time.Time { return now }
	s.app.c.Now = func() time.Time { return now.Add(yearsOpen + time.Second) }
	if g := s.do("GET", "/years", nil); g.to.Path != "/" {
		t.Errorf("years after their time: %d", g.status)
	}
	s.app.c.Now = time.Now
	s.post("/person", "person", "li")
	if g := s.do("GET", "/years", nil); g.to.Path != "/" {
		t.Errorf("another person's years: %d", g.status)
	}
}

// TestTokensThatProveNothing: with a faulty ID token nothing opens; the app
// asks for the verdict, and here there is none.
func TestTokensThatProveNothing(t *testing.T) {
	claim := func(name string, v any) func(map[string]any) { return func(c map[string]any) { c[name] = v } }
	for what, spoil := range map[string]func(map[string]any){
		"another nonce":      claim("nonce", "n"),
		"no nonce":           func(c map[string]any) { delete(c, "nonce") },
		"another request":    claim("liuma_business_no", "b"),
		"another action":     claim("liuma_action", "link"),
		"another purpose":    claim("liuma_purpose_hash", "x"),
		"another card":       claim("liuma_card", "ffffffffffffffffffffffffffffffff"),
		"another audience":   claim("aud", "other"),
		"another issuer":     claim("iss", "https://evil.example"),
		"expired":            claim("exp", time.Now().Add(-time.Minute).Unix()),
		"no PIN":             claim("amr", []string{"face"}),
		"another acr":        claim("acr", "urn:other"),
		"another at_hash":    claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"no at_hash at all":  func(c map[string]any) { delete(c, "at_hash") },
		"purpose not hashed": claim("liuma_purpose_hash", "查询社保缴费年限"),
	} {
		t.Run(what, func(t *testing.T) { nothingOpens(t, func(s *site) { s.spoil = spoil }) })
	}
	t.Run("another key", func(t *testing.T) {
		nothingOpens(t, func(s *site) {
			s.sign = func(c map[string]any) string { return s.signed(jose.ES256, newKey(t), "a", c) }
		})
	})
	t.Run("HS256 under the public key", func(t *testing.T) {
		nothingOpens(t, func(s *site) {
			public, err := s.key.PublicKey.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			s.sign = func(c map[string]any) string { return s.signed(jose.HS256, public, "a", c) }
		})
	})
	t.Run("alg none", func(t *testing.T) {
		nothingOpens(t, func(s *site) {
			s.sign = func(c map[string]any) string {
				parts := strings.Split(s.signed(jose.ES256, s.key, "a", c), ".")
				return "eyJhbGciOiJub25lIn0." + parts[1] + "."
			}
		})
	})
	t.Run("no ID token", func(t *testing.T) {
		nothingOpens(t, func(s *site) { s.sign = func(map[string]any) string { return "" } })
	})
	t.Run("another access token", func(t *testing.T) { nothingOpens(t, func(s *site) { s.access = "other" }) })
	t.Run("no answer", func(t *testing.T) { nothingOpens(t, func(s *site) { s.fail = true }) })
}

func nothingOpens(t *testing.T, spoil func(*site)) {
	t.Helper()
	s := newSite(t)
	s.linked()
	asked := 0
	s.set(func() {
		spoil(s)
		s.state = func(string) (int, any) {
			asked++
			return 200, map[string]any{"state": "undecided", "action": "verify"}
		}
	})
	s.post("/start", "action", "verify")
	g := s.back(url.Values{"code": {"c-1"}})
	if g.to.Path != "/result" || asked != 1 {
		t.Errorf("to %s, asked %d times", g.to, asked)
	}
	says(t, s.get(g.to), "没有办成")
	if g := s.do("GET", "/years", nil); g.to.Path != "/" {
		t.Errorf("the years are open: %d", g.status)
	}
}

// TestForeignCallbacks: no parameter of a callback with a wrong state or issuer
// is used.
func TestForeignCallbacks(t *testing.T) {
	for what, q := range map[string]url.Values{
		"another state":  {"state": {"guessed"}, "code": {"c"}},
		"no state":       {"state": {""}, "code": {"c"}},
		"another issuer": {"iss": {"https://evil.example"}, "code": {"c"}},
		"no issuer":      {"iss": {""}, "code": {"c"}},
		"mixed-up error": {"iss": {"https://evil.example"}, "error": {"evidence_required"}, "challenge": {"c"}},
	} {
		t.Run(what, func(t *testing.T) {
			s := newSite(t)
			s.linked()
			s.post("/start", "action", "verify")
			g := s.back(q)
			if g.status != http.StatusBadRequest || len(s.tokens) != 0 {
				t.Errorf("status %d, %d exchanges", g.status, len(s.tokens))
			}
			says(t, g, "不是从本页面打开的")
		})
	}
}

// TestErrorsAreAskedAfter: an error in the address may be forged, so the app
// asks the authority for the result.
func TestErrorsAreAskedAfter(t *testing.T) {
	until := time.Date(2026, 11, 24, 0, 10, 0, 0, time.UTC)
	none, three := 0, 3
	for what, x := range map[string]struct {
		answer any
		status int
		words  string
		again  bool
	}{
		"locked":      {map[string]any{"state": "decided", "verdict": "locked", "code": "locked", "tries_left": none, "until": until}, 200, "密码已锁定", false},
		"locks it":    {map[string]any{"state": "decided", "verdict": "wrong", "code": "wrong_pin", "tries_left": none, "until": until}, 200, "密码已锁定", false},
		"wrong":       {map[string]any{"state": "decided", "verdict": "wrong", "code": "wrong_pin", "title_zh": "密码不正确。", "tries_left": three}, 200, "密码不正确", true},
		"left":        {map[string]any{"state": "decided", "code": "left_by_holder"}, 200, "您取消了办理", true},
		"frozen":      {map[string]any{"state": "decided", "verdict": "suspended", "code": "frozen", "title_zh": "这张电子社保卡已冻结。"}, 200, "已冻结", false},
		"pending":     {map[string]any{"state": "pending"}, 200, "还没有办完", false},
		"undecided":   {map[string]any{"state": "undecided"}, 200, "没有办成", true},
		"not taken":   {map[string]any{"code": "not_found"}, 404, "没有办成", true},
		"breaks":      {map[string]any{}, 502, "连不上", false},
		"other right": {map[string]any{"state": "decided", "verdict": "right", "action": "link", "card": handle}, 200, "办理没有成功", true},
		"other card":  {map[string]any{"state": "decided", "verdict": "right", "action": "verify", "card": "x", "receipt": "r"}, 200, "办理没有成功", true},
		"late":        {map[string]any{"state": "decided", "verdict": "right", "action": "verify", "card": handle}, 200, "来得太晚", true},
		"bad receipt": {map[string]any{"state": "decided", "verdict": "right", "action": "verify", "card": handle, "receipt": "r"}, 200, "来得太晚", true},
	} {
		t.Run(what, func(t *testing.T) {
			s := newSite(t)
			s.linked()
			s.set(func() { s.state = func(string) (int, any) { return x.status, x.answer } })
			s.post("/start", "action", "verify")
			page := s.get(s.back(url.Values{"error": {"access_denied"}, "error_description": {"<b>"}}).to)
			says(t, page, x.words)
			if again := strings.Contains(page.body, "重新办理 <span"); again != x.again {
				t.Errorf("starting again is offered: %t", again)
			}
			if strings.Contains(page.body, "<b>") || s.redeems != 0 {
				t.Error("the address's words are on the page, or a receipt was redeemed")
			}
		})
	}
}

// TestEvidenceMidway: the same business number goes on under a new push, with
// evidence for the challenge that came back.
func TestEvidenceMidway(t *testing.T) {
	s := newSite(t)
	s.linked()
	s.post("/start", "action", "verify")
	_, first := s.last()
	page := s.get(s.back(url.Values{"error": {"evidence_required"}, "challenge": {"challenge-2"}}).to)
	says(t, page, "请正对镜头")
	s.post("/evidence", "no", first.BusinessNo)
	push, second := s.last()
	want := first
	want.Challenge, want.Evidence = "challenge-2", "proof-of-challenge"
	if second != want {
		t.Errorf("pushed %+v", second)
	}
	if push.Get("state") == "" || push.Get("nonce") == s.pushes[0].Get("nonce") || push.Get("code_challenge") == s.pushes[0].Get("code_challenge") {
		t.Error("state, nonce or PKCE of the first push")
	}
	if to := s.back(url.Values{"code": {"c"}}).to; to.Path != "/years" {
		t.Errorf("to %s", to)
	}
}

// TestEvidenceAtThePush: the same, where the push itself is refused.
func TestEvidenceAtThePush(t *testing.T) {
	s := newSite(t)
	s.linked()
	s.set(func() {
		s.refuse = `{"error":"invalid_authorization_details","code":"evidence_required","challenge":"challenge-3"}`
	})
	says(t, s.get(s.post("/start", "action", "verify").to), "还需要实人认证")
	s.set(func() { s.refuse = "" })
	_, first := s.last()
	if to := s.post("/evidence", "no", first.BusinessNo).to; to.Path != "/authorize" {
		t.Errorf("to %s", to)
	}
	if _, d := s.last(); d.Challenge != "challenge-3" || d.Evidence == "" || d.BusinessNo != first.BusinessNo {
		t.Errorf("pushed %+v", d)
	}
}

// TestRefusedPush: the authority's own sentences, escaped; ours where we have
// some.
func TestRefusedPush(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"invalid_authorization_details","code":"not_in_registry"}`:                                   "没有查到相符",
		`{"error":"access_denied","code":"already_enrolled"}`:                                                  "您已经有电子社保卡了",
		`{"error":"server_error","code":"internal","error_description_zh":"系统<内部>出错。","next_step_zh":"请稍后再试"}`: "系统&lt;内部&gt;出错。",
		`<html>bad gateway`: "连不上",
	} {
		s := newSite(t)
		s.post("/person", "person", "chen")
		s.set(func() { s.refuse = body })
		says(t, s.get(s.post("/start", "action", "link").to), want)
	}
}

// TestPagesAreSafe: no inline script or style, no other origin, nothing cached,
// no post from elsewhere.
func TestPagesAreSafe(t *testing.T) {
	s := newSite(t)
	s.linked()
	s.set(func() { s.state = func(string) (int, any) { return 200, map[string]any{"state": "pending"} } })
	s.post("/start", "action", "verify")
	result := s.post("/ask", "no", mustLast(s).BusinessNo).to.RequestURI()
	for _, path := range []string{"/", "/card", result, "/nothing", "/evidence?no=" + mustLast(s).BusinessNo} {
		resp, err := s.client.Get(s.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		h := resp.Header
		if h.Get("Content-Security-Policy") != "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' "+s.fake.server.URL+"; frame-ancestors 'none'; base-uri 'none'" ||
			h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", path, h)
		}
		body := s.do("GET", path, nil).body
		for _, never := range []string{"<script", " style=", "onclick", "src=\"http", "href=\"http"} {
			if strings.Contains(body, never) {
				t.Errorf("%s has %q", path, never)
			}
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.server.URL+"/start", strings.NewReader("action=verify"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden || len(s.pushes) != 1 {
		t.Errorf("a post from elsewhere: %d, %d pushes", resp.StatusCode, len(s.pushes))
	}
}

func mustLast(s *site) details { _, d := s.last(); return d }

// TestSessionsAreBounded: and each person gets a new session, so that an
// attacker cannot plant one.
func TestSessionsAreBounded(t *testing.T) {
	now := time.Now()
	m := newMemory(func() time.Time { return now })
	first := m.begin("", "wang")
	if second := m.begin(first, "li"); second == first || m.with(first, func(*session) {}) {
		t.Error("the old session goes on")
	}
	for range mostSession + 10 {
		m.begin("", "wang")
	}
	if len(m.sessions) > mostSession {
		t.Errorf("%d sessions", len(m.sessions))
	}
	id := m.begin("", "wang")
	for range 3 * mostFlows {
		m.keep(id, flow{})
	}
	m.with(id, func(s *session) {
		if len(s.flows) != mostFlows {
			t.Errorf("%d flows", len(s.flows))
		}
	})
	now = now.Add(sessionLife + time.Second)
	if m.with(id, func(*session) {}) {
		t.Error("a session outlives its time")
	}
}

func TestContributions(t *testing.T) {
	people, err := SamplePeople()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, p := range people {
		all := contributions(p, now)
		if len(all) != 5 {
			t.Fatalf("%s: %d kinds", p.Key, len(all))
		}
		longest := 0
		for i, k := range all {
			if k.Months < 0 || k.Months > 12*60 || k.From > k.To || k.To > 2026 || k.BarWidth() < 1 || k.BarWidth() > 100 {
				t.Errorf("%s: %+v", p.Key, k)
			}
			if again := contributions(p, now)[i]; again != k {
				t.Errorf("%s: not the same twice", p.Key)
			}
			longest = max(longest, k.Percent)
		}
		if longest != 100 {
			t.Errorf("%s: the longest bar is %d", p.Key, longest)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	f := newFake(t)
	if _, err := New(f.config("http://127.0.0.1:8090")); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(*Config){
		"no issuer":   func(c *Config) { c.Issuer = "" },
		"no id":       func(c *Config) { c.ClientID = "" },
		"no key":      func(c *Config) { c.Key = nil },
		"a theme":     func(c *Config) { c.Theme = "red" },
		"an origin":   func(c *Config) { c.Origin += "/" },
		"no provider": func(c *Config) { c.Evidence = "face" },
		"nobody":      func(c *Config) { c.People = nil },
		"two alike":   func(c *Config) { c.People = append(c.People, c.People[0]) },
	} {
		c := f.config("http://127.0.0.1:8090")
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

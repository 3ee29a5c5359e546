package holder

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestLandingChangesNothing: the channel's address may be prefetched, read by a
// scanner or reloaded, and names no holder.
func TestLandingChangesNothing(t *testing.T) {
	s := newSite(t, sample(liuma.ActionEnroll, ceremony.StepConfirm))
	for range 3 {
		for _, method := range []string{"GET", "HEAD"} {
			w := s.do(method, authorize(), nil)
			if w.Code != 200 {
				t.Fatalf("%s: %d", method, w.Code)
			}
			for _, personal := range []string{"王", "3305", "138*", "查询"} {
				if strings.Contains(w.Body.String(), personal) {
					t.Errorf("the landing page says %q", personal)
				}
			}
		}
	}
	if calls := s.fake.calls(); strings.Trim(calls, "lokat ") != "" {
		t.Errorf("asked for %s", calls)
	}
	if !strings.Contains(s.do("GET", authorize(), nil).Body.String(), "浙里社保") {
		t.Error("the landing page does not name the channel")
	}
}

func TestBadAddresses(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	for _, q := range []string{"", "?client_id=zj-hrss", "?request_uri=" + pushedURI, "?client_id=other&request_uri=" + pushedURI,
		"?client_id=zj-hrss&request_uri=a&request_uri=b", "?client_id=zj-hrss&request_uri=" + strings.Repeat("x", 3000), "?client_id=%zz"} {
		w := s.do("GET", "/authorize"+q, nil)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "请回到原来的应用") {
			t.Errorf("%.40s: %d", q, w.Code)
		}
	}
	for target, want := range map[string]int{"/c/UPPER": 404, "/c/a.b": 404, "/c/other": 400, "/nothing": 404, "/c/": 404} {
		if w := s.do("GET", target, nil); w.Code != want || !strings.Contains(w.Body.String(), "<h1") {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
	if w := s.do("GET", "/c/"+ceremonyID+"/pin", nil); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("GET of a post: %d", w.Code)
	}
}

// TestEnrolment goes the whole way, as a browser does.
func TestEnrolment(t *testing.T) {
	s := newSite(t, sample(liuma.ActionEnroll, ceremony.StepConfirm))
	s.begin()
	for _, target := range []string{authorize(), authorize() + "&ask=freeze&look=1&go=1"} { // its query chooses no page
		if w := s.do("GET", target, nil); w.Code != 200 || !strings.Contains(w.Body.String(), `action="/c/`+ceremonyID+`/agree"`) {
			t.Errorf("%s is not the page itself: %d", target, w.Code)
		}
	}
	if w := s.do("GET", "/c/"+ceremonyID+"/return", nil); w.Header().Get("Location") != "/c/"+ceremonyID {
		t.Errorf("the way back is open before the end: %d %s", w.Code, w.Header().Get("Location"))
	}
	steps := []struct {
		path string
		form url.Values
		says string
	}{
		{"agree", nil, `data-mode="new"`},
		{"pin", pinForm("new_pin"), "申领成功"},
	}
	page := sample(liuma.ActionEnroll, ceremony.StepPIN)
	s.fake.after = func(p *ceremony.Page) { p.Step = ceremony.StepDone }
	for _, step := range steps {
		w := s.do("POST", "/c/"+ceremonyID+"/"+step.path, step.form)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/c/"+ceremonyID {
			t.Fatalf("%s: %d %s", step.path, w.Code, w.Header().Get("Location"))
		}
		if step.path == "agree" {
			s.fake.page = page
		}
		if w := s.do("GET", w.Header().Get("Location"), nil); !strings.Contains(w.Body.String(), step.says) {
			t.Fatalf("%s does not lead to %q:\n%s", step.path, step.says, w.Body)
		}
	}
	if g := s.fake.given; len(g) != 1 || g[0].Try != 1 || g[0].New == nil || g[0].Current != nil || g[0].Old != nil {
		t.Errorf("given %+v", g)
	}
	for _, target := range []string{"/c/" + ceremonyID + "/return", authorize()} { // the second without a hop
		if w := s.do("GET", target, nil); w.Code != http.StatusSeeOther || w.Header().Get("Location") != channelURI {
			t.Errorf("way back by %s: %d %s", target, w.Code, w.Header().Get("Location"))
		}
	}
}

// TestVerifiedGoesBackOnce: the page after the post leads back by itself, and
// the same page found again by the back button does not.
func TestVerifiedGoesBackOnce(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.begin()
	s.fake.after = func(p *ceremony.Page) { p.Step = ceremony.StepDone }
	w := s.do("POST", "/c/"+ceremonyID+"/pin", pinForm("pin"))
	forward := `http-equiv="refresh" content="0; url=/c/` + ceremonyID + `/return"`
	if body := s.do("GET", w.Header().Get("Location"), nil).Body.String(); !strings.Contains(body, forward) {
		t.Errorf("does not go on:\n%s", body)
	}
	if body := s.do("GET", "/c/"+ceremonyID, nil).Body.String(); strings.Contains(body, "refresh") || !strings.Contains(body, "/return") {
		t.Errorf("goes on when it should not:\n%s", body)
	}
	s.fake.page = sample(liuma.ActionVerify, ceremony.StepPIN)
	if body := s.do("GET", "/c/"+ceremonyID+"?go=1", nil).Body.String(); strings.Contains(body, "refresh") {
		t.Error("an address makes a page go on that has not ended")
	}
}

// TestSecondPress: a post for a step that is done already gets the latest page.
func TestSecondPress(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.begin()
	s.fake.err = liuma.Fail(liuma.CodeCeremonyMoved, nil)
	for name, form := range map[string]url.Values{"moved": pinForm("pin"), "no envelope": {"try": {"1"}},
		"no try": {"pin": pinForm("pin")["pin"]}, "empty": {"try": {"1"}, "pin": {""}}} {
		w := s.do("POST", "/c/"+ceremonyID+"/pin", form)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/c/"+ceremonyID {
			t.Errorf("%s: %d %s", name, w.Code, w.Header().Get("Location"))
		}
	}
	if len(s.fake.given) != 0 {
		t.Errorf("%d tries", len(s.fake.given))
	}
	for name, form := range map[string]url.Values{
		"not JSON": {"try": {"1"}, "pin": {"345678"}}, "two": {"try": {"1"}, "pin": {"{}", "{}"}},
		"huge": {"try": {"1"}, "pin": {strings.Repeat("x", 5000)}},
	} {
		w := s.do("POST", "/c/"+ceremonyID+"/pin", form)
		if w.Code != http.StatusBadRequest || strings.Contains(s.logs.String(), "345678") || strings.Contains(w.Body.String(), "345678") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := s.do("POST", "/c/"+ceremonyID+"/pin", url.Values{"pin": {strings.Repeat("x", 40000)}}); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge form: %d", w.Code)
	}
}

// TestOnlyTheLastTryIsWaitedFor: a second press waits for the first; for a try
// that is not valid or long over the authority is not asked again and again.
func TestOnlyTheLastTryIsWaitedFor(t *testing.T) {
	for try, waits := range map[string]bool{"1": false, "2": true, "3": false, "9": false} {
		page := sample(liuma.ActionVerify, ceremony.StepPIN)
		page.Try, page.Code, page.Verdict = 3, "", "" // the second is under way, or was
		s := newSite(t, page)
		s.begin()
		s.fake.err = liuma.Fail(liuma.CodeCeremonyMoved, nil)
		form := pinForm("pin")
		form.Set("try", try)
		before := len(s.fake.hands)
		s.do("POST", "/c/"+ceremonyID+"/pin", form)
		if looks := len(s.fake.hands) - before; looks > 2 != waits {
			t.Errorf("try %s: %d looks", try, looks)
		}
	}
}

// TestElsewhere: another browser, and one that lost its cookie, are shown where
// to go on, and nothing else.
func TestElsewhere(t *testing.T) {
	s := newSite(t, sample(liuma.ActionEnroll, ceremony.StepConfirm))
	s.begin()
	clear(s.jar)
	for _, target := range []string{authorize(), "/c/" + ceremonyID, "/c/" + ceremonyID + "/return"} {
		w := s.do("GET", target, nil)
		if body := w.Body.String(); w.Code != http.StatusConflict || !strings.Contains(body, "请到另一个页面继续") || strings.Contains(body, "王*奶") {
			t.Errorf("%s: %d\n%s", target, w.Code, body)
		}
	}
	for _, move := range []string{"agree", "pin", "leave", "extend", "begin"} {
		form := pinForm("pin")
		form.Set("request_uri", pushedURI)
		if w := s.do("POST", "/c/"+ceremonyID+"/"+move, form); w.Code != http.StatusConflict {
			t.Errorf("%s: %d", move, w.Code)
		}
	}
}

// TestTwoCeremonies of one browser do not throw each other out.
func TestTwoCeremonies(t *testing.T) {
	s := newSite(t, sample(liuma.ActionEnroll, ceremony.StepConfirm))
	s.jar["__Host-hand-other"] = "secret.0011223344556677"
	s.begin()
	if s.jar["__Host-hand-other"] == "" || s.jar["__Host-hand-"+ceremonyID] == "" {
		t.Errorf("cookies %v", s.jar)
	}
	for i := range 12 {
		s.jar["__Host-hand-x"+string(rune('a'+i))] = "s.m"
	}
	s.fake.secret = ""
	clearHand := s.jar["__Host-hand-"+ceremonyID]
	delete(s.jar, "__Host-hand-"+ceremonyID)
	s.begin()
	if s.jar["__Host-hand-"+ceremonyID] == clearHand {
		t.Error("no new secret")
	}
	hands := 0
	for name := range s.jar {
		if strings.HasPrefix(name, "__Host-hand-") {
			hands++
		}
	}
	if hands > mostHands {
		t.Errorf("%d hands are kept", hands)
	}
}

// TestWithoutCookies goes the whole way in a web view that keeps none: the
// script is told to post the form, and the hand travels in the pages.
func TestWithoutCookies(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	bare := func(method, target string, form url.Values) string {
		clear(s.jar)
		w := s.do(method, target, form)
		clear(s.jar)
		if w.Code != 200 {
			t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Header().Get("Location"))
		}
		return w.Body.String()
	}
	bare("GET", authorize(), nil)
	s.header.Set("Accept", "application/json")
	if w := s.do("POST", "/c/"+ceremonyID+"/begin", url.Values{"request_uri": {pushedURI}}); w.Code != http.StatusConflict {
		t.Fatalf("begin by script: %d", w.Code)
	}
	s.header.Del("Accept")
	body := bare("POST", "/c/"+ceremonyID+"/begin", url.Values{"request_uri": {pushedURI}})
	found := regexp.MustCompile(`name="hand" value="([^"]+)"`).FindStringSubmatch(body)
	if found == nil || found[1] != s.fake.secret {
		t.Fatalf("no hand in the page:\n%s", body)
	}
	if strings.Contains(body, "/preferences") {
		t.Error("the page offers what needs a cookie")
	}
	form := pinForm("pin")
	form.Set("hand", found[1])
	s.fake.after = func(p *ceremony.Page) { n := 5; p.Verdict, p.TriesLeft = liuma.Wrong, &n }
	if body = bare("POST", "/c/"+ceremonyID+"/pin", form); !strings.Contains(body, "还可试 5 次") || !strings.Contains(body, `name="hand"`) {
		t.Errorf("after a wrong PIN:\n%s", body)
	}
	s.fake.err = liuma.Fail(liuma.CodeCeremonyMoved, nil)
	if body = bare("POST", "/c/"+ceremonyID+"/pin", form); !strings.Contains(body, "还可试 5 次") {
		t.Errorf("after a reload:\n%s", body)
	}
	s.fake.after = func(p *ceremony.Page) { p.Step = ceremony.StepDone }
	body = bare("POST", "/c/"+ceremonyID+"/pin", form)
	if !strings.Contains(body, `action="/c/`+ceremonyID+`/return"`) {
		t.Errorf("no way back:\n%s", body)
	}
	body = bare("POST", "/c/"+ceremonyID+"/return", url.Values{"hand": {found[1]}})
	if !strings.Contains(body, `href="`+strings.ReplaceAll(channelURI, "&", "&amp;")+`"`) || !strings.Contains(body, "refresh") {
		t.Errorf("the way back is no plain link:\n%s", body)
	}
}

// TestOnlyClaimedLinks: a scheme of an app's own can be claimed by any app.
func TestOnlyClaimedLinks(t *testing.T) {
	for to, ok := range map[string]bool{
		"https://c.example.cn/cb?code=1": true, "http://127.0.0.1:8090/cb": true, "http://c.example.cn/cb": false,
		"cn.gov.zheli:/cb?code=1": false, "weixin://dl/x": false,
		"javascript:alert(1)": false, "data:text/html,x": false, "JavaScript:x": false, "//evil.example": false, "/x": false,
	} {
		if got, err := wayURL(to); (err == nil) != ok || ok && string(got) != to {
			t.Errorf("%s: %v %v", to, got, err)
		}
	}
}

// TestWayBackIsForPeople: a prefetch makes no authorization code.
func TestWayBackIsForPeople(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepDone))
	s.begin()
	for _, target := range []string{"/c/" + ceremonyID + "/return", authorize()} {
		s.header.Set("Sec-Purpose", "prefetch;prerender")
		if w := s.do("GET", target, nil); w.Code != http.StatusNoContent {
			t.Errorf("prefetch of %s: %d", target, w.Code)
		}
		s.header.Del("Sec-Purpose")
		if w := s.do("HEAD", target, nil); w.Code != http.StatusNoContent {
			t.Errorf("HEAD of %s: %d", target, w.Code)
		}
	}
	if strings.Contains(s.fake.calls(), "wayback") {
		t.Error("a code was minted for nobody")
	}
}

func TestExtend(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.begin()
	if !strings.Contains(s.do("GET", "/c/"+ceremonyID, nil).Body.String(), `data-expires="2026-05-06T12:59:00Z" data-now="2026-05-06T12:44:00Z"`) {
		t.Error("the page does not say when it ends")
	}
	s.header.Set("Accept", "application/json")
	w := s.do("POST", "/c/"+ceremonyID+"/extend", nil)
	if w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"expires":"2026-05-06T13:09:00Z","now":"2026-05-06T12:44:00Z"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.header.Del("Accept")
	if w := s.do("POST", "/c/"+ceremonyID+"/extend", nil); w.Code != http.StatusSeeOther {
		t.Errorf("without script: %d", w.Code)
	}
}

// TestOtherSitesCannotPost: a post that another site causes is refused, for
// every kind of browser.
func TestOtherSitesCannotPost(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.begin()
	posts := []string{"/preferences"}
	for _, m := range regexp.MustCompile(`"POST (/[^"]*)"`).FindAllStringSubmatch(readFile(t, "holder.go"), -1) {
		posts = append(posts, strings.Replace(m[1], "{id}", ceremonyID, 1))
	}
	if len(posts) < 17 {
		t.Fatalf("the door takes only %d posts: %v", len(posts), posts)
	}
	asked := s.fake.calls()
	for _, headers := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		{"Sec-Fetch-Site": "same-site"},
		{"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
		{"Sec-Fetch-Site": "", "Origin": "null"},
	} {
		for k, v := range headers {
			s.header.Set(k, v)
			if v == "" {
				s.header[k] = nil
			}
		}
		for _, path := range posts {
			if w := s.do("POST", path, pinForm("pin")); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "<h1") {
				t.Errorf("%v %s: %d", headers, path, w.Code)
			}
		}
		clear(s.header)
	}
	if s.fake.calls() != asked {
		t.Errorf("the authority was asked: %s", s.fake.calls())
	}
	// A web view of 2018 sends no Sec-Fetch-Site; its own posts must pass.
	s.header["Sec-Fetch-Site"] = nil
	s.header.Set("Origin", origin)
	if w := s.do("POST", "/c/"+ceremonyID+"/leave", nil); w.Code != http.StatusSeeOther {
		t.Errorf("our own post from an old web view: %d", w.Code)
	}
}

func TestDomainChecks(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret.txt")
	for name, content := range map[string]string{
		filepath.Join(dir, "MP_verify_aBc123.txt"): "aBc123", filepath.Join(dir, "alipay.html"): "<p>ok", filepath.Join(dir, ".hidden.txt"): "x",
		filepath.Join(dir, "key.pem"): "x", filepath.Join(dir, "big.txt"): strings.Repeat("x", largestCheck+1), outside: "secret",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir.txt"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN), func(c *Config) { c.DomainChecks = dir })
	if w := s.do("GET", "/MP_verify_aBc123.txt", nil); w.Code != 200 || w.Body.String() != "aBc123" ||
		w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := s.do("GET", "/alipay.html", nil); w.Code != 200 || !strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, name := range []string{".hidden.txt", "key.pem", "big.txt", "link.txt", "dir.txt", "none.txt", "..%2fsecret.txt", "%2e%2e%2fsecret.txt"} {
		if w := s.do("GET", "/"+name, nil); w.Code == 200 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := s.do("GET", "/healthz", nil); w.Code != 200 || !strings.Contains(w.Body.String(), "alive") {
		t.Errorf("health: %d", w.Code)
	}
}

// TestHeadersAndCookies of personal pages and of files that may be kept.
func TestHeadersAndCookies(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.begin()
	w := s.do("GET", "/c/"+ceremonyID, nil)
	csp := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'", "report-uri /csp-report"} {
		if !strings.Contains(csp, want) {
			t.Errorf("policy %q lacks %q", csp, want)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
		t.Errorf("policy %q", csp)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Strict-Transport-Security": "max-age=63072000", "Referrer-Policy": "same-origin"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	script := regexp.MustCompile(`/assets/ceremony\.[0-9a-f]{16}\.js`).FindString(w.Body.String())
	for _, file := range []string{script, regexp.MustCompile(`/assets/page\.[0-9a-f]{16}\.css`).FindString(w.Body.String())} {
		if w := s.do("GET", file, nil); w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%q: %d %s", file, w.Code, w.Header().Get("Cache-Control"))
		}
	}
	code := s.do("GET", script, nil).Body.String()
	for _, bad := range []string{"eval(", "innerHTML", "localStorage", "document.cookie"} {
		if strings.Contains(code, bad) {
			t.Errorf("the script uses %s", bad)
		}
	}
	s.fake.secret = ""
	delete(s.jar, "__Host-hand-"+ceremonyID)
	s.header.Set("Accept", "application/json")
	for _, c := range s.do("POST", "/c/"+ceremonyID+"/begin", url.Values{"request_uri": {pushedURI}}).Result().Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 {
			t.Errorf("cookie %+v", c)
		}
		if strings.Contains(c.Value, "urn") {
			t.Error("the cookie holds the pushed request's address")
		}
	}
	for _, leak := range []string{pushedURI, s.fake.secret, "王", ceremonyID} {
		if strings.Contains(s.logs.String(), leak) {
			t.Errorf("the log holds %q:\n%s", leak, s.logs)
		}
	}
}

func TestPreferences(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.begin()
	w := s.do("POST", "/preferences", url.Values{"lang": {"en"}, "back": {"/c/" + ceremonyID}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/c/"+ceremonyID {
		t.Errorf("%d %s", w.Code, w.Header().Get("Location"))
	}
	if body := s.do("GET", "/c/"+ceremonyID, nil).Body.String(); !strings.Contains(body, `<html lang="en" dir="ltr">`) {
		t.Error("not in English")
	}
	s.do("POST", "/preferences", url.Values{"care": {"1"}})
	if body := s.do("GET", "/c/"+ceremonyID, nil).Body.String(); !strings.Contains(body, "data-care") || !strings.Contains(body, `aria-pressed="true"`) {
		t.Error("not in care mode")
	}
	landing := "/authorize?client_id=a&request_uri=b"
	if w := s.do("POST", "/preferences", url.Values{"care": {"0"}, "back": {landing + "&lang=zh"}}); w.Header().Get("Location") != landing {
		t.Errorf("back to %s", w.Header().Get("Location"))
	}
	for _, back := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", "", "c/x"} {
		if w := s.do("POST", "/preferences", url.Values{"back": {back}}); w.Header().Get("Location") != "/" {
			t.Errorf("%s leads to %s", back, w.Header().Get("Location"))
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty config passed")
	}
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	for _, o := range []string{"http://pin.example.cn", "pin.example.cn", "https://pin.example.cn/", "ftp://x", ""} {
		c := Config{Authority: s.fake, Assets: mustAssets(t), Origin: o, Now: clock(), Logger: discard()}
		if _, err := New(c); err == nil {
			t.Errorf("origin %q passed", o)
		}
	}
	c := Config{Authority: s.fake, Assets: mustAssets(t), Origin: origin, Now: clock(), Logger: discard(), DomainChecks: "/nowhere/at/all"}
	if _, err := New(c); err == nil {
		t.Error("a directory that is not there passed")
	}
}

// TestTheAddressChoosesNoPage: what a channel writes into the address beside its
// two parameters shows nothing but the page of the step.
func TestTheAddressChoosesNoPage(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.begin()
	if own := s.do("GET", "/c/"+ceremonyID+"?ask=freeze", nil).Body.String(); strings.Contains(own, "data-pad ") {
		t.Fatal("the page's own address chooses none either: this test proves nothing")
	}
	if body := s.do("GET", authorize()+"&ask=freeze", nil).Body.String(); !strings.Contains(body, "data-pad ") {
		t.Errorf("not the pad:\n%s", body)
	}
}

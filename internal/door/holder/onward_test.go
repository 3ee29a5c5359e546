package holder

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// byScript posts a form as a page's script does.
func (s *site) byScript(target string, form url.Values) (int, onward, refusedForm) {
	s.t.Helper()
	s.header.Set("Accept", "application/json")
	w := s.do("POST", target, form)
	s.header.Del("Accept")
	var to onward
	var refused refusedForm
	for _, into := range []any{&to, &refused} {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			s.t.Fatalf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		s.t.Errorf("%s: %s", target, got)
	}
	return w.Code, to, refused
}

// TestFormsByScript: the answer to a form that a script sent says where to go,
// and is never the page itself.
func TestFormsByScript(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.begin()
	s.fake.after = func(p *ceremony.Page) { p.Step = ceremony.StepDone }
	if code, to, _ := s.byScript("/c/"+ceremonyID+"/pin", pinForm("pin")); code != 200 || to.Next != "/c/"+ceremonyID+"?go=1" || to.Hand != "" {
		t.Errorf("a right PIN: %d %+v", code, to)
	}
	s.fake.err = liuma.Fail(liuma.CodeCeremonyMoved, nil)
	if code, to, _ := s.byScript("/c/"+ceremonyID+"/agree", nil); code != 200 || to.Next != "/c/"+ceremonyID {
		t.Errorf("moved: %d %+v", code, to)
	}
	s.fake.err = liuma.Fail(liuma.CodeUnavailable, nil)
	if code, to, why := s.byScript("/c/"+ceremonyID+"/agree", nil); code != http.StatusServiceUnavailable || to.Next != "" || why.Code != liuma.CodeUnavailable || why.Text == "" {
		t.Errorf("unavailable: %d %+v %+v", code, to, why)
	}
	if code, _, why := s.byScript("/c/"+ceremonyID+"/pin", url.Values{"try": {"1"}, "pin": {"345678"}}); code != http.StatusBadRequest || strings.Contains(why.Text, "345678") {
		t.Errorf("a bad form: %d %+v", code, why)
	}
}

// TestFormsByScriptWithoutCookies: the hand goes with the address.
func TestFormsByScriptWithoutCookies(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.begin()
	clear(s.jar)
	form := pinForm("pin")
	form.Set("hand", s.fake.secret)
	_, to, _ := s.byScript("/c/"+ceremonyID+"/pin", form)
	if to.Hand != s.fake.secret || to.Next != "/c/"+ceremonyID {
		t.Fatalf("%+v", to)
	}
	clear(s.jar)
	if w := s.do("POST", to.Next, url.Values{"hand": {to.Hand}}); w.Code != 200 || !strings.Contains(w.Body.String(), "data-pad") {
		t.Errorf("the page: %d", w.Code)
	}
}

// TestOldPad: an entry on a pad that is older than the ceremony is told that it
// was not submitted and did not count, and not the verdict of the try before.
func TestOldPad(t *testing.T) {
	page := sample(liuma.ActionVerify, ceremony.StepPIN)
	left := 5
	page.Try, page.Verdict, page.TriesLeft = 2, liuma.Wrong, &left
	s := newSite(t, page)
	s.begin()
	s.fake.err = liuma.Fail(liuma.CodeCeremonyMoved, ceremony.ErrOldPad)
	w := s.do("POST", "/c/"+ceremonyID+"/pin", pinForm("pin"))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/c/"+ceremonyID+"?old=1" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
	}
	check := func(body string) {
		t.Helper()
		if !strings.Contains(body, "没有提交，不算次数") || !strings.Contains(body, "还可试 5 次") ||
			strings.Contains(body, "密码不正确") || !strings.Contains(body, "data-pad") {
			t.Errorf("the page:\n%s", body)
		}
	}
	check(s.do("GET", w.Header().Get("Location"), nil).Body.String())
	clear(s.jar) // where cookies are blocked, the page is the answer
	s.fake.err = liuma.Fail(liuma.CodeCeremonyMoved, ceremony.ErrOldPad)
	form := pinForm("pin")
	form.Set("hand", s.fake.secret)
	check(s.do("POST", "/c/"+ceremonyID+"/pin", form).Body.String())
}

// TestLook: a browser that lost the answer to a try learns what became of it: it
// did not arrive, it is under way, or its result.
func TestLook(t *testing.T) {
	for name, tt := range map[string]struct {
		try     int
		verdict liuma.Verdict
		says    string
		pad     bool
	}{
		"not arrived": {1, "", "密码没有送到", true},
		"under way":   {2, "", "还在核验", false},
		"wrong":       {2, liuma.Wrong, "密码不正确", true},
	} {
		page := sample(liuma.ActionVerify, ceremony.StepPIN)
		page.Try, page.Verdict = tt.try, tt.verdict
		s := newSite(t, page)
		s.begin()
		body := s.do("GET", "/c/"+ceremonyID+"?look=1", nil).Body.String()
		if !strings.Contains(body, tt.says) || strings.Contains(body, "data-pad") != tt.pad {
			t.Errorf("%s:\n%s", name, body)
		}
	}
	for _, bad := range []string{"0", "-1", "x", ""} {
		s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
		s.begin()
		if body := s.do("GET", "/c/"+ceremonyID+"?look="+bad, nil).Body.String(); strings.Contains(body, "没有送到") {
			t.Errorf("look=%s says something of a try", bad)
		}
	}
}

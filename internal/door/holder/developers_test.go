package holder

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// TestAuthorizeByPost: a channel may send the browser by a form. It ends at the
// same page, in the browser that began it too, whose cookies a post from another
// site does not carry.
func TestAuthorizeByPost(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://app.example"}}
	form := url.Values{"client_id": {"zj-hrss"}, "request_uri": {pushedURI}}
	w := s.do("POST", "/authorize", form)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != authorize() {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
	}
	if calls := s.fake.calls(); calls != "" {
		t.Errorf("the post asked for %s", calls)
	}
	if w := s.do("POST", "/authorize", url.Values{"client_id": {"zj-hrss"}, "request_uri": {pushedURI}, "scope": {"openid"}}); w.Header().Get("Location") != authorize() {
		t.Errorf("with what counts no more: %d %s", w.Code, w.Header().Get("Location"))
	}
	for name, c := range map[string]struct {
		target string
		form   url.Values
	}{
		"nothing":       {"/authorize", nil},
		"twice":         {"/authorize", url.Values{"client_id": {"zj-hrss"}, "request_uri": {pushedURI, pushedURI}}},
		"in both":       {"/authorize?client_id=zj-hrss", form},
		"in the query":  {"/authorize?" + form.Encode(), nil},
		"far too much":  {"/authorize", url.Values{"client_id": {strings.Repeat("x", 3000)}, "request_uri": {pushedURI}}},
		"no client":     {"/authorize", url.Values{"request_uri": {pushedURI}}},
		"beyond bounds": {"/authorize", url.Values{"client_id": {strings.Repeat("x", 20<<10)}}},
	} {
		if w := s.do("POST", c.target, c.form); w.Code < 400 || w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), "<h1") {
			t.Errorf("%s: %d %s", name, w.Code, w.Header().Get("Location"))
		}
	}
	// No other post is taken from another site.
	if w := s.do("POST", "/c/"+ceremonyID+"/begin", nil); w.Code != http.StatusForbidden {
		t.Errorf("another post: %d", w.Code)
	}
}

// TestAClientWithoutPAR: its developer is told what is missing; a holder with an
// old link sees nothing of it.
func TestAClientWithoutPAR(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	request := url.Values{"client_id": {"zj-hrss"}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {"https://app.example/back"},
		"state": {strings.Repeat("s", 2048)}}
	for _, lang := range []string{"zh", "en"} {
		s.header = http.Header{"Accept-Language": {lang}}
		for name, body := range map[string]string{
			"GET":  s.do("GET", "/authorize?"+request.Encode(), nil).Body.String(),
			"POST": s.do("POST", "/authorize", request).Body.String(),
		} {
			hint, _, _ := strings.Cut(body[max(0, strings.Index(body, `<details class="fold"><summary>`)):], "</details>")
			if !strings.Contains(hint, "/par") || !strings.Contains(hint, "RFC 9126") || strings.Contains(body, "<details class=\"fold\" open") {
				t.Errorf("%s %s: no hint", name, lang)
			}
			if strings.Contains(body, "app.example") {
				t.Errorf("%s: the page repeats what it was sent", name)
			}
		}
	}
	for _, target := range []string{"/authorize", "/authorize?client_id=zj-hrss&request_uri=urn:old", "/authorize?client_id=zj-hrss", "/authorize?request_uri=a&response_type=code"} {
		if body := s.do("GET", target, nil).Body.String(); strings.Contains(body, "PAR") {
			t.Errorf("%s: the holder reads of PAR", target)
		}
	}
}

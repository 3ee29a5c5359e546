package holder

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// TestFormsNameTheirPage: the forms that take and send a one-time code carry the
// number of their page, and a post hands it on.
func TestFormsNameTheirPage(t *testing.T) {
	p := sample(liuma.ActionReset, ceremony.StepCode)
	p.Form, p.CodesLeft, p.CodeSentAt = "7", 5, start
	p.Ways = []ceremony.CodeOffer{{Way: liuma.ByText, Left: 2}}
	s := newSite(t, p)
	s.begin()
	body := s.do("GET", "/c/"+ceremonyID, nil).Body.String()
	for _, path := range []string{"/code\"", "/send-code\""} {
		_, form, _ := strings.Cut(body, `action="/c/`+ceremonyID+path)
		form, _, _ = strings.Cut(form, "</form>")
		if !strings.Contains(form, `<input type="hidden" name="form" value="7">`) {
			t.Errorf("%s names no page: %s", path, form)
		}
	}
	for given, want := range map[string]string{"7": "7", "": "", strings.Repeat("1", 21): ""} {
		s.do("POST", "/c/"+ceremonyID+"/code", url.Values{"code": {"123456"}, "form": {given}})
		if got := s.fake.hands[len(s.fake.hands)-1].Form; got != want {
			t.Errorf("form %q: handed on %q", given, got)
		}
	}
}

// TestNoUnlockAtOnceWhereThereIsNone: neither the page of a locked PIN nor a pad
// that is locked promises a reset that could not be made now.
func TestNoUnlockAtOnceWhereThereIsNone(t *testing.T) {
	none := 0
	for _, step := range []ceremony.Step{ceremony.StepRefused, ceremony.StepPIN} {
		for _, why := range []liuma.Code{"", liuma.CodePhoneNone, liuma.CodePhoneLate, liuma.CodeOnlineOff, liuma.CodePhoneCodesSpent} {
			p := sample(liuma.ActionVerify, step)
			p.Until, p.TriesLeft, p.ResetRefused = start.Add(20*time.Hour), &none, why
			if step == ceremony.StepRefused {
				p.Code = liuma.CodeLocked
			}
			s := newSite(t, p)
			s.begin()
			body := s.do("GET", "/c/"+ceremonyID, nil).Body.String()
			if got := strings.Contains(body, "马上解锁"); got != (why == "") {
				t.Errorf("%s, %q: promises it: %v", step, why, got)
			}
		}
	}
}

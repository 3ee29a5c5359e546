package holder

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/pin"
)

// readCheck reads the answer of a check as the pad's script does.
func readCheck(t *testing.T, w *httptest.ResponseRecorder) map[string]string {
	t.Helper()
	var out map[string]string
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return out
}

// TestNewPINIsCheckedBeforeItIsTypedAgain has the shape that the pad's script
// reads: the result, and the reason in the page's language.
func TestNewPINIsCheckedBeforeItIsTypedAgain(t *testing.T) {
	s := newSite(t, sample(liuma.ActionEnroll, ceremony.StepPIN))
	s.begin()
	at := "/c/" + ceremonyID + "/new-pin"
	if got := readCheck(t, s.do("POST", at, pinForm("check"))); len(got) != 1 || got["result"] != "good" {
		t.Errorf("a good PIN: %v", got)
	}
	s.fake.checked = ceremony.Checked{Reason: "birthday", Sentence: liuma.Text{ZH: "请不要用您的生日。", EN: "Not your birthday."}}
	got := readCheck(t, s.do("POST", at, pinForm("check")))
	if got["result"] != "weak" || got["reason"] != "birthday" || got["title"] == "" || got["text"] != "请不要用您的生日。" {
		t.Errorf("a weak PIN: %v", got)
	}
	s.header.Set("Accept-Language", "en")
	if got := readCheck(t, s.do("POST", at, pinForm("check"))); got["text"] != "Not your birthday." || strings.HasSuffix(got["title"], ".") {
		t.Errorf("in English: %v", got)
	}
	for code, want := range map[liuma.Code]string{liuma.CodeCeremonyMoved: "moved", liuma.CodeCeremonyExpired: "moved",
		liuma.CodeCeremonyElsewhere: "moved", liuma.CodeTooManyRequests: "unknown", liuma.CodeUnavailable: "unknown",
		liuma.CodeEnvelopeInvalid: "unknown", liuma.CodeInternal: "unknown"} {
		s.fake.err = liuma.Fail(code, nil)
		if got := readCheck(t, s.do("POST", at, pinForm("check"))); len(got) != 1 || got["result"] != want {
			t.Errorf("%s: %v, want %s", code, got, want)
		}
	}
	if len(s.fake.given) != 0 || len(s.fake.sealed) != 3 {
		t.Errorf("a check gave a PIN: %d, %d", len(s.fake.given), len(s.fake.sealed))
	}
}

// TestBadChecksAreNoErrors: whatever the pad sends, the holder is not stopped.
func TestBadChecksAreNoErrors(t *testing.T) {
	s := newSite(t, sample(liuma.ActionEnroll, ceremony.StepPIN))
	s.begin()
	good := pinForm("check").Get("check")
	for name, form := range map[string]url.Values{
		"no try": {"check": {good}}, "no envelope": {"try": {"1"}}, "two": {"try": {"1"}, "check": {good, good}},
		"long": {"try": {"1"}, "check": {strings.Repeat("x", longestEnvelope+1)}}, "no JSON": {"try": {"1"}, "check": {"739146"}},
		"a setting": {"try": {"1"}, "new_pin": {good}},
	} {
		if got := readCheck(t, s.do("POST", "/c/"+ceremonyID+"/new-pin", form)); got["result"] != "unknown" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if len(s.fake.sealed) != 0 {
		t.Error("asked for all that")
	}
}

// TestThePadIsToldOfTheList: a pad that sets a PIN knows which list the policy picks, and
// where it is; one that only asks for a PIN does not.
func TestThePadIsToldOfTheList(t *testing.T) {
	for action, want := range map[liuma.Action]bool{liuma.ActionEnroll: true, liuma.ActionChange: true, liuma.ActionReset: true,
		liuma.ActionVerify: false, liuma.ActionLink: false} {
		for _, list := range pin.Lists() {
			p := sample(action, ceremony.StepPIN)
			p.List = list
			s := newSite(t, p)
			s.begin()
			body := s.do("GET", "/c/"+ceremonyID, nil).Body.String()
			found := regexp.MustCompile(`data-list="([a-z]+)" data-lists="(/assets/common\.[0-9a-f]{16}\.list)"`).FindStringSubmatch(body)
			if (found != nil) != want || strings.Contains(body, ".list") != want {
				t.Fatalf("%s: %q", action, found)
			}
			if !want {
				continue
			}
			w := s.do("GET", found[2], nil)
			for _, rule := range pin.RulesForAll() {
				if !strings.Contains(html.UnescapeString(body), string(rule)+" "+pin.Sentence(rule, false).ZH) {
					t.Errorf("%s: the page does not bring the sentence of %s", action, rule)
				}
			}
			if found[1] != string(list) || w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Body.Len() == 0 {
				t.Errorf("%s, %s: %q, %d, %v", action, list, found, w.Code, w.Header())
			}
		}
	}
}

// TestPadSaysWhereToCheck: only a pad that sets a PIN does.
func TestPadSaysWhereToCheck(t *testing.T) {
	for action, want := range map[liuma.Action]bool{liuma.ActionEnroll: true, liuma.ActionChange: true, liuma.ActionReset: true,
		liuma.ActionVerify: false, liuma.ActionLink: false} {
		p := sample(action, ceremony.StepPIN)
		p.AAD = map[liuma.Role][]byte{liuma.RoleNew: {1}}
		if want {
			p.AAD[liuma.RoleCheck] = []byte{2}
		}
		s := newSite(t, p)
		s.begin()
		body := s.do("GET", "/c/"+ceremonyID, nil).Body.String()
		if got := strings.Contains(body, `data-aad-check="Ag" data-check="/c/`+ceremonyID+`/new-pin"`); got != want {
			t.Errorf("%s: %v, want %v", action, got, want)
		}
	}
}

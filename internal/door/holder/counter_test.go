package holder

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/test/gallery"
)

// ticketSite is a door at which one ticket is open.
func ticketSite(t *testing.T, k liuma.TicketKind, s ceremony.Step) *site {
	t.Helper()
	p := gallery.AtCounter(k, s)
	p.ID = ceremonyID
	return newSite(t, p)
}

// TestATicketsCode: the code is handed on as it was typed, begins the ceremony in that
// browser, and leads there again however it is written.
func TestATicketsCode(t *testing.T) {
	s := ticketSite(t, liuma.TicketReset, ceremony.StepConfirm)
	if body := s.reads("/counter"); !strings.Contains(body, "data-fragment") || !strings.Contains(body, "凭单码（8 位字母和数字）") {
		t.Errorf("no field for a code:\n%s", body)
	}
	w := s.do("POST", "/counter", url.Values{"ticket": {"abcd efgh"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/c/"+ceremonyID {
		t.Fatalf("%d %s\n%s", w.Code, w.Header().Get("Location"), w.Body)
	}
	if !strings.Contains(s.fake.calls(), "begin-ticket 192.0.2.1 abcd efgh") {
		t.Errorf("asked for %s", s.fake.calls())
	}
	if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, "王*奶") || !strings.Contains(body, "经办人员：李娜") {
		t.Errorf("not begun:\n%s", body)
	}
	calls := s.fake.calls()
	for _, again := range []string{"ABCD-EFGH", "ａｂｃｄ ｅｆｇｈ"} {
		if w := s.do("POST", "/counter", url.Values{"ticket": {again}}); w.Header().Get("Location") != "/c/"+ceremonyID || s.fake.calls() != calls {
			t.Errorf("%s: %d %s", again, w.Code, w.Header().Get("Location"))
		}
	}
	other := *s
	other.jar = map[string]string{"__Host-seen": "1"}
	if w := other.do("POST", "/counter", url.Values{"ticket": {"abcd efgh"}}); w.Header().Get("Location") != "/counter" {
		t.Errorf("a second browser: %d %s", w.Code, w.Header().Get("Location"))
	}
	if body := other.do("GET", "/counter", nil).Body.String(); !strings.Contains(body, "另一台设备已经拿到了") || strings.Contains(body, "王*奶") {
		t.Errorf("a second browser:\n%s", body)
	}
	if strings.Contains(strings.ToLower(s.logs.String()), "abcd") {
		t.Errorf("the log has the code:\n%s", s.logs)
	}
}

// TestATicketWithoutCookies: the page comes as the answer, with the hand in its forms.
func TestATicketWithoutCookies(t *testing.T) {
	s := ticketSite(t, liuma.TicketUnfreeze, ceremony.StepConfirm)
	w := s.do("POST", "/counter", url.Values{"ticket": {"ABCDEFGH"}})
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `name="hand" value="`+s.fake.secret+`"`) || !strings.Contains(w.Body.String(), "王*奶") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
}

// TestTwoPressesAreOneBrowsers: the page of the code names the browser by a cookie, which it
// keeps, and each press says it, so that the second one ends no ticket.
func TestTwoPressesAreOneBrowsers(t *testing.T) {
	s := ticketSite(t, liuma.TicketReset, ceremony.StepConfirm)
	press := func() string {
		s.reads("/counter")
		s.fake.err = liuma.Fail(liuma.CodeTicketUnknown, nil)
		s.do("POST", "/counter", url.Values{"ticket": {"ABCDEFGH"}})
		return s.fake.hands[len(s.fake.hands)-1].Press
	}
	first := press()
	if second := press(); len(first) < 20 || second != first {
		t.Errorf("%q, then %q", first, second)
	}
	s = ticketSite(t, liuma.TicketReset, ceremony.StepConfirm)
	if other := press(); other == first || other == "" {
		t.Errorf("another browser says %q", other)
	}
}

// TestATicketsCodeRefused: each refusal stands on the page once, and says what to do.
func TestATicketsCodeRefused(t *testing.T) {
	for code, want := range map[liuma.Code]string{
		liuma.CodeTicketUnknown:   "请逐字核对凭单码",
		liuma.CodeTicketEnded:     "重新开具",
		liuma.CodeTicketTaken:     "马上告诉经办人员和复核人员",
		liuma.CodeTicketWaits:     "请稍等",
		liuma.CodeTicketApp:       "应用",
		liuma.CodeTooManyRequests: "错误的码太多了",
	} {
		s := ticketSite(t, liuma.TicketReset, ceremony.StepConfirm)
		s.fake.err = liuma.Fail(code, nil)
		if w := s.do("POST", "/counter", url.Values{"ticket": {"ABCDEFGH"}}); w.Code < 400 || w.Code >= 500 || !strings.Contains(w.Body.String(), want) || strings.Contains(w.Body.String(), "ABCDEFGH") {
			t.Errorf("%s without cookies: %d\n%s", code, w.Code, w.Body)
		}
		s.reads("/counter")
		s.fake.err = liuma.Fail(code, nil)
		if w := s.do("POST", "/counter", url.Values{"ticket": {"ABCDEFGH"}}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/counter" {
			t.Fatalf("%s: %d", code, w.Code)
		}
		if body := s.reads("/counter"); !strings.Contains(body, want) || !strings.Contains(body, `aria-invalid="true"`) {
			t.Errorf("%s:\n%s", code, body)
		}
		if body := s.reads("/counter"); strings.Contains(body, `aria-invalid`) {
			t.Errorf("%s is said twice", code)
		}
	}
	s := ticketSite(t, liuma.TicketReset, ceremony.StepConfirm)
	s.fake.err = liuma.Fail(liuma.CodeUnavailable, nil)
	if w := s.do("POST", "/counter", url.Values{"ticket": {"ABCDEFGH"}}); w.Code != http.StatusServiceUnavailable {
		t.Errorf("unavailable: %d", w.Code)
	}
	s.jar["__Host-counter"] = "internal"
	if body := s.reads("/counter"); strings.Contains(body, "aria-invalid") {
		t.Error("the cookie chooses another refusal")
	}
}

// TestATicketInPlaceOfEvidence: the page of evidence takes a ticket's code where the
// ceremony does, and leads nowhere else then.
func TestATicketInPlaceOfEvidence(t *testing.T) {
	p := sample(liuma.ActionReset, ceremony.StepEvidence)
	p.TicketAllowed = true
	s := newSite(t, p)
	s.begin()
	body := s.reads("/c/" + ceremonyID)
	if !strings.Contains(body, `action="/c/`+ceremonyID+`/ticket"`) || strings.Contains(body, `href="/counter"`) {
		t.Errorf("no field, or two ways:\n%s", body)
	}
	s.fake.after = func(p *ceremony.Page) { p.Step = ceremony.StepPIN }
	s.posts("ticket", url.Values{"ticket": {"abcd-efgh"}})
	if !strings.Contains(s.fake.calls(), "ticket 192.0.2.1 abcd-efgh") {
		t.Errorf("asked for %s", s.fake.calls())
	}
	p.TicketAllowed = false
	s = newSite(t, p)
	s.begin()
	if body := s.reads("/c/" + ceremonyID); strings.Contains(body, "/ticket\"") || !strings.Contains(body, `href="/counter"`) {
		t.Errorf("a field for nothing, or no way:\n%s", body)
	}
}

// TestWithoutAPhone: who has none goes on, where the ticket is for one who may have none.
func TestWithoutAPhone(t *testing.T) {
	s := ticketSite(t, liuma.TicketEnroll, ceremony.StepPhone)
	s.fake.page.Counter.MayLackPhone = true
	s.do("GET", "/counter", nil)
	s.do("POST", "/counter", url.Values{"ticket": {"ABCDEFGH"}})
	if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, `/no-phone"`) || !strings.Contains(body, "72 小时") {
		t.Errorf("no way without a phone:\n%s", body)
	}
	s.posts("no-phone", nil)
	if !strings.Contains(s.fake.calls(), "no-phone") {
		t.Errorf("asked for %s", s.fake.calls())
	}
	s.fake.page.Counter.MayLackPhone = false
	if body := s.reads("/c/" + ceremonyID); strings.Contains(body, `/no-phone"`) {
		t.Error("a way where there is none")
	}
}

// TestEveryKindOfTicketHasWords: each that its holder takes part in has a row in both
// languages.
func TestEveryKindOfTicketHasWords(t *testing.T) {
	for _, lang := range []door.Lang{door.Chinese, door.English} {
		words := newWordings(locale.In(lang), "12333")
		for _, k := range liuma.TicketKinds() {
			row := counterRow(words, k, false)
			if whole := row.title != "" && row.next != "" && row.success != "" && row.successMeans != "" && len(row.stages) > 1; whole == (k.Holderless()) {
				t.Errorf("%s in %v: %+v", k, lang, row)
			}
		}
	}
}

// TestATicketsPagesLeadToNoChannel: nothing on them goes back to one, sends its holder to
// a counter, or freezes.
func TestATicketsPagesLeadToNoChannel(t *testing.T) {
	steps := []ceremony.Step{ceremony.StepConfirm, ceremony.StepPhone, ceremony.StepCode, ceremony.StepPIN, ceremony.StepDone, ceremony.StepRefused, ceremony.StepLeft, ceremony.StepExpired}
	for _, k := range liuma.TicketKinds() {
		if k.Holderless() {
			continue
		}
		for _, step := range steps {
			s := ticketSite(t, k, step)
			s.do("GET", "/counter", nil)
			s.do("POST", "/counter", url.Values{"ticket": {"ABCDEFGH"}})
			body := s.do("GET", "/c/"+ceremonyID, nil).Body.String()
			for _, bad := range []string{"/return", "ask=freeze", "任一社保经办机构", `href="/counter"`, "业务流水号", "/forgot"} {
				if strings.Contains(body, bad) {
					t.Errorf("%s, %s says %q:\n%s", k, step, bad, body)
				}
			}
		}
	}
}

// TestWhereACounterIsATicketIsTaken: each page that sends to a counter has the way for who
// stands there.
func TestWhereACounterIsATicketIsTaken(t *testing.T) {
	handler, n := galleryDoor(t), 0
	for _, sc := range gallery.Scenes() {
		body := drawn(t, handler, sc, door.Chinese, false)
		block := strings.Contains(body, "<dt>去哪里</dt>")
		if !block && sc.Name != "guardian-needed" && sc.Name != "unfreeze-pin" {
			continue
		}
		n++
		if !strings.Contains(body, `href="/counter"`) && !strings.Contains(body, `/ticket"`) {
			t.Errorf("%s sends to a counter, and takes no ticket", sc.Name)
		}
	}
	if n < 20 {
		t.Errorf("%d pages send to a counter", n)
	}
	if body := newSite(t, ceremony.Page{}).do("GET", "/", nil).Body.String(); !strings.Contains(body, `href="/counter"`) {
		t.Error("the official page has no way")
	}
}

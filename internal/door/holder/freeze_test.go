package holder

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// TestFreezeAsksFirst: the link shows what freezing means; the button does it.
func TestFreezeAsksFirst(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.begin()
	sure := "/c/" + ceremonyID + "?ask=freeze"
	if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, `href="`+sure+`"`) {
		t.Fatalf("no way to freeze:\n%s", body)
	}
	body := s.reads(sure)
	for _, want := range []string{"所有渠道马上停用", "以后怎样恢复", "先不冻结，返回", `action="/c/` + ceremonyID + `/freeze"`} {
		if !strings.Contains(body, want) {
			t.Errorf("does not say %q:\n%s", want, body)
		}
	}
	if strings.Contains(s.fake.calls(), "freeze") {
		t.Error("asking froze the card")
	}
	s.posts("freeze", nil)
	if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, "电子社保卡已冻结") || !strings.Contains(body, "解冻") {
		t.Errorf("not frozen:\n%s", body)
	}
	if body := s.reads(sure); strings.Contains(body, "确定冻结") {
		t.Error("a frozen card can be frozen")
	}
}

// TestFreezeIsOffered: only to a holder who has something of the card.
func TestFreezeIsOffered(t *testing.T) {
	for _, tt := range []struct {
		action liuma.Action
		step   ceremony.Step
		want   bool
	}{
		{liuma.ActionEnroll, ceremony.StepConfirm, false}, {liuma.ActionLink, ceremony.StepPIN, false},
		{liuma.ActionLink, ceremony.StepDone, true}, {liuma.ActionEnroll, ceremony.StepDone, true},
		{liuma.ActionReset, ceremony.StepConfirm, true}, {liuma.ActionReset, ceremony.StepCode, true},
		{liuma.ActionRebind, ceremony.StepPhone, true}, {liuma.ActionUnfreeze, ceremony.StepCode, false},
		{liuma.ActionVerify, ceremony.StepExpired, false}, {liuma.ActionVerify, ceremony.StepLeft, false},
	} {
		s := newSite(t, sample(tt.action, tt.step))
		s.begin()
		body := s.do("GET", "/c/"+ceremonyID+"?ask=freeze", nil).Body.String()
		if got := strings.Contains(body, "确定冻结"); got != tt.want {
			t.Errorf("%s, %s: %v", tt.action, tt.step, got)
		}
	}
}

// TestFreezeWhereThePageSaysSo: a page whose sentence is to freeze the card has
// the way to it.
func TestFreezeWhereThePageSaysSo(t *testing.T) {
	for action, codes := range map[liuma.Action][]liuma.Code{
		liuma.ActionLink:   {liuma.CodeLinkLimit, liuma.CodeLinksFull},
		liuma.ActionVerify: {liuma.CodeNotReturned},
	} {
		for _, code := range codes {
			p := sample(action, ceremony.StepRefused)
			p.Code = code
			s := newSite(t, p)
			s.begin()
			if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, "冻结") || !strings.Contains(body, "?ask=freeze") {
				t.Errorf("%s says so, and has no way:\n%s", code, body)
			}
		}
	}
}

// reader is a browser that comes to the official page by itself.
func reader(t *testing.T) *site { return newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN)) }

func TestFreezeByCode(t *testing.T) {
	s := reader(t)
	s.fake.frozen = authority.FreezeView{NameMasked: "王*奶", At: start}
	if body := s.reads("/freeze"); !strings.Contains(body, "冻结码（11 位字母和数字）") || !strings.Contains(body, "12333") {
		t.Errorf("no field for a code:\n%s", body)
	}
	w := s.do("POST", "/freeze", url.Values{"code": {"abc defg hjkm"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/freeze/done" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
	}
	if !strings.Contains(s.fake.calls(), "freeze-code 192.0.2.1 abc defg hjkm") {
		t.Errorf("asked for %s", s.fake.calls())
	}
	for range 2 { // also after a reload
		body := s.reads("/freeze/done")
		for _, want := range []string{"电子社保卡已冻结", "王*奶", "今天 20:44", "解冻", "柜台"} {
			if !strings.Contains(body, want) {
				t.Errorf("does not say %q:\n%s", want, body)
			}
		}
	}
	clear(s.jar)
	if w := s.do("GET", "/freeze/done", nil); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/freeze" {
		t.Errorf("another browser is told what was frozen: %d", w.Code)
	}
	if strings.Contains(s.logs.String(), "defg") || strings.Contains(s.logs.String(), "王") || strings.Contains(s.logs.String(), "192.0.2.1") {
		t.Errorf("the log says too much:\n%s", s.logs)
	}
}

// TestFreezeOfALongName: a name too long for the cookie does not hide that the card is frozen.
func TestFreezeOfALongName(t *testing.T) {
	s := reader(t)
	s.fake.frozen = authority.FreezeView{NameMasked: "Q" + strings.Repeat("\u0301", 200) + "*x", At: start}
	s.reads("/freeze")
	if w := s.do("POST", "/freeze", url.Values{"code": {"abc defg hjkm"}}); w.Header().Get("Location") != "/freeze/done" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
	}
	if body := s.reads("/freeze/done"); !strings.Contains(body, "电子社保卡已冻结") {
		t.Errorf("does not say that the card is frozen:\n%s", body)
	}
}

// TestFreezeCodeRefused: unknown, old and used freeze codes get the same
// answer, and the result page expires.
func TestFreezeCodeRefused(t *testing.T) {
	limit := &liuma.Error{Code: liuma.CodeFreezeCodeLimit, Until: start.Add(time.Hour)}
	for _, tt := range []struct {
		err  error
		says []string
	}{
		{liuma.Fail(liuma.CodeFreezeCodeInvalid, nil), []string{"不正确、已使用或已过期", "12333"}},
		{limit, []string{"次数过多", "正确的随时有效", "12333"}},
	} {
		s := reader(t)
		s.reads("/freeze")
		s.fake.err = tt.err
		w := s.do("POST", "/freeze", url.Values{"code": {"ABCDEFGHJKM"}})
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/freeze" {
			t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
		}
		body := s.reads("/freeze")
		for _, want := range tt.says {
			if !strings.Contains(body, want) {
				t.Errorf("does not say %q:\n%s", want, body)
			}
		}
		if strings.Contains(body, "21:44") {
			t.Error("the page tells the holder to wait, and a right code works at once")
		}
		if strings.Contains(body, "ABCDEFGHJKM") || strings.Contains(s.reads("/freeze"), tt.says[0]) {
			t.Error("the code, or its refusal, stays on the page")
		}
	}
}

// TestFreezeWithoutCookies: the answer to the post is the page.
func TestFreezeWithoutCookies(t *testing.T) {
	s := reader(t)
	s.fake.frozen = authority.FreezeView{NameMasked: "王*奶", At: start}
	w := s.do("POST", "/freeze", url.Values{"code": {"ABCDEFGHJKM"}})
	if body := html.UnescapeString(w.Body.String()); w.Code != http.StatusOK || !strings.Contains(body, "王*奶") {
		t.Errorf("%d\n%s", w.Code, body)
	}
	clear(s.jar)
	s.fake.err = &liuma.Error{Code: liuma.CodeFreezeCodeLimit, Until: start.Add(time.Hour)}
	w = s.do("POST", "/freeze", url.Values{})
	if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "正确的随时有效") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
	checkPage(t, ceremonyID, w.Body.String(), "zh-CN", false)
}

func TestFreezeFails(t *testing.T) {
	s := reader(t)
	s.reads("/freeze")
	s.fake.err = liuma.Fail(liuma.CodeUnavailable, nil)
	w := s.do("POST", "/freeze", url.Values{"code": {"ABCDEFGHJKM"}})
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "12333") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
	for _, bad := range []string{"ok.", "ok.x.!!", "no.internal", "no.", strings.Repeat("x", 3000), "ok.1." + strings.Repeat("QUFB", 400)} {
		s.jar["__Host-freeze"] = bad
		if w := s.do("GET", "/freeze/done", nil); w.Code != http.StatusSeeOther && bad != "ok." {
			t.Errorf("%.20q: %d", bad, w.Code)
		}
		s.reads("/freeze")
	}
	s.header.Set("Sec-Fetch-Site", "cross-site")
	asked := s.fake.calls()
	if w := s.do("POST", "/freeze", url.Values{"code": {"ABCDEFGHJKM"}}); w.Code != http.StatusForbidden || s.fake.calls() != asked {
		t.Errorf("another site can post: %d", w.Code)
	}
}

// TestOfficialPages checks them for the features that every page must have, in
// both languages.
func TestOfficialPages(t *testing.T) {
	s := reader(t)
	for _, target := range []string{"/", "/freeze"} {
		for _, lang := range []string{"zh-CN", "en"} {
			s.jar["__Host-lang"] = lang
			w := s.do("GET", target, nil)
			body := w.Body.String()
			for _, want := range []string{"12333", `name="back" value="` + target + `"`} {
				if w.Code != http.StatusOK || !strings.Contains(body, want) {
					t.Errorf("%s, %s: %d, no %q", target, lang, w.Code, want)
				}
			}
			if target == "/" && !strings.Contains(body, origin+"/ ") {
				t.Error("the official page does not say its address")
			}
			all := elements(t, body)
			if in := inspect(t, ceremonyID, all); in.h1 != 1 || in.next == 0 {
				t.Errorf("%s, %s: %+v", target, lang, in)
			}
		}
	}
}

// TestSources: limits count the address that sent the freeze code, and only
// configured proxies may name another.
func TestSources(t *testing.T) {
	h := &handler{proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for _, tt := range []struct{ remote, forwarded, want string }{
		{"192.0.2.7:4711", "", "192.0.2.7"},
		{"192.0.2.7:4711", "198.51.100.1", "192.0.2.7"},
		{"10.0.0.1:80", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:80", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"10.0.0.1:80", "nonsense", "10.0.0.1"},
		{"10.0.0.1:80", "", "10.0.0.1"},
		{"[2001:db8:1:2:3:4:5:6]:80", "", "2001:db8:1:2::/64"},
		{"[::ffff:192.0.2.7]:80", "", "192.0.2.7"},
	} {
		r := httptest.NewRequest("POST", "/freeze", nil)
		r.RemoteAddr = tt.remote
		if tt.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		if got := h.source(r); got != tt.want {
			t.Errorf("%s, %q: %s, want %s", tt.remote, tt.forwarded, got, tt.want)
		}
	}
}

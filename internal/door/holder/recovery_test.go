package holder

import (
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

// codePage is the step that takes a one-time code, 15 seconds after one was
// sent.
func codePage(a liuma.Action, code liuma.Code, left int) ceremony.Page {
	return with(sample(a, ceremony.StepCode), func(p *ceremony.Page) {
		p.Code, p.CodesLeft = code, left
		p.CodeSentAt, p.ResendAt = start.Add(-15*time.Second), start.Add(45*time.Second)
	})
}

func evidencePage(a liuma.Action, code liuma.Code, cardNo bool) ceremony.Page {
	return with(sample(a, ceremony.StepEvidence), func(p *ceremony.Page) { p.Code, p.CardNoAllowed = code, cardNo })
}

// settingsPage is the end of a verification with everything that can be set.
func settingsPage(f func(*ceremony.Page)) ceremony.Page {
	return with(sample(liuma.ActionVerify, ceremony.StepDone), func(p *ceremony.Page) {
		p.EveryUse, p.CodesLeft = new(bool), 5
		f(p)
	})
}

func (s *site) reads(target string) string {
	s.t.Helper()
	w := s.do("GET", target, nil)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d", target, w.Code)
	}
	checkPage(s.t, ceremonyID, w.Body.String(), "zh-CN", false)
	return html.UnescapeString(w.Body.String())
}

// posts sends a form and follows it to the GET that it must end in.
func (s *site) posts(verb string, form url.Values) string {
	s.t.Helper()
	w := s.do("POST", "/c/"+ceremonyID+"/"+verb, form)
	if w.Code != http.StatusSeeOther {
		s.t.Fatalf("%s: %d %s", verb, w.Code, w.Body)
	}
	return w.Header().Get("Location")
}

// TestResetFromThePad goes from a forgotten PIN to a new one and back to the
// act that the channel asked for.
func TestResetFromThePad(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.fake.page.Began = liuma.ActionVerify
	s.begin()
	here := "/c/" + ceremonyID
	steps := []struct {
		verb string
		form url.Values
		to   ceremony.Page
		says []string
	}{
		{"forgot", nil, with(sample(liuma.ActionReset, ceremony.StepCode), func(p *ceremony.Page) { p.CodesLeft, p.CanRemember = 5, true }),
			[]string{`action="` + here + `/send-code"`, `action="` + here + `/remember"`, "138****5678", `<p class="sub after-title">找回电子社保卡密码</p>`}},
		{"send-code", nil, codePage(liuma.ActionReset, "", 5),
			[]string{`autocomplete="one-time-code"`, `inputmode="numeric"`, `action="` + here + `/code"`, `data-ready="2026-05-06T12:44:45Z"`, `data-now="2026-05-06T12:44:00Z"`}},
		{"code", url.Values{"code": {"12 34 56"}}, evidencePage(liuma.ActionReset, liuma.CodeEvidenceRequired, true),
			[]string{`href="` + here + `/return"`, "经办机构", `action="` + here + `/card-number"`}},
		{"card-number", url.Values{"card_no": {"A12345678"}}, sample(liuma.ActionReset, ceremony.StepPIN), []string{`data-mode="new"`}},
		{"pin", pinForm("new_pin"), with(sample(liuma.ActionVerify, ceremony.StepPIN), func(p *ceremony.Page) { p.WasReset = true }),
			[]string{`data-mode="current"`, "新密码已设好，请再输入一次"}},
	}
	for _, step := range steps {
		s.fake.after = func(p *ceremony.Page) {
			*p = with(step.to, func(to *ceremony.Page) { to.Began = liuma.ActionVerify })
		}
		if to := s.posts(step.verb, step.form); to != here {
			t.Fatalf("%s leads to %s", step.verb, to)
		}
		body := s.reads(here)
		for _, want := range step.says {
			if !strings.Contains(body, want) {
				t.Errorf("after %s the page does not say %q:\n%s", step.verb, want, body)
			}
		}
	}
	for _, want := range []string{"forgot", "send-code zh-CN", "code 12 34 56", "card-number A12345678"} {
		if !slices.Contains(s.fake.asked, want) {
			t.Errorf("the authority was not asked for %q: %q", want, s.fake.asked)
		}
	}
	for _, leak := range []string{"12 34 56", "A12345678"} {
		if strings.Contains(s.logs.String(), leak) {
			t.Errorf("the log holds %q", leak)
		}
	}
}

// TestLeavingAsks: only where one touch would undo what was proved or typed, with going
// on as the main button, and without script.
func TestLeavingAsks(t *testing.T) {
	const sure = "确定不办了？"
	for _, c := range []struct {
		name string
		page ceremony.Page
		asks bool
	}{
		{"verify", sample(liuma.ActionVerify, ceremony.StepPIN), false},
		{"link", sample(liuma.ActionLink, ceremony.StepPIN), false},
		{"code of a reset", codePage(liuma.ActionReset, "", 5), false},
		{"enroll", sample(liuma.ActionEnroll, ceremony.StepPIN), true},
		{"change", sample(liuma.ActionChange, ceremony.StepPIN), true},
		{"unfreeze", sample(liuma.ActionUnfreeze, ceremony.StepPIN), true},
		{"face", evidencePage(liuma.ActionReset, liuma.CodeEvidenceRequired, true), true},
		{"new phone", sample(liuma.ActionRebind, ceremony.StepPhone), true},
		{"code of a rebind", codePage(liuma.ActionRebind, "", 5), true},
	} {
		s := newSite(t, c.page)
		s.begin()
		here := "/c/" + ceremonyID
		body, asked := s.reads(here), s.reads(here+"?ask=leave")
		if direct := strings.Contains(body, `action="`+here+`/leave"`); direct == c.asks || strings.Contains(body, `href="`+here+`?ask=leave"`) != c.asks {
			t.Errorf("%s: one touch ends it: %v", c.name, direct)
		}
		if strings.Contains(asked, sure) != c.asks {
			t.Errorf("%s: asked: %v", c.name, !c.asks)
		}
		if !c.asks {
			continue
		}
		if !strings.Contains(asked, `<a class="btn btn-primary" href="`+here+`">继续办理</a>`) || !strings.Contains(asked, `action="`+here+`/leave"`) {
			t.Errorf("%s:\n%s", c.name, asked)
		}
		if to := s.posts("leave", nil); to != here+"?go=1" || !slices.Contains(s.fake.asked, "leave") {
			t.Errorf("%s: leads to %s; %q", c.name, to, s.fake.asked)
		}
	}
}

// TestResetInsideAChange: nothing is left to do then.
func TestResetInsideAChange(t *testing.T) {
	for began, next := range map[liuma.Action]string{liuma.ActionChange: "不用再办", liuma.ActionVerify: "用新密码重新办理"} {
		s := newSite(t, with(sample(began, ceremony.StepReset), func(p *ceremony.Page) { p.Began, p.Code = began, liuma.CodePINReset }))
		s.begin()
		if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, next) {
			t.Errorf("%s: lacks %q:\n%s", began, next, body)
		}
	}
}

// TestForgotRefused: why, where to go, and the way back to the pad.
func TestForgotRefused(t *testing.T) {
	for _, lockedOut := range []bool{false, true} {
		page := sample(liuma.ActionVerify, ceremony.StepPIN)
		if lockedOut {
			page = refusedPage(liuma.ActionVerify, liuma.CodeLocked, liuma.Locked)
		}
		s := newSite(t, page)
		s.begin()
		s.fake.after = func(p *ceremony.Page) {
			p.ResetRefused, p.ResetRefusedUntil = liuma.CodePhoneLate, start.Add(50*time.Hour)
		}
		to := s.posts("forgot", nil)
		body := s.reads(to)
		for _, want := range []string{"现在不能在线找回密码", "5 月 8 日 22:44", "浙江省任一社保经办机构", "本人有效证件原件", "12333"} {
			if !strings.Contains(body, want) {
				t.Errorf("does not say %q:\n%s", want, body)
			}
		}
		if strings.Contains(body, "想起密码了") == lockedOut {
			t.Errorf("the way back to the pad: %v\n%s", lockedOut, body)
		}
		if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, "看原因和办法") || strings.Contains(body, "/forgot") {
			t.Errorf("the page leads nowhere:\n%s", body)
		}
	}
}

// TestForgotIsOffered only where the authority takes it, so that no button
// leads nowhere.
func TestForgotIsOffered(t *testing.T) {
	const pad, refused = ceremony.StepPIN, ceremony.StepRefused
	for _, tt := range []struct {
		action liuma.Action
		step   ceremony.Step
		code   liuma.Code
		want   bool
	}{
		{liuma.ActionVerify, pad, "", true}, {liuma.ActionChange, pad, "", true}, {liuma.ActionRebind, pad, "", true},
		{liuma.ActionVerify, refused, liuma.CodeLocked, true}, {liuma.ActionVerify, refused, liuma.CodeBlocked, true},
		{liuma.ActionVerify, refused, liuma.CodeFrozen, false}, {liuma.ActionVerify, refused, liuma.CodeCancelled, false},
		{liuma.ActionEnroll, pad, "", false}, {liuma.ActionLink, pad, "", false}, {liuma.ActionLink, refused, liuma.CodeLocked, false},
		{liuma.ActionReset, pad, "", false}, {liuma.ActionUnfreeze, pad, "", false}, {liuma.ActionUnfreeze, refused, liuma.CodeLocked, false},
	} {
		s := newSite(t, with(sample(tt.action, tt.step), func(p *ceremony.Page) { p.Code = tt.code }))
		s.begin()
		if got := strings.Contains(s.reads("/c/"+ceremonyID), `/forgot"`); got != tt.want {
			t.Errorf("%s, %s, %s: %v", tt.action, tt.step, tt.code, got)
		}
	}
}

// TestRebind takes the new number and its one-time code.
func TestRebind(t *testing.T) {
	s := newSite(t, sample(liuma.ActionRebind, ceremony.StepPhone))
	s.begin()
	if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, `type="tel"`) || !strings.Contains(body, `autocomplete="tel-national"`) {
		t.Errorf("no field for a number:\n%s", body)
	}
	s.fake.after = func(p *ceremony.Page) { *p = codePage(liuma.ActionRebind, "", 5) }
	s.posts("phone", url.Values{"phone": {"139-0000-4321"}})
	if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, `action="/c/`+ceremonyID+`/phone"`) {
		t.Errorf("a wrong number cannot be mended:\n%s", body)
	}
	s.fake.after = func(p *ceremony.Page) { *p = sample(liuma.ActionRebind, ceremony.StepDone) }
	s.posts("code", url.Values{"code": {"123456"}})
	if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, "绑定手机已更换") {
		t.Errorf("not done:\n%s", body)
	}
	if strings.Contains(s.logs.String(), "-4321") {
		t.Errorf("the log holds the number:\n%s", s.logs)
	}
}

// TestFieldsThatAreNone: a post without the form's field gets the latest page,
// and a value that no form can send is refused; the authority is called for
// neither.
func TestFieldsThatAreNone(t *testing.T) {
	s := newSite(t, codePage(liuma.ActionReset, "", 5))
	s.begin()
	asked := s.fake.calls()
	for verb, name := range map[string]string{"code": "code", "phone": "phone", "card-number": "card_no", "every-use": "on"} {
		if to := s.posts(verb, url.Values{}); to != "/c/"+ceremonyID {
			t.Errorf("%s without a field leads to %s", verb, to)
		}
		for _, values := range [][]string{{"1", "1"}, {strings.Repeat("1", longestTyped+1)}} {
			if w := s.do("POST", "/c/"+ceremonyID+"/"+verb, url.Values{name: values}); w.Code != http.StatusBadRequest {
				t.Errorf("%s: %d", verb, w.Code)
			}
		}
	}
	if w := s.do("POST", "/c/"+ceremonyID+"/every-use", url.Values{"on": {"yes"}}); w.Code != http.StatusBadRequest {
		t.Errorf("every use, perhaps: %d", w.Code)
	}
	if s.fake.calls() != asked {
		t.Errorf("the authority was asked: %s", s.fake.calls())
	}
}

// TestMovesThatFail: every failure has a page with a way on, and no page
// repeats the holder's input.
func TestMovesThatFail(t *testing.T) {
	for _, code := range []liuma.Code{liuma.CodeOnlineOff, liuma.CodePhoneNone, liuma.CodeRefused, liuma.CodeUnavailable, liuma.CodeInternal} {
		s := newSite(t, codePage(liuma.ActionReset, "", 5))
		s.begin()
		s.fake.err = liuma.Fail(code, nil)
		w := s.do("POST", "/c/"+ceremonyID+"/code", url.Values{"code": {"987654"}})
		if w.Code < 400 || strings.Contains(w.Body.String()+s.logs.String(), "987654") {
			t.Errorf("%s: %d\n%s", code, w.Code, w.Body)
		}
		checkPage(t, ceremonyID, w.Body.String(), "zh-CN", false)
	}
}

// TestSettings turns notices of every use on.
func TestSettings(t *testing.T) {
	s := newSite(t, settingsPage(func(*ceremony.Page) {}))
	s.begin()
	here := "/c/" + ceremonyID
	if body := s.reads(here); !strings.Contains(body, `role="switch" aria-checked="false"`) {
		t.Errorf("no switch:\n%s", body)
	}
	if to := s.posts("every-use", url.Values{"on": {"1"}}); to != here {
		t.Errorf("leads to %s", to)
	}
	if body := s.reads(here); !strings.Contains(body, `aria-checked="true"`) || !strings.Contains(body, `name="on" value="0"`) {
		t.Errorf("not on:\n%s", body)
	}
	if w := s.do("POST", here+"/know-device", nil); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
		t.Errorf("the move of a known device, which is gone: %d", w.Code)
	}
}

// TestStay: who wants to set something is not sent on at once; who confirms
// the phone is not, either.
func TestStay(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	s.begin()
	if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, `name="stay" value="1" form="pad-form"`) {
		t.Fatalf("staying is not offered:\n%s", body)
	}
	s.fake.after = func(p *ceremony.Page) { *p = settingsPage(func(*ceremony.Page) {}) }
	form := pinForm("pin")
	form.Set("stay", "1")
	if to := s.posts("pin", form); to != "/c/"+ceremonyID {
		t.Errorf("leads to %s", to)
	}
	for verb, form := range map[string]url.Values{"send-code": nil, "code": {"code": {"123456"}}, "every-use": {"on": {"1"}}} {
		if to := s.posts(verb, form); to != "/c/"+ceremonyID {
			t.Errorf("%s leads to %s", verb, to)
		}
	}
}

// TestReopen: a known link may let strangers try again, only by its wish.
func TestReopen(t *testing.T) {
	s := newSite(t, with(sample(liuma.ActionVerify, ceremony.StepPIN), func(p *ceremony.Page) { p.LaneClosed = true }))
	s.begin()
	for _, on := range []string{"", "1"} {
		form := pinForm("pin")
		form.Set("reopen", on)
		s.posts("pin", form)
		if got := s.fake.given[len(s.fake.given)-1].Reopen; got != (on == "1") {
			t.Errorf("%q: %v", on, got)
		}
	}
}

// TestCodesWithoutCookies: the hand travels in every form, and the other pages
// of the ceremony are shown by a post.
func TestCodesWithoutCookies(t *testing.T) {
	s := newSite(t, codePage(liuma.ActionReset, "", 5))
	here := "/c/" + ceremonyID
	post := func(target string, form url.Values) string {
		clear(s.jar)
		w := s.do("POST", target, form)
		clear(s.jar)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", target, w.Code)
		}
		checkPage(t, ceremonyID, w.Body.String(), "zh-CN", false)
		return html.UnescapeString(w.Body.String())
	}
	body := post(here+"/begin", url.Values{"request_uri": {pushedURI}})
	hand := url.Values{"hand": {s.fake.secret}}
	if forms, hands := strings.Count(body, "<form"), strings.Count(body, `name="hand" value="`+s.fake.secret+`"`); forms != hands {
		t.Errorf("%d forms, %d hands:\n%s", forms, hands, body)
	}
	if body := post(here+"?ask=freeze", hand); !strings.Contains(body, "确定冻结") {
		t.Errorf("freezing is not asked for:\n%s", body)
	}
	s.fake.page = sample(liuma.ActionVerify, ceremony.StepPIN)
	s.fake.after = func(p *ceremony.Page) { p.ResetRefused = liuma.CodePhoneStale }
	if body := post(here+"/forgot", hand); !strings.Contains(body, "现在不能在线找回密码") || !strings.Contains(body, `action="`+here+`"`) {
		t.Errorf("a refusal is not explained:\n%s", body)
	}
}

// TestBeginKeepsTheHand: a ceremony that goes on under a new push in the same
// browser shows its old secret with the new address, so that its proofs stay.
func TestBeginKeepsTheHand(t *testing.T) {
	s := newSite(t, sample(liuma.ActionReset, ceremony.StepPIN))
	s.jar["__Host-hand-"+ceremonyID] = "old-secret.0011223344556677"
	s.jar["__Host-lang"] = "en"
	s.begin()
	last := s.fake.hands[len(s.fake.hands)-1]
	if last.Secret != "old-secret" || last.RequestURI != pushedURI || last.Language != "en" {
		t.Errorf("begun with %+v", last)
	}
}

// TestForgotTooLate: a page that was left open is not just shown again.
func TestForgotTooLate(t *testing.T) {
	s := newSite(t, refusedPage(liuma.ActionVerify, liuma.CodeLocked, liuma.Locked))
	s.begin()
	s.fake.err = liuma.Fail(liuma.CodeCeremonyExpired, nil)
	w := s.do("POST", "/c/"+ceremonyID+"/forgot", nil)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "请回到原来的应用") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
}

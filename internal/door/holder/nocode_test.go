package holder

import (
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
)

const helpPath = "/c/" + ceremonyID + "?ask=" + askNoCode

// offers is a code step with ways that are ready after so long; a negative time
// is a way that does not exist.
func offers(a liuma.Action, open bool, byText, byVoice time.Duration) ceremony.Page {
	return with(sample(a, ceremony.StepCode), func(p *ceremony.Page) {
		p.CodesLeft, p.CodeBy = 5, liuma.ByText
		if open {
			p.CodeSentAt = start.Add(-15 * time.Second)
		}
		for by, after := range map[liuma.CodeWay]time.Duration{liuma.ByText: byText, liuma.ByVoice: byVoice} {
			o := ceremony.CodeOffer{Way: by, ReadyAt: start.Add(after), Left: 1}
			if after > time.Minute {
				o.Left = 0
			}
			if after >= 0 {
				p.Ways = append(p.Ways, o)
			}
		}
		p.ResendAt = start.Add(byText)
	})
}

// TestNoCodeIsNoDeadEnd: whatever was spent, the page names the number, a
// counter and the hotline, and either sends another code or says from when.
func TestNoCodeIsNoDeadEnd(t *testing.T) {
	waits := []time.Duration{0, 45 * time.Second, 11 * time.Hour}
	for _, a := range []liuma.Action{liuma.ActionEnroll, liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze} {
		for _, open := range []bool{true, false} {
			for _, byText := range waits {
				for _, byVoice := range append(slices.Clone(waits), -time.Hour) {
					t.Run(fmt.Sprint(a, open, byText, byVoice), func(t *testing.T) {
						s := newSite(t, offers(a, open, byText, byVoice))
						s.begin()
						body := s.reads(helpPath)
						for _, want := range []string{"138****5678", "浙江省任一社保经办机构", "12333", "拦截"} {
							if !strings.Contains(body, want) {
								t.Errorf("does not say %q", want)
							}
						}
						sends, calls := strings.Contains(body, `name="way" value="text"`), strings.Contains(body, `name="way" value="voice"`)
						if sends != (byText < time.Hour) || calls != (byVoice >= 0 && byVoice < time.Hour) {
							t.Errorf("sends %v, calls %v", sends, calls)
						}
						if tells := strings.Contains(body, "什么时候能再收验证码"); tells != (!sends && !calls) {
							t.Errorf("says until when: %v", tells)
						}
						if strings.Contains(body, "去输入验证码") != open {
							t.Error("the way to the field is not there exactly while a code counts")
						}
						if tt := strings.Contains(body, "语音电话") || strings.Contains(body, "打电话念"); tt != (byVoice >= 0) {
							t.Errorf("speaks of calls: %v", tt)
						}
					})
				}
			}
		}
	}
}

// TestNoCodeIsReached from wherever a code is asked for, and only from there.
func TestNoCodeIsReached(t *testing.T) {
	for name, p := range map[string]ceremony.Page{
		"code":     offers(liuma.ActionReset, true, 0, 0),
		"first":    offers(liuma.ActionReset, false, 0, 0),
		"settings": settingsPage(func(*ceremony.Page) {}),
	} {
		s := newSite(t, p)
		s.begin()
		if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, `href="`+helpPath+`"`) {
			t.Errorf("%s: no way to help:\n%s", name, body)
		}
		if body := s.reads(helpPath); !strings.Contains(body, "先看一看") {
			t.Errorf("%s: no help", name)
		}
	}
	spent := with(offers(liuma.ActionReset, true, 0, 0), func(p *ceremony.Page) { p.CodesLeft, p.Until = 0, start.Add(time.Hour) })
	for name, p := range map[string]ceremony.Page{"no more codes are taken": spent, "a pad": sample(liuma.ActionVerify, ceremony.StepPIN)} {
		s := newSite(t, p)
		s.begin()
		if body := s.reads(helpPath); strings.Contains(body, "先看一看") {
			t.Errorf("%s, and the page offers codes", name)
		}
	}
}

// TestTheFormNamesTheWay: a call is asked for by its form, a text by any other,
// and nothing else by none.
func TestTheFormNamesTheWay(t *testing.T) {
	s := newSite(t, offers(liuma.ActionReset, true, 0, 0))
	s.begin()
	for _, form := range []url.Values{nil, {"way": {"text"}}, {"way": {"voice"}}} {
		s.posts("send-code", form)
	}
	if w := s.do("POST", "/c/"+ceremonyID+"/send-code", url.Values{"way": {"pigeon"}}); w.Code != 400 {
		t.Errorf("by pigeon: %d", w.Code)
	}
	want := []liuma.CodeWay{liuma.ByText, liuma.ByText, liuma.ByVoice}
	if !slices.Equal(s.fake.ways, want) {
		t.Errorf("asked for %v, want %v", s.fake.ways, want)
	}
}

// TestTheCodeOfACall has a heading and a hint of its own.
func TestTheCodeOfACall(t *testing.T) {
	s := newSite(t, with(offers(liuma.ActionReset, true, 0, 0), func(p *ceremony.Page) { p.CodeBy = liuma.ByVoice }))
	s.begin()
	body := html.UnescapeString(s.reads("/c/" + ceremonyID))
	for _, want := range []string{"请输入电话里念的验证码", "20:43 已拨打", "没有接到电话？", "改用短信收验证码"} {
		if !strings.Contains(body, want) {
			t.Errorf("does not say %q:\n%s", want, body)
		}
	}
}

// TestNothingIsSentAndNobodyKnowsUntilWhen: with a channel whose budget is spent,
// no button leads to a refusal, and the counter stays.
func TestNothingIsSentAndNobodyKnowsUntilWhen(t *testing.T) {
	s := newSite(t, with(offers(liuma.ActionReset, false, 0, 0), func(p *ceremony.Page) {
		p.ResendAt = time.Time{}
		p.Ways = []ceremony.CodeOffer{{Way: liuma.ByText}, {Way: liuma.ByVoice}}
	}))
	s.begin()
	for _, target := range []string{"/c/" + ceremonyID, helpPath} {
		body := s.reads(target)
		if strings.Contains(body, "/send-code") || !strings.Contains(body, "可以这样办：到柜台") || !strings.Contains(body, "现在不能发短信。") {
			t.Errorf("%s:\n%s", target, body)
		}
	}
}

// TestACallWhereNoTextIsSent: who has no texts left is led to the call.
func TestACallWhereNoTextIsSent(t *testing.T) {
	s := newSite(t, offers(liuma.ActionReset, false, 11*time.Hour, 0))
	s.begin()
	if body := s.reads("/c/" + ceremonyID); !strings.Contains(body, "btn-primary\" href=\""+helpPath) || !strings.Contains(body, "改用电话听验证码") {
		t.Errorf("the call is not the next step:\n%s", body)
	}
}

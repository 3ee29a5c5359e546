package holder

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/simulate"
)

func saysAll(t *testing.T, page string, says ...string) {
	t.Helper()
	for _, s := range says {
		if !strings.Contains(page, s) {
			t.Errorf("the page does not say %q", s)
		}
	}
}

// TestTheNumberBeside: the step asks for the number alone, and says what was wrong.
func TestTheNumberBeside(t *testing.T) {
	for _, a := range []liuma.Action{liuma.ActionEnroll, liuma.ActionReset, liuma.ActionRebind, liuma.ActionUnfreeze} {
		s := newSite(t, sample(a, ceremony.StepCardNo))
		s.begin()
		page := s.reads("/c/" + ceremonyID)
		saysAll(t, page, `action="/c/`+ceremonyID+`/card-number"`, "实体社保卡的卡号", "经办机构")
		if strings.Contains(page, "/return") {
			t.Errorf("%s: the page sends the holder to a camera", a)
		}
		s.fake.page.Code = liuma.CodeCardNoWrong
		if to := s.posts("card-number", url.Values{"card_no": {"A00000000"}}); !strings.HasPrefix(to, "/c/") {
			t.Errorf("%s: it leads to %s", a, to)
		}
		s.fake.page.Code, s.fake.page.Until = liuma.CodeCardNoSpent, start.Add(time.Hour)
		if page := s.reads("/c/" + ceremonyID); strings.Contains(page, "/card-number") {
			t.Errorf("%s: a number is asked for that is not taken", a)
		}
	}
}

// TestEvidenceAloneShowsNoPad: neither the page that sends for evidence nor the
// confirmation asks for a PIN.
func TestEvidenceAloneShowsNoPad(t *testing.T) {
	for _, step := range []ceremony.Step{ceremony.StepEvidence, ceremony.StepConfirm, ceremony.StepDone} {
		p := sample(liuma.ActionVerify, step)
		p.Alone = true
		s := newSite(t, p)
		s.begin()
		page := s.reads("/c/" + ceremonyID)
		if strings.Contains(page, "keypad") || strings.Contains(page, `id="pad"`) {
			t.Errorf("%s: the page has a pad", step)
		}
		switch step {
		case ceremony.StepEvidence:
			saysAll(t, page, "不用输入密码", "/return")
		case ceremony.StepConfirm:
			saysAll(t, page, "不用输入密码", "/agree")
		default:
			saysAll(t, page, "认证通过")
		}
	}
}

// TestALossReportedByPhoneIsShown: until when, and how it ends sooner; and the number
// is that of the region.
func TestALossReportedByPhoneIsShown(t *testing.T) {
	p := sample(liuma.ActionVerify, ceremony.StepRefused)
	p.Code, p.Until, p.Hotline = liuma.CodeLossReported, start.Add(50*time.Hour), "0571-12345"
	s := newSite(t, p)
	s.begin()
	saysAll(t, s.reads("/c/"+ceremonyID), "已电话挂失", "什么时候恢复", "解冻", "tel:0571-12345")
}

// TestTheRegionsHotlineStandsInSentences: the number of the region's policy, where it
// has one, takes the place of the configured one in every sentence.
func TestTheRegionsHotlineStandsInSentences(t *testing.T) {
	for _, code := range []liuma.Code{liuma.CodeFrozen, liuma.CodeRefused, liuma.CodeLossReported, liuma.CodeNotInRegistry, liuma.CodeUnavailable, liuma.CodeOnlineOff} {
		for _, lang := range []string{"zh-CN", "en"} {
			p := sample(liuma.ActionVerify, ceremony.StepRefused)
			p.Code, p.Hotline = code, "0571-96111"
			s := newSite(t, p)
			s.begin()
			page := s.do("GET", "/c/"+ceremonyID+"?lang="+lang, nil).Body.String()
			if strings.Contains(page, "12333") || !strings.Contains(page, "0571-96111") {
				t.Errorf("%s, %s: the page names 12333, or not the region's number", code, lang)
			}
		}
	}
}

// TestARegionsOwnSentenceStandsAtTheCounter: wherever a page sends to a counter, and nowhere
// else.
func TestARegionsOwnSentenceStandsAtTheCounter(t *testing.T) {
	own := policy.Texts{ZH: "周三下午柜台不办公。", EN: "Counters are shut on Wednesday afternoons."}
	for code, stands := range map[liuma.Code]bool{liuma.CodePhoneNone: true, liuma.CodeContested: true, liuma.CodeUnavailable: false} {
		for lang, says := range map[string]policy.Sentence{"zh-CN": own.ZH, "en": own.EN} {
			p := sample(liuma.ActionReset, ceremony.StepRefused)
			p.Code, p.Texts = code, own
			s := newSite(t, p)
			s.begin()
			page := s.do("GET", "/c/"+ceremonyID+"?lang="+lang, nil).Body.String()
			if strings.Contains(page, string(says)) != stands {
				t.Errorf("%s, %s: the sentence stands there: %v, want %v", code, lang, !stands, stands)
			}
		}
	}
}

// running are rules that the test picks.
type running struct{ is policy.Policy }

func (r running) For(liuma.Region, liuma.ChannelID) policy.Policy { return r.is }
func (running) Regions() []liuma.Region                           { return nil }

// TestTheOfficialPageSaysWhatTheRulesAreWorth: the sentence is reckoned from the policy that
// runs, and not fixed.
func TestTheOfficialPageSaysWhatTheRulesAreWorth(t *testing.T) {
	sim, err := simulate.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*policy.Policy){func(*policy.Policy) {}, func(p *policy.Policy) { p.Limits.Attempts = 3 }, func(p *policy.Policy) { p.PIN.List = pin.ListBasic }} {
		p := policy.National()
		change(&p)
		none, under, err := sim.Thieves(p)
		if err != nil || none < 100*under || under == 0 {
			t.Fatalf("%d and %d, %v", none, under, err)
		}
		s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN), func(c *Config) { c.Rules = running{p} })
		saysAll(t, html.UnescapeString(s.do("GET", "/?lang=zh-CN", nil).Body.String()), fmt.Sprintf("各试 %d 次", p.Limits.Attempts), fmt.Sprintf("约有 %d 人猜中；", none), fmt.Sprintf("约有 %d 人。", under), "不是真实的风险")
		saysAll(t, html.UnescapeString(s.do("GET", "/?lang=en", nil).Body.String()), fmt.Sprintf("Of 10,000 thieves with a card and %d tries each, about %d would", p.Limits.Attempts, none), fmt.Sprintf("about %d under the rules", under))
	}
	plain := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	if strings.Contains(plain.do("GET", "/?lang=en", nil).Body.String(), "thieves") {
		t.Error("without rules the page says what they are worth")
	}
}

// layered are rules of two regions.
type layered struct{}

func (layered) Regions() []liuma.Region { return []liuma.Region{"3101", "4401"} }

func (layered) For(r liuma.Region, _ liuma.ChannelID) policy.Policy {
	p := policy.National()
	switch r {
	case "3101":
		p.Limits.Attempts, p.LossReport, p.Steps.Reset, p.Hotline = 3, 72*time.Hour, "code-card-evidence", "021-12333"
	case "4401":
		p.Recovery.CardNumber, p.ForceAfter, p.Minors.Alone, p.Passphrase = true, 730*24*time.Hour, 17, true
		p.Notices = policy.Notices{EveryUse: true}
		p.Retention.Ceremonies = 48 * time.Hour
		p.Texts = policy.Texts{ZH: "周三下午柜台不办公。", EN: "Counters are shut on Wednesday afternoons."}
	}
	return p
}

// TestHowItWorksInARegion: plain sentences from the policy, in both languages, and
// nothing for what is no region.
func TestHowItWorksInARegion(t *testing.T) {
	s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN), func(c *Config) { c.Rules = layered{} })
	read := func(target string) string {
		w := s.do("GET", target, nil)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", target, w.Code)
		}
		return html.UnescapeString(w.Body.String())
	}
	saysAll(t, read("/"), `href="/region"`)
	saysAll(t, read("/region"), "全国通用", "不设组合密码", "输错 6 次", ">上海市<", ">广东省<", "未满 14 岁", "打电话只能冻结")
	saysAll(t, read("/region?code=3101"), "上海市", "输错 3 次", "停用 3 天", "绑定手机的验证码、实体社保卡的卡号、实人认证", "tel:021-12333")
	saysAll(t, read("/region?code=440106&lang=en"), "region 440106")
	saysAll(t, read("/region?code=4401&lang=en"), "Guangdong", "8 to 64 characters", "must be changed", "under 17", "takes a day", "a text after every use", "on the page alone", "deleted 2 days after", "Counters are shut on Wednesday afternoons.")
	saysAll(t, read("/region?code=4401&lang=zh-CN"), "未满 17 岁", "每次使用", "不发短信", "2 天后删除", "周三下午柜台不办公。")
	saysAll(t, read("/region?lang=zh-CN&code=%3Cscript%3E"), "全国通用")
	plain := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
	if w := plain.do("GET", "/region", nil); w.Code != http.StatusNotFound {
		t.Errorf("without rules: %d", w.Code)
	}
}

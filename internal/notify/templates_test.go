package notify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
)

func mustTemplates(t testing.TB, overrides ...Override) *Templates {
	t.Helper()
	ts, err := NewTemplates(liuma.Text{}, "", overrides)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

// given returns values as the authority gives them.
func given() map[string]string {
	return map[string]string{
		"code": "048213", "minutes": "10", "holder": "王*奶", "channel": "浙里办", "at": "2026-11-22T07:32:00Z",
		"until": "2026-11-23T07:32:00Z", "freeze": "K7M29QXA4TW", "phone": "138****5678", "days": "372", "what": "手机号",
	}
}

// TestTextsSayWhatTheyMust reads every text as a phone shows it.
func TestTextsSayWhatTheyMust(t *testing.T) {
	ts := mustTemplates(t)
	seen := map[Template]bool{}
	for _, s := range shapes() {
		if seen[s.name] {
			t.Errorf("%s is there twice", s.name)
		}
		seen[s.name] = true
		for _, language := range []string{Chinese, English} {
			text, err := ts.write(s.name, language, "330500", given())
			if err != nil {
				t.Errorf("%s, %s: %v", s.name, language, err)
				continue
			}
			want := []string{"王*奶"}
			if s.kind == KindCode {
				want = append(want, "048213", "10", map[string]string{Chinese: "任何工作人员都不会索要", English: "No staff will ask for it"}[language])
			} else {
				want = append(want, "12333", "K7M 29QX A4TW", "浙里办", map[string]string{Chinese: "11月22日15:32", English: "22 Nov 15:32"}[language])
			}
			for _, w := range want {
				if !strings.Contains(text.Body, w) {
					t.Errorf("%s, %s: no %q in %q", s.name, language, w, text.Body)
				}
			}
			if LooksLikeLink(text.Body) || strings.ContainsAny(text.Body, "{}") {
				t.Errorf("%s, %s: %q", s.name, language, text.Body)
			}
			if !strings.HasPrefix(text.Body, text.SenderMark) || text.Segments != Segments(text.Body) || text.Kind != s.kind {
				t.Errorf("%s, %s: parts do not agree", s.name, language)
			}
		}
	}
	for _, name := range []Template{CodeBind, CodeRebind, CodeReset, CodeUnfreeze, CodeConfirm, PINSet, PINChanged, PINReset, PINLocked,
		PINBlocked, StrangersStopped, StrangersLocked, PhoneChangedOld, PhoneChangedNew, ChannelLinked, ChannelUnlinked, CardFrozen, CardUnfrozen, RotationReminder, EveryUse, EveryUseOff, ResetPlanned} {
		if !seen[name] {
			t.Errorf("%s has no text", name)
		}
	}
}

// TestTextsFit fills every template with the longest values that checkParams
// accepts, and checks that NewTemplates refuses a wording that is one unit too
// long.
func TestTextsFit(t *testing.T) {
	long := given()
	long["holder"], long["channel"] = "欧阳*"+strings.Repeat("长", 40), strings.Repeat("省", 80)
	long["days"], long["minutes"] = "9999", "9999"
	ts := mustTemplates(t)
	for _, s := range shapes() {
		for _, language := range []string{Chinese, English} {
			text, err := ts.write(s.name, language, "", long)
			if err != nil {
				t.Fatal(err)
			}
			if text.Segments > s.limits[language] {
				t.Errorf("%s, %s: %d short messages", s.name, language, text.Segments)
			}
			for name, v := range text.Params {
				if worst := longest(language)[name]; units(v) > units(worst) {
					t.Errorf("%q is longer than the longest %q", v, worst)
				}
			}
		}
	}
	wording := "{code}{holder}{minutes}"
	room := 70 - units(DefaultSenderMark().ZH) - units(fill(wording, longest(Chinese)))
	for extra, ok := range map[int]bool{room: true, room + 1: false} {
		_, err := NewTemplates(liuma.Text{}, "", []Override{{"33", CodeReset, Chinese, wording + strings.Repeat("长", extra)}})
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrTemplate) {
			t.Errorf("%d units beside the values: %v", extra, err)
		}
	}
}

func TestSegments(t *testing.T) {
	for s, want := range map[string]int{
		"": 1, strings.Repeat("码", 70): 1, strings.Repeat("码", 71): 2, strings.Repeat("码", 134): 2,
		strings.Repeat("码", 135): 3, strings.Repeat("😀", 35): 1, strings.Repeat("😀", 35) + "x": 2,
	} {
		if got := Segments(s); got != want {
			t.Errorf("%d units make %d short messages, want %d", units(s), got, want)
		}
	}
}

func TestOverridesByLongestRegion(t *testing.T) {
	say := func(region liuma.Region, what string) Override {
		return Override{region, ChannelLinked, Chinese, what + "{holder}{at}{channel}{freeze}，请拨打12333。"}
	}
	ts := mustTemplates(t, say("33", "省"), say("3305", "市"), say("330502", "区"))
	for region, want := range map[liuma.Region]string{
		"330502": "】区", "330503": "】市", "3305": "】市", "3301": "】省", "330106": "】省", "33": "】省", "34": "】王", "": "】王",
	} {
		text, err := ts.write(ChannelLinked, Chinese, region, given())
		if err != nil || !strings.Contains(text.Body, want) {
			t.Errorf("region %q: %q, %v", region, text.Body, err)
		}
	}
	if text, err := ts.write(ChannelLinked, English, "330502", given()); err != nil || !strings.HasPrefix(text.Body, "[Electronic card] ") {
		t.Errorf("the other language: %q, %v", text.Body, err)
	}
}

func TestOverridesRefused(t *testing.T) {
	const good = "{holder}{at}{channel}{freeze}请拨打12333"
	for name, o := range map[string]Override{
		"no region":          {"", PINSet, Chinese, good},
		"long region":        {"330000", PINSet, Chinese, good},
		"unknown template":   {"33", "pin_guess", Chinese, good},
		"unknown language":   {"33", PINSet, "fr", good},
		"placeholder gone":   {"33", PINSet, Chinese, "{holder}{at}{channel}请拨打12333"},
		"unknown one":        {"33", PINSet, Chinese, good + "{pin}"},
		"one twice":          {"33", PINSet, Chinese, good + "{at}"},
		"stray brace":        {"33", PINSet, Chinese, good + "{"},
		"upper case":         {"33", PINSet, Chinese, good + "{PIN}"},
		"no hotline":         {"33", PINSet, Chinese, "{holder}{at}{channel}{freeze}"},
		"another signature":  {"33", PINSet, Chinese, good + "【工商银行】"},
		"hidden characters":  {"33", PINSet, Chinese, good + "\u200b"},
		"https":              {"33", PINSet, Chinese, good + " https://pin.example.cn/"},
		"domain":             {"33", PINSet, Chinese, good + "详见pin.example.cn"},
		"path by value":      {"33", PINSet, Chinese, good + "，t.{x}"},
		"domain around them": {"33", PINSet, Chinese, "{at}{channel}{freeze}请拨打12333，x.{holder}"},
		"full width":         {"33", PINSet, Chinese, good + "ｐｉｎ．ｅｘａｍｐｌｅ．ｃｎ"},
		"address":            {"33", PINSet, Chinese, good + " 10.0.0.1"},
	} {
		if _, err := NewTemplates(liuma.Text{}, "", []Override{o}); !errors.Is(err, ErrTemplate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice := Override{"33", PINSet, Chinese, good}
	if _, err := NewTemplates(liuma.Text{}, "", []Override{twice, twice}); !errors.Is(err, ErrTemplate) {
		t.Errorf("given twice: %v", err)
	}
	for _, s := range []liuma.Text{{ZH: "【pin.example.cn】"}, {EN: "{code}"}, {ZH: strings.Repeat("签", 40)}} {
		if _, err := NewTemplates(s, "", nil); !errors.Is(err, ErrTemplate) {
			t.Errorf("signature %v: %v", s, err)
		}
	}
	mustTemplates(t, twice)
}

func TestLooksLikeLink(t *testing.T) {
	for _, s := range []string{
		"http://a", "HTTPS://A", "weixin://dl", "alipays:pay?x=1", "www.12333", "www", "a.cn", "访问liuma.cn了解", "社保.中国", "t.cn/abc",
		"ｗｗｗ．ｘ．ｃｎ", "lium\u200ba.c\u200bn", "1.2.3.4", "me@example", "A．ＣＯＭ", "ftp:/x", "xn--a.xn--b", "8.cn",
	} {
		if !LooksLikeLink(s) {
			t.Errorf("%q passed", s)
		}
	}
	for _, s := range []string{
		"", "请拨打12333。如非本人", "密码3.5版", "A. B", "11月22日15:32", "Not you? Call 12333.", "买买提·艾力", "2/3", "王*奶", "valid 10 min. No", "e-card: PIN",
	} {
		if LooksLikeLink(s) {
			t.Errorf("%q refused", s)
		}
	}
}

// TestNamesAreMadeSafe fills names with bad values that a channel or a registry
// might hold. The notice goes out all the same.
func TestNamesAreMadeSafe(t *testing.T) {
	ts := mustTemplates(t)
	for name, want := range map[string]string{
		"浙里办":                     "浙里办",
		"  掌上\n 12333 ":           "掌上 12333",
		"pin.example.cn":          "—",
		"点这里 http://x":            "—",
		"验证码 123456":              "—",
		"验证码 １２３４５６":              "—",
		"【中国工商银行】":                "中国工商银行",
		"\u202e办里浙":               "办里浙",
		"":                        "—",
		"\xff\xfe":                "—",
		strings.Repeat("省", 21):   strings.Repeat("省", 19) + "…",
		strings.Repeat("省", 20):   strings.Repeat("省", 20),
		strings.Repeat("😀", 11):   strings.Repeat("😀", 9) + "…",
		"{code}":                  "{code}",
		"${x} %s %d <b>&amp;</b>": "${x} %s %d <b>&amp;…",
	} {
		p := given()
		p["channel"] = name
		text, err := ts.write(EveryUse, Chinese, "", p)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if text.Params["channel"] != want || !strings.Contains(text.Body, "在"+want+"使用") {
			t.Errorf("%q became %q", name, text.Params["channel"])
		}
	}
}

// TestWhatWasQueuedIsSent: whatever name a holder, a channel or a region has, what Queue takes
// is written when it is sent. Anything else is given up for good, and the holder not told.
func TestWhatWasQueuedIsSent(t *testing.T) {
	ts := mustTemplates(t)
	marks := strings.Repeat("\u0301", 7) // one letter to who counts letters
	names := []string{"王*", "*", "A***n", "A" + marks + "*n", "A" + marks + "***n" + marks, "王***n" + marks, "😀😀😀😀*", "𠮷" + strings.Repeat("\u3099", 9) + "*",
		"J*.cn", "*@a", "１２３４５６*", "www*", "【*】", "\u200b*", strings.Repeat("*", 90), "王" + strings.Repeat(" ", 20) + "*"}
	for _, s := range shapes() {
		for _, language := range []string{Chinese, English} {
			for _, name := range append(names, "", "省.省", strings.Repeat("省", 90), strings.Repeat("a"+marks, 20), "12345 6 7", "…", "——") {
				p := given()
				if p["channel"], p["what"] = name, name; strings.Contains(name, "*") {
					p["holder"] = name
				}
				kept, err := s.checkParams(p)
				if err != nil {
					t.Fatalf("%s, %q: not queued: %v", s.name, name, err)
				}
				text, err := ts.write(s.name, language, "", kept)
				if err != nil {
					t.Errorf("%s, %s, %q: queued and not sent: %v", s.name, language, name, err)
				} else if strings.Contains(name, "*") && !strings.Contains(text.Params["holder"], "*") {
					t.Errorf("%s, %s, %q: shown as %q", s.name, language, name, text.Params["holder"])
				}
			}
		}
	}
}

// A notice goes out whatever its freeze code is, which is drawn at random.
func TestCodesThatSpellALink(t *testing.T) {
	ts := mustTemplates(t)
	for _, s := range shapes() {
		for _, language := range []string{Chinese, English} {
			for code, shows := range map[string]string{"WWWA234BCDE": "WWW A234 BCDE", "AAAHTTP2345": "AAA HTTP 2345", "2347YQVHTTP": "234 7YQV HTTP"} {
				p := given()
				p["freeze"] = code
				text, err := ts.write(s.name, language, "", p)
				if err != nil {
					t.Errorf("%s, %s, %s: %v", s.name, language, code, err)
				} else if slices.Contains(s.params, "freeze") && !strings.Contains(text.Body, shows) {
					t.Errorf("%s, %s: %q does not show %q", s.name, language, text.Body, shows)
				}
			}
		}
	}
}

// A name that looks like a link only together with the words around it is left out.
func TestNamesThatMakeALinkWithTheirSentence(t *testing.T) {
	ts := mustTemplates(t, Override{"33", ChannelLinked, Chinese, "{holder}{at}{channel}使用{freeze}，请拨打12333。"})
	for _, name := range []string{"Foo Ltd.", "me@", "浙里办.", "Ａ．"} {
		p := given()
		p["channel"] = name
		text, err := ts.write(ChannelLinked, Chinese, "33", p)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if LooksLikeLink(text.Body) || !strings.Contains(text.Body, "—使用") || text.Params["channel"] != "—" {
			t.Errorf("%q: %q, %q", name, text.Body, text.Params["channel"])
		}
	}
}

func TestValuesOfFixedForm(t *testing.T) {
	ts := mustTemplates(t)
	for param, bad := range map[string][]string{
		"code":    {"", "12345", "1234567", "12345a", "１２３４５６"},
		"freeze":  {"", "K7M29QX", "K7M29QXAB", "K7M29QXA4T", "K7M29QXA4TW3", "K7M2-9QX", "K7M 29QX A4TW", "冻结码冻结码冻结"},
		"phone":   {"13812345678", "", "138****567"},
		"at":      {"", "yesterday", "11月22日", "0001-01-01T00:00:00Z"},
		"until":   {"", "2026-11-22"},
		"days":    {"", "0", "-1", "12345", "x"},
		"minutes": {"", "0", "ten"},
		"holder":  {"王奶奶", ""},
	} {
		for _, v := range bad {
			for _, s := range shapes() {
				if !slices.Contains(s.params, param) {
					continue
				}
				p := given()
				p[param] = v
				_, err := ts.write(s.name, Chinese, "", p)
				if !errors.Is(err, ErrParam) {
					t.Errorf("%s with %s %q: %v", s.name, param, v, err)
				} else if v != "" && len(v) > 2 && strings.Contains(err.Error(), v) {
					t.Errorf("the error quotes the value: %v", err)
				}
			}
		}
	}
}

// TestAFreezeCodeOfTheReleaseBefore: a notice that 0.1.0 queued still goes out.
func TestAFreezeCodeOfTheReleaseBefore(t *testing.T) {
	p := given()
	p["freeze"] = "K7M29QXA"
	text, err := mustTemplates(t).write(CardFrozen, Chinese, "", p)
	if err != nil || !strings.Contains(text.Body, "冻结码K7M29QXA七日内有效") {
		t.Errorf("%q, %v", text.Body, err)
	}
}

// TestNothingPrintsATextOrNumber prints the types that carry texts and numbers.
func TestNothingPrintsATextOrNumber(t *testing.T) {
	secrets := []string{"13812345678", "048213", "hush hush"}
	hook, err := NewWebhook(WebhookConfig{URL: "https://sms.example/", Secret: []byte("hush hush hush hush hush hush hush")})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{
		Message{Phone: secrets[0], Params: map[string]string{"code": secrets[1]}},
		Text{Phone: secrets[0], Body: secrets[1]}, &Text{Phone: secrets[0], Body: secrets[1]},
		Received{Text: Text{Phone: secrets[0], Body: secrets[1]}, At: time.Unix(1_790_000_000, 0)},
		hook, &Kannel{cfg: KannelConfig{Password: secrets[2]}},
	} {
		out := printed(t, v)
		for _, s := range secrets {
			if strings.Contains(out, s) || strings.Contains(out, fmt.Sprintf("%x", s)) {
				t.Errorf("%T shows %q", v, s)
			}
		}
	}
}

// TestNoticesNameTheConfiguredHotline: every notice names it, and none the default
// one; a region's wording may name it by its number or by the placeholder.
func TestNoticesNameTheConfiguredHotline(t *testing.T) {
	const other = "962218"
	ts, err := NewTemplates(liuma.Text{}, other, []Override{
		{"33", ChannelLinked, Chinese, "{holder}{at}{channel}{freeze}，请拨打{hotline}。"},
		{"32", ChannelLinked, Chinese, "{holder}{at}{channel}{freeze}，请拨打" + other + "。"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shapes() {
		for _, language := range []string{Chinese, English} {
			for _, region := range []liuma.Region{"33", "32", "11"} {
				text, err := ts.write(s.name, language, region, given())
				if err != nil || strings.Contains(text.Body, "12333") || strings.Contains(text.Body, other) != (s.kind == KindNotice) {
					t.Errorf("%s, %s, %s: %q, %v", s.name, language, region, text.Body, err)
				}
			}
		}
	}
	if _, err := NewTemplates(liuma.Text{}, other, []Override{{"33", ChannelLinked, Chinese, "{holder}{at}{channel}{freeze}，请拨打12333。"}}); !errors.Is(err, ErrTemplate) {
		t.Errorf("a wording that names the default hotline: %v", err)
	}
}

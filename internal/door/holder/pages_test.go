package holder

import (
	"fmt"
	"html"
	"net/http"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/door"
)

// scene is one thing that a holder can meet.
type scene struct {
	name   string
	page   authority.Page
	zh, en string // what must be said
}

func with(p authority.Page, f func(*authority.Page)) authority.Page {
	f(&p)
	return p
}

func refusedPage(a liuma.Action, code liuma.Code, verdict liuma.Verdict) authority.Page {
	return with(sample(a, authority.StepRefused), func(p *authority.Page) { p.Code, p.Verdict = code, verdict })
}

func triedPage(a liuma.Action, code liuma.Code, verdict liuma.Verdict, left int) authority.Page {
	return with(sample(a, authority.StepPIN), func(p *authority.Page) {
		p.Code, p.Verdict, p.Try = code, verdict, 2
		if left > 0 {
			p.TriesLeft = &left
		}
	})
}

func scenes() []scene {
	const enroll, link, verify, change = liuma.ActionEnroll, liuma.ActionLink, liuma.ActionVerify, liuma.ActionChange
	weak := with(triedPage(enroll, liuma.CodeWeakPIN, "", 0), func(p *authority.Page) {
		p.Reason, p.Sentence = "birthday", liuma.Text{ZH: "这是您的生日。", EN: "This is your birthday."}
	})
	locked := with(refusedPage(verify, liuma.CodeLocked, liuma.Locked), func(p *authority.Page) { p.Until = start.Add(11 * time.Hour) })
	last := refusedPage(verify, liuma.CodeWrong, liuma.Wrong)
	phrase := with(sample(enroll, authority.StepPIN), func(p *authority.Page) { p.Passphrase = true })
	tries := with(sample(verify, authority.StepPIN), func(p *authority.Page) { n := 5; p.TriesLeft = &n })
	shut := func(a liuma.Action) authority.Page {
		return with(sample(a, authority.StepPIN), func(p *authority.Page) { n := 0; p.TriesLeft, p.Until = &n, start.Add(11*time.Hour) })
	}
	return []scene{
		{"verify-locked-before", shut(verify), "现在输对了也不行", "Even the right PIN is not taken now"},
		{"unfreeze-locked-before", shut(liuma.ActionUnfreeze), "自动恢复。</p>", "It ends by itself"},
		{"enroll-confirm", sample(enroll, authority.StepConfirm), "申领电子社保卡", "Apply for the e-Card"},
		{"link-confirm", sample(link, authority.StepConfirm), "关联电子社保卡", "Link the e-Card"},
		{"enroll-pin", sample(enroll, authority.StepPIN), `data-mode="new"`, `data-mode="new"`},
		{"enroll-passphrase", phrase, `data-passphrase="true"`, `data-passphrase="true"`},
		{"link-pin", sample(link, authority.StepPIN), "输入密码", "Enter PIN"},
		{"verify-pin", sample(verify, authority.StepPIN), "验证电子社保卡密码", "Check the e-Card"},
		{"verify-tries", tries, `data-note="还可试 5 次。"`, `data-note="5 tries left."`},
		{"change-pin", sample(change, authority.StepPIN), `data-mode="change"`, `data-mode="change"`},
		{"verify-wrong", triedPage(verify, "", liuma.Wrong, 4), "还可试 4 次", "4 tries left"},
		{"verify-last", triedPage(verify, liuma.CodeWrong, liuma.Wrong, 1), "再错 1 次", "One more wrong PIN"},
		{"change-wrong", triedPage(change, liuma.CodeWrong, liuma.Wrong, 4), "现在的密码不正确", "The present PIN is wrong"},
		{"enroll-weak", weak, "这是您的生日。", "This is your birthday."},
		{"link-refused", triedPage(link, liuma.CodeRefused, "", 0), "未能通过核验", "The check did not succeed"},
		{"verify-busy", triedPage(verify, liuma.CodeBusy, "", 0), "不计入输错次数", "did not count"},
		{"verify-unavailable", triedPage(verify, "", liuma.Unavailable, 0), "暂时不可用", "cannot give a verdict"},
		{"verify-garbled", triedPage(verify, liuma.CodeEnvelopeInvalid, "", 0), "密码没有送到", "did not arrive"},
		{"enroll-done", sample(enroll, authority.StepDone), "申领成功", "Your e-Card is ready"},
		{"link-done", sample(link, authority.StepDone), "关联成功", "is linked"},
		{"verify-done", sample(verify, authority.StepDone), "验证通过", "The PIN is right"},
		{"change-done", sample(change, authority.StepDone), "密码已修改", "The PIN was changed"},
		{"locked", locked, "明天（5 月 7 日）07:44", "tomorrow, 7 May, at 07:44"},
		{"locked-by-last", last, "密码已锁定", "The PIN is locked"},
		{"blocked-by-last", refusedPage(verify, liuma.CodeBlocked, liuma.Wrong), "密码已停用", "The PIN is blocked"},
		{"blocked", refusedPage(verify, liuma.CodeBlocked, liuma.Blocked), "密码已停用", "The PIN is blocked"},
		{"frozen", refusedPage(verify, liuma.CodeFrozen, liuma.Suspended), "已冻结", "is frozen"},
		{"cancelled", refusedPage(verify, liuma.CodeCancelled, liuma.Suspended), "已注销", "was cancelled"},
		{"evidence", refusedPage(verify, liuma.CodeEvidenceRequired, liuma.Suspended), "去做实人认证", "Do the identity check"},
		{"suspended", refusedPage(change, "", liuma.Suspended), "去做实人认证", "Do the identity check"},
		{"refused", refusedPage(verify, liuma.CodeRefused, ""), "未能通过核验", "The check did not succeed"},
		{"not-in-registry", refusedPage(enroll, liuma.CodeNotInRegistry, ""), "没有查到", "No matching"},
		{"already-enrolled", refusedPage(enroll, liuma.CodeAlreadyEnrolled, ""), "已经有电子社保卡", "already have an e-Card"},
		{"forbidden", refusedPage(verify, liuma.CodeForbidden, ""), "请换一个官方应用办理", "Use another official app"},
		{"expired", with(sample(verify, authority.StepExpired), func(p *authority.Page) { p.Code = liuma.CodeCeremonyExpired }), "已失效", "has expired"},
		{"left", with(sample(verify, authority.StepLeft), func(p *authority.Page) { p.Code = liuma.CodeLeft }), "已取消办理", "Cancelled"},
	}
}

// TestNoTriesIsNoNumber: a pad at which nothing will be taken says so instead
// of counting to zero.
func TestNoTriesIsNoNumber(t *testing.T) {
	for _, sc := range scenes() {
		if strings.HasSuffix(sc.name, "-locked-before") {
			s := newSite(t, sc.page)
			s.begin()
			if body := s.do("GET", "/c/"+ceremonyID, nil).Body.String(); strings.Contains(body, "data-note") || !strings.Contains(body, "密码已锁定") {
				t.Errorf("%s: %s", sc.name, body)
			}
		}
	}
}

// TestEveryPage draws every scene in both languages, plain and in care mode,
// and holds it to what all pages promise.
func TestEveryPage(t *testing.T) {
	assets := mustAssets(t)
	for _, sc := range slices.Concat(scenes(), codeScenes(), endScenes()) {
		for _, lang := range []door.Lang{door.Chinese, door.English} {
			for _, care := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%v", sc.name, lang, care), func(t *testing.T) {
					s := newSite(t, sc.page, func(c *Config) { c.Assets = assets })
					s.begin()
					s.jar["__Host-lang"] = string(lang)
					if care {
						s.jar["__Host-care"] = "1"
					}
					w := s.do("GET", "/c/"+ceremonyID, nil)
					want := sc.zh
					if lang == door.English {
						want = sc.en
					}
					if body := html.UnescapeString(w.Body.String()); !strings.Contains(body, want) {
						t.Errorf("does not say %q:\n%s", want, body)
					}
					checkPage(t, w.Body.String(), lang, care)
				})
			}
		}
	}
}

// checkPage holds for every page.
func checkPage(t *testing.T, body string, lang door.Lang, care bool) {
	t.Helper()
	all := elements(t, body)
	seen := inspect(t, all)
	if seen.h1 != 1 {
		t.Errorf("%d headings of the first rank", seen.h1)
	}
	if seen.next == 0 {
		t.Error("no way on or out")
	}
	if seen.title == "" || !strings.Contains(seen.title, "·") {
		t.Errorf("title %q", seen.title)
	}
	if !strings.Contains(body, `<html lang="`+string(lang)+`"`) || strings.Contains(body, `" data-care>`) != care {
		t.Error("language or care mode is not on the page")
	}
	for _, bad := range []string{" style=", "<style", " onclick", " onload", "javascript:", "ZgotmplZ", "http://", "https://", "<no value>", "%!"} {
		if strings.Contains(strings.ReplaceAll(body, `xmlns="http://www.w3.org/2000/svg"`, ""), bad) {
			t.Errorf("contains %q", bad)
		}
	}
	if m := regexp.MustCompile(`[0-9]{17,}|(^|[^0-9a-f])1[3-9][0-9]{9}([^0-9a-f]|$)`).FindString(visible(all)); m != "" {
		t.Errorf("shows a long number: %s", m)
	}
}

// TestEveryFault draws the error page of every code that there is.
func TestEveryFault(t *testing.T) {
	codes := []liuma.Code{liuma.CodeInternal, liuma.CodeUnavailable, liuma.CodeBusy, liuma.CodeBadRequest, liuma.CodeNotFound,
		liuma.CodeTooLarge, liuma.CodeCeremonyExpired, liuma.CodeCeremonyElsewhere, liuma.CodeRequestURIInvalid, liuma.CodeForbidden}
	for _, code := range codes {
		for _, lang := range []door.Lang{door.Chinese, door.English} {
			t.Run(string(code)+"/"+string(lang), func(t *testing.T) {
				s := newSite(t, sample(liuma.ActionVerify, authority.StepPIN))
				s.begin()
				s.jar["__Host-lang"] = string(lang)
				s.fake.err = liuma.Fail(code, fmt.Errorf("canary"))
				w := s.do("POST", "/c/"+ceremonyID+"/pin", pinForm("pin"))
				if code == liuma.CodeCeremonyExpired { // the ceremony's own page says it
					if w.Code != http.StatusSeeOther {
						t.Errorf("status %d", w.Code)
					}
					return
				}
				if w.Code < 400 || strings.Contains(w.Body.String(), "canary") {
					t.Errorf("status %d\n%s", w.Code, w.Body)
				}
				checkPage(t, w.Body.String(), lang, false)
			})
		}
	}
}

// TestTexts finds sentences that lack a language, and ones that no page says.
func TestTexts(t *testing.T) {
	zh, en := reflect.ValueOf(*newTexts(door.Chinese)), reflect.ValueOf(*newTexts(door.English))
	var sources strings.Builder
	for _, pattern := range []string{"pages/*.html", "*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") {
				sources.WriteString(readFile(t, name))
			}
		}
	}
	han := regexp.MustCompile(`\p{Han}`)
	for _, f := range reflect.VisibleFields(zh.Type()) {
		name := f.Name
		if f.Anonymous || name == "lang" {
			continue
		}
		z, e := zh.FieldByIndex(f.Index).String(), en.FieldByIndex(f.Index).String()
		if z == "" || e == "" || z == e {
			t.Errorf("%s: %q, %q", name, z, e)
		}
		if name != "OtherLang" && name != "Comma" && name != "Stop" && (han.MatchString(e) || !han.MatchString(z)) {
			t.Errorf("%s is not in its language: %q, %q", name, z, e)
		}
		if n := len(regexp.MustCompile(`(\.T|\$\.T|\bt)\.`+name+`\b`).FindAllString(sources.String(), -1)); n < 2 {
			t.Errorf("%s is said nowhere", name)
		}
	}
}

func TestMoments(t *testing.T) {
	zone := time.FixedZone("CST", 8*60*60)
	now := start.In(zone)
	for after, want := range map[time.Duration][2]string{
		2 * time.Hour:       {"今天 22:44", "today at 22:44"},
		24 * time.Hour:      {"明天（5 月 7 日）20:44", "tomorrow, 7 May, at 20:44"},
		4 * time.Hour:       {"明天（5 月 7 日）00:44", "tomorrow, 7 May, at 00:44"},
		30 * 24 * time.Hour: {"6 月 5 日 20:44", "5 June at 20:44"},
	} {
		at := now.Add(after)
		if got := newTexts(door.Chinese).moment(at, now); got != want[0] {
			t.Errorf("%s: %q", after, got)
		}
		if got := newTexts(door.English).moment(at, now); got != want[1] {
			t.Errorf("%s: %q", after, got)
		}
	}
}

func TestRegions(t *testing.T) {
	for _, r := range []liuma.Region{"33", "3305", "330500", "11", "65"} {
		if n := regionName(r); n.ZH == "" || n.EN == "" {
			t.Errorf("%s has no name", r)
		}
	}
	for _, r := range []liuma.Region{"", "99"} {
		if n := regionName(r); n != (liuma.Text{}) {
			t.Errorf("%q is called %v", r, n)
		}
	}
}

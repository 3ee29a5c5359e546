package holder

import (
	"cmp"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/test/gallery"
)

func with(p ceremony.Page, f func(*ceremony.Page)) ceremony.Page {
	f(&p)
	return p
}

func refusedPage(a liuma.Action, code liuma.Code, verdict liuma.Verdict) ceremony.Page {
	return with(sample(a, ceremony.StepRefused), func(p *ceremony.Page) { p.Code, p.Verdict = code, verdict })
}

// TestNoTriesIsNoNumber: a pad at which nothing will be taken says so instead
// of counting to zero.
func TestNoTriesIsNoNumber(t *testing.T) {
	n, handler := 0, galleryDoor(t)
	for _, sc := range gallery.Scenes() {
		if strings.HasSuffix(sc.Name, "-locked-before") {
			n++
			if body := drawn(t, handler, sc, door.Chinese, false); strings.Contains(body, "data-note") || !strings.Contains(body, "密码已锁定") {
				t.Errorf("%s: %s", sc.Name, body)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d such pads", n)
	}
}

// drawn is the page of a scene.
func drawn(t *testing.T, handler http.Handler, sc gallery.Scene, lang door.Lang, care bool) string {
	t.Helper()
	s := &site{t: t, handler: handler, jar: map[string]string{"__Host-lang": string(lang)}, header: http.Header{}}
	if care {
		s.jar["__Host-care"] = "1"
	}
	return s.do("GET", sc.Path, nil).Body.String()
}

// galleryDoor is a door at which every scene can be seen.
func galleryDoor(t *testing.T) http.Handler {
	t.Helper()
	h, err := New(Config{Authority: gallery.NewAuthority(), Counter: gallery.Counter{}, Genuine: gallery.Genuine{}, Challenges: gallery.Challenges{}, Rules: gallery.Rules(), Agencies: gallery.Agencies(), Assets: mustAssets(t), Origin: origin, Now: gallery.Now, Logger: discard(), Settle: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestEveryPage draws every scene in both languages, plain and in care mode,
// and checks the features that every page must have.
func TestEveryPage(t *testing.T) {
	handler := galleryDoor(t)
	for _, lang := range []door.Lang{door.Chinese, door.English} {
		for _, care := range []bool{false, true} {
			for _, sc := range gallery.Scenes() {
				t.Run(fmt.Sprintf("%s/%s/%v", sc.Name, lang, care), func(t *testing.T) {
					body := drawn(t, handler, sc, lang, care)
					for _, words := range sc.Says {
						want := words.ZH
						if lang == door.English {
							want = words.EN
						}
						if !strings.Contains(html.UnescapeString(body), want) {
							t.Errorf("does not say %q:\n%s", want, body)
						}
					}
					if sc.Path != "/" && !strings.HasPrefix(sc.Path, genuinePath) { // which name addresses: TestOfficialPages, TestWhatIsGenuine
						checkPage(t, cmp.Or(sc.Page.ID, gallery.Landed), body, lang, care || sc.Care)
					}
				})
			}
		}
	}
}

var printed = regexp.MustCompile(`<p class="printed">.*?</p>`)

// checkPage holds for every page. id is of the ceremony that it shows.
func checkPage(t *testing.T, id, body string, lang door.Lang, care bool) {
	t.Helper()
	body = printed.ReplaceAllString(body, "") // the guide names its address on paper
	all := elements(t, body)
	seen := inspect(t, id, all)
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

// TestEveryFault draws the error page of every error code.
func TestEveryFault(t *testing.T) {
	codes := []liuma.Code{liuma.CodeInternal, liuma.CodeUnavailable, liuma.CodeBusy, liuma.CodeTooManyRequests, liuma.CodeBadRequest, liuma.CodeNotFound,
		liuma.CodeTooLarge, liuma.CodeCeremonyExpired, liuma.CodeCeremonyElsewhere, liuma.CodeRequestURIInvalid, liuma.CodeForbidden}
	for _, code := range codes {
		for _, lang := range []door.Lang{door.Chinese, door.English} {
			t.Run(string(code)+"/"+string(lang), func(t *testing.T) {
				s := newSite(t, sample(liuma.ActionVerify, ceremony.StepPIN))
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
				checkPage(t, ceremonyID, w.Body.String(), lang, false)
			})
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
		if got := newWordings(locale.In(door.Chinese), "").moment(at, now); got != want[0] {
			t.Errorf("%s: %q", after, got)
		}
		if got := newWordings(locale.In(door.English), "").moment(at, now); got != want[1] {
			t.Errorf("%s: %q", after, got)
		}
	}
}

// TestPagesNameTheConfiguredHotline: with another number no page and no script
// names the default one.
func TestPagesNameTheConfiguredHotline(t *testing.T) {
	const other = "0571-88001234"
	handler, err := New(Config{Authority: gallery.NewAuthority(), Counter: gallery.Counter{}, Genuine: gallery.Genuine{}, Challenges: gallery.Challenges{}, Rules: gallery.Rules(), Agencies: gallery.Agencies(), Assets: mustAssets(t), Origin: origin, Now: gallery.Now, Logger: discard(),
		Settle: time.Millisecond, Hotline: other})
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range []door.Lang{door.Chinese, door.English} {
		for _, sc := range gallery.Scenes() {
			body := drawn(t, handler, sc, lang, false)
			body = strings.ReplaceAll(body, `<a class="tel" href="tel:12333">12333</a>`, "") // the nation's line, as the directory has it
			if strings.Contains(body, "12333") || strings.Contains(body, "{hotline}") || !strings.Contains(body, `href="tel:`+other+`">`) {
				t.Errorf("%s in %s:\n%s", sc.Name, lang, body)
			}
		}
	}
}

// TestPurposeInTheReadersLanguage: a purpose in languages is shown in the page's,
// and one text as it is.
func TestPurposeInTheReadersLanguage(t *testing.T) {
	both := with(sample(liuma.ActionEnroll, ceremony.StepConfirm), func(p *ceremony.Page) {
		p.Purpose = liuma.PurposeIn("查询缴费年限", "See your years")
	})
	for lang, want := range map[door.Lang][2]string{door.Chinese: {"查询缴费年限", "See your years"}, door.English: {"See your years", "查询缴费年限"}} {
		s := newSite(t, both)
		s.begin()
		s.jar["__Host-lang"] = string(lang)
		body := s.do("GET", address(both.ID), nil).Body.String()
		if !strings.Contains(body, want[0]) || strings.Contains(body, want[1]) {
			t.Errorf("%s:\n%s", lang, body)
		}
	}
	plain := newSite(t, with(both, func(p *ceremony.Page) { p.Purpose = "查询 years" }))
	plain.begin()
	plain.jar["__Host-lang"] = "en"
	if body := plain.do("GET", address(both.ID), nil).Body.String(); !strings.Contains(body, "查询 years") {
		t.Errorf("one text:\n%s", body)
	}
}

// TestOneStepCounter: where the pad counts its own steps, the page counts none.
func TestOneStepCounter(t *testing.T) {
	handler, pads := galleryDoor(t), 0
	for _, sc := range gallery.Scenes() {
		body := drawn(t, handler, sc, door.Chinese, false)
		counts := strings.Count(body, `<ol class="steps"`)
		if strings.Contains(body, `data-mode="new"`) || strings.Contains(body, `data-mode="change"`) {
			pads++
			counts++ // the pad's
		}
		if counts > 1 {
			t.Errorf("%s has %d step counters", sc.Name, counts)
		}
	}
	if pads < 3 {
		t.Errorf("%d pads count steps", pads)
	}
}

package holder

import (
	"cmp"
	"fmt"
	"html"
	"net/http"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door"
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
	h, err := New(Config{Authority: gallery.NewAuthority(), Assets: mustAssets(t), Origin: origin, Now: gallery.Now, Logger: discard()})
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
					if sc.Path != "/" { // which names its own address: TestOfficialPages
						checkPage(t, cmp.Or(sc.Page.ID, gallery.Landed), body, lang, care)
					}
				})
			}
		}
	}
}

// checkPage holds for every page. id is of the ceremony that it shows.
func checkPage(t *testing.T, id, body string, lang door.Lang, care bool) {
	t.Helper()
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

// TestTexts finds sentences that lack a language, and ones that no page says.
func TestTexts(t *testing.T) {
	zh, en := reflect.ValueOf(*newWordings(door.Chinese)), reflect.ValueOf(*newWordings(door.English))
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
		if got := newWordings(door.Chinese).moment(at, now); got != want[0] {
			t.Errorf("%s: %q", after, got)
		}
		if got := newWordings(door.English).moment(at, now); got != want[1] {
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

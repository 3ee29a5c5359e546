package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma/internal/door/holder"
	"github.com/liuma-pin/liuma/test/gallery"
)

// openGallery serves every page that there is.
func openGallery(t *testing.T) ([]gallery.Scene, *site) {
	t.Helper()
	only, err := regexp.Compile(*onlyPages)
	if err != nil {
		t.Fatal(err)
	}
	list := slices.DeleteFunc(gallery.Scenes(), func(sc gallery.Scene) bool { return !only.MatchString(sc.Name) })
	return list, serve(t, gallery.NewAuthority(), holder.Config{Counter: gallery.Counter{}, Genuine: gallery.Genuine{}, Challenges: gallery.Challenges{}, Now: gallery.Now, Rules: gallery.Rules(), Agencies: gallery.Agencies(), Settle: time.Millisecond}, nil)
}

// walk is how long a tab may take for all pages of the gallery, on a busy machine too.
const walk = 20 * time.Minute

// settled waits until a page with a pad shows it.
func (b *tab) settled() {
	b.t.Helper()
	b.waits(`document.readyState === "complete" && (!document.querySelector("[data-pad]") || !!document.querySelector(".pad-ready"))`)
}

// look is a way to show the pages.
type look struct {
	name, language string
	care, dark     bool
}

func (b *tab) dress(l look) {
	b.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// languages are those in which a page is shown that is no holder's: with -every-look both.
func languages() []string {
	if *everyLook {
		return []string{"zh-CN", "en"}
	}
	return []string{"zh-CN"}
}

// care turns care mode on, by the page's own form.
func (b *tab) care(s *site) {
	b.t.Helper()
	b.open(s.url + "/c/verifypin")
	b.click(`//button[@name="care"]`)
	b.waits(`document.documentElement.hasAttribute("data-care")`)
}

// TestAccessibility runs axe over every page, with -every-look in every look,
// and checks that it fits: on the smallest phones, with large text, under an unsteady
// finger, and with all of a pad's keys on the first screen.
func TestAccessibility(t *testing.T) {
	list, s := openGallery(t)
	looks := []look{{"zh", "zh-CN", false, false}, {"en-dark", "en", false, true}, {"care-dark", "zh-CN", true, true}, {"care-en", "en", true, false}}
	if !*everyLook {
		looks = looks[:1]
	}
	for _, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			b := newTabFor(t, phone(), l.language, walk)
			b.dress(l)
			if l.care {
				b.care(s)
			}
			b.before(axe) // its half a megabyte goes to the browser once
			for _, sc := range list {
				b.open(s.url + sc.Path)
				b.settled()
				b.keysOnFirstScreen(sc.Name)
				b.targets(sc.Name)
				b.operable(sc.Name)
				b.violations(sc.Name)
				if !l.care {
					b.onSmall(sc.Name, 44)
				}
				b.reflows(sc.Name)
			}
			b.clean(s)
		})
	}
}

// violations asks axe for violations of WCAG 2.2, levels A and AA, and of good
// practice. None of these rules reads a style sheet, so axe need not load them.
func (b *tab) violations(name string) {
	b.t.Helper()
	if !evaluate[bool](b, `typeof axe === "object"`) {
		evaluate[chromedp.Void](b, axe+";0")
	}
	found := evaluate[json.RawMessage](b, `axe.run(document, {
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"], preload: {assets: ["media"]},
	}).then(r => ({passes: r.passes.length, violations: r.violations.map(v => ({rule: v.id, help: v.help, at: v.nodes.map(n => n.html.slice(0, 200) + " " + (n.failureSummary || ""))}))}))`)
	var result struct {
		Passes     int
		Violations []struct {
			Rule, Help string
			At         []string
		}
	}
	if err := json.Unmarshal(found, &result); err != nil {
		b.t.Fatal(err)
	}
	if result.Passes < 15 {
		b.t.Errorf("%s: axe found only %d rules to check", name, result.Passes)
	}
	for _, v := range result.Violations {
		b.t.Errorf("%s: %s (%s)\n%s", name, v.Help, v.Rule, strings.Join(v.At, "\n"))
	}
}

// reflows checks that no page scrolls sideways on a small phone, also with text
// at twice its size.
func (b *tab) reflows(name string) {
	b.t.Helper()
	for size, percent := range map[int64]int{320: 100, 375: 200} {
		call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: size, Height: 812, DeviceScaleFactor: 1, Mobile: true})
		wide := evaluate[int](b, fmt.Sprintf(`(() => {
			const root = document.documentElement, base = parseFloat(getComputedStyle(root).fontSize);
			root.style.fontSize = base * %d / 100 + "px";
			const over = root.scrollWidth - root.clientWidth;
			root.style.fontSize = "";
			return over;
		})()`, percent))
		if wide > 0 {
			b.t.Errorf("%s: %d px too wide at %d px and %d %% text", name, wide, size, percent)
		}
	}
	s := phone()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: true})
}

// targets checks that everything that can be pressed is large enough.
func (b *tab) targets(name string) {
	b.t.Helper()
	small := evaluate[[]string](b, `[...document.querySelectorAll("button, a.btn, .key, summary")].filter(e => {
		const r = e.getBoundingClientRect();
		return r.width > 0 && (r.height < 44 || r.width < 44);
	}).map(e => e.textContent.trim())`)
	if len(small) > 0 {
		b.t.Errorf("%s: smaller than 44 px: %v", name, small)
	}
}

// operable checks that the Tab key comes to everything that can be used, in
// the order of the page, and that it takes the focus.
func (b *tab) operable(name string) {
	b.t.Helper()
	missed := evaluate[[]string](b, `(() => {
		const before = document.activeElement, folded = [...document.querySelectorAll("details:not([open])")];
		folded.forEach(d => { d.open = true; });
		const missed = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), summary")].filter(e => {
			if (e.disabled || e.getClientRects().length === 0) return false;
			e.focus({preventScroll: true});
			return e.tabIndex !== 0 || document.activeElement !== e;
		}).map(e => e.outerHTML.slice(0, 120));
		folded.forEach(d => { d.open = false; });
		if (before) before.focus({preventScroll: true});
		return missed;
	})()`)
	if len(missed) > 0 {
		b.t.Errorf("%s: the Tab key does not reach %v", name, missed)
	}
}

// keysOnFirstScreen: all keys of a pad are visible without scrolling.
func (b *tab) keysOnFirstScreen(name string) {
	b.t.Helper()
	bottom := evaluate[float64](b, `(() => { const k = [...document.querySelectorAll(".key")].pop(); return k ? k.getBoundingClientRect().bottom : 0; })()`)
	if bottom > float64(phone().height) {
		b.t.Errorf("%s: the last row of keys ends at %.0f px", name, bottom)
	}
}

// TestScreenshots draws pages and checks that none is blank: all of them in every look and
// size with -screenshots DIR, which keeps them; with -every-look in every look on a phone and
// in one on a desktop; else the first few.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	list, s := openGallery(t)
	sizes := []screen{phone(), desktop()}
	looks := []look{{"zh", "zh-CN", false, false}, {"en", "en", false, false}, {"care", "zh-CN", true, false}, {"dark", "zh-CN", false, true}}
	if *screenshots == "" && !*everyLook {
		sizes, looks, list = sizes[:1], looks[:1], list[:min(6, len(list))]
	}
	for _, size := range sizes {
		of := looks
		if *screenshots == "" && !size.phone {
			of = looks[:1]
		}
		for _, l := range of {
			t.Run(size.name+"/"+l.name, func(t *testing.T) {
				t.Parallel()
				b := newTabFor(t, size, l.language, walk)
				b.dress(l)
				if l.care {
					b.care(s)
				}
				for _, sc := range list {
					b.open(s.url + sc.Path)
					b.settled()
					b.keep(filepath.Join(size.name, l.name), sc.Name, b.png(sc.Name))
				}
			})
		}
	}
}

// shoot keeps a picture of the page, where -screenshots asks for pictures: drawing and
// packing one is as much work as loading the page.
func (b *tab) shoot(dir, name string) {
	b.t.Helper()
	if *screenshots != "" {
		b.keep(dir, name, b.png(name))
	}
}

// png draws the page, which must not be blank.
func (b *tab) png(name string) []byte {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if len(png) < 5000 {
		b.t.Errorf("%s is blank: %d bytes", name, len(png))
	}
	return png
}

// keep writes a picture into the directory that -screenshots names, if it does.
func (b *tab) keep(dir, name string, png []byte) {
	b.t.Helper()
	if *screenshots == "" {
		return
	}
	into := filepath.Join(*screenshots, dir)
	if err := os.MkdirAll(into, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(into, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

package browser

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/door/holder"
)

var galleryNow = time.Date(2026, 5, 6, 12, 44, 0, 0, time.UTC)

// gallery is an authority that shows every page there is, each under its own
// address, to whoever asks. It moves nothing.
type gallery struct{ pages map[string]authority.Page }

func (g gallery) Look(_ context.Context, id string, _ authority.Hand) (authority.Page, error) {
	p, ok := g.pages[id]
	if !ok {
		return authority.Page{}, liuma.Fail(liuma.CodeRequestURIInvalid, nil)
	}
	return p, nil
}

func (g gallery) LookAt(context.Context, string, string, authority.Hand) (authority.Page, error) {
	return g.pages["verifypin"], nil
}

func (gallery) no() (authority.Page, error) {
	return authority.Page{}, liuma.Fail(liuma.CodeUnavailable, nil)
}

func (g gallery) Begin(context.Context, string, authority.Hand) (authority.Page, error) {
	return g.no()
}
func (g gallery) Agree(context.Context, string, authority.Hand) (authority.Page, error) {
	return g.no()
}
func (g gallery) Leave(context.Context, string, authority.Hand) (authority.Page, error) {
	return g.no()
}
func (g gallery) Extend(context.Context, string, authority.Hand) (authority.Page, error) {
	return g.no()
}

func (g gallery) GivePIN(context.Context, string, authority.Hand, authority.Given) (authority.Page, error) {
	return g.no()
}

func (g gallery) SendCode(context.Context, string, authority.Hand) (authority.Page, error) {
	return g.no()
}
func (g gallery) GiveCode(context.Context, string, authority.Hand, string) (authority.Page, error) {
	return g.no()
}
func (g gallery) GivePhone(context.Context, string, authority.Hand, string) (authority.Page, error) {
	return g.no()
}
func (g gallery) GiveCardNo(context.Context, string, authority.Hand, string) (authority.Page, error) {
	return g.no()
}
func (g gallery) Forgot(context.Context, string, authority.Hand) (authority.Page, error) {
	return g.no()
}
func (g gallery) Remember(context.Context, string, authority.Hand) (authority.Page, error) {
	return g.no()
}
func (g gallery) FreezeOwn(context.Context, string, authority.Hand) (authority.Page, error) {
	return g.no()
}
func (g gallery) NoticeEveryUse(context.Context, string, authority.Hand, bool) (authority.Page, error) {
	return g.no()
}
func (g gallery) KnowDevice(context.Context, string, authority.Hand) (authority.Page, error) {
	return g.no()
}

func (gallery) FreezeByCode(context.Context, string, string) (authority.FreezeView, error) {
	return authority.FreezeView{}, liuma.Fail(liuma.CodeFreezeCodeInvalid, nil)
}

func (gallery) WayBack(context.Context, string, authority.Hand) (authority.Way, error) {
	return authority.Way{}, liuma.Fail(liuma.CodeUnavailable, nil)
}

type scene struct{ name, path string }

// scenes builds the gallery; everybody in it is invented.
func scenes(t *testing.T) ([]scene, gallery) {
	t.Helper()
	key, err := hex.DecodeString("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
		"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5") // the base point of P-256
	if err != nil {
		t.Fatal(err)
	}
	aad := map[liuma.Role][]byte{liuma.RoleCurrent: {1}, liuma.RoleOld: {2}, liuma.RoleNew: {3}}
	g := gallery{map[string]authority.Page{}}
	var list []scene
	add := func(name string, a liuma.Action, s authority.Step, code liuma.Code, more func(*authority.Page)) {
		id := strings.NewReplacer("-", "", "_", "").Replace(name)
		p := authority.Page{
			ID: id, Step: s, Action: a, Channel: "zj-hrss", Code: code,
			ChannelName: liuma.Text{ZH: "浙里社保（虚构）", EN: "Zheli Social Security (invented)"},
			Purpose:     purpose, BusinessNo: "ZL20260506-000187", Region: "3305",
			NameMasked: "王*奶", IDMasked: "3305**********1228", PhoneMasked: "138****5678",
			SealKeyID: "k-1", SealKey: key, AAD: aad, Try: 1, Expires: galleryNow.Add(15 * time.Minute),
		}
		if more != nil {
			more(&p)
		}
		g.pages[id] = p
		list = append(list, scene{name, "/c/" + id})
	}
	const enroll, link, verify, change = liuma.ActionEnroll, liuma.ActionLink, liuma.ActionVerify, liuma.ActionChange
	const confirm, pad, done, refused = authority.StepConfirm, authority.StepPIN, authority.StepDone, authority.StepRefused
	tries := func(n int) func(*authority.Page) { return func(p *authority.Page) { p.TriesLeft = &n } }
	add("enroll-confirm", enroll, confirm, "", nil)
	add("enroll-pin", enroll, pad, "", nil)
	add("enroll-passphrase", enroll, pad, "", func(p *authority.Page) { p.Passphrase = true })
	add("enroll-weak", enroll, pad, liuma.CodeWeakPIN, func(p *authority.Page) {
		p.Sentence = liuma.Text{ZH: "这里面有您的生日，认识您的人容易猜到。请换一个与生日无关的号码。", EN: "This contains your birthday, which people who know you can guess. Choose something else."}
	})
	add("enroll-done", enroll, done, "", nil)
	add("link-confirm", link, confirm, "", nil)
	add("link-pin", link, pad, "", nil)
	add("link-refused", link, pad, liuma.CodeRefused, nil)
	add("link-done", link, done, "", nil)
	add("verify-pin", verify, pad, "", nil)
	add("verify-wrong", verify, pad, liuma.CodeWrong, tries(4))
	add("verify-busy", verify, pad, liuma.CodeBusy, nil)
	add("verify-done", verify, done, "", nil)
	add("change-pin", change, pad, "", nil)
	add("change-done", change, done, "", nil)
	add("more-time", verify, pad, "", func(p *authority.Page) { p.Expires = galleryNow.Add(time.Minute) })
	add("locked", verify, refused, liuma.CodeLocked, func(p *authority.Page) { p.Until = galleryNow.Add(12*time.Hour + 28*time.Minute) })
	for _, code := range []liuma.Code{liuma.CodeBlocked, liuma.CodeFrozen, liuma.CodeCancelled, liuma.CodeEvidenceRequired, liuma.CodeRefused} {
		add("refused-"+strings.ReplaceAll(string(code), "_", "-"), verify, refused, code, nil)
	}
	add("not-in-registry", enroll, refused, liuma.CodeNotInRegistry, nil)
	add("already-enrolled", enroll, refused, liuma.CodeAlreadyEnrolled, nil)
	add("expired", verify, authority.StepExpired, liuma.CodeCeremonyExpired, nil)
	add("left", verify, authority.StepLeft, liuma.CodeLeft, nil)
	add("elsewhere", verify, pad, "", func(p *authority.Page) { p.Elsewhere = true })
	addRecovery(add)
	return append(list, besides()...), g
}

func openGallery(t *testing.T) ([]scene, *site) {
	t.Helper()
	list, g := scenes(t)
	return list, serve(t, g, holder.Config{Now: func() time.Time { return galleryNow }}, nil)
}

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

// care turns care mode on, by the page's own form.
func (b *tab) care(s *site) {
	b.t.Helper()
	b.open(s.url + "/c/verifypin")
	b.click(`//button[@name="care"]`)
	b.waits(`document.documentElement.hasAttribute("data-care")`)
}

// TestAccessibility runs axe over every page, with -every-look in every look,
// and looks whether it fits: on small phones, with large text, under an unsteady
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
			b := newTab(t, phone(), l.language)
			b.dress(l)
			if l.care {
				b.care(s)
			}
			for _, sc := range list {
				b.open(s.url + sc.path)
				b.settled()
				b.keysOnFirstScreen(sc.name)
				b.targets(sc.name)
				b.operable(sc.name)
				b.violations(sc.name)
				b.reflows(sc.name)
			}
			b.clean(s)
		})
	}
}

// violations asks axe for what breaks WCAG 2.2, levels A and AA, and good
// practice.
func (b *tab) violations(name string) {
	b.t.Helper()
	evaluate[chromedp.Void](b, axe+";0")
	found := evaluate[json.RawMessage](b, `axe.run(document, {
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"],
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

// reflows checks that nothing must be scrolled sideways on a small phone, nor
// with text at twice its size.
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

// targets checks that whatever is pressed is large enough.
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

// keysOnFirstScreen: whoever opens a pad sees all of its keys, without
// scrolling.
func (b *tab) keysOnFirstScreen(name string) {
	b.t.Helper()
	bottom := evaluate[float64](b, `(() => { const k = [...document.querySelectorAll(".key")].pop(); return k ? k.getBoundingClientRect().bottom : 0; })()`)
	if bottom > float64(phone().height) {
		b.t.Errorf("%s: the last row of keys ends at %.0f px", name, bottom)
	}
}

// TestScreenshots draws pages and checks that none is blank: all of them, in
// every look and size, with -screenshots DIR, which keeps them, or -every-look;
// else the first few.
func TestScreenshots(t *testing.T) {
	list, s := openGallery(t)
	sizes := []screen{phone(), desktop()}
	looks := []look{{"zh", "zh-CN", false, false}, {"en", "en", false, false}, {"care", "zh-CN", true, false}, {"dark", "zh-CN", false, true}}
	if *screenshots == "" && !*everyLook {
		sizes, looks, list = sizes[:1], looks[:1], list[:6]
	}
	for _, size := range sizes {
		for _, l := range looks {
			t.Run(size.name+"/"+l.name, func(t *testing.T) {
				b := newTab(t, size, l.language)
				b.dress(l)
				if l.care {
					b.care(s)
				}
				for _, sc := range list {
					b.open(s.url + sc.path)
					b.settled()
					b.shoot(filepath.Join(size.name, l.name), sc.name)
				}
			})
		}
	}
}

func (b *tab) shoot(dir, name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if len(png) < 5000 {
		b.t.Errorf("%s is blank: %d bytes", name, len(png))
	}
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

package browser

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// small is the smallest phone that is in wide use.
func small() screen { return screen{"360x640", 360, 640, true} }

// TestSmallPhones: on the smallest phones, with -every-look in every language and
// mode, all keys of every pad are on the first screen, and what is pressed is large
// enough. In care mode that is 60 px, and no text is below 18 px, as the ministry's
// rules for the elderly want it. Without the flag it shows care mode alone;
// TestAccessibility looks at the other pages in this size while it has them.
func TestSmallPhones(t *testing.T) {
	t.Parallel()
	list, s := openGallery(t)
	looks := []look{{"care-en", "en", true, false}, {"zh", "zh-CN", false, false}, {"en", "en", false, false}, {"care", "zh-CN", true, false}}
	if !*everyLook && *screenshots == "" {
		looks = looks[:1] // the largest letters with the longest words
	}
	for _, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			b := newTabFor(t, small(), l.language, walk)
			b.dress(l)
			least := 44
			if l.care {
				b.care(s)
				least = 60
			}
			for _, sc := range list {
				b.open(s.url + sc.Path)
				b.settled()
				b.onSmall(sc.Name, least)
				if l.care {
					b.legible(sc.Name, 18)
				}
				b.shoot(filepath.Join(small().name, l.name), sc.Name)
			}
		})
	}
}

// onSmall checks the page on the smallest phone.
func (b *tab) onSmall(name string, least int) {
	b.t.Helper()
	b.keysWithin(name, small())
	b.large(name, least)
}

// keysWithin checks that all keys of a pad are on a screen of this size, from
// the top of the page.
func (b *tab) keysWithin(name string, s screen) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: true})
	bottom := evaluate[float64](b, `(() => { const k = [...document.querySelectorAll(".key")].pop(); return k ? k.getBoundingClientRect().bottom + scrollY : 0; })()`)
	if bottom > float64(s.height) {
		b.t.Errorf("%s: the last row of keys ends at %.0f px of %d", name, bottom, s.height)
	}
}

// large checks everything that can be pressed, also what is folded away.
func (b *tab) large(name string, least int) {
	b.t.Helper()
	for _, what := range evaluate[[]string](b, fmt.Sprintf(`(() => {
		const folded = [...document.querySelectorAll("details:not([open])")];
		folded.forEach(d => { d.open = true; });
		const small = [...document.querySelectorAll("button, a[href]:not(.skip), summary, label.tick, .field-input")].filter(e => {
			const r = e.getBoundingClientRect();
			return r.width > 0 && (r.height < %d || r.width < 44);
		}).map(e => e.textContent.trim() + " " + e.className + " " + e.getBoundingClientRect().height);
		folded.forEach(d => { d.open = false; });
		return small;
	})()`, least)) {
		b.t.Errorf("%s: smaller than %d px: %s", name, least, what)
	}
}

// legible checks the size of every text that can be seen.
func (b *tab) legible(name string, least int) {
	b.t.Helper()
	for _, what := range evaluate[[]string](b, fmt.Sprintf(`[...document.querySelectorAll("body *:not(noscript):not(script)")].filter(e => {
		const own = [...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
		const r = e.getBoundingClientRect();
		return own && r.width > 1 && r.height > 1 && parseFloat(getComputedStyle(e).fontSize) < %d - .01;
	}).map(e => e.textContent.trim().slice(0, 40) + " (" + e.className + ", " + getComputedStyle(e).fontSize + ")")`, least)) {
		b.t.Errorf("%s: smaller than %d px: %s", name, least, what)
	}
}

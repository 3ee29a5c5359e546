package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"

	"github.com/liuma-pin/liuma/internal/door"
)

// voices stand in for those of a phone, which this machine has none of: they remember
// what they were given to say.
const voices = `
	window.said = []; window.cancelled = 0;
	Object.defineProperty(window, 'speechSynthesis', { value: {
		getVoices: () => window.voices || [],
		speak: (u) => window.said.push(u),
		cancel: () => { window.cancelled++; },
		addEventListener: (name, f) => { if (name === 'voiceschanged') window.changed = f; },
		onvoiceschanged: null,
	} });
	window.SpeechSynthesisUtterance = function (text) { this.text = text; };`

// TestTheGuideIsHeard: a chapter is read in the page's language where there is a voice for
// it; the button stops it, ends with it, and another button takes over.
func TestTheGuideIsHeard(t *testing.T) {
	t.Parallel()
	_, s := openGallery(t)
	b := newTab(t, phone(), "zh-CN")
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: voices})
	b.open(s.url + "/guide")
	b.settled()
	hidden := func() bool {
		return evaluate[bool](b, `[...document.querySelectorAll('[data-speak]')].every((x) => x.hidden)`)
	}
	if !hidden() {
		t.Error("without a voice the page offers to read")
	}
	evaluate[bool](b, `window.voices = [{ lang: 'en-US' }], window.changed(), true`)
	if !hidden() {
		t.Error("an English voice is to read Chinese")
	}
	evaluate[bool](b, `window.voices = [{ lang: 'zh_TW' }], window.changed(), true`)
	if hidden() {
		t.Fatal("with a voice the page does not offer to read")
	}
	b.click(`//section[h2[@id='what']]//button[@data-speak]`)
	b.waits(`said.length === 5 && said[0].text === '这个密码是什么' && said.every((u) => u.lang === 'zh-CN')`)
	b.sees("停止朗读")
	b.click(`//section[h2[@id='set']]//button[@data-speak]`)
	b.waits(`document.querySelectorAll('[data-speak][aria-pressed=true]').length === 1 && said.length > 5`)
	if evaluate[bool](b, `said.some((u) => u.text === '真假查询')`) {
		t.Error("a link is read as if it were a sentence")
	}
	evaluate[bool](b, `said[said.length - 1].onend(), true`)
	b.waits(`document.querySelectorAll('[data-speak][aria-pressed=true]').length === 0`)
	b.click(`//section[h2[@id='what']]//button[@data-speak]`)
	before := evaluate[int](b, `cancelled`)
	b.click(`//section[h2[@id='what']]//button[@data-speak]`)
	b.waits(`document.querySelectorAll('[data-speak][aria-pressed=true]').length === 0`)
	if after := evaluate[int](b, `cancelled`); after != before+1 {
		t.Errorf("stopped %d times", after-before)
	}
	b.clean(s)
}

// TestTheGuideOnPaper: the print has the chapters, and nothing to press.
func TestTheGuideOnPaper(t *testing.T) {
	t.Parallel()
	_, s := openGallery(t)
	b := newTab(t, phone(), string(door.Chinese))
	b.open(s.url + "/guide")
	b.settled()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	shown := evaluate[[]string](b, `[...document.querySelectorAll('button, nav, .guide-way, main > a')].filter((x) => x.offsetParent !== null).map((x) => x.outerHTML)`)
	if len(shown) != 0 {
		t.Errorf("on paper: %v", shown)
	}
	if n := evaluate[int](b, `[...document.querySelectorAll('.guide-part')].filter((x) => x.offsetParent !== null).length`); n != 12 {
		t.Errorf("%d chapters on paper", n)
	}
	if paper := evaluate[string](b, `document.querySelector(".printed").innerText`); !strings.Contains(paper, s.url+"/") || !strings.Contains(paper, "12333") {
		t.Errorf("on paper it says %q", paper)
	}
	b.clean(s)
}

// TestWithoutScript: the guide, and the page of what is genuine with its answers, are
// whole without script.
func TestGuideWithoutScript(t *testing.T) {
	t.Parallel()
	_, s := openGallery(t)
	b := newTab(t, phone(), "en")
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open(s.url + "/guide")
	b.sees("A good PIN", "What staff never ask")
	b.open(s.url + "/genuine?q=no_page")
	b.sees("Enter no PIN", "Look it up")
}

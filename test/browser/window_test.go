package browser

import (
	"context"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"

	"github.com/liuma-pin/liuma/internal/demo"
	"github.com/liuma-pin/liuma/test/printed"
)

// openDemo plays the demo, with a short sweep, and returns the address of its
// window.
func openDemo(t *testing.T) string { t.Helper(); return openDemoOf(t, demo.Config{}) }

// openDemoOf is openDemo with keepers or a language of its own.
func openDemoOf(t *testing.T, c demo.Config) string {
	t.Helper()
	out := &printed.Log{}
	c.Dir, c.People, c.Candidates, c.Guessing, c.Out = filepath.Join(t.TempDir(), "demo"), 200, 4000, 100*time.Millisecond, out
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- demo.Run(ctx, c)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the demo: %v\n%s", err, out)
		}
	})
	address := regexp.MustCompile(`(?:open this|打开) +(http://[0-9.:]+)`)
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if m := address.FindStringSubmatch(out.String()); m != nil {
			return m[1]
		}
	}
	t.Fatalf("no window:\n%s", out)
	return ""
}

// drawWindow draws the demo's window with a phone beside it, whose holder has
// applied for the card and just typed a wrong PIN: once in each language of the
// phone. The window has both languages.
func drawWindow(t *testing.T) {
	at := openDemo(t)
	for _, of := range []struct{ name, language, person string }{{"zh", "zh-CN", "wang"}, {"en", "en", "li"}} {
		win, hand := newTab(t, desktop(), "zh-CN"), newTab(t, phone(), of.language)
		win.open(at)
		win.waits(`!!document.querySelector("a.app")`)
		app := evaluate[string](win, `document.querySelector("a.app").href`)
		hand.open(app)
		hand.click(fmt.Sprintf(`//button[@name="person" and @value=%q]`, of.person))
		const codes, wrongs = `document.querySelectorAll(".sms-digits:not(.sms-freeze)").length`, `[...document.querySelectorAll("[data-party=database] dd")].filter(d => d.textContent.startsWith("wrong")).length`
		time.Sleep(time.Second) // the window has fetched the earlier events
		before, wrong := evaluate[int](win, codes), evaluate[int](win, wrongs)
		a := &actor{tab: hand}
		a.starts("enroll")
		a.looks()
		a.presses("agree")
		a.presses("send-code")
		win.waits(fmt.Sprintf(`%s > %d`, codes, before))
		a.gives("code", evaluate[string](win, `document.querySelector(".sms-digits").textContent`))
		a.chooses(rightPIN)
		a.click(`//a[contains(concat(@href, "|"), "/return|")]`)
		a.waits(fmt.Sprintf(`location.href.startsWith(%q) && document.readyState === "complete"`, app))
		hand.open(app)
		a.starts("verify")
		hand.keypad(wrongPIN)
		a.waits(`!!document.querySelector(".notice-refuse") && !!document.querySelector(".pad-ready")`)
		win.waits(fmt.Sprintf(`%s > %d && document.getAnimations().length === 0`, wrongs, wrong))
		beside(t, filepath.Join(*pictures, "window."+of.name+".webp"), win, hand)
	}
}

// beside draws screens next to one another, at three quarters of their size:
// READMEs show them no larger.
func beside(t *testing.T, file string, tabs ...*tab) {
	t.Helper()
	const edge, height = 8, 812
	body, width := "", int64(edge)
	for _, b := range tabs {
		call(b, page.BringToFront, cdp.Empty{})
		shot := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng})
		body += fmt.Sprintf(`<img alt="" style="float:left;margin:%dpx 0 0 %dpx" src="data:image/png;base64,%s">`, edge, edge, base64.StdEncoding.EncodeToString(shot.Data))
		width += edge + evaluate[int64](b, `innerWidth`)
	}
	all := newTab(t, desktop(), "zh-CN")
	all.open("about:blank")
	call(all, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height + 2*edge, DeviceScaleFactor: 0.75})
	evaluate[bool](all, fmt.Sprintf(`document.body.innerHTML = %q, document.body.style = "margin:0;background:#8a96a0", Promise.all([...document.images].map(i => i.decode())).then(() => true)`, body))
	all.pictureAt(file, 30)
}

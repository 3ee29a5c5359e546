package browser

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"

	"github.com/liuma-pin/liuma/internal/demo"
	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/locale"
)

// TestKeepersInTheWindow: a visitor kills a keeper, cuts another one off, sees one that
// ended by itself, and heals them all; on a desk and on a phone, with -every-look in both
// languages, and axe finds nothing.
func TestKeepersInTheWindow(t *testing.T) {
	program, err := posts.Itself()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range languages() {
		t.Run(lang, func(t *testing.T) {
			at := openDemoOf(t, demo.Config{Keepers: 3, Program: program, Lang: locale.Lang(lang)})
			for _, of := range []screen{desktop(), {"360x640", 360, 640, true}} {
				b := newTab(t, of, lang)
				b.open(at)
				b.keepersFail(lang + "-" + of.name)
			}
		})
	}
}

func (b *tab) keepersFail(name string) {
	b.t.Helper()
	becomes := func(id, state string) {
		b.t.Helper()
		b.waits(`document.querySelector('[data-post="` + id + `"]').dataset.state === "` + state + `"`)
	}
	press := func(id, act string) {
		b.t.Helper()
		b.waits(`!document.querySelector('[data-post="` + id + `"] [data-act="` + act + `"]').disabled`)
		b.click(`//li[@data-post="` + id + `"]//button[@data-act="` + act + `"]`)
	}
	for _, id := range []string{"k1", "k2", "k3"} {
		becomes(id, "runs")
	}
	b.looksWell(name + "-whole")
	press("k3", "kill")
	becomes("k3", "killed")
	press("k1", "cut")
	becomes("k1", "cut_off")
	b.waits(`/silent/.test(document.querySelector('[data-post="k1"] [data-post-seen]').textContent)`)
	b.waits(`document.querySelector('[data-post="k1"] [data-post-sequence]').textContent !== "–"`)
	b.looksWell(name + "-failed")
	press("k1", "heal")
	press("k3", "heal")
	becomes("k1", "runs")
	becomes("k3", "runs")

	pid := evaluate[int](b, `fetch("/keepers.json").then(r => r.json()).then(a => a.keepers[1].pid)`)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil { // not by the window
		b.t.Fatal(strconv.Itoa(pid), err)
	}
	becomes("k2", "died")
	press("k2", "heal")
	becomes("k2", "runs")
	b.waits(`[...document.querySelectorAll("[data-post-seen]")].every(e => !e.textContent.includes("("))`)
}

// looksWell runs axe, wants no scrolling sideways, and keeps a picture with -screenshots.
func (b *tab) looksWell(name string) {
	b.t.Helper()
	b.violations(name)
	if wide := evaluate[int](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
		b.t.Errorf("%s: %d px wider than the screen", name, wide)
	}
	if *screenshots == "" {
		return
	}
	call(b, page.BringToFront, cdp.Empty{})
	evaluate[bool](b, `document.querySelector(".posts").scrollIntoView(), true`)
	shot := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng})
	if err := os.WriteFile(filepath.Join(*screenshots, "keepers-"+name+".png"), shot.Data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

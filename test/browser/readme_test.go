package browser

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
)

// mostPicture bounds a picture of the README, in bytes: they are read on phones
// as well. Pictures of the demo window show a computer's screen and a phone's,
// and may be larger.
const (
	mostPicture = 40 << 10
	mostWindow  = 60 << 10
)

// TestReadmePictures draws the pages that the READMEs show into the directory
// that -pictures names, as a phone shows them and as WebP. Without the flag it
// compares the pictures that the READMEs show with the files.
func TestReadmePictures(t *testing.T) {
	if *pictures == "" {
		shownPictures(t)
		return
	}
	drawWindow(t)
	list, s := openGallery(t)
	paths := map[string]string{}
	for _, sc := range list {
		paths[sc.Name] = sc.Path
	}
	pages := []string{"enroll-pin", "enroll-done", "locked", "code"}
	for _, l := range []look{{"zh", "zh-CN", false, false}, {"en", "en", false, false}, {"care", "zh-CN", true, false}} {
		b := newTab(t, phone(), l.language)
		call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 375, Height: 812, DeviceScaleFactor: 1.5, Mobile: true})
		b.dress(l)
		if l.care {
			b.care(s)
			pages = pages[len(pages)-1:] // one is enough as an example
		}
		for _, name := range pages {
			if paths[name] == "" {
				t.Fatalf("no page %q in the gallery", name)
			}
			b.open(s.url + paths[name])
			b.settled()
			b.picture(filepath.Join(*pictures, name+"."+l.name+".webp"))
		}
	}
}

// picture writes the first screen into file.
func (b *tab) picture(file string) { b.t.Helper(); b.pictureAt(file, 55) }

func (b *tab) pictureAt(file string, quality int64) {
	b.t.Helper()
	shot := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
	if err := os.WriteFile(file, shot.Data, 0o644); err != nil { // #nosec G306 -- it is to be published
		b.t.Fatal(err)
	}
}

func mostBytes(file string) int64 {
	if strings.HasPrefix(filepath.Base(file), "window.") {
		return mostWindow
	}
	return mostPicture
}

// shownPictures: every picture in a README exists and is small, and every
// picture file is shown.
func shownPictures(t *testing.T) {
	root := filepath.Join("..", "..")
	shown := map[string]bool{}
	for _, readme := range []string{"README.md", "README.zh-CN.md"} {
		raw, err := os.ReadFile(filepath.Join(root, readme))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`docs/images/[a-z.-]+`).FindAllString(string(raw), -1) {
			shown[filepath.Base(m)] = true
			info, err := os.Stat(filepath.Join(root, m))
			if err != nil {
				t.Errorf("%s shows %s: %v", readme, m, err)
			} else if most := mostBytes(m); info.Size() > most {
				t.Errorf("%s has %d bytes, more than %d", m, info.Size(), most)
			}
		}
	}
	there, err := filepath.Glob(filepath.Join(root, "docs", "images", "*"))
	if err != nil || len(there) == 0 {
		t.Errorf("no pictures: %v", err)
	}
	for _, file := range there {
		if !shown[filepath.Base(file)] {
			t.Errorf("%s is shown nowhere", filepath.Base(file))
		}
	}
}

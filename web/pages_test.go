package web_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/door/holder"
	"github.com/liuma-pin/liuma/test/gallery"
	"github.com/liuma-pin/liuma/web"
)

var galleryDir = flag.String("gallery", "", "write every page, as a file that a browser can open, into this directory")

// looks are the ways in which the server draws a page. Dark or light is the
// browser's own choice.
func looks() []look {
	return []look{{"zh", "zh-CN", false}, {"en", "en", false}, {"care", "zh-CN", true}, {"care-en", "en", true}}
}

type look struct {
	Name, language string
	care           bool
}

// pages is the real door over the gallery.
type pages struct {
	t      *testing.T
	door   http.Handler
	assets *web.Assets
}

func newPages(t *testing.T) pages {
	t.Helper()
	assets, err := web.Load()
	if err != nil {
		t.Fatal(err)
	}
	door, err := holder.New(holder.Config{Authority: gallery.NewAuthority(), Counter: gallery.Counter{}, Genuine: gallery.Genuine{}, Challenges: gallery.Challenges{}, Rules: gallery.Rules(), Assets: assets, Origin: "https://pin.example.cn", Settle: time.Millisecond,
		Now: gallery.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return pages{t, door, assets}
}

// drawn is a page as the server sends it.
func (p pages) drawn(sc gallery.Scene, l look) string {
	p.t.Helper()
	r := httptest.NewRequest(http.MethodGet, sc.Path, nil)
	r.AddCookie(&http.Cookie{Name: "__Host-lang", Value: l.language})
	if l.care {
		r.AddCookie(&http.Cookie{Name: "__Host-care", Value: "1"})
	}
	w := httptest.NewRecorder()
	p.door.ServeHTTP(w, r)
	body := w.Body.String()
	if w.Code >= http.StatusInternalServerError || !strings.Contains(body, `<html lang="`+l.language+`"`) || strings.Contains(body, " data-care>") != (l.care || sc.Care) {
		p.t.Fatalf("%s in %s: %d\n%s", sc.Name, l.Name, w.Code, body)
	}
	return body
}

// every calls f with every page in every look.
func (p pages) every(f func(sc gallery.Scene, l look, body string)) {
	p.t.Helper()
	for _, l := range looks() {
		for _, sc := range gallery.Scenes() {
			f(sc, l, p.drawn(sc, l))
		}
	}
}

// TestPagesAreLight: a page is at most 60 kB over the wire, with all that it
// brings.
func TestPagesAreLight(t *testing.T) {
	const limit = 60_000
	p := newPages(t)
	shared := 0
	for _, name := range []string{web.Pad, web.Ceremony, web.DeskPad, web.Style} {
		asset, err := p.assets.Asset(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes, %d compressed", name, len(asset.Bytes), len(asset.Gzip))
		shared += len(asset.Gzip)
	}
	p.every(func(sc gallery.Scene, l look, body string) {
		if total := shared + zipped(t, body); total > limit {
			t.Errorf("%s in %s: %d bytes over the wire", sc.Name, l.Name, total)
		}
	})
}

func zipped(t *testing.T, body string) int {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

// said is an address between tags, as text.
var said = regexp.MustCompile(`(>[^<>]*)https://`)

// TestNothingInline: what the content policy of the pages refuses is not on
// them.
func TestNothingInline(t *testing.T) {
	newPages(t).every(func(sc gallery.Scene, l look, body string) {
		text := strings.ReplaceAll(body, `xmlns="http://www.w3.org/2000/svg"`, "")
		text = strings.ReplaceAll(text, "https://pin.example.cn/", "") // said on the official page, and no link
		if strings.HasPrefix(sc.Path, "/genuine") {                    // says addresses, too
			text = said.ReplaceAllString(text, "$1")
		}
		for _, bad := range []string{" style=", "<style", " onclick", " onload", " onsubmit", "javascript:", "http://", "https://", "<script>"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s in %s contains %q", sc.Name, l.Name, bad)
			}
		}
	})
}

// TestGallery writes every page into the directory that -gallery names, or
// into one that is thrown away, and checks that whatever a page refers to lies
// beside it.
func TestGallery(t *testing.T) {
	dir := *galleryDir
	if dir == "" {
		dir = t.TempDir()
	}
	p := newPages(t)
	p.every(func(sc gallery.Scene, l look, body string) {
		write(t, filepath.Join(dir, l.Name, sc.Name+".html"), fromDisk(body))
	})
	for _, name := range []string{web.Pad, web.Ceremony, web.DeskPad, web.Guide, web.Style} {
		asset, err := p.assets.Asset(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "assets", asset.File), string(asset.Bytes))
	}
	write(t, filepath.Join(dir, "index.html"), contents(t))
	p.every(func(sc gallery.Scene, l look, _ string) { whole(t, filepath.Join(dir, l.Name, sc.Name+".html")) })
	whole(t, filepath.Join(dir, "index.html"))
}

// fromDisk makes a page fit to be opened as a file: browsers check the
// integrity of nothing that comes from a disk, and so refuse it.
func fromDisk(body string) string {
	body = regexp.MustCompile(` integrity="[^"]*"`).ReplaceAllString(body, "")
	return strings.ReplaceAll(body, `="/assets/`, `="../assets/`)
}

// contents is the page that leads to all others.
func contents(t *testing.T) string {
	t.Helper()
	page := template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Every page of the holder door</title>
<h1>Every page of the holder door</h1>
<table>
{{range $scene := .Scenes}}<tr><th>{{.Name}}</th>{{range $.Looks}}<td><a href="{{.Name}}/{{$scene.Name}}.html">{{.Name}}</a></td>{{end}}</tr>
{{end}}</table>
</html>
`))
	var out strings.Builder
	if err := page.Execute(&out, map[string]any{"Scenes": gallery.Scenes(), "Looks": looks()}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { // #nosec G301 -- invented pages, to be looked at
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil { // #nosec G306 -- the same
		t.Fatal(err)
	}
}

// whole checks that the files to which a page refers are there.
func whole(t *testing.T, file string) {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?:src|href)="([^"/#][^":]*\.(?:js|css|html))"`).FindAllSubmatch(page, -1)
	if len(found) < 3 {
		t.Errorf("%s refers to %d files", file, len(found))
	}
	for _, m := range found {
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), string(m[1]))); err != nil {
			t.Error(fmt.Errorf("%s: %w", file, err))
		}
	}
}

package web

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func mustLoad(t *testing.T) *Assets {
	t.Helper()
	a, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestLoadRefusesWhatIsNotWhole(t *testing.T) {
	whole := fstest.MapFS{}
	err := fs.WalkDir(embedded, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(embedded, path)
		whole[path] = &fstest.MapFile{Data: content}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load(whole); err != nil {
		t.Fatalf("the whole set: %v", err)
	}
	for path, file := range whole {
		if !strings.HasPrefix(path, "dist/") {
			continue
		}
		changed := fstest.MapFS{}
		for p, f := range whole {
			changed[p] = f
		}
		changed[path] = &fstest.MapFile{Data: append([]byte{' ', 'x'}, file.Data...)}
		if _, err := load(changed); err == nil {
			t.Errorf("%s changed, and still loaded", path)
		}
		delete(changed, path)
		if _, err := load(changed); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s missing: got %v", path, err)
		}
	}
	whole["dist/manifest.json"] = &fstest.MapFile{Data: []byte("{}")}
	if _, err := load(whole); err == nil {
		t.Error("an empty manifest loaded")
	}
}

func TestIcons(t *testing.T) {
	a := mustLoad(t)
	for _, name := range []string{"ok", "wrong", "locked", "blocked", "frozen", "evidence", "expired", "unavailable", "brand", "dots"} {
		icon, err := a.Icon(name)
		if err != nil {
			t.Error(err)
			continue
		}
		// A style attribute would be refused by the content policy, and a
		// spoken icon would say twice what the words beside it say.
		if s := string(icon); !strings.HasPrefix(s, "<svg ") || !strings.Contains(s, `aria-hidden="true"`) || strings.Contains(s, "style=") {
			t.Errorf("icon %s: %s", name, s)
		}
	}
	if _, err := a.Icon("nothing"); err == nil {
		t.Error("an icon that does not exist was found")
	}
	if _, err := a.Asset("nothing.js"); err == nil {
		t.Error("an asset that does not exist was found")
	}
}

func TestServe(t *testing.T) {
	a := mustLoad(t)
	script, err := a.Asset(Pad)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, method, path, accept string
		status                     int
		encoding                   string
	}{
		{"plain", "GET", "/assets/" + script.File, "", 200, ""},
		{"gzip", "GET", "/assets/" + script.File, "br, gzip;q=0.5", 200, "gzip"},
		{"gzip refused", "GET", "/assets/" + script.File, "gzip;q=0", 200, ""},
		{"head", "HEAD", "/assets/" + script.File, "gzip", 200, "gzip"},
		{"logical name", "GET", "/assets/" + script.Name, "", 404, ""},
		{"manifest", "GET", "/assets/manifest.json", "", 404, ""},
		{"post", "POST", "/assets/" + script.File, "", 405, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.path, nil)
			if tt.accept != "" {
				r.Header.Set("Accept-Encoding", tt.accept)
			}
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			if w.Code != tt.status || w.Header().Get("Content-Encoding") != tt.encoding {
				t.Fatalf("status %d, encoding %q", w.Code, w.Header().Get("Content-Encoding"))
			}
			if tt.status == http.StatusOK {
				checkBody(t, w, tt.method, script)
			}
		})
	}
}

func checkBody(t *testing.T, w *httptest.ResponseRecorder, method string, want Asset) {
	t.Helper()
	if h := w.Header(); h.Get("Content-Type") != want.Type || !strings.Contains(h.Get("Cache-Control"), "immutable") ||
		h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Vary") != "Accept-Encoding" {
		t.Errorf("headers %v", h)
	}
	if method == http.MethodHead {
		if w.Body.Len() != 0 {
			t.Errorf("HEAD has a body of %d bytes", w.Body.Len())
		}
		return
	}
	var body io.Reader = w.Body
	if w.Header().Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		body = z
	}
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, want.Bytes) {
		t.Errorf("body of %d bytes, want %d (%v)", len(got), len(want.Bytes), err)
	}
}

// TestAssetsNeedNoPermission: what the content policy of the pages refuses,
// and what they must not keep or call, is not in the built files.
func TestAssetsNeedNoPermission(t *testing.T) {
	for _, name := range []string{Pad, Ceremony, DeskPad, Guide, Style, Console, ConsoleStyle} {
		asset, err := mustLoad(t).Asset(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"eval(", "new Function", "innerHTML", "localStorage", "sessionStorage", "document.cookie", "http://", "https://", "sourceMappingURL"} {
			if bytes.Contains(asset.Bytes, []byte(bad)) {
				t.Errorf("%s contains %q", name, bad)
			}
		}
	}
}

func ExampleAssets_Asset() {
	assets, err := Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	style, err := assets.Asset(Style)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(style.Type)
	// Output: text/css; charset=utf-8
}

package browser

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os/exec"
	"testing"

	"github.com/liuma-pin/liuma/internal/door/holder"
	"github.com/liuma-pin/liuma/test/gallery"
)

// leastScore is the performance that every page must have by Lighthouse, on its
// phone: four times slower than this machine, 1.6 Mbit/s, 150 ms.
const leastScore = 90

var measure = flag.Bool("lighthouse", false, "measure every page with Lighthouse")

// TestLighthouse measures every page as a first visit finds it. What else runs on
// the machine counts against a page, so this is no test of make test.
func TestLighthouse(t *testing.T) {
	if !*measure {
		t.Skip("only with -lighthouse, on a machine that does nothing else")
	}
	list := gallery.Scenes()
	s := serve(t, gallery.NewAuthority(), holder.Config{Counter: gallery.Counter{}, Genuine: gallery.Genuine{}, Challenges: gallery.Challenges{}, Now: gallery.Now, Rules: gallery.Rules(), Agencies: gallery.Agencies()}, found)
	var pages []string
	for _, sc := range list {
		pages = append(pages, s.url+sc.Path)
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		chromium, err = exec.LookPath(windowless)
	}
	if err != nil {
		t.Fatal(err)
	}
	order, err := json.Marshal(map[string]any{"chromium": chromium, "profile": t.TempDir(), "language": "zh-CN", "pages": pages})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "lighthouse.mjs")
	cmd.Stdin = bytes.NewReader(order)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	measured := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); measured++ {
		var m struct {
			Address string
			Score   int
			Error   string
			Failed  []string
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		if m.Score < leastScore {
			t.Errorf("%s: %d, want %d; %s %q", m.Address, m.Score, leastScore, m.Error, m.Failed)
		}
		t.Logf("%s: %d %q", m.Address, m.Score, m.Failed)
	}
	if measured != len(pages) {
		t.Errorf("%d pages measured of %d: %s", measured, len(pages), stderr.String())
	}
}

// found answers 200 whatever the page is, because Lighthouse measures no page of
// another status.
func found(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&always{w}, r)
	})
}

// always is a response whose status is 200, but for redirects.
type always struct{ http.ResponseWriter }

func (w *always) WriteHeader(status int) {
	if status >= 400 {
		status = http.StatusOK
	}
	w.ResponseWriter.WriteHeader(status)
}

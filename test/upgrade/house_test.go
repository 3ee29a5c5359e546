package upgrade

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/ledger"
	ledgersqlite "github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/world"
)

// release is the one whose data is tried.
const release = "v0.1.0"

// expected is what the release says of its data.
type expected struct {
	Now   time.Time         `json:"now"`
	Cards map[string]card   `json:"cards"`
	Done  map[string]string `json:"done"`
	Wait  int               `json:"waiting_texts"`
}

type card struct {
	Number  string                  `json:"number"`
	Phone   string                  `json:"phone"`
	PIN     string                  `json:"pin"`
	Handles map[string]store.Handle `json:"handles"`
	Version liuma.Version           `json:"version"`
	Left    *int                    `json:"left"`
}

// unpack writes the data directory of the release to dir.
func unpack(t testing.TB, dir string) (want expected) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", release+".tar.gz"))
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return want
		}
		must(t, err)
		content, err := io.ReadAll(io.LimitReader(files, 16<<20))
		must(t, err)
		if h.Name == "expected.json" {
			must(t, json.Unmarshal(content, &want))
			continue
		}
		name, in := strings.CutPrefix(h.Name, "data/")
		if h.Typeflag != tar.TypeReg || !in || !filepath.IsLocal(name) {
			continue
		}
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, content, 0o600))
	}
}

// house is the release's directory, opened by this one.
type house struct {
	*testkit.Env
	want       expected
	app, other authority.Caller
}

// open opens a directory that was unpacked, on a machine that was started anew.
func open(t *testing.T, dir string, want expected) *house {
	t.Helper()
	clock := world.Still(want.Now)
	clock.Reboot(0)
	w, err := world.New(t.Context(), world.Config{Dir: dir, Clock: clock, Shape: "2/3",
		Init:      func(context.Context, string, config.Config) error { return nil },
		Configure: func(c *config.Config) error { c.AllowStandIn = false; return nil }})
	must(t, err)
	h := &house{Env: &testkit.Env{World: w, T: t}, want: want}
	t.Cleanup(func() { must(t, w.Close()) })
	for range 1000 {
		h.BusinessNo() // those of the release are used
	}
	h.app, h.other = h.caller("gov-app"), h.caller("zj-app")
	return h
}

func (h *house) caller(id string) (c authority.Caller) {
	h.T.Helper()
	must(h.T, h.System.Store.View(context.Background(), func(r store.Reader) (err error) {
		c.Client, err = r.Client(id)
		return err
	}))
	return c
}

// answer is the verdict about a PIN, or the code of its refusal.
func (h *house) answer(c authority.Caller, card store.Handle, pin string) (string, *int) {
	h.T.Helper()
	v, err := h.Authority().Verify(context.Background(), c, h.VerifyRequest(c, card, pin))
	switch known, ok := errors.AsType[*liuma.Error](err); {
	case err == nil && v.Code != "":
		return string(v.Code), v.TriesLeft
	case err == nil:
		return string(v.Verdict), v.TriesLeft
	case ok:
		return string(known.Code), nil
	}
	h.T.Fatal(err)
	return "", nil
}

// counts are the rows of every keeper's ledger.
func counts(t *testing.T, dir string) map[string][]ledger.Row {
	t.Helper()
	out := map[string][]ledger.Row{}
	for _, k := range []string{"k1", "k2", "k3"} {
		l, err := ledgersqlite.OpenCopy(t.Context(), filepath.Join(dir, "keepers", k, "ledger.db"))
		must(t, err)
		must(t, errors.Join(l.Scan(t.Context(), func(r ledger.Row) error {
			out[k] = append(out[k], r)
			return nil
		}), l.Close()))
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

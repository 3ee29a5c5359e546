package server_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	recording "github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// grows is one day of a small authority: verifications, upkeep, and a digest.
func grows(t *testing.T, e *testkit.Env, verify func()) {
	t.Helper()
	for range 4 {
		verify()
		e.Clock.Advance(6 * time.Hour)
	}
	err := errors.Join(e.System.Authority.MaintainOnce(t.Context()), e.System.Authority.RetainStep(t.Context()),
		e.System.Ceremonies.MaintainOnce(t.Context()))
	if _, digest := e.System.Record.Digest(t.Context()); errors.Join(err, digest) != nil {
		t.Fatal(err, digest)
	}
	for range 3 {
		if err := e.System.Record.RetainStep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheDatabaseStopsGrowing: with archives made each month, a database holds after
// 260 days what it held after 215.
func TestTheDatabaseStopsGrowing(t *testing.T) {
	if testing.Short() {
		t.Skip("260 days")
	}
	e := testkit.New(t, testkit.Options{Configure: func(c *config.Config) {
		c.Retention = config.Retention{Requests: 30, Ceremonies: 1, Record: 183, Letters: 30}
	}})
	ch := e.Channel("zj-hrss")
	card := e.Enroll(ch, e.People[0], "802751")
	archive := func() {
		t.Helper()
		plan, err := e.System.Record.Plan(t.Context(), time.Time{})
		if errors.Is(err, recording.ErrNothingToArchive) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		a, _, err := recording.PutArchive(filepath.Join(e.Dir, "archives"), plan.Number, func(w io.Writer) error {
			return e.System.Record.Export(t.Context(), recording.Query{Archive: plan.Digest}, w)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.System.Record.Keep(t.Context(), a.Token, "operator", "monthly"); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		info, err := os.Stat(filepath.Join(e.Dir, "liuma.db"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	sizes := map[int]int64{}
	for day := 1; day <= 260; day++ {
		grows(t, e, func() { e.Verify(ch, card, "802751") })
		if day%15 == 0 {
			archive()
		}
		if day%5 == 0 {
			sizes[day] = size()
		}
	}
	t.Logf("bytes after 30, 100, 180, 215, 260 days: %d %d %d %d %d", sizes[30], sizes[100], sizes[180], sizes[215], sizes[260])
	if sizes[260] > sizes[215]+sizes[215]/20 {
		t.Errorf("%d bytes after 215 days became %d after 260", sizes[215], sizes[260])
	}
	if sizes[180] < sizes[30]+sizes[30]/5 {
		t.Errorf("%d bytes after 30 days and %d after 180: the test does not grow", sizes[30], sizes[180])
	}
}

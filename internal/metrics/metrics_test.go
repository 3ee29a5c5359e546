package metrics

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/store"
)

var update = flag.Bool("update", false, "write docs/METRICS.md")

// TestDocument: docs/METRICS.md lists every metric of the authority.
func TestDocument(t *testing.T) {
	var out strings.Builder
	out.WriteString("# Metrics\n\nWhat a collector reads at an authority's `metrics` listener. Where to set it up, and what to look at, is in\n" +
		"[OPERATIONS](OPERATIONS.md#metrics); a keeper's own numbers are in [KEEPERS](KEEPERS.md#what-it-says-of-itself). Label values are words of\n" +
		"the program and names of keepers, never anything that a request brought. `go_…` and `process_…` come from\n" +
		"Prometheus' own collectors. `make update` writes this file from the program.\n\n| metric | kind | labels | what |\n|---|---|---|---|\n")
	for _, m := range New("x").All() {
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", m.Name, m.Kind, strings.Join(m.Labels, ", "), m.Help)
	}
	const path = "../../docs/METRICS.md"
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, []byte(out.String())) {
		t.Errorf("docs/METRICS.md is not what the program has (%v); write it with -update", err)
	}
}

// value is the value of a series, by a part of its line; false: there is none.
func value(t *testing.T, m *Metrics, name string, labels map[string]string) (float64, bool) {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, one := range f.GetMetric() {
			fits := true
			for _, l := range one.GetLabel() {
				if want, ok := labels[l.GetName()]; ok && want != l.GetValue() {
					fits = false
				}
			}
			if fits {
				return one.GetCounter().GetValue() + one.GetGauge().GetValue(), true
			}
		}
	}
	return 0, false
}

// TestLookIsAskedSeldom: collectors that ask again and again cause one look in LookConfig.Every.
func TestLookIsAskedSeldom(t *testing.T) {
	m, looks := New("x"), 0
	m.Look(LookConfig{Every: time.Hour, Logger: slog.New(slog.DiscardHandler), Measure: func(context.Context) (admin.Measures, error) { looks++; return admin.Measures{}, nil }})
	for range 5 {
		if _, err := m.registry.Gather(); err != nil {
			t.Fatal(err)
		}
	}
	if looks != 1 {
		t.Errorf("%d looks", looks)
	}
}

// TestALookThatFails says so, and shows nothing that it does not know.
func TestALookThatFails(t *testing.T) {
	m := New("x")
	m.Look(LookConfig{Every: time.Nanosecond, Logger: slog.New(slog.DiscardHandler), Measure: func(context.Context) (admin.Measures, error) {
		return admin.Measures{}, errors.New("no database")
	}})
	if n, ok := value(t, m, "liuma_look_failed", nil); !ok || n != 1 {
		t.Errorf("look_failed %v, %t", n, ok)
	}
	if _, ok := value(t, m, "liuma_ready", nil); ok {
		t.Error("it says whether it is ready")
	}
}

// TestAClockBehindIsTold: while the clock is behind nothing else can be looked at, and the
// collector learns why.
func TestAClockBehindIsTold(t *testing.T) {
	m := New("x")
	m.Look(LookConfig{Every: time.Nanosecond, Logger: slog.New(slog.DiscardHandler), Measure: func(context.Context) (admin.Measures, error) {
		return admin.Measures{Clock: admin.ClockState{Wall: time.Unix(1000, 0), High: time.Unix(1100, 0), Behind: true}}, errors.New("clock: behind")
	}})
	if n, ok := value(t, m, "liuma_clock_behind", nil); !ok || n != 1 {
		t.Errorf("clock_behind %v, %t", n, ok)
	}
	if n, ok := value(t, m, "liuma_clock_high_behind_seconds", nil); !ok || n != -100 {
		t.Errorf("clock_high_behind_seconds %v, %t", n, ok)
	}
}

// TestUnknownWords: what is no word of the program is one series, whatever it says.
func TestUnknownWords(t *testing.T) {
	m := New("x")
	alarms := []admin.Alarm{{Kind: "not_ready"}, {Kind: "card 0001 of Wang"}, {Kind: "another"}}
	m.Look(LookConfig{Every: time.Nanosecond, Logger: slog.New(slog.DiscardHandler), Measure: func(context.Context) (admin.Measures, error) {
		return admin.Measures{Alarms: alarms, Status: admin.Status{Keepers: []admin.KeeperState{{ID: "k1", State: "as it likes"}}}}, nil
	}})
	if n, _ := value(t, m, "liuma_alarms", map[string]string{"kind": other}); n != 2 {
		t.Errorf("%v other alarms, want 2", n)
	}
	if n, _ := value(t, m, "liuma_quorum_state", map[string]string{"state": other}); n != 1 {
		t.Errorf("a state that nobody knows: %v", n)
	}
	m.Finished(door.Finished{Door: "channel", Status: 42})
	if n, _ := value(t, m, "liuma_requests_total", map[string]string{"route": "none", "status": other}); n != 1 {
		t.Errorf("a request without a route: %v", n)
	}
}

// broken is a store whose every call fails.
type broken struct {
	store.Store
	err error
}

func (b broken) View(context.Context, func(store.Reader) error) error { return b.err }

func (b broken) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	if _, err := f(nil); err != nil {
		return err
	}
	return b.err
}

// TestOnlyWhatWasKeptIsCounted: an entry whose commit failed is no event, and the failure
// is counted by its kind; the error stays what it was.
func TestOnlyWhatWasKeptIsCounted(t *testing.T) {
	entry := func(store.Tx) (audit.Entry, error) {
		return audit.Entry{Event: audit.AttemptDecided, Outcome: "right"}, nil
	}
	for _, c := range []struct {
		err    error
		word   string
		events float64
	}{{nil, "", 1}, {store.ErrUndecided, "undecided", 0}, {fmt.Errorf("x: %w", store.ErrFull), "full", 0}, {errors.New("refused by the act"), "", 0}} {
		m := New("x")
		if err := m.Store(broken{err: c.err}).Update(t.Context(), entry); err != c.err { //nolint:errorlint // the same value
			t.Errorf("%v became %v", c.err, err)
		}
		if n, _ := value(t, m, "liuma_events_total", nil); n != c.events {
			t.Errorf("after %v: %v events", c.err, n)
		}
		failed := 0.0
		for _, e := range storeErrors() {
			n, _ := value(t, m, "liuma_store_errors_total", map[string]string{"error": e.word})
			failed += n
			if n == 1 && e.word != c.word {
				t.Errorf("%v is counted as %s", c.err, e.word)
			}
		}
		if (failed == 1) != (c.word != "") {
			t.Errorf("after %v: %v failures", c.err, failed)
		}
	}
}

// labelWords are all labels that there may be, and whether their values are words that the
// program has; keepers are named by the configuration, routes by the doors.
func labelWords() map[string]bool {
	return map[string]bool{"door": true, "route": true, "status": true, "verdict": true, "event": true, "act": true, "error": true, "keeper": true,
		"request": true, "release": true, "state": true, "queue": true, "kind": true, "pool": true}
}

// TestLabelsAreAClosedSet: a label that could name a client, a card or a person is none of
// them, and no help or name speaks of one's value.
func TestLabelsAreAClosedSet(t *testing.T) {
	for _, m := range New("x").All() {
		for _, l := range m.Labels {
			if !labelWords()[l] {
				t.Errorf("%s has the label %q: say first why its values are bounded and nobody's", m.Name, l)
			}
		}
	}
}

// TestBatches: how many shared a commit, a write and a request is counted where it is told.
func TestBatches(t *testing.T) {
	m := New("x")
	m.Committed(7)
	m.Wrote(3)
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"liuma_store_updates_per_commit": 7, "liuma_ledger_spends_per_write": 3}
	for _, f := range families {
		if sum, ok := want[f.GetName()]; ok {
			if h := f.GetMetric()[0].GetHistogram(); h.GetSampleSum() != sum || h.GetSampleCount() != 1 {
				t.Errorf("%s: %v of %d", f.GetName(), h.GetSampleSum(), h.GetSampleCount())
			}
			delete(want, f.GetName())
		}
	}
	for name := range want {
		t.Errorf("no %s", name)
	}
}

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/split"
)

// ahead is a machine whose clock is so far ahead of the true one.
type ahead struct{ by atomic.Int64 }

// Read implements clock.Machine.
func (a *ahead) Read() clock.Reading {
	r := clock.System().Read()
	r.Wall = r.Wall.Add(time.Duration(a.by.Load()))
	return r
}

// TestClockThatIsAhead walks through "A time that lags" of docs/KEEPERS.md over a keeper's own
// directory, where the machine's clock went a week ahead of the ledger's time: the command says
// so, refuses what two persons have not said, moves the time by their word, and what the real
// program then finds when the clock is set back is a clock that is behind, not a time that fell.
func TestClockThatIsAhead(t *testing.T) {
	base, err := os.MkdirTemp("", "ahead") // short: a socket's path has bounds
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	dirs := []string{filepath.Join(base, "k1"), filepath.Join(base, "k2"), filepath.Join(base, "k3")}
	if _, err := keeper.CreateQuorum(t.Context(), dirs, split.Shape{T: 2, N: 3}); err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, id: "k1", dir: dirs[0], listen: "127.0.0.1:0"}
	p.run("init", "--member", "1", "--address", "127.0.0.1:7601", "--listen", p.listen)

	const week = 7 * 24 * time.Hour
	machine := &ahead{}
	stop := serveOn(t, p.dir, machine)
	machine.by.Store(int64(week))
	if out := p.run("clock"); !strings.Contains(out, "The ledger's time is behind") || !strings.Contains(out, "clock --accept --heard") {
		t.Errorf("a time that lags:\n%s", out)
	}
	if out := p.run("status"); !strings.Contains(out, "liuma-keeper clock") {
		t.Errorf("status does not say what to do:\n%s", out)
	}
	spoken := func(at time.Time) string { return host.SpokenTime(at) }
	for what, c := range map[string]struct {
		args []string
		want string
	}{
		"no second person":    {[]string{"--heard", spoken(time.Now().Add(week)), "--why", "off for a week"}, "--with"},
		"itself":              {[]string{"--heard", spoken(time.Now().Add(week)), "--with", "k1", "--why", "off"}, "--with is the name of another keeper"},
		"the true time":       {[]string{"--heard", spoken(time.Now()), "--with", "k2", "--why", "off"}, "see which of the two clocks is wrong"},
		"half of the numbers": {[]string{"--heard", "2026 1130", "--with", "k2", "--why", "off"}, "12"},
	} {
		if out, err := p.try(append([]string{"clock", "--accept"}, c.args...)...); err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
	}
	accept := []string{"clock", "--accept", "--heard", spoken(time.Now().Add(week)), "--with", "k2", "--why", "off for a week"}
	if out := p.run(accept...); !strings.Contains(out, "acts.jsonl") {
		t.Errorf("accepted:\n%s", out)
	}
	if out := p.run("clock"); strings.Contains(out, "The ledger's time is behind") {
		t.Errorf("it lags still:\n%s", out)
	}
	acts, err := os.ReadFile(filepath.Join(p.dir, "acts.jsonl"))
	if err != nil || !strings.Contains(string(acts), `"with":"k2"`) || strings.Count(string(acts), "\n") != 1 {
		t.Errorf("%v: %s", err, acts)
	}
	stop()

	p.start() // the clock was wrong after all, and is set right
	if out := p.run("status"); !strings.Contains(out, "set the machine's clock right") {
		t.Errorf("a clock that is behind:\n%s", out)
	}
	if out, err := p.try("clock", "--accept", "--heard", spoken(time.Now()), "--with", "k2", "--why", "back"); err == nil || !strings.Contains(out, "the machine's clock is behind the ledger's time; set the clock right") {
		t.Errorf("accepted a clock that is behind: %v\n%s", err, out)
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// serveOn serves a directory in this process, on a machine whose clock a test sets: that of the
// machine that it is on is everybody's.
func serveOn(t *testing.T, dir string, machine clock.Machine) (stop func()) {
	t.Helper()
	d, err := host.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.Start(t.Context(), d, host.Options{Logger: slog.New(slog.DiscardHandler), Machine: machine})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- h.Serve(ctx, func(host.Addresses) { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(fmt.Errorf("does not serve: %w", err))
	}
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

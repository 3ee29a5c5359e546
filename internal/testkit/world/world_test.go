package world_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/world"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func open(t *testing.T, c world.Config) *world.World {
	t.Helper()
	c.Dir = filepath.Join(t.TempDir(), "data")
	if c.Clock == nil {
		c.Clock = world.Still(start)
	}
	w, err := world.New(t.Context(), c)
	must(t, w, err)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	ln, err := world.Loopback()
	return must(t, ln, err)
}

func TestClock(t *testing.T) {
	still := world.Still(start)
	if still.Advance(-time.Hour); !still.Now().Equal(start.Add(-time.Hour)) {
		t.Errorf("stands at %v", still.Now())
	}
	if still.CatchUp() {
		t.Error("a clock that stands still caught up")
	}
	running := world.Running(-time.Hour)
	if behind := time.Since(running.Now()); behind < time.Hour || behind > time.Hour+time.Minute {
		t.Errorf("runs %v behind", behind)
	}
	if !running.CatchUp() || time.Since(running.Now()).Abs() > time.Minute {
		t.Errorf("caught up to %v", running.Now())
	}
	running.Advance(time.Hour)
	if running.CatchUp() || time.Until(running.Now()) < 59*time.Minute {
		t.Error("a clock that is ahead went back")
	}
}

// TestParties: a client has its key and its name, calls the native door with
// it, and is registered exactly as an operator would do it.
func TestParties(t *testing.T) {
	w := open(t, world.Config{Native: loopback(t), Hosted: loopback(t)})
	if err := w.Serve(); err != nil {
		t.Fatal(err)
	}
	p, err := w.Register(t.Context(), world.NationalChannel("zj-hrss", "https://zj.example/back"))
	must(t, p, err)
	if p.Name == (liuma.Text{}) || !p.At.Equal(start) || len(p.RedirectURIs) != 1 || len(p.Actions) != len(liuma.Actions()) {
		t.Errorf("registered as %+v", p.Client)
	}
	if _, err := w.Register(t.Context(), world.NationalChannel("zj-hrss")); !errors.Is(err, admin.ErrTaken) {
		t.Errorf("registered twice: %v", err)
	}
	if _, err := w.Register(t.Context(), store.Client{ID: "desk", Kind: store.ClientHotline, Actions: liuma.Actions()}); !errors.Is(err, admin.ErrClient) {
		t.Errorf("a hotline with actions: %v", err)
	}
	c, err := p.Connect(w.API(), nil)
	must(t, c, err)
	if ch, err := c.Challenge(t.Context()); err != nil || ch.Value == "" {
		t.Errorf("no challenge: %v", err)
	}
	resp, err := http.Get(w.Issuer() + "/.well-known/openid-configuration")
	if must(t, resp, err); resp.Body.Close() != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the hosted door answers %d", resp.StatusCode)
	}
	if pem, err := p.PrivatePEM(); err != nil || !bytes.HasPrefix(pem, []byte("-----BEGIN PRIVATE KEY-----")) {
		t.Errorf("key: %v", err)
	}
}

// TestPeople: the sample is the same for a seed, and who is listed of it is in
// the registry.
func TestPeople(t *testing.T) {
	w := open(t, world.Config{})
	file, inUse, err := world.Sample(30, 7)
	must(t, file, err)
	if again, _, err := world.Sample(30, 7); err != nil || !bytes.Equal(again, file) {
		t.Errorf("another sample of one seed: %v", err)
	}
	if kept, err := w.Import(t.Context(), bytes.NewReader(file), nil); err != nil || kept != 30 {
		t.Errorf("%d kept, %v", kept, err)
	}
	if len(inUse) == 0 || len(inUse) > 30 {
		t.Errorf("%d with a card in use", len(inUse))
	}
	header, _, _ := strings.Cut(string(file), "\n")
	for name, bad := range map[string]string{"nobody": header + "\n", "rejected": header + "\n1,x,,,33,normal\n"} {
		if _, err := w.Import(t.Context(), strings.NewReader(bad), nil); err == nil {
			t.Errorf("%s: imported", name)
		}
	}
}

// TestOpenAgain: closing frees the addresses; opening finds the data, and the
// phones keep their messages.
func TestOpenAgain(t *testing.T) {
	native := loopback(t)
	w := open(t, world.Config{Native: native, Phones: true})
	if err := w.Serve(); err != nil {
		t.Fatal(err)
	}
	p, err := w.Register(t.Context(), world.NationalChannel("zj-hrss"))
	must(t, p, err)
	inbox := w.Inbox
	if err := w.Close(); err != nil || w.System != nil {
		t.Fatalf("closed: %v", err)
	}
	ln, err := net.Listen("tcp", native.Addr().String())
	if must(t, ln, err).Close() != nil {
		t.Error("not free")
	}
	if err := w.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Serve(); err == nil {
		t.Error("serves without a listener")
	}
	if w.Inbox != inbox || w.System.Outbox == nil {
		t.Error("other phones")
	}
	err = w.System.Store.View(t.Context(), func(r store.Reader) error { _, err := r.Client(p.ID); return err })
	if err != nil {
		t.Errorf("the channel is gone: %v", err)
	}
}

// TestWait: it ends with its context, and with a door that fails.
func TestWait(t *testing.T) {
	native := loopback(t)
	w := open(t, world.Config{Native: native})
	if err := w.Serve(); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := w.Wait(ended); err != nil {
		t.Errorf("ended with %v", err)
	}
	if err := native.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a door failed: %v", err)
	}
	if err := w.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed with %v", err)
	}
}

// TestConfigIsChecked: after a refused Config no listener is open.
func TestConfigIsChecked(t *testing.T) {
	full := t.TempDir()
	first, err := world.New(t.Context(), world.Config{Dir: full, Clock: world.Still(start)})
	if must(t, first, err).Close() != nil {
		t.Fatal("not closed")
	}
	refused := errors.New("refused")
	for name, c := range map[string]world.Config{
		"no directory":       {Clock: world.Still(start)},
		"no clock":           {Dir: t.TempDir()},
		"a full directory":   {Dir: full, Clock: world.Still(start)},
		"an unknown shape":   {Dir: t.TempDir(), Clock: world.Still(start), Shape: "7/5"},
		"a refused change":   {Dir: t.TempDir(), Clock: world.Still(start), Configure: func(*config.Config) error { return refused }},
		"a bad change":       {Dir: t.TempDir(), Clock: world.Still(start), Configure: func(c *config.Config) error { c.Issuer = "no address"; return nil }},
		"hosted, not native": {Dir: t.TempDir(), Clock: world.Still(start), Hosted: loopback(t)},
	} {
		if c.Native == nil && c.Hosted == nil {
			c.Native = loopback(t)
		}
		ln := c.Native
		if ln == nil {
			ln = c.Hosted
		}
		if w, err := world.New(t.Context(), c); err == nil || w != nil {
			t.Errorf("%s: made", name)
		}
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: the listener is open", name)
		}
	}
	if w := open(t, world.Config{Configure: func(c *config.Config) error { c.AllowStandIn = false; return nil }}); w.Provider != nil {
		t.Error("a provider where none is allowed")
	}
}

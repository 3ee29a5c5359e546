package server_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestADeletedTimeIsNotBegunAnew: who deletes the time of a database ends no
// wait with it (I-15).
func TestADeletedTimeIsNotBegunAnew(t *testing.T) {
	e := testkit.New(t, testkit.Options{})
	c, err := config.Load(e.Dir)
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	db, err := sql.Open("sqlite", filepath.Join(e.Dir, "liuma.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DELETE FROM clock"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := server.Open(t.Context(), c, server.Options{Machine: e.Clock}); !errors.Is(err, server.ErrNoTime) {
		if err == nil {
			err = s.Close()
		}
		t.Fatalf("opened: %v", err)
	}
}

// record reads the events of a kind.
func record(t *testing.T, s store.Store, event audit.Event) (out []audit.Entry) {
	t.Helper()
	err := s.View(context.Background(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		out = nil
		for _, entry := range all {
			if entry.Event == event {
				out = append(out, entry.Entry)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAClockBehindIsRecordedOnce: the record says once that nothing is served,
// and again only when the clock was right in between.
func TestAClockBehindIsRecordedOnce(t *testing.T) {
	e := testkit.New(t, testkit.Options{})
	for range 2 {
		e.Clock.Step(-2 * time.Minute)
		for range 3 {
			if err := e.System.Authority.Ready(t.Context()); !errors.Is(err, clock.ErrBehind) {
				t.Fatalf("ready: %v", err)
			}
			if _, err := e.Authority().Client(t.Context(), "nobody"); !errors.Is(err, clock.ErrBehind) {
				t.Fatalf("served: %v", err)
			}
		}
		e.Clock.Step(2 * time.Minute)
		if err := e.System.Authority.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Authority().Client(t.Context(), "nobody"); errors.Is(err, clock.ErrBehind) {
			t.Fatalf("right again: %v", err)
		}
	}
	got := record(t, e.System.Store, audit.ClockBehind)
	if len(got) != 2 || got[0].Note != "by=2m0s" {
		t.Errorf("the record has %+v", got)
	}
}

// TestTheTimeSurvivesAKill: the time of a server that did not end in order goes
// on as long as the machine stays up, and from the last save after a reboot.
func TestTheTimeSurvivesAKill(t *testing.T) {
	e := testkit.New(t, testkit.Options{})
	if err := e.System.Authority.MaintainOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	saved := e.System.Clock.Now()
	e.Clock.Advance(time.Hour)
	var kept clock.State
	if err := e.System.Store.View(t.Context(), func(r store.Reader) (err error) {
		kept, err = r.Clock()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got := clock.Resume(e.Clock, kept).Now(); !got.Equal(saved.Add(time.Hour)) {
		t.Errorf("after a kill: %v, want %v", got, saved.Add(time.Hour))
	}
	e.Clock.Reboot(time.Hour)
	if got := clock.Resume(e.Clock, kept).Now(); !got.Equal(saved) {
		t.Errorf("after a reboot: %v, want %v", got, saved)
	}
}

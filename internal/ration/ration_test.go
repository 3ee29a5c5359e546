package ration_test

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ration"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newVault(t testing.TB) *vault.Vault {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.key")
	must(t, vault.Create(path))
	v, err := vault.Open(path)
	must(t, err)
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// world is a database as two authorities see it; reopen starts both anew.
type world struct {
	one, two store.Store
	reopen   func()
}

// onFile is an SQLite file, which one process has: both of it are the same.
func onFile(t *testing.T) *world {
	path, v := filepath.Join(t.TempDir(), "authority.db"), newVault(t)
	w := &world{}
	var s store.Store
	w.reopen = func() {
		if s != nil {
			must(t, s.Close())
		}
		db, err := sqlite.Open(t.Context(), path, sqlite.Config{Seal: v})
		must(t, err)
		s, w.one, w.two = db, db, db
	}
	w.reopen()
	t.Cleanup(func() { _ = s.Close() })
	return w
}

// onServer is a real PostgreSQL, with two authorities.
func onServer(t *testing.T) *world {
	v := newVault(t)
	dsn := pgtest.New(t, func(dsn string) error {
		s, err := postgres.Open(context.Background(), postgres.Config{DSN: dsn, Seal: v})
		if err != nil {
			return err
		}
		return s.Close()
	})
	w := &world{}
	var open []store.Store
	w.reopen = func() {
		for _, s := range open {
			must(t, s.Close())
		}
		open = nil
		for _, name := range []string{"authority-a", "authority-b"} {
			s, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, Seal: v, Name: name})
			must(t, err)
			open = append(open, s)
		}
		w.one, w.two = open[0], open[1]
	}
	w.reopen()
	t.Cleanup(func() {
		for _, s := range open {
			_ = s.Close()
		}
	})
	return w
}

func onBoth(t *testing.T, f func(t *testing.T, w *world)) {
	for name, open := range map[string]func(*testing.T) *world{"file": onFile, "server": onServer} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

// start is a whole hour.
func start() time.Time { return time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC) }

func source(n int) (s vault.Index) {
	binary.BigEndian.PutUint64(s[:], uint64(n)+1)
	return s
}

// take takes one, and reports until when it was refused.
func take(t testing.TB, s store.Store, c ration.Codes, from int, now time.Time) (ration.Taken, time.Time) {
	t.Helper()
	taken, until, err := c.Spend(t.Context(), s, source(from), now)
	must(t, err)
	return taken, until
}

func giveBack(t testing.TB, s store.Store, taken ration.Taken) {
	t.Helper()
	must(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, taken.GiveBack(tx) }))
}

func codes() ration.Codes {
	return ration.Codes{Kind: "test_codes", Source: 10, Sources: 100, Others: 20, Alarm: 5}
}

// TestTogether: of many that come at once to two authorities, as many are taken as a source
// may give; a restart gives none back, and the next hour does.
func TestTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		now, end := start().Add(time.Minute), start().Add(time.Hour)
		var taken atomic.Int64
		var wg sync.WaitGroup
		for i := range 40 {
			s := []store.Store{w.one, w.two}[i%2]
			wg.Go(func() {
				_, until, err := codes().Spend(t.Context(), s, source(1), now)
				switch {
				case err != nil:
					t.Error(err)
				case until.IsZero():
					taken.Add(1)
				case !until.Equal(end):
					t.Errorf("slowed until %s", until)
				}
			})
		}
		wg.Wait()
		if n := taken.Load(); n != 10 {
			t.Errorf("%d were taken of a ration of 10", n)
		}
		w.reopen()
		for i, s := range []store.Store{w.one, w.two} {
			if _, until := take(t, s, codes(), 1, now); !until.Equal(end) {
				t.Errorf("authority %d takes more after a restart (until %s)", i, until)
			}
		}
		if _, until := take(t, w.two, codes(), 1, end); !until.IsZero() {
			t.Error("it is slowed for more than the hour")
		}
	})
}

// TestRightOnesAreGivenBack: they count for nothing, and one that is given back late frees
// nothing of a later hour.
func TestRightOnesAreGivenBack(t *testing.T) {
	w := onFile(t)
	now := start()
	for range 50 {
		taken, until := take(t, w.one, codes(), 1, now)
		if !until.IsZero() {
			t.Fatal("right ones slow their source")
		}
		giveBack(t, w.one, taken)
	}
	late, _ := take(t, w.one, codes(), 1, now)
	next := now.Add(time.Hour)
	right, _ := take(t, w.one, codes(), 1, next)
	giveBack(t, w.one, right)
	for range 10 {
		if _, until := take(t, w.one, codes(), 1, next); !until.IsZero() {
			t.Fatal("fewer than ten in the next hour")
		}
	}
	giveBack(t, w.one, late)
	if _, until := take(t, w.one, codes(), 1, next); until.IsZero() {
		t.Error("what was taken in the hour before was given back to this one")
	}
}

// TestManySources: with more sources than are counted one by one, those that come later are
// counted together, or not at all; nobody who is counted alone is slowed by them, and they
// are counted anew with the next hour.
func TestManySources(t *testing.T) {
	w := onFile(t)
	c := ration.Codes{Kind: "few", Source: 3, Sources: 4, Others: 6, Alarm: 5}
	now := start()
	for from := range 4 {
		take(t, w.one, c, from, now)
	}
	tried := 0
	for i := range 20 {
		if _, until := take(t, w.one, c, 100+i, now); until.IsZero() {
			tried++
		}
	}
	if tried != 6 {
		t.Errorf("%d were taken of sources that are not counted one by one, want 6", tried)
	}
	if _, until := take(t, w.one, c, 1, now); !until.IsZero() {
		t.Error("one that is counted by itself is slowed by others")
	}
	if _, until := take(t, w.one, c, 100, now.Add(time.Hour)); !until.IsZero() {
		t.Error("they are slowed for more than an hour")
	}
	c.Others = 0
	for range 10 {
		if _, until := take(t, w.one, c, 100, now); !until.IsZero() {
			t.Error("a source that is not counted is slowed")
		}
	}
}

// TestTheAlarmComesOnce: wrong ones of two authorities add up to it, one of them hears of it,
// and what could not be saved is saved the next time.
func TestTheAlarmComesOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		var here, there ration.Wrong
		save := func(x *ration.Wrong, s store.Store) bool {
			t.Helper()
			alarm, err := x.Save(t.Context(), s, codes(), start())
			must(t, err)
			return alarm
		}
		for range 3 {
			here.Add()
			there.Add()
		}
		ended, stop := context.WithCancel(t.Context())
		stop()
		if _, err := here.Save(ended, w.one, codes(), start()); err == nil {
			t.Error("saved although it could not be")
		}
		if save(&here, w.one) {
			t.Error("an alarm after three")
		}
		if !save(&there, w.two) {
			t.Error("no alarm after six")
		}
		here.Add()
		if save(&here, w.one) || save(&there, w.two) {
			t.Error("told again")
		}
	})
}

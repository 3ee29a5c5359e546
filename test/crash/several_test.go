package crash

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/keepers"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// hung is how long a call may take where an authority is suspended, which answers none.
const hung = 20 * time.Second

// several are authorities on one database, each a process and a directory of its own.
type several struct {
	at   []*house
	db   *pgx.Conn
	kept *keepers.House
}

func newSeveral(t *testing.T, n, people int) *several {
	t.Helper()
	clock := testkit.RunningClock(0)
	kept, err := keepers.New(t.Context(), keepers.Config{Dir: t.TempDir(), Machine: clock})
	must(t, err)
	t.Cleanup(func() { must(t, kept.Close()) })
	dsn := testkit.NewDatabase(t)
	h := &house{binary: build(t), within: hung, Env: testkit.New(t, testkit.Options{House: kept, People: people, Clock: clock,
		Configure: func(c *config.Config) { c.Log, c.Database = "error", dsn }})}
	h.channel = h.AddParty(testkit.NationalChannel(channelID))
	h.leave(t)
	s := &several{at: []*house{h}, kept: kept}
	for len(s.at) < n {
		s.at = append(s.at, h.beside(t))
	}
	s.db, err = pgx.Connect(t.Context(), dsn)
	must(t, err)
	t.Cleanup(func() { _ = s.db.Close(context.Background()) })
	return s
}

// beside is another authority with the same keys and keepers, in a directory of its own.
func (h *house) beside(t *testing.T) *house {
	t.Helper()
	other := &house{binary: h.binary, within: h.within, Env: h.Env, channel: h.channel, dir: filepath.Join(t.TempDir(), "data")}
	from := os.DirFS(h.Dir)
	must(t, fs.WalkDir(from, ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || path == server.NameFile || !e.IsDir() && !e.Type().IsRegular():
			return err
		case e.IsDir():
			return os.MkdirAll(filepath.Join(other.dir, path), 0o700)
		}
		content, err := fs.ReadFile(from, path)
		return errors.Join(err, os.WriteFile(filepath.Join(other.dir, path), content, 0o600))
	}))
	var err error
	other.config, err = config.Load(other.dir)
	must(t, err)
	t.Cleanup(func() {
		if other.process != nil {
			_ = other.process.Process.Kill()
			_ = other.process.Wait()
		}
	})
	return other
}

// count is a number that the database says.
func (p *several) count(t *testing.T, text string) (n int) {
	t.Helper()
	must(t, p.db.QueryRow(t.Context(), text).Scan(&n))
	return n
}

// until waits for something that comes by itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	patience.Until(t, what, is)
}

// TestOneOfTwoAuthorities is killed under load, and later suspended for longer than a hold
// lasts. Holders at the other one notice nothing; those of the one that is gone find there,
// after a moment, exactly one PIN right; what it did for all goes over; and of one card no
// two guesses were ever under way at once.
func TestOneOfTwoAuthorities(t *testing.T) {
	p := newSeveral(t, 2, 16)
	first, second := p.at[0], p.at[1]
	for _, f := range first.People[:8] {
		first.holders = append(first.holders, first.newHolder(f))
	}
	first.start(t)
	second.start(t)
	first.enrollAll(t)
	half := len(first.holders) / 2
	here, there := first.holders[:half], first.holders[half:]

	// live has all act, and ends the first authority's part by stop.
	live := func(stop func()) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		var atFirst, atSecond sync.WaitGroup
		for _, h := range here {
			atFirst.Go(func() { h.live(t.Context(), first) })
		}
		for _, h := range there {
			atSecond.Go(func() { h.live(ctx, second) })
		}
		time.Sleep(2 * time.Second)
		before := second.verdicts.Load()
		stop()
		until(t, "the other one serves on", func() bool { return second.verdicts.Load() > before })
		atFirst.Wait()
		cancel()
		atSecond.Wait()
		for _, h := range first.holders {
			must(t, h.broken)
		}
		until(t, "nothing is under way", func() bool {
			return p.count(t, "SELECT (SELECT count(*) FROM holds WHERE until > clock_timestamp()) + (SELECT count(*) FROM intents)") == 0
		})
	}

	live(func() { first.kill(t) })
	until(t, "the dead one has ended", func() bool {
		return p.count(t, "SELECT count(*) FROM authorities WHERE process IS NOT NULL") == 1
	})
	until(t, "its holds have ended", func() bool {
		return p.count(t, "SELECT count(*) FROM holds WHERE owner NOT IN (SELECT process FROM authorities WHERE process IS NOT NULL)") == 0
	})
	until(t, "all duties are the other's", func() bool {
		return p.count(t, "SELECT count(*) FROM duties WHERE owner IN (SELECT process FROM authorities WHERE process IS NOT NULL)") == 5
	})
	cut := 0
	for _, h := range first.holders {
		cut += h.resolve(t, second)
	}
	t.Logf("killed: %d changes of a PIN were cut off", cut)

	first.start(t)
	suspended := first.process.Process
	live(func() { must(t, suspended.Signal(syscall.SIGSTOP)) })
	for _, h := range first.holders {
		cut += h.resolve(t, second)
	}
	must(t, suspended.Signal(syscall.SIGCONT))
	until(t, "the one that was suspended serves again", func() bool {
		_, err := first.client.Challenge(t.Context())
		return err == nil
	})
	for _, h := range first.holders {
		for _, at := range []*house{first, second} {
			if v := h.ask(t, at, h.pin); v != "right" {
				t.Errorf("%s: the PIN that was right is %s", h.facts.CardNo, v)
			}
		}
	}
	t.Logf("%d changes of a PIN were cut off in all", cut)
	if n := p.count(t, `SELECT count(*) FROM (SELECT event, lag(event) OVER (PARTITION BY stream ORDER BY number) AS before FROM audit
		WHERE kind = 1 AND event LIKE 'attempt.%') AS e WHERE event = 'attempt.begun' AND before = 'attempt.begun'`); n > 2*half {
		t.Errorf("%d guesses were begun while another was in flight; each end cuts off one a card at most", n)
	}
}

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
)

// pair is two authorities on one database, each a process and a directory of its own.
type pair struct {
	first, second *house
	db            *pgx.Conn
}

func newPair(t *testing.T, people int) *pair {
	t.Helper()
	clock := testkit.RunningClock(0)
	kept, err := keepers.New(t.Context(), keepers.Config{Dir: t.TempDir(), Machine: clock})
	must(t, err)
	t.Cleanup(func() { must(t, kept.Close()) })
	dsn := testkit.NewDatabase(t)
	h := &house{binary: build(t), Env: testkit.New(t, testkit.Options{House: kept, People: 2 * people, Clock: clock,
		Configure: func(c *config.Config) { c.Log, c.Database = "error", dsn }})}
	h.channel = h.AddParty(testkit.NationalChannel(channelID))
	for _, f := range h.People[:people] {
		h.holders = append(h.holders, h.newHolder(f))
	}
	h.leave(t)
	other := &house{binary: h.binary, Env: h.Env, channel: h.channel, dir: filepath.Join(t.TempDir(), "data")}
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
	other.config, err = config.Load(other.dir)
	must(t, err)
	t.Cleanup(func() {
		if other.process != nil {
			_ = other.process.Process.Kill()
			_ = other.process.Wait()
		}
	})
	p := &pair{first: h, second: other}
	p.db, err = pgx.Connect(t.Context(), dsn)
	must(t, err)
	t.Cleanup(func() { _ = p.db.Close(context.Background()) })
	return p
}

// count is a number that the database says.
func (p *pair) count(t *testing.T, text string) (n int) {
	t.Helper()
	must(t, p.db.QueryRow(t.Context(), text).Scan(&n))
	return n
}

// until waits for something that comes by itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// TestOneOfTwoAuthorities is killed under load, and later suspended for longer than a hold
// lasts. Holders at the other one notice nothing; those of the one that is gone find there,
// after a moment, exactly one PIN right; what it did for all goes over; and of one card no
// two guesses were ever under way at once.
func TestOneOfTwoAuthorities(t *testing.T) {
	p := newPair(t, 8)
	p.first.start(t)
	p.second.start(t)
	p.first.enrollAll(t)
	half := len(p.first.holders) / 2
	here, there := p.first.holders[:half], p.first.holders[half:]

	// live has all act, and ends the first authority's part by stop.
	live := func(stop func()) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		var atFirst, atSecond sync.WaitGroup
		for _, h := range here {
			atFirst.Go(func() { h.live(t.Context(), p.first) })
		}
		for _, h := range there {
			atSecond.Go(func() { h.live(ctx, p.second) })
		}
		time.Sleep(2 * time.Second)
		before := p.second.verdicts.Load()
		stop()
		until(t, "the other one serves on", func() bool { return p.second.verdicts.Load() > before })
		atFirst.Wait()
		cancel()
		atSecond.Wait()
		for _, h := range p.first.holders {
			must(t, h.broken)
		}
		until(t, "nothing is under way", func() bool {
			return p.count(t, "SELECT (SELECT count(*) FROM holds WHERE until > clock_timestamp()) + (SELECT count(*) FROM intents)") == 0
		})
	}

	live(func() { p.first.kill(t) })
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
	for _, h := range p.first.holders {
		cut += h.resolve(t, p.second)
	}
	t.Logf("killed: %d changes of a PIN were cut off", cut)

	p.first.start(t)
	suspended := p.first.process.Process
	live(func() { must(t, suspended.Signal(syscall.SIGSTOP)) })
	for _, h := range p.first.holders {
		cut += h.resolve(t, p.second)
	}
	must(t, suspended.Signal(syscall.SIGCONT))
	until(t, "the one that was suspended serves again", func() bool {
		_, err := p.first.client.Challenge(t.Context())
		return err == nil
	})
	for _, h := range p.first.holders {
		for _, at := range []*house{p.first, p.second} {
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

package keeper

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

func TestQuorumRefusesMistakes(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	change := func(f func(*Target, *Guess)) (Target, Guess) {
		tt, g := target, Guess{}
		f(&tt, &g)
		return tt, g
	}
	for name, f := range map[string]func(*Target, *Guess){
		"no card":     func(t *Target, _ *Guess) { t.Card = liuma.CardID{} },
		"no version":  func(t *Target, _ *Guess) { t.Version = 0 },
		"no verifier": func(t *Target, _ *Guess) { t.Verifier = liuma.Verifier{} },
		"no lane":     func(_ *Target, g *Guess) { g.Lane = 2 },
		"reserve":     func(_ *Target, g *Guess) { g.Reserve = -1 },
		"reopen":      func(_ *Target, g *Guess) { g.Reopen = true },
	} {
		tt, g := change(f)
		if _, err := q.Attempt(t.Context(), tt, g, []byte(good)); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v, want ErrRequest", name, err)
		}
	}
	if _, err := q.Attempt(t.Context(), target, Guess{}, nil); !errors.Is(err, ErrRequest) {
		t.Errorf("no secret: %v, want ErrRequest", err)
	}
	if _, err := q.Propose(t.Context(), target, 0, 1, []byte(good)); !errors.Is(err, ErrRequest) {
		t.Errorf("no version: %v, want ErrRequest", err)
	}
	if _, err := q.Commit(t.Context(), ledger.Commitment{Card: target.Card}, Head{}); !errors.Is(err, ErrRequest) {
		t.Errorf("no verifier: %v, want ErrRequest", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if out, err := q.Attempt(ctx, target, Guess{}, []byte(good)); !errors.Is(err, context.Canceled) || out.Verdict != liuma.Unavailable {
		t.Errorf("cancelled: %+v, %v", out, err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Attempt(t.Context(), target, Guess{}, []byte(good)); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v, want ErrClosed", err)
	}
	if err := q.Ready(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v, want ErrClosed", err)
	}
	if got := h.row(0, target.Card).Tally.Spent; got != 0 {
		t.Errorf("%d guesses counted for mistakes", got)
	}
}

func TestNewQuorumRefuses(t *testing.T) {
	ok := func() QuorumConfig {
		return QuorumConfig{
			Keepers: []Keeper{dead{"k1"}, dead{"k2"}, dead{"k3"}}, Shape: split.Shape{T: 2, N: 3}, KeySet: 1,
			Now: time.Now, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler),
		}
	}
	for name, f := range map[string]func(*QuorumConfig){
		"shape":        func(c *QuorumConfig) { c.Shape = split.Shape{T: 1, N: 3} },
		"too few":      func(c *QuorumConfig) { c.Keepers = c.Keepers[1:] },
		"same id":      func(c *QuorumConfig) { c.Keepers[1] = dead{"k1"} },
		"no id":        func(c *QuorumConfig) { c.Keepers[1] = dead{""} },
		"long id":      func(c *QuorumConfig) { c.Keepers[1] = dead{ID(strings.Repeat("k", ledger.MaxKeeperName+1))} },
		"nil keeper":   func(c *QuorumConfig) { c.Keepers[1] = nil },
		"no clock":     func(c *QuorumConfig) { c.Now = nil },
		"no random":    func(c *QuorumConfig) { c.Random = nil },
		"no logger":    func(c *QuorumConfig) { c.Logger = nil },
		"bad pendings": func(c *QuorumConfig) { c.MaxPending = -1 },
	} {
		c := ok()
		f(&c)
		if q, err := NewQuorum(c); err == nil {
			t.Errorf("%s: taken", name)
			q.Close()
		}
	}
	q, err := NewQuorum(ok())
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}

package admintest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
)

// Hands are the clocks of a World's machine, which stand until they are moved.
type Hands struct {
	mu    sync.Mutex
	ahead time.Duration // guarded by mu; of the wall clock alone
}

// Read implements clock.Machine.
func (h *Hands) Read() clock.Reading {
	h.mu.Lock()
	defer h.mu.Unlock()
	return clock.Reading{Wall: Start.Add(h.ahead), Boot: time.Hour, BootID: "one"}
}

// Step sets the wall clock; no time passes.
func (h *Hands) Step(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ahead += d
}

// Times is the time of one keeper.
func (s *Server) Times() map[string]clock.Times {
	return map[string]clock.Times{"k1": s.keeper.Read()}
}

// AcceptTime moves the keeper's time.
func (s *Server) AcceptTime(context.Context) error {
	next, err := s.keeper.Accept()
	if err != nil {
		return err
	}
	s.keeper.Adopt(next)
	return nil
}

const why = "the time server was wrong since Monday"

// clockAccepted: a jump of the clock is taken over by the recorded act alone,
// for the database and its keepers, with its reason in the record.
func clockAccepted(t *testing.T, w *World, a admin.Administration) {
	if _, err := a.AcceptClock(t.Context(), why); !errors.Is(err, clock.ErrNotAhead) {
		t.Errorf("nothing to accept: %v", err)
	}
	w.Hands.Step(7 * 24 * time.Hour)
	s, err := a.Clock(t.Context())
	must(t, err)
	if s.Behind || s.Lag() != 7*24*time.Hour || len(s.Keepers) != 1 || !s.High.Equal(Start) || !s.Keepers[0].High.Equal(Start) {
		t.Errorf("ahead: %+v", s)
	}
	for _, reason := range []audit.Reason{"", " \t", "two\nlines", audit.Reason(strings.Repeat("长", 201))} {
		if _, err := a.AcceptClock(t.Context(), reason); !errors.Is(err, audit.ErrReason) {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	if got := w.Entries(t); len(got) != 0 {
		t.Errorf("refusals left %+v", got)
	}
	s, err = a.AcceptClock(t.Context(), "  "+why)
	must(t, err)
	if s.Lag() != 0 || !s.High.Equal(Start.Add(7*24*time.Hour)) || !s.Keepers[0].High.Equal(s.High) {
		t.Errorf("accepted: %+v", s)
	}
	got := w.Entries(t)
	if len(got) != 1 || got[0].Event != audit.ClockAccepted || !strings.Contains(got[0].Note, why) || !strings.Contains(got[0].Note, "168h0m0s") {
		t.Errorf("the record has %+v", got)
	}
	w.Hands.Step(-2 * time.Minute)
	if s, err := a.Clock(t.Context()); err != nil || !s.Behind {
		t.Errorf("behind: %+v, %v", s, err)
	}
	if _, err := a.AcceptClock(t.Context(), why); !errors.Is(err, clock.ErrBehind) {
		t.Errorf("a clock that is behind was accepted: %v", err)
	}
}

// clockNotKept: a jump that the store does not keep did not happen.
func clockNotKept(t *testing.T, w *World, a admin.Administration) {
	w.Hands.Step(time.Hour)
	w.Broken.Store(true)
	if _, err := a.AcceptClock(t.Context(), why); err == nil {
		t.Error("accepted without a record")
	}
	if s, err := a.Clock(t.Context()); err != nil || !s.High.Equal(Start) || !s.Keepers[0].High.Equal(Start) {
		t.Errorf("the time moved: %+v, %v", s, err)
	}
}

// ClockUnserved: without a server the act is refused, for it needs the keepers.
func ClockUnserved(t *testing.T) {
	w := New(t, Options{})
	w.Hands.Step(time.Hour)
	if _, err := w.Admin.AcceptClock(t.Context(), why); !errors.Is(err, admin.ErrNotServing) {
		t.Errorf("accepted without a server: %v", err)
	}
	if s, err := w.Admin.Clock(t.Context()); err != nil || len(s.Keepers) != 0 || s.Lag() != time.Hour {
		t.Errorf("without a server: %+v, %v", s, err)
	}
}

package notify

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
)

// TestBehind: the outbox reports messages that wait for more than a minute,
// until they are sent.
func TestBehind(t *testing.T) {
	h := newHouse(t)
	d := &moody{err: errors.New("down")}
	now := time.Now()
	o := h.outbox(d, func(c *Config) { c.Now = func() time.Time { return now } })
	h.queue(o, notice("a"), code("123456", now.Add(10*time.Minute)))
	o.checkLate(t.Context())
	if o.Behind() || strings.Contains(h.log.String(), "texts are late") {
		t.Error("late at once")
	}
	now = now.Add(Promise + time.Second)
	o.checkLate(t.Context())
	if !o.Behind() || strings.Count(h.log.String(), "texts are late") != 2 {
		t.Error("nobody is told that texts are late", h.log.String())
	}
	s, err := Look(t.Context(), h.store, now)
	want := QueueStats{Waiting: 1, Overdue: 1, Oldest: s.Codes.Oldest}
	if err != nil || s.Codes != want || s.Notices != want || s.Codes.Oldest < Promise || !s.Codes.Behind() {
		t.Errorf("%+v, %v", s, err)
	}
	d.set(nil)
	stop := h.run(o)
	eventually(t, "both are sent", h.allIn(store.MessageSent))
	o.checkLate(t.Context())
	if o.Behind() || !strings.Contains(h.log.String(), "in time again") {
		t.Error("late for ever")
	}
	stop()
	if s, err := o.Stats(t.Context()); err != nil || s.Codes.Late != 1 || s.Notices.Late != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestDrainEndsTheWait: Run returns when Drain is over, even if the driver does
// not.
func TestDrainEndsTheWait(t *testing.T) {
	h := newHouse(t)
	hold, under := make(chan struct{}), make(chan struct{}, 1)
	defer close(hold)
	o := h.outbox(driverFunc(func(context.Context, Text) (string, error) {
		under <- struct{}{}
		<-hold
		return "", errors.New("gone")
	}), func(c *Config) { c.Drain = 50 * time.Millisecond })
	h.queue(o, notice("a"))
	stop := h.run(o)
	<-under
	began := time.Now()
	stop()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

package notify

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
)

// moody is a driver that fails on command.
type moody struct {
	mu  sync.Mutex
	err error    // guarded by mu
	ids []string // guarded by mu
}

func (m *moody) Send(_ context.Context, t Text) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ids = append(m.ids, t.ID)
	return "", m.err
}

func (m *moody) set(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func letters(t *testing.T, h *house, state store.MessageState) []MessageView {
	t.Helper()
	ls, err := List(t.Context(), h.store, state, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

// TestDeadLettersAreSeenAndTriedAgain: an operator lists dead messages and
// queues them again.
func TestDeadLettersAreSeenAndTriedAgain(t *testing.T) {
	h := newHouse(t)
	d := &moody{err: &Failure{Kind: Permanent, Word: "refused"}}
	o := h.outbox(d)
	h.queue(o, notice("a"), code("123456", time.Now().Add(time.Minute)))
	h.run(o)
	eventually(t, "both are dead", h.allIn(store.MessageDead))
	dead := letters(t, h, store.MessageDead)
	if len(dead) != 2 {
		t.Fatalf("%d dead letters", len(dead))
	}
	j, err := json.Marshal(dead)
	if err != nil || strings.Contains(string(j), testPhone) || strings.Contains(string(j), "王") || !strings.Contains(string(j), `"fault":"refused"`) {
		t.Errorf("an operator sees %s, %v", j, err)
	}
	d.set(nil)
	for _, l := range dead {
		if l.Retriable != (l.Kind == KindNotice) {
			t.Errorf("%s: retriable %v", l.Kind, l.Retriable)
		}
		id, err := Retry(t.Context(), h.store, h.vault, time.Now(), "operator", l.ID)
		if l.Kind == KindCode {
			if !errors.Is(err, ErrNotRetriable) {
				t.Errorf("a code: %v", err)
			}
		} else if err != nil || id != l.ID {
			t.Errorf("%q became %q: %v", l.ID, id, err)
		}
	}
	eventually(t, "the notice is sent", func() bool { return len(letters(t, h, store.MessageSent)) == 1 })
	sent := letters(t, h, store.MessageSent)[0]
	if _, err := Retry(t.Context(), h.store, h.vault, time.Now(), "operator", sent.ID); !errors.Is(err, ErrNotRetriable) {
		t.Errorf("one that was sent: %v", err)
	}
	if _, err := Retry(t.Context(), h.store, h.vault, time.Now(), "operator", "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
}

// TestUndeliveredIsTriedUnderANewID: the gateway took the old ID, and would
// drop it.
func TestUndeliveredIsTriedUnderANewID(t *testing.T) {
	h := newHouse(t)
	d := &moody{}
	o := h.outbox(d)
	h.queue(o, notice("a"))
	h.run(o)
	eventually(t, "sent", h.allIn(store.MessageSent))
	old := h.only().ID
	if err := o.Receive(t.Context(), Report{ID: old}); err != nil {
		t.Fatal(err)
	}
	id, err := Retry(t.Context(), h.store, h.vault, time.Now(), "operator", old)
	if err != nil || id == old || len(id) != 26 {
		t.Fatalf("%q became %q: %v", old, id, err)
	}
	if _, err := Retry(t.Context(), h.store, h.vault, time.Now(), "operator", old); !errors.Is(err, ErrNotRetriable) {
		t.Errorf("a second time: %v", err)
	}
	eventually(t, "the new one is sent", func() bool { return h.messages()[id].State == store.MessageSent })
	if m := h.messages()[old]; m.State != store.MessageDead || m.Fault != FaultUndelivered || m.Sealed != nil {
		t.Errorf("the old one: %+v", m)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.ids) != 2 || d.ids[1] != id {
		t.Errorf("sends %q", d.ids)
	}
}

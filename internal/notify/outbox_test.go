package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

func TestSendsWhatWasQueued(t *testing.T) {
	h := newHouse(t)
	inbox := NewInbox(time.Now)
	o := h.outbox(inbox)
	texts, stop := inbox.Subscribe()
	defer stop()
	h.run(o)
	h.queue(o, notice("a"))
	o.Wake()
	got := <-texts
	m := h.only()
	if got.ID != m.ID || got.Phone != testPhone || !strings.Contains(got.Body, "王*奶的电子社保卡") || got.Kind != KindNotice || got.Region != "330500" {
		t.Errorf("text %+v of message %+v", struct{ A, B string }{got.ID, got.Body}, m)
	}
	eventually(t, "it is recorded as sent", h.allIn(store.MessageSent))
	m = h.only()
	if m.Ref != m.ID || m.Tries != 1 || m.Fault != "" || m.DoneAt.IsZero() || len(m.Sealed) == 0 {
		t.Errorf("sent: %+v", m)
	}
	for range 2 { // a delivery report may come twice
		if err := o.Receive(t.Context(), Report{ID: m.ID, Delivered: true}); err != nil {
			t.Fatal(err)
		}
	}
	if m = h.only(); m.State != store.MessageDelivered || m.Sealed != nil {
		t.Errorf("delivered: %+v", m)
	}
	if err := o.Receive(t.Context(), Report{Ref: m.Ref, Delivered: false}); err != nil || h.only().State != store.MessageDelivered {
		t.Errorf("bad news after good: %v, %+v", err, h.only())
	}
	of, others := h.events()
	if want := []string{"message.sent ok", "message.delivered ok"}; !slices.Equal(of, want) {
		t.Errorf("audit of the card %q, want %q", of, want)
	}
	if want := []string{"code.sent ok", "message.tried ok"}; !slices.Equal(others, want) {
		t.Errorf("audit of no card %q, want %q", others, want)
	}
	s, err := o.Stats(t.Context())
	if err != nil || s.Notices != (QueueStats{Sent: 1, Delivered: 1}) || s.Codes != (QueueStats{}) || s.Partial {
		t.Errorf("stats %+v, %v", s, err)
	}
}

// TestQueuedAgainIsTheSame queues one event repeatedly, also as a transaction
// that is run again, and changes one part of it after another.
func TestQueuedAgainIsTheSame(t *testing.T) {
	h := newHouse(t)
	o := h.outbox(NewInbox(time.Now))
	n := notice("event")
	h.queue(o, n, n)
	n.Params = map[string]string{"holder": "王*奶", "channel": "浙里办", "freeze": "ZZZZ2222"}
	h.queue(o, n)
	first := h.only()
	if len(first.ID) != 26 || strings.Trim(first.ID, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Errorf("ID %q", first.ID)
	}
	if text, err := o.open(first); err != nil || text.Params["freeze"] != "K7M29QXA" {
		t.Errorf("the first one is not the one that stays: %v", err)
	}
	others := []Message{n, n, n, n}
	others[0].Dedup = "other event"
	others[1].Phone = "13900000000"
	others[2].Card = liuma.CardID{2}
	others[3].Template = PINChanged
	h.queue(o, others...)
	if got := len(h.messages()); got != 5 {
		t.Errorf("%d messages, want 5", got)
	}
	n.Dedup = ""
	h.queue(o, n, n)
	if got := len(h.messages()); got != 7 {
		t.Errorf("%d messages, want 7: without Dedup each is one", got)
	}
}

// TestQueueIsPartOfTheChange: the change fails, and there is no message.
func TestQueueIsPartOfTheChange(t *testing.T) {
	h := newHouse(t)
	o := h.outbox(NewInbox(time.Now))
	failed := errors.New("the change failed")
	err := h.store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, errors.Join(o.Queue(tx, notice("a")), failed)
	})
	if !errors.Is(err, failed) || len(h.messages()) != 0 {
		t.Errorf("%v, %d messages", err, len(h.messages()))
	}
}

func TestQueueRefusesMistakes(t *testing.T) {
	h := newHouse(t)
	o := h.outbox(NewInbox(time.Now))
	change := func(f func(*Message)) Message { n := notice(""); f(&n); return n }
	for name, n := range map[string]Message{
		"unknown template":   change(func(n *Message) { n.Template = "pin" }),
		"wrong kind":         change(func(n *Message) { n.Kind = KindCode }),
		"number with prefix": change(func(n *Message) { n.Phone = "+8613812345678" }),
		"no number":          change(func(n *Message) { n.Phone = "" }),
		"no holder":          change(func(n *Message) { delete(n.Params, "holder") }),
		"whole name":         change(func(n *Message) { n.Params["holder"] = "王奶奶" }),
		"endless code":       code("123456", time.Time{}),
		"code of words":      code("sesame", time.Now().Add(time.Minute)),
	} {
		err := tryQueue(h.store, o, n)
		if !errors.Is(err, ErrParam) && !errors.Is(err, ErrTemplate) {
			t.Errorf("%s: %v", name, err)
		}
		for _, secret := range []string{testPhone, "王奶奶", "sesame"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error quotes it: %v", name, err)
			}
		}
	}
	if len(h.messages()) != 0 {
		t.Error("something was queued")
	}
}

// TestSealedPartIsBoundToItsRow moves sealed parts and renames rows, as an
// attacker who can write to the database could.
func TestSealedPartIsBoundToItsRow(t *testing.T) {
	h := newHouse(t)
	var sends atomic.Int32
	o := h.outbox(driverFunc(func(context.Context, Text) (string, error) { sends.Add(1); return "", nil }))
	h.queue(o, notice("a"), notice("b"), notice("c"), notice("d"))
	err := h.store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		ms, err := tx.Messages("", "", 9)
		if err != nil {
			return audit.Entry{}, err
		}
		ms[0].Sealed, ms[1].Sealed = ms[1].Sealed, ms[0].Sealed
		ms[2].Template = string(PINChanged)
		ms[3].Card = liuma.CardID{9}
		for _, m := range ms {
			err = errors.Join(err, tx.UpdateMessage(m))
		}
		return o.entry(audit.CodeSent, liuma.CardID{}, "ok", ""), err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.run(o)
	eventually(t, "all are given up", h.allIn(store.MessageDead))
	for _, m := range h.messages() {
		if m.Fault != FaultUnreadable {
			t.Errorf("fault %q", m.Fault)
		}
	}
	if sends.Load() != 0 {
		t.Error("something was sent")
	}
}

// TestCodesAreWiped: nothing is left of a one-time code once it is sent, or too
// late.
func TestCodesAreWiped(t *testing.T) {
	h := newHouse(t)
	var clock atomic.Int64
	o := h.outbox(NewInbox(time.Now), func(c *Config) {
		c.Now = func() time.Time { return time.Unix(1_800_000_000+clock.Load(), 0) }
	})
	h.queue(o, code("111111", o.now().Add(10*time.Minute)))
	stop := h.run(o)
	eventually(t, "the code is sent", h.allIn(store.MessageSent))
	stop()
	h.queue(o, code("222222", o.now().Add(10*time.Minute)))
	clock.Add(600)
	h.run(o)
	eventually(t, "the other has expired", func() bool { return h.recorded("message.dead expired") })
	for _, m := range h.messages() {
		if m.Sealed != nil {
			t.Errorf("a code that is %s can still be read", m.State)
		}
	}
}

// TestFloodOfCodesDelaysNoNotice queues many one-time codes at a slow gateway,
// and then one notice.
func TestFloodOfCodesDelaysNoNotice(t *testing.T) {
	h := newHouse(t)
	var codes atomic.Int32
	noticed := make(chan int32, 1)
	hold := make(chan struct{})
	o := h.outbox(driverFunc(func(ctx context.Context, text Text) (string, error) {
		if text.Kind == KindNotice {
			noticed <- codes.Load()
			return "", nil
		}
		codes.Add(1)
		<-hold
		return "", nil
	}), func(c *Config) { c.Codes.Concurrent = 4 })
	var flood []Message
	for i := range 2000 {
		flood = append(flood, code(fmt.Sprintf("%06d", i), time.Now().Add(10*time.Minute)))
	}
	h.queue(o, flood...)
	h.run(o)
	eventually(t, "the codes' places are full", func() bool { return codes.Load() == 4 })
	h.queue(o, notice("a"))
	o.Wake()
	select {
	case n := <-noticed:
		if n > 4 {
			t.Errorf("%d codes at once", n)
		}
	case <-time.After(time.Minute):
		t.Error("the notice waits for the codes")
	}
	s, err := o.Stats(t.Context())
	if err != nil || s.Codes.Waiting != 2000 || s.Codes.Oldest <= 0 {
		t.Errorf("stats %+v, %v", s, err)
	}
	close(hold)
}

// TestRateIsHeld counts the sends of one second.
func TestRateIsHeld(t *testing.T) {
	h := newHouse(t)
	var mu sync.Mutex
	var at []time.Time
	o := h.outbox(driverFunc(func(context.Context, Text) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, time.Now())
		return "", nil
	}), func(c *Config) { c.Notices = Quota{PerSecond: 20, Concurrent: 50} })
	for i := range 40 {
		h.queue(o, notice(fmt.Sprint(i)))
	}
	h.run(o)
	eventually(t, "all are sent", h.allIn(store.MessageSent))
	mu.Lock()
	defer mu.Unlock()
	// 20 at once, then 20 a second.
	if took := at[39].Sub(at[0]); took < 900*time.Millisecond {
		t.Errorf("40 texts in %v at 20 a second", took)
	}
}

func TestOldMessagesAreDropped(t *testing.T) {
	h := newHouse(t)
	o := h.outbox(NewInbox(time.Now))
	h.queue(o, notice("a"))
	stop := h.run(o)
	eventually(t, "sent", h.allIn(store.MessageSent))
	stop()
	h.queue(o, notice("b"))
	later := h.outbox(driverFunc(func(context.Context, Text) (string, error) {
		return "", &Failure{Kind: Temporary, Word: "busy"}
	}), func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(31 * 24 * time.Hour) }
	})
	h.run(later)
	eventually(t, "the one that was done is gone", func() bool { return len(h.messages()) == 1 })
	if !h.recorded("rows.pruned ok") {
		t.Error("no entry")
	}
}

func TestConfigIsChecked(t *testing.T) {
	h := newHouse(t)
	good := Config{Store: h.store, Vault: h.vault, Driver: NewInbox(time.Now), Templates: mustTemplates(t)}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"store": func(c *Config) { c.Store = nil }, "vault": func(c *Config) { c.Vault = nil },
		"driver": func(c *Config) { c.Driver = nil }, "templates": func(c *Config) { c.Templates = nil },
		"lease": func(c *Config) { c.Lease = 2 * time.Second }, "rate": func(c *Config) { c.Codes.PerSecond = -1 },
		"poll": func(c *Config) { c.Poll = -1 }, "places": func(c *Config) { c.Notices.Concurrent = -1 },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestMinutesThatAreLeft: the caller's clock is a moment behind or ahead.
func TestMinutesThatAreLeft(t *testing.T) {
	now := time.Date(2026, 11, 22, 7, 32, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{10*time.Minute + time.Microsecond: "10", 10*time.Minute - time.Second: "10",
		10 * time.Minute: "10", time.Second: "1", -time.Minute: "1", 2*time.Minute + 31*time.Second: "3"} {
		if got := withDefaults(Message{Expires: now.Add(left)}, now, now)["minutes"]; got != want {
			t.Errorf("%v left: %s, want %s", left, got, want)
		}
	}
}

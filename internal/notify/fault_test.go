package notify

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// TestDriverFaults has a driver that fails in every way, once, and then works.
// The message goes out under one ID, and other messages are not delayed.
func TestDriverFaults(t *testing.T) {
	for name, fault := range map[string]struct {
		send func(ctx context.Context) (string, error)
		word string
	}{
		"fails":         {func(context.Context) (string, error) { return "", errors.New("to 13812345678: no") }, FaultTemporary},
		"says why":      {func(context.Context) (string, error) { return "", &Failure{Word: "gateway_error"} }, "gateway_error"},
		"wraps why":     {func(context.Context) (string, error) { return "", fmt.Errorf("x: %w", &Failure{Word: "a_word"}) }, "a_word"},
		"talks garbage": {func(context.Context) (string, error) { return "", &Failure{Kind: 99, Word: "to 13812345678\x00"} }, FaultTemporary},
		"panics":        {func(context.Context) (string, error) { panic("13812345678") }, FaultPanic},
		"dies":          {func(context.Context) (string, error) { runtime.Goexit(); return "", nil }, FaultPanic},
		"times out":     {func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }, FaultTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // so that no load makes a send late
				h := newHouse(t)
				var mu sync.Mutex
				var ids []string
				o := h.outbox(driverFunc(func(ctx context.Context, text Text) (string, error) {
					mu.Lock()
					ids = append(ids, text.ID)
					again := len(ids) > 1
					mu.Unlock()
					if again {
						return "ok", nil
					}
					return fault.send(ctx)
				}), func(c *Config) { c.SendTimeout, c.Lease = 50*time.Millisecond, 5*time.Second })
				h.queue(o, notice("a"))
				h.run(o)
				eventually(t, "the fault is recorded", func() bool { return h.recorded("message.tried " + fault.word) })
				eventually(t, "it is sent", h.allIn(store.MessageSent))
				m := h.only()
				if m.Tries != 2 || m.Fault != "" || m.Ref != "ok" || ids[0] != m.ID || ids[1] != m.ID {
					t.Errorf("%+v after sends of %q", m, ids)
				}
				if strings.Contains(h.log.String(), testPhone) {
					t.Errorf("the number is in the log:\n%s", h.log)
				}
			})
		})
	}
}

func TestGarbageForReference(t *testing.T) {
	for name, ref := range map[string]string{"long": strings.Repeat("x", 129), "control": "a\nb", "binary": "\xff", "blank": "a b"} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			o := h.outbox(driverFunc(func(context.Context, Text) (string, error) { return ref, nil }))
			h.queue(o, notice("a"))
			h.run(o)
			eventually(t, "sent", h.allIn(store.MessageSent))
			if m := h.only(); m.Ref != "" {
				t.Errorf("reference %q was kept", m.Ref)
			}
		})
	}
}

// TestHangingDriverBlocksNobody: a driver never returns, not even when its
// context ends, for one of two numbers, with more such messages than there are
// slots. Messages to the other number still go out.
func TestHangingDriverBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		free := make(chan struct{})
		var good atomic.Int32
		o := h.outbox(driverFunc(func(_ context.Context, text Text) (string, error) {
			if text.Phone != testPhone {
				<-free
				return "late", nil
			}
			good.Add(1)
			return "", nil
		}), func(c *Config) {
			c.SendTimeout, c.Lease, c.Notices.Concurrent = 50*time.Millisecond, time.Minute, 2
		})
		for i := range 5 {
			n := notice(fmt.Sprint("bad", i))
			n.Phone = "13900000000"
			h.queue(o, n)
		}
		for i := range 5 {
			h.queue(o, notice(fmt.Sprint("good", i)))
		}
		h.run(o)
		eventually(t, "the others are sent", func() bool { return good.Load() == 5 })
		eventually(t, "the hanging ones are seen", func() bool {
			s, err := o.Stats(t.Context())
			return err == nil && s.Notices.Stuck >= 5
		})
		close(free)
		// If the driver returns after all and the text was sent, that counts: one
		// text less is sent twice.
		eventually(t, "late answers are recorded", h.allIn(store.MessageSent))
	})
}

// TestStuckSendsAreBounded: more sends hang than may be left behind.
func TestStuckSendsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		free := make(chan struct{})
		var under, most atomic.Int32
		o := h.outbox(driverFunc(func(context.Context, Text) (string, error) {
			most.Store(max(most.Load(), under.Add(1)))
			<-free
			under.Add(-1)
			return "", nil
		}), func(c *Config) {
			c.SendTimeout, c.Lease = time.Millisecond, time.Hour
			c.Notices = Quota{Concurrent: 40, PerSecond: 1000, MaxTries: 1}
		})
		for i := range 150 {
			h.queue(o, notice(fmt.Sprint(i)))
		}
		h.run(o)
		eventually(t, "as many as may are stuck", func() bool { return under.Load() == maxStuck+40 })
		time.Sleep(1200 * time.Millisecond) // longer than the wait for a send
		if n := most.Load(); n != maxStuck+40 {
			t.Errorf("%d sends at once", n)
		}
		close(free)
		eventually(t, "all went out after all", h.allIn(store.MessageSent))
	})
}

// TestBackoffDoublesAndEnds runs failures on a fake clock.
func TestBackoffDoublesAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var at []time.Time
		o := h.outbox(driverFunc(func(context.Context, Text) (string, error) {
			at = append(at, time.Now())
			return "", &Failure{Word: "busy"}
		}), func(c *Config) { c.Notices, c.Poll = Quota{MaxTries: 11, MaxBackoff: 5 * time.Minute}, time.Second })
		h.queue(o, notice("a"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- o.Run(ctx) }()
		time.Sleep(20 * time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if len(at) != 11 {
			t.Fatalf("%d tries, want 11", len(at))
		}
		for i := 1; i < len(at); i++ {
			full := min(5*time.Minute, firstBackoff<<(i-1))
			if gap := at[i].Sub(at[i-1]); gap < full/2 || gap > full+2*time.Second {
				t.Errorf("pause %d is %v, want %v to %v", i, gap, full/2, full)
			}
		}
		if m := h.only(); m.State != store.MessageDead || m.Fault != "busy" || m.Tries != 11 {
			t.Errorf("in the end %+v", m)
		}
		if e, _ := h.events(); e[len(e)-1] != "message.dead busy" {
			t.Errorf("audit ends with %q", e[len(e)-1])
		}
	})
}

// TestCodeIsNotSentLate: a gateway works again after the one-time code expired.
func TestCodeIsNotSentLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		start := time.Now()
		sends := 0
		o := h.outbox(driverFunc(func(context.Context, Text) (string, error) {
			sends++
			if time.Since(start) >= 10*time.Minute {
				t.Error("sent when it was worthless")
			}
			return "", &Failure{Word: "busy"}
		}), func(c *Config) { c.Codes.MaxTries, c.Poll = 1000, time.Second })
		h.queue(o, code("123456", start.Add(10*time.Minute)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- o.Run(ctx) }()
		time.Sleep(15 * time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		// The word depends on the jitter of the last pause: it is the gateway's
		// word if no other try fits before the end, or "expired" if the message
		// expired while it waited.
		if m := h.only(); m.State != store.MessageDead || m.Fault != "busy" && m.Fault != "expired" || sends < 10 {
			t.Errorf("%d sends, then %s, fault %q", sends, m.State, m.Fault)
		}
	})
}

// TestThrottledQueuePauses: a gateway asks for ten seconds, more often than
// tries are allowed.
func TestThrottledQueuePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var at []time.Time
		o := h.outbox(driverFunc(func(context.Context, Text) (string, error) {
			at = append(at, time.Now())
			if len(at) <= 20 {
				return "", &Failure{Kind: Throttled, Word: "throttled", After: 10 * time.Second}
			}
			return "", nil
		}), func(c *Config) { c.Notices, c.Poll = Quota{MaxTries: 3, Concurrent: 1}, time.Second })
		h.queue(o, notice("a"), notice("b"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- o.Run(ctx) }()
		time.Sleep(5 * time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if len(at) != 22 || !h.allIn(store.MessageSent)() {
			t.Errorf("%d sends", len(at))
		}
		for i := 1; i <= 20; i++ {
			if gap := at[i].Sub(at[i-1]); gap < 9*time.Second || gap > 12*time.Second {
				t.Errorf("pause %v, the gateway asked for ten seconds", gap)
			}
		}
	})
}

func TestPermanentFailureIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var sends atomic.Int32
		o := h.outbox(driverFunc(func(context.Context, Text) (string, error) {
			sends.Add(1)
			return "", &Failure{Kind: Permanent, Word: "refused"}
		}))
		h.queue(o, notice("a"))
		h.run(o)
		eventually(t, "it is given up", h.allIn(store.MessageDead))
		if m := h.only(); m.Fault != "refused" || m.Tries != 1 || sends.Load() != 2 { // the second without names
			t.Errorf("%d sends, %+v", sends.Load(), m)
		}
	})
}

// TestNamesThatAGatewayRefuses: who gives a holder or a channel a name that the gateway
// does not take keeps no notice from its holder, and no code.
func TestNamesThatAGatewayRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var mu sync.Mutex
		var took, ids []string
		o := h.outbox(driverFunc(func(_ context.Context, m Text) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, m.ID)
			if strings.Contains(m.Body, "王") || strings.Contains(m.Body, "浙里办") {
				return "", &Failure{Kind: Permanent, Word: "refused"}
			}
			took = append(took, m.Body)
			return "", nil
		}))
		h.queue(o, notice("a"))
		h.run(o)
		eventually(t, "it is sent", h.allIn(store.MessageSent))
		mu.Lock()
		defer mu.Unlock()
		if len(took) != 1 || len(ids) != 2 || ids[0] != ids[1] || !strings.Contains(took[0], "冻结码") {
			t.Errorf("%d taken of %q: %q", len(took), ids, took)
		}
	})
}

// dyingStore fails from its nth call on, before or after the real store did its
// work. So an Update may be kept although it returned an error.
type dyingStore struct {
	store.Store
	left  atomic.Int64
	after bool
}

func (d *dyingStore) View(ctx context.Context, f func(store.Reader) error) error {
	if d.left.Add(-1) < 0 {
		return errors.Join(errDied, store.ErrFailed)
	}
	return d.Store.View(ctx, f)
}

func (d *dyingStore) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	if left := d.left.Add(-1); left < 0 {
		if d.after && left == -1 {
			if err := d.Store.Update(ctx, f); err != nil {
				return err
			}
		}
		return errors.Join(errDied, store.ErrFailed)
	}
	return d.Store.Update(ctx, f)
}

// TestStoreDiesAtEachStep: the worker's store fails for good after each number
// of calls, and another worker starts. Nothing is lost; texts that are sent
// twice have one ID.
func TestStoreDiesAtEachStep(t *testing.T) {
	for _, after := range []bool{false, true} {
		for steps := range 14 {
			t.Run(fmt.Sprintf("steps=%d/kept=%v", steps, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHouse(t)
					var mu sync.Mutex
					sent := map[string]int{}
					d := driverFunc(func(_ context.Context, text Text) (string, error) {
						mu.Lock()
						defer mu.Unlock()
						sent[text.ID]++
						return text.ID, nil
					})
					quick := func(c *Config) { c.SendTimeout, c.Lease = 10*time.Millisecond, 50*time.Millisecond }
					dying := &dyingStore{Store: h.store, after: after}
					dying.left.Store(int64(steps))
					first := h.outbox(d, quick, func(c *Config) { c.Store, c.Notices.Concurrent = dying, 2 })
					h.queue(first, notice("a"), notice("b"), notice("c"))
					queued := h.messages()
					stop := h.run(first)
					time.Sleep(100 * time.Millisecond)
					stop()
					h.run(h.outbox(d, quick))
					eventually(t, "all are sent", h.allIn(store.MessageSent))
					mu.Lock()
					defer mu.Unlock()
					if len(sent) != len(queued) {
						t.Errorf("%d IDs were sent, %d were queued", len(sent), len(queued))
					}
					for id := range sent {
						if _, ok := queued[id]; !ok {
							t.Errorf("an ID that was never queued: %s", id)
						}
					}
				})
			})
		}
	}
}

// flakyStore fails some of the calls, and keeps nothing of those.
type flakyStore struct {
	store.Store
	calls atomic.Int64
}

func (f *flakyStore) Update(ctx context.Context, do func(store.Tx) (audit.Entry, error)) error {
	if f.calls.Add(1)%3 != 0 {
		return errDied
	}
	return f.Store.Update(ctx, do)
}

// TestStoreThatFailsNowAndThen: a result is recorded in the end, so no text is
// sent twice.
func TestStoreThatFailsNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var sends atomic.Int32
		o := h.outbox(driverFunc(func(context.Context, Text) (string, error) { sends.Add(1); return "", nil }),
			func(c *Config) { c.Store = &flakyStore{Store: h.store} })
		h.queue(o, notice("a"), notice("b"))
		h.run(o)
		eventually(t, "all are sent", h.allIn(store.MessageSent))
		if sends.Load() != 2 {
			t.Errorf("%d sends of 2 messages", sends.Load())
		}
	})
}

// TestEarlyReceipt: the gateway's delivery report comes before its answer.
func TestEarlyReceipt(t *testing.T) {
	for _, delivered := range []bool{true, false} {
		h := newHouse(t)
		var o *Outbox
		o = h.outbox(driverFunc(func(ctx context.Context, text Text) (string, error) {
			return "ref1", o.Receive(ctx, Report{ID: text.ID, Delivered: delivered})
		}))
		h.queue(o, notice("a"))
		h.run(o)
		eventually(t, "the answer is recorded", func() bool { return h.only().Ref == "ref1" })
		want := store.MessageDead
		if delivered {
			want = store.MessageDelivered
		}
		if m := h.only(); m.State != want || (m.Fault == FaultUndelivered) == delivered {
			t.Errorf("delivered %v: %+v", delivered, m)
		}
	}
	h := newHouse(t)
	o := h.outbox(NewInbox(time.Now))
	h.queue(o, notice("a"))
	if err := o.Receive(t.Context(), Report{ID: h.only().ID}); err != nil || h.only().State != store.MessageWaiting {
		t.Errorf("a report about what was never tried: %v, %s", err, h.only().State)
	}
	if err := o.Receive(t.Context(), Report{ID: "nobody", Delivered: true}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("about nothing: %v", err)
	}
	if err := o.Receive(t.Context(), Report{Delivered: true}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an empty one: %v", err)
	}
}

// TestShutdownEndsWhatWasBegun: the worker is stopped while a send is under
// way, and finishes it.
func TestShutdownEndsWhatWasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		begun, goOn := make(chan struct{}), make(chan struct{})
		o := h.outbox(driverFunc(func(ctx context.Context, _ Text) (string, error) {
			close(begun)
			<-goOn
			return "ref", ctx.Err()
		}))
		h.queue(o, notice("a"))
		stop := h.run(o)
		<-begun
		time.AfterFunc(100*time.Millisecond, func() { close(goOn) })
		stop()
		if m := h.only(); m.State != store.MessageSent || m.Ref != "ref" {
			t.Errorf("after the end: %+v", m)
		}
	})
}

// TestLeaseTellsWorkersApart: a worker whose lease has ended records a failure,
// while another worker sends the message. The failure is ignored.
func TestLeaseTellsWorkersApart(t *testing.T) {
	h := newHouse(t)
	now := time.Now()
	o := h.outbox(NewInbox(time.Now), func(c *Config) { c.Now = func() time.Time { return now } })
	h.queue(o, notice("a"))
	take := func() store.Message {
		t.Helper()
		ms, _, err := o.notices.take(t.Context(), 5)
		if err != nil || len(ms) != 1 {
			t.Fatalf("took %d, %v", len(ms), err)
		}
		return ms[0]
	}
	first := take()
	if ms, _, err := o.notices.take(t.Context(), 5); err != nil || len(ms) != 0 {
		t.Fatalf("taken twice within a lease: %d, %v", len(ms), err)
	}
	now = now.Add(o.cfg.Lease + time.Millisecond)
	second := take()
	before := h.only()
	if err := o.settle(t.Context(), first, result{word: "busy", dead: true}); err != nil {
		t.Fatal(err)
	}
	if m := h.only(); m.State != before.State || m.Tries != 2 || m.Fault != "" {
		t.Errorf("the first worker changed it: %+v", m)
	}
	// Success counts, even from the worker whose lease has ended.
	if err := o.settle(t.Context(), first, result{sent: true, ref: "r"}); err != nil || h.only().State != store.MessageSent {
		t.Errorf("%v, %s", err, h.only().State)
	}
	if err := o.settle(t.Context(), second, result{word: "busy", dead: true}); err != nil || h.only().State != store.MessageSent {
		t.Errorf("a failure after success: %v, %s", err, h.only().State)
	}
}

// TestNeverAnAnswer: each worker takes the message up and crashes, until no try
// is left.
func TestNeverAnAnswer(t *testing.T) {
	h := newHouse(t)
	now := time.Now()
	o := h.outbox(NewInbox(time.Now), func(c *Config) { c.Now = func() time.Time { return now }; c.Notices.MaxTries = 3 })
	h.queue(o, notice("a"))
	for i := range 4 {
		ms, _, err := o.notices.take(t.Context(), 5)
		if err != nil || (len(ms) == 1) != (i < 3) {
			t.Fatalf("time %d: took %d, %v", i, len(ms), err)
		}
		now = now.Add(o.cfg.Lease + time.Millisecond)
	}
	if m := h.only(); m.State != store.MessageDead || m.Fault != FaultInterrupted {
		t.Errorf("%+v", m)
	}
}

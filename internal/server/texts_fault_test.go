package server_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// unruly is an inbox that fails as a test chooses.
type unruly struct {
	*notify.Inbox
	mu       sync.Mutex
	mood     func(context.Context, notify.Text) error // guarded by mu; nil: takes the message
	troubled int                                      // guarded by mu: sends while it had a mood
}

func (u *unruly) Send(ctx context.Context, t notify.Text) (string, error) {
	u.mu.Lock()
	mood := u.mood
	if mood != nil {
		u.troubled++
	}
	u.mu.Unlock()
	if mood != nil {
		if err := mood(ctx, t); err != nil {
			return "", err
		}
	}
	return u.Inbox.Send(ctx, t)
}

func (u *unruly) be(mood func(context.Context, notify.Text) error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mood, u.troubled = mood, 0
}

func (u *unruly) trouble() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.troubled
}

// of lists the messages of a template that the driver took.
func (u *unruly) of(name notify.Template) (found []notify.Received) {
	for _, r := range u.Texts("") {
		if r.Template == name {
			found = append(found, r)
		}
	}
	return found
}

// town is a system with a card, and a driver that works until told otherwise.
type town struct {
	*testkit.Env
	driver  *unruly
	channel authority.Caller
	card    store.Handle
	pin     string
	changes int
}

func newTown(t *testing.T) *town {
	d := &unruly{Inbox: notify.NewInbox(time.Now)}
	e := testkit.New(t, testkit.Options{Texts: d, Configure: func(c *config.Config) { c.Drain = config.Duration(300 * time.Millisecond) }})
	w := &town{Env: e, driver: d, channel: channel(e), pin: "483920"}
	w.card = enroll(t, e, w.channel, e.People[0], w.code(t))
	return w
}

// code waits for the newest one-time code.
func (w *town) code(t *testing.T) func() string {
	before := len(w.driver.of(notify.CodeBind))
	return func() string {
		eventually(t, "the code", func() bool { return len(w.driver.of(notify.CodeBind)) > before })
		return w.driver.of(notify.CodeBind)[before].Params["code"]
	}
}

// change changes the PIN, which must work at once, also while the driver fails.
func (w *town) change(t *testing.T) {
	t.Helper()
	w.changes++
	next := fmt.Sprintf("%06d", (480_000+w.changes*7_391)%1_000_000)
	began := time.Now()
	if v := w.Change(w.channel, w.card, w.pin, next); v.Verdict != liuma.Right || v.Code != "" {
		t.Fatalf("change: %+v", v)
	}
	// A send may take 10 seconds; the limit here is far below it, also on a slow
	// machine.
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("the change took %v", took)
	}
	w.pin = next
}

// TestNoDriverHoldsUpACeremony: while the driver hangs, fails, panics or ends
// its goroutine, PINs can be changed as always; when the driver works again,
// each change's notice is sent, once.
func TestNoDriverHoldsUpACeremony(t *testing.T) {
	for name, mood := range map[string]func(release <-chan struct{}) func(context.Context, notify.Text) error{
		"hangs": func(release <-chan struct{}) func(context.Context, notify.Text) error {
			return func(context.Context, notify.Text) error { <-release; return errors.New("gone") } // ignores its context
		},
		"fails": func(<-chan struct{}) func(context.Context, notify.Text) error {
			return func(context.Context, notify.Text) error { return errors.New("canary 13800000000") }
		},
		"panics": func(<-chan struct{}) func(context.Context, notify.Text) error {
			return func(context.Context, notify.Text) error { panic("canary") }
		},
		"dies": func(<-chan struct{}) func(context.Context, notify.Text) error {
			return func(context.Context, notify.Text) error { runtime.Goexit(); return nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			release := make(chan struct{})
			w.driver.be(mood(release))
			const changes = 4
			for range changes {
				w.change(t)
			}
			eventually(t, "the driver was tried", func() bool { return w.driver.trouble() > 0 })
			if v := w.Verify(w.channel, w.card, w.pin); v.Verdict != liuma.Right {
				t.Errorf("verify: %+v", v)
			}
			if n := len(w.driver.of(notify.PINChanged)); n > 0 {
				t.Fatalf("%d notices came through a driver that %s", n, name)
			}
			w.driver.be(nil)
			close(release)
			eventually(t, "all notices", func() bool {
				w.Clock.Advance(time.Second) // the next tries become due
				return len(w.driver.of(notify.PINChanged)) >= changes
			})
			if n := len(w.driver.of(notify.PINChanged)); n != changes {
				t.Errorf("%d changes, %d notices", changes, n)
			}
		})
	}
}

// TestAHangingDriverDoesNotHoldUpTheEnd: closing waits for Drain, not for the
// gateway; the message that was being sent goes out after the next start.
func TestAHangingDriverDoesNotHoldUpTheEnd(t *testing.T) {
	w := newTown(t)
	release := make(chan struct{})
	w.driver.be(func(context.Context, notify.Text) error { <-release; return errors.New("gone") })
	w.change(t)
	eventually(t, "a send hangs", func() bool { return w.driver.trouble() > 0 })
	began := time.Now()
	w.Close()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("closing took %v", took)
	}
	w.driver.be(nil)
	close(release)
	w.Clock.Advance(time.Minute) // the lease ends
	w.Open()
	eventually(t, "the notice after the restart", func() bool { return len(w.driver.of(notify.PINChanged)) == 1 })
}

// TestACodeFloodStarvesNoNotice: a thousand one-time codes wait at a gateway
// that hangs on them; the notice of a change is sent at once, and the ceremony
// does not wait.
func TestACodeFloodStarvesNoNotice(t *testing.T) {
	w := newTown(t)
	release := make(chan struct{})
	defer close(release)
	w.driver.be(func(_ context.Context, x notify.Text) error {
		if x.Kind == notify.KindCode {
			<-release
			return errors.New("gone")
		}
		return nil
	})
	const flood = 1000
	err := w.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		for i := range flood {
			err := w.System.Outbox.Queue(tx, notify.Message{Template: notify.CodeReset, Phone: fmt.Sprintf("139%08d", i),
				Params: map[string]string{"holder": "王*奶", "code": "048213"}, Expires: w.Clock.Now().Add(10 * time.Minute)})
			if err != nil {
				return audit.Entry{}, err
			}
		}
		return audit.Entry{At: w.Clock.Now(), Actor: "test", Event: audit.CodeSent, Outcome: "ok"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.System.Outbox.Wake()
	eventually(t, "codes hang", func() bool { return w.driver.trouble() > 3 })
	began := time.Now()
	w.change(t)
	eventually(t, "the notice", func() bool { return len(w.driver.of(notify.PINChanged)) == 1 })
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("the notice took %v", took)
	}
	s, err := w.System.Outbox.Stats(t.Context())
	if err != nil || s.Codes.Waiting < flood {
		t.Errorf("the flood is gone: %+v, %v", s, err)
	}
}

// TestAWakeIsNotAPoll: the driver gets a message long before the outbox would
// have polled.
func TestAWakeIsNotAPoll(t *testing.T) {
	w := newTown(t)
	fastest := time.Hour
	for range 5 {
		before := len(w.driver.of(notify.PINChanged))
		w.change(t)
		began := time.Now()
		for len(w.driver.of(notify.PINChanged)) == before && time.Since(began) < 10*time.Second {
			time.Sleep(time.Millisecond)
		}
		fastest = min(fastest, time.Since(began))
	}
	if fastest > 250*time.Millisecond {
		t.Errorf("the fastest of five took %v: nothing wakes the outbox", fastest)
	}
}

// TestNobodyIsToldWithoutACommit: a message that a failed transaction queued is
// not sent, and does not wake the outbox.
func TestNobodyIsToldWithoutACommit(t *testing.T) {
	w := newTown(t)
	failed := errors.New("no")
	err := w.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		err := w.System.Outbox.Queue(tx, notify.Message{Template: notify.PINReset, Phone: w.People[0].Phone,
			Params: map[string]string{"holder": "王*奶", "channel": "浙里办", "freeze": "AB23CD45"}})
		return audit.Entry{}, errors.Join(err, failed)
	})
	if !errors.Is(err, failed) || errors.Is(err, notify.ErrParam) {
		t.Fatal(err)
	}
	w.System.Outbox.Wake()
	w.change(t)
	eventually(t, "the change's notice", func() bool { return len(w.driver.of(notify.PINChanged)) == 1 })
	if n := len(w.driver.of(notify.PINReset)); n != 0 {
		t.Errorf("%d notices of a change that never was", n)
	}
}

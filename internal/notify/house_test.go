package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
	"github.com/liuma-pin/liuma/internal/vault"
)

// printed is v as every verb, the log and JSON print it.
func printed(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(j)
	return b.String()
}

const testPhone = "13812345678"

func openVault(t testing.TB, dir string) *vault.Vault {
	t.Helper()
	path := filepath.Join(dir, "vault.key")
	if err := vault.Create(path); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func openStore(t testing.TB, dir string, v *vault.Vault) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(dir, "authority.db"), sqlite.Config{Seal: v, Readers: 2, CacheMiB: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, id := range []liuma.CardID{{1}, {2}, {9}} { // the cards that the tests' messages are about
		err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			return audit.Entry{At: time.Now(), Actor: "test", Event: audit.CardEnrolled, Outcome: "ok"}, tx.InsertCard(store.Card{ID: id, Holder: vault.Index{31: id[0]}})
		})
		if err != nil && !errors.Is(err, store.ErrExists) {
			t.Fatal(err)
		}
	}
	return s
}

// house is a vault and a real store, with the driver of a test.
type house struct {
	t     testing.TB
	store *sqlite.Store
	vault *vault.Vault
	log   *lockedBuffer
}

func newHouse(t testing.TB) *house {
	dir := t.TempDir()
	v := openVault(t, dir)
	return &house{t: t, store: openStore(t, dir, v), vault: v, log: &lockedBuffer{}}
}

// outbox has small and quick settings, with the changes of a test.
func (h *house) outbox(d Driver, change ...func(*Config)) *Outbox {
	h.t.Helper()
	c := Config{Store: h.store, Vault: h.vault, Driver: d, Templates: mustTemplates(h.t), Poll: 20 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range change {
		f(&c)
	}
	o, err := New(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

// run runs o until the returned function is called, which waits for its end.
func (h *house) run(o *Outbox) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil && !errors.Is(err, errDied) {
				h.t.Errorf("Run: %v", err)
			}
		})
	}
	h.t.Cleanup(stop)
	return stop
}

// queue queues messages in a transaction of their own.
func (h *house) queue(o *Outbox, ns ...Message) {
	h.t.Helper()
	if err := tryQueue(h.store, o, ns...); err != nil {
		h.t.Fatal(err)
	}
}

func tryQueue(s store.Store, o *Outbox, ns ...Message) error {
	return s.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		for _, n := range ns {
			if err := o.Queue(tx, n); err != nil {
				return audit.Entry{}, err
			}
		}
		return audit.Entry{At: time.Now(), Actor: "system", Event: audit.CodeSent, Outcome: "ok"}, nil
	})
}

func notice(dedup string) Message {
	return Message{Kind: KindNotice, Card: liuma.CardID{1}, Phone: testPhone, Template: PINSet, Language: Chinese, Region: "330500",
		Params: map[string]string{"holder": "王*奶", "channel": "浙里办", "freeze": "K7M29QXA"}, Dedup: dedup}
}

func code(digits string, expires time.Time) Message {
	return Message{Kind: KindCode, Card: liuma.CardID{1}, Phone: testPhone, Template: CodeReset, Language: Chinese,
		Params: map[string]string{"holder": "王*奶", "code": digits}, Expires: expires}
}

// messages returns all messages, by ID.
func (h *house) messages() map[string]store.Message {
	h.t.Helper()
	out := map[string]store.Message{}
	err := h.store.View(context.Background(), func(r store.Reader) error {
		page, err := r.Messages("", "", 1<<20)
		for _, m := range page {
			out[m.ID] = m
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// only returns the only message.
func (h *house) only() store.Message {
	h.t.Helper()
	all := h.messages()
	if len(all) != 1 {
		h.t.Fatalf("%d messages, want one", len(all))
	}
	for _, m := range all {
		return m
	}
	panic("unreachable")
}

// events lists the audit events with their outcomes, first those about cards,
// then the others. The two kinds have no order between them.
func (h *house) events() (cards, others []string) {
	h.t.Helper()
	err := h.store.View(context.Background(), func(r store.Reader) error {
		log, err := storetest.Record(r)
		cards, others = nil, nil
		for _, e := range log {
			if e.Event == audit.CardEnrolled { // of the house itself
				continue
			}
			if said := string(e.Event) + " " + e.Outcome; e.Card.IsZero() {
				others = append(others, said)
			} else {
				cards = append(cards, said)
			}
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return cards, others
}

// recorded reports whether an event is in the audit record.
func (h *house) recorded(event string) bool {
	h.t.Helper()
	cards, others := h.events()
	return slices.Contains(cards, event) || slices.Contains(others, event)
}

// eventually waits until ok returns true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	patience.Until(t, what, ok)
}

func (h *house) allIn(state store.MessageState) func() bool {
	return func() bool {
		for _, m := range h.messages() {
			if m.State != state {
				return false
			}
		}
		return true
	}
}

// driverFunc is a driver made for one test.
type driverFunc func(ctx context.Context, t Text) (string, error)

func (f driverFunc) Send(ctx context.Context, t Text) (string, error) { return f(ctx, t) }

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder // guarded by mu
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var errDied = errors.New("the store died")

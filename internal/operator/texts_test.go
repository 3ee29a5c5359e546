package operator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/operator"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// textID makes an ID as messages have them.
func textID(n int) string { return strings.Repeat("a", 26-n) + strings.Repeat("b", n) }

// fillOutbox leaves a dead code, two dead notices, a waiting and a delivered
// one in an outbox.
func fillOutbox(t *testing.T, e *testkit.Env) {
	t.Helper()
	now := e.Clock.Now()
	row := func(n int, kind string, state store.MessageState) store.Message {
		m := store.Message{ID: textID(n), Kind: kind, Card: liuma.CardID{9}, Template: "pin_reset", Language: notify.Chinese, Region: "33",
			Sealed: []byte("sealed"), State: state, Tries: 3, At: now.Add(-time.Hour), NextAt: now.Add(time.Hour), Expires: now.Add(2 * time.Hour)}
		if state == store.MessageDead {
			m.Fault, m.DoneAt = "refused", now
		}
		if kind == notify.KindCode {
			m.Sealed = nil
		}
		return m
	}
	err := e.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		var errs []error
		for i, m := range []store.Message{
			row(1, notify.KindCode, store.MessageDead), row(2, notify.KindNotice, store.MessageDead), row(3, notify.KindNotice, store.MessageDead),
			row(4, notify.KindNotice, store.MessageWaiting), row(5, notify.KindNotice, store.MessageDelivered),
		} {
			if err := tx.InsertMessage(m); err != nil {
				errs = append(errs, fmt.Errorf("%d: %w", i, err))
			}
		}
		return audit.Entry{At: now, Actor: "test", Event: audit.CodeSent, Outcome: "ok"}, errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// textScript is what an operator may do with texts; it returns what came of it.
func textScript(t *testing.T, o operator.Office) (out []string) {
	t.Helper()
	ctx := t.Context()
	list := func(state store.MessageState, after string) {
		t.Helper()
		letters, err := o.Texts(ctx, state, after)
		out = append(out, fmt.Sprintf("list %q after %q: %+v, %v", state, after, letters, err))
	}
	retry := func(id string) {
		again, err := o.RetryText(ctx, id)
		word := fmt.Sprint(err)
		for _, sentinel := range []error{store.ErrNotFound, notify.ErrNotRetriable} {
			if errors.Is(err, sentinel) {
				word = sentinel.Error() + " | " + word
			}
		}
		out = append(out, fmt.Sprintf("retry %s: %q, %s", id, again, word))
	}
	state := func() {
		t.Helper()
		s, err := o.Status(ctx)
		out = append(out, fmt.Sprintf("status: %+v, %v", s.Texts, err))
	}
	list("", "")
	list(store.MessageDead, "")
	list(store.MessageDead, textID(1))
	list("no such state", "")
	state()
	retry(textID(2))
	retry(textID(2))
	retry(textID(1))
	retry(textID(5))
	retry("")
	retry("../x")
	list(store.MessageWaiting, "")
	state()
	_, err := o.Inbox(ctx)
	out = append(out, fmt.Sprint("inbox: ", errors.Is(err, operator.ErrNoInbox), " ", err))
	return out
}

// Texts are listed and tried again alike beside a server and without one, and
// the record says who had it done.
func TestTextsAreTheSameBehindTheSocket(t *testing.T) {
	h := serve(t)
	fillOutbox(t, h.Env)
	known := recorded(t, h.System.Store)
	remote := textScript(t, h.dial(t))
	remoteEntries := changes(entries(t, h.System.Store, known))

	other := testkit.New(t, testkit.Options{})
	fillOutbox(t, other)
	known = recorded(t, other.System.Store)
	other.Close()
	h.Env = other
	o, err := operator.Open(t.Context(), h.config(t))
	if err != nil {
		t.Fatal(err)
	}
	local := textScript(t, o)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	other.Open()
	if diff := cmp.Diff(local, remote); diff != "" {
		t.Error("what came of it (-without, +with a server):", diff)
	}
	localEntries := changes(entries(t, other.System.Store, known))
	if diff := cmp.Diff(localEntries, remoteEntries); diff != "" {
		t.Error("audit entries (-without, +with a server):", diff)
	}
	want := []audit.Entry{{Actor: operator.Actor, Event: audit.MessageTried, Card: liuma.CardID{9}, Outcome: "ok", Note: "again"}}
	if diff := cmp.Diff(want, remoteEntries); diff != "" {
		t.Error("the record:", diff)
	}
	said := strings.Join(remote, "\n")
	for _, want := range []string{"retry " + textID(2) + `: "` + textID(2) + `", <nil>`, "retry " + textID(1) + `: "", notify: not to be tried again`,
		`retry ../x: "", store: not found`, "inbox: true", "Behind:true", "Overdue:2"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in:\n%s", want, said)
		}
	}
}

// A list that is longer than an answer goes on where it ended.
func TestTextsPageByPage(t *testing.T) {
	h := serve(t)
	const all = operator.MaxTexts + 7
	err := h.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		for i := range all {
			err := tx.InsertMessage(store.Message{ID: fmt.Sprintf("%026d", i), Kind: notify.KindNotice, Card: liuma.CardID{9}, Template: "pin_reset",
				Language: notify.Chinese, Sealed: []byte("x"), State: store.MessageDead, Fault: "refused", At: h.Clock.Now(), DoneAt: h.Clock.Now()})
			if err != nil {
				return audit.Entry{}, err
			}
		}
		return audit.Entry{At: h.Clock.Now(), Actor: "test", Event: audit.CodeSent, Outcome: "ok"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o, seen, after := h.dial(t), map[string]bool{}, ""
	for {
		page, err := o.Texts(t.Context(), store.MessageDead, after)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page {
			seen[l.ID], after = true, l.ID
		}
		if len(page) < operator.MaxTexts {
			break
		}
	}
	if len(seen) != all {
		t.Errorf("%d of %d", len(seen), all)
	}
}

// The inbox's texts are shown by the server that has it, whole.
func TestInboxIsShown(t *testing.T) {
	h := &house{Env: testkit.New(t, testkit.Options{Configure: func(c *config.Config) { c.Texts.Driver = config.DriverInbox }})}
	h.open(t)
	o := h.dial(t)
	if texts, err := o.Inbox(t.Context()); err != nil || len(texts) != 0 {
		t.Fatalf("%v, %v", texts, err)
	}
	_, err := h.System.Inbox.Send(context.Background(), notify.Text{ID: textID(1), Phone: "13812345678", Template: notify.CodeBind, Body: "【电子社保卡】验证码048213"})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := o.Inbox(t.Context())
	want := []operator.InboxText{{At: h.Clock.Now(), Phone: "13812345678", Template: "code_bind", Text: "【电子社保卡】验证码048213"}}
	if diff := cmp.Diff(want, texts); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

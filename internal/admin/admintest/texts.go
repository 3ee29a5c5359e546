package admintest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// textID makes an ID of the form that messages have.
func textID(n int) string { return strings.Repeat("a", 26-n) + strings.Repeat("b", n) }

// fillOutbox puts a dead one-time code, two dead notices, a waiting and a
// delivered one into an outbox.
func fillOutbox(t *testing.T, w *World) {
	t.Helper()
	row := func(n int, kind string, state store.MessageState) store.Message {
		m := store.Message{ID: textID(n), Kind: kind, Card: liuma.CardID{9}, Template: "pin_reset", Language: notify.Chinese, Region: "33",
			Sealed: []byte("sealed"), State: state, Tries: 3, At: Start.Add(-time.Hour), NextAt: Start.Add(time.Hour), Expires: Start.Add(2 * time.Hour)}
		if state == store.MessageDead {
			m.Fault, m.DoneAt = "refused", Start
		}
		if kind == notify.KindCode {
			m.Sealed = nil
		}
		return m
	}
	must(t, w.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		errs := []error{tx.InsertCard(store.Card{ID: liuma.CardID{9}, Holder: vault.Index{9}})}
		for i, m := range []store.Message{
			row(1, notify.KindCode, store.MessageDead), row(2, notify.KindNotice, store.MessageDead), row(3, notify.KindNotice, store.MessageDead),
			row(4, notify.KindNotice, store.MessageWaiting), row(5, notify.KindNotice, store.MessageDelivered),
		} {
			if err := tx.InsertMessage(m); err != nil {
				errs = append(errs, fmt.Errorf("%d: %w", i, err))
			}
		}
		return audit.Entry{At: Start, Actor: "test", Event: audit.CodeSent, Outcome: "ok"}, errors.Join(errs...)
	}))
}

// texts are listed and sent again, with Actor in the audit entry.
func texts(t *testing.T, w *World, a admin.Administration) {
	fillOutbox(t, w)
	ctx := t.Context()
	list := func(state store.MessageState, after string) string {
		t.Helper()
		letters, err := a.Texts(ctx, state, after)
		must(t, err)
		var ids []string
		for _, l := range letters {
			ids = append(ids, l.ID[20:]+fmt.Sprint(" ", l.State, " ", l.Retriable))
		}
		return strings.Join(ids, ", ")
	}
	for _, tt := range []struct {
		state       store.MessageState
		after, want string
	}{
		{"", "", "aaaaab dead false, aaaabb dead true, aaabbb dead true, aabbbb waiting false, abbbbb delivered false"},
		{store.MessageDead, "", "aaaaab dead false, aaaabb dead true, aaabbb dead true"},
		{store.MessageDead, textID(1), "aaaabb dead true, aaabbb dead true"},
		{store.MessageDead, textID(3), ""},
		{"no such state", "", ""},
	} {
		if got := list(tt.state, tt.after); got != tt.want {
			t.Errorf("%q after %q: %s", tt.state, tt.after, got)
		}
	}
	letters, err := a.Texts(ctx, store.MessageWaiting, "")
	must(t, err)
	want := []notify.MessageView{{ID: textID(4), Kind: notify.KindNotice, Way: liuma.ByText, Card: liuma.CardID{9}.String(), Template: "pin_reset", Language: notify.Chinese,
		Region: "33", State: store.MessageWaiting, Tries: 3, At: Start.Add(-time.Hour), NextAt: Start.Add(time.Hour), Expires: Start.Add(2 * time.Hour)}}
	if diff := cmp.Diff(want, letters); diff != "" {
		t.Error("a letter:", diff)
	}
	queue := func(want admin.TextQueue) {
		t.Helper()
		s, err := a.Status(ctx)
		if diff := cmp.Diff(admin.Texts{Driver: "none", Behind: true, Codes: admin.TextQueue{Dead: 1}, Notices: want}, s.Texts); diff != "" || err != nil {
			t.Error("status:", diff, err)
		}
	}
	queue(admin.TextQueue{Waiting: 1, Overdue: 1, Oldest: 3600, Dead: 2})
	if again, err := a.RetryText(ctx, textID(2)); again != textID(2) || err != nil {
		t.Errorf("retry: %q, %v", again, err)
	}
	for name, tt := range map[string]struct {
		id   string
		want error
	}{
		"again":       {textID(2), notify.ErrNotRetriable},
		"a code":      {textID(1), notify.ErrNotRetriable},
		"a delivered": {textID(5), notify.ErrNotRetriable},
		"no ID":       {"", store.ErrNotFound},
		"another ID":  {"../x", store.ErrNotFound},
	} {
		if again, err := a.RetryText(ctx, tt.id); !errors.Is(err, tt.want) || again != "" || err.Error() != "notify: retry: "+tt.want.Error() {
			t.Errorf("retry %s: %q, %v", name, again, err)
		}
	}
	if got := list(store.MessageWaiting, ""); got != "aaaabb waiting false, aabbbb waiting false" {
		t.Errorf("waiting: %s", got)
	}
	queue(admin.TextQueue{Waiting: 2, Overdue: 2, Oldest: 3600, Dead: 1})
	record := []audit.Entry{{At: Start, Actor: admin.Actor, Event: audit.MessageTried, Card: liuma.CardID{9}, Outcome: "ok", Note: "again"}}
	if diff := cmp.Diff(record, w.Entries(t)); diff != "" {
		t.Error("the record:", diff)
	}
	if shown, err := a.Inbox(ctx); !errors.Is(err, admin.ErrNoInbox) || err.Error() != admin.ErrNoInbox.Error() || shown != nil {
		t.Errorf("inbox: %v, %v", shown, err)
	}
}

// pagesOfTexts: a list that is longer than one answer continues after the last
// ID.
func pagesOfTexts(t *testing.T, w *World, a admin.Administration) {
	const all = admin.MaxTexts + 7
	must(t, w.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		for i := range all {
			err := tx.InsertMessage(store.Message{ID: fmt.Sprintf("%026d", i), Kind: notify.KindNotice, Card: liuma.CardID{9}, Template: "pin_reset",
				Language: notify.Chinese, Sealed: []byte("x"), State: store.MessageDead, Fault: "refused", At: Start, DoneAt: Start})
			if err != nil {
				return audit.Entry{}, err
			}
		}
		return audit.Entry{At: Start, Actor: "test", Event: audit.CodeSent, Outcome: "ok"}, nil
	}))
	seen, after := map[string]bool{}, ""
	for {
		page, err := a.Texts(t.Context(), store.MessageDead, after)
		must(t, err)
		for _, l := range page {
			seen[l.ID], after = true, l.ID
		}
		if len(page) < admin.MaxTexts {
			break
		}
	}
	if len(seen) != all {
		t.Errorf("%d of %d", len(seen), all)
	}
}

// inbox shows messages unredacted.
func inbox(t *testing.T, w *World, a admin.Administration) {
	if shown, err := a.Inbox(t.Context()); err != nil || len(shown) != 0 {
		t.Fatalf("%v, %v", shown, err)
	}
	w.Server.Take(notify.Received{At: Start, Text: notify.Text{ID: textID(1), Phone: "13812345678", Template: notify.CodeBind, Body: "【电子社保卡】验证码048213"}})
	shown, err := a.Inbox(t.Context())
	want := []admin.InboxText{{At: Start, Phone: "13812345678", Template: "code_bind", Text: "【电子社保卡】验证码048213"}}
	if diff := cmp.Diff(want, shown); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// retryWakes the outbox of the running server, but only if a message is sent
// again.
func retryWakes(t *testing.T, w *World, a admin.Administration) {
	fillOutbox(t, w)
	if _, err := a.RetryText(t.Context(), textID(1)); !errors.Is(err, notify.ErrNotRetriable) || w.Server.Woken.Load() != 0 {
		t.Errorf("a code: %v, woken %d times", err, w.Server.Woken.Load())
	}
	if _, err := a.RetryText(t.Context(), textID(2)); err != nil || w.Server.Woken.Load() != 1 {
		t.Errorf("a notice: %v, woken %d times", err, w.Server.Woken.Load())
	}
}

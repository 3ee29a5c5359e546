package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// call is a code by voice.
func call(digits string) Message {
	m := code(digits, time.Now().Add(10*time.Minute))
	m.Way = liuma.ByVoice
	return m
}

// talking is an adapter that places calls.
func talking(t testing.TB, url string) *Webhook {
	t.Helper()
	w, err := NewWebhook(WebhookConfig{URL: url, Secret: []byte(hookSecret), Voice: true, Now: hookClock})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestCallsSayTheCodeSlowly hears every call as a phone does.
func TestCallsSayTheCodeSlowly(t *testing.T) {
	ts := mustTemplates(t)
	long := given()
	long["holder"], long["minutes"] = "欧阳*"+strings.Repeat("长", 40), "9999"
	for _, s := range shapes() {
		for language, want := range map[string][]string{
			Chinese: {"您好，这里是电子社保卡", "王某奶", "10分钟内有效", "不要告诉任何人"},
			English: {"this is the electronic social-security card", "王 奶", "10 minutes", "Tell nobody"},
		} {
			text, err := ts.speak(s.name, language, "330500", given())
			if s.kind != KindCode || s.written {
				if !errors.Is(err, ErrTemplate) {
					t.Errorf("%s is read out: %v", s.name, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			slow := map[string]string{Chinese: "0，4，8，2，1，3", English: "0, 4, 8, 2, 1, 3"}[language]
			if strings.Count(text.Body, slow) != 2 || strings.Contains(text.Body, "048213") {
				t.Errorf("%s, %s: the code is not said twice, digit by digit: %q", s.name, language, text.Body)
			}
			for _, w := range want {
				if !strings.Contains(text.Body, w) {
					t.Errorf("%s, %s: no %q in %q", s.name, language, w, text.Body)
				}
			}
			if strings.ContainsAny(text.Body, "*【】{}[]") || LooksLikeLink(text.Body) {
				t.Errorf("%s, %s: cannot be said: %q", s.name, language, text.Body)
			}
			if text.Way != liuma.ByVoice || text.Params["code"] != "048213" || text.Segments != 0 || text.SenderMark != "" {
				t.Errorf("%s, %s: parts do not agree", s.name, language)
			}
			if text, err = ts.speak(s.name, language, "", long); err != nil || units(text.Body) > maxSpoken()[language] {
				t.Errorf("%s, %s: %d units, %v", s.name, language, units(text.Body), err)
			}
		}
	}
}

// TestSpokenWordingsAreChecked: what may not stand in a text may not be said
// either.
func TestSpokenWordingsAreChecked(t *testing.T) {
	good := codeShape(CodeReset)
	if err := checkSpoken(good, Chinese, good.call(Chinese)); err != nil {
		t.Fatal(err)
	}
	for name, said := range map[string]string{
		"once":        "{code}{holder}{minutes}",
		"no holder":   "{code}{code}{minutes}",
		"another":     "{code}{code}{holder}{minutes}{pin}",
		"a link":      "{code}{code}{holder}{minutes}详见pin.example.cn",
		"a link of a": "{code}{code}{holder}{minutes}.cn",
		"a brace":     "{code}{code}{holder}{minutes}{",
		"brackets":    "【社保】{code}{code}{holder}{minutes}",
		"endless":     "{code}{code}{holder}{minutes}" + strings.Repeat("好", 200),
	} {
		if err := checkSpoken(good, Chinese, said); !errors.Is(err, ErrTemplate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWebhookPlacesCalls reads the request like an adapter, and reports that
// nobody answered: the call is dead, and nobody is called again.
func TestWebhookPlacesCalls(t *testing.T) {
	h := newHouse(t)
	bodies := make(chan []byte, 4)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get(HeaderSignature) != Signature([]byte(hookSecret), r.Header.Get(HeaderTimestamp), b) {
			t.Errorf("not signed: %v", err)
		}
		bodies <- b
		rw.WriteHeader(http.StatusAccepted)
	}))
	defer srv.Close()
	o := h.outbox(talking(t, srv.URL))
	h.queue(o, call("048213"))
	h.run(o)
	var got map[string]any
	if err := json.Unmarshal(<-bodies, &got); err != nil {
		t.Fatal(err)
	}
	text, ok := got["text"].(string)
	if !ok || got["way"] != "voice" || !strings.Contains(text, "0，4，8，2，1，3") || got["kind"] != "code" || got["phone"] != testPhone {
		t.Errorf("the call: %v", got)
	}
	for _, name := range []string{"signature", "segments"} {
		if _, has := got[name]; has {
			t.Errorf("a call has %s", name)
		}
	}
	eventually(t, "the call is with the gateway", h.allIn(store.MessageSent))
	m := h.only()
	if m.Way != liuma.ByVoice || m.Sealed != nil {
		t.Errorf("the row of the call: %+v", m)
	}
	if err := o.Receive(t.Context(), Report{ID: m.ID}); err != nil {
		t.Fatal(err)
	}
	if m = h.only(); m.State != store.MessageDead || m.Fault != FaultUndelivered {
		t.Errorf("nobody answered: %+v", m)
	}
	if _, err := Retry(t.Context(), h.store, h.vault, time.Now(), "operator", m.ID); !errors.Is(err, ErrNotRetriable) {
		t.Errorf("an operator had somebody called again: %v", err)
	}
	o.Wake()
	select {
	case <-bodies:
		t.Error("it rang again")
	case <-time.After(200 * time.Millisecond):
	}
	if l := letters(t, h, ""); len(l) != 1 || l[0].Way != liuma.ByVoice {
		t.Errorf("the operator sees %+v", l)
	}
}

// TestTextsNameNoWay: an adapter from before there were calls sees what it
// always saw.
func TestTextsNameNoWay(t *testing.T) {
	h := newHouse(t)
	bodies := make(chan []byte, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies <- b
	}))
	defer srv.Close()
	o := h.outbox(talking(t, srv.URL))
	m := code("048213", time.Now().Add(time.Minute))
	m.Way = liuma.ByText
	h.queue(o, m)
	h.run(o)
	if b := string(<-bodies); strings.Contains(b, `"way"`) || !strings.Contains(b, `"segments":1`) || !strings.Contains(b, "验证码048213") {
		t.Errorf("a text: %s", b)
	}
	if l := letters(t, h, ""); len(l) != 1 || l[0].Way != liuma.ByText {
		t.Errorf("the operator sees %+v", l)
	}
}

// TestNoCallsWithoutVoice: a gateway that places no calls gets none, neither a
// new one nor one from before it was changed.
func TestNoCallsWithoutVoice(t *testing.T) {
	h := newHouse(t)
	for name, d := range map[string]Driver{
		"webhook":   newHook(t, "https://sms.example.cn/", ""),
		"kannel":    newKannel(t, "http://127.0.0.1:13013/"),
		"any other": driverFunc(func(context.Context, Text) (string, error) { return "", nil }),
	} {
		if ways := Ways(d); len(ways) != 1 || ways[0] != liuma.ByText {
			t.Errorf("%s offers %v", name, ways)
		}
		if err := tryQueue(h.store, h.outbox(d), call("048213")); !errors.Is(err, ErrNoVoice) {
			t.Errorf("%s takes calls: %v", name, err)
		}
	}
	if ways := Ways(talking(t, "https://sms.example.cn/")); len(ways) != 2 {
		t.Errorf("with calls: %v", ways)
	}
	before := h.outbox(NewInbox(time.Now))
	h.queue(before, call("048213"))
	sent := make(chan Text, 1)
	h.run(h.outbox(driverFunc(func(_ context.Context, t Text) (string, error) { sent <- t; return "", nil })))
	eventually(t, "the call is given up", h.allIn(store.MessageDead))
	if m := h.only(); m.Fault != FaultNoVoice || m.Sealed != nil || len(sent) != 0 {
		t.Errorf("%+v, sent %d", m, len(sent))
	}
}

// TestQueueRefusesOtherWays: a notice is never read out, to whoever answers.
func TestQueueRefusesOtherWays(t *testing.T) {
	h := newHouse(t)
	o := h.outbox(NewInbox(time.Now))
	spoken, pigeon := notice("a"), call("048213")
	spoken.Way, pigeon.Way = liuma.ByVoice, "pigeon"
	for name, m := range map[string]Message{"a notice": spoken, "by pigeon": pigeon} {
		if err := tryQueue(h.store, o, m); !errors.Is(err, ErrTemplate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWayIsBoundToItsRow: whoever writes to the database does not have a text
// read out.
func TestWayIsBoundToItsRow(t *testing.T) {
	h := newHouse(t)
	o := h.outbox(NewInbox(time.Now))
	h.queue(o, code("048213", time.Now().Add(time.Minute)))
	m := h.only()
	m.Way = liuma.ByVoice
	if _, err := o.open(m); err == nil {
		t.Error("a text was read out")
	}
}

package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

const (
	hookSecret = "0123456789abcdef0123456789abcdef"
	testPhone  = "13812345678"
	path       = "/receipts"
)

var errTrouble = errors.New("the store is in trouble")

func hookClock() time.Time { return time.Unix(1_795_333_920, 0) }

func newDoor(t *testing.T, driver notify.Driver, sink Sink) http.Handler {
	t.Helper()
	s, err := NewServer(Config{Driver: driver, Sink: sink, Path: path, Now: hookClock, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s.Handler
}

// smsbox is a Kannel's smsbox that takes every text and keeps the address that
// it is to report to.
type smsbox struct {
	driver *notify.Kannel
	asked  chan url.Values
}

func newSmsbox(t *testing.T) *smsbox {
	t.Helper()
	s := &smsbox{asked: make(chan url.Values, 1)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked <- r.URL.Query()
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "0: Accepted for delivery")
	}))
	t.Cleanup(srv.Close)
	key := filepath.Join(t.TempDir(), "vault.key")
	if err := vault.Create(key); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	s.driver, err = notify.NewKannel(notify.KannelConfig{SendURL: srv.URL, Username: "username", Password: "pass-word",
		ReceiptURL: "https://pin.example.cn" + path, Vault: v})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// token is the token in the report address of a message.
func (s *smsbox) token(t *testing.T, id string) string {
	t.Helper()
	if _, err := s.driver.Send(t.Context(), notify.Text{ID: id, Phone: testPhone}); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(strings.ReplaceAll((<-s.asked).Get("dlr-url"), "%d", "1"))
	if err != nil || u.Query().Get("id") != id || u.Path != path {
		t.Fatalf("%v, %v", u, err)
	}
	return u.Query().Get("token")
}

// sinkFunc is a sink made for one test.
type sinkFunc func(notify.Report) error

func (f sinkFunc) Receive(_ context.Context, rc notify.Report) error { return f(rc) }

func TestWebhookReceipts(t *testing.T) {
	const old = "fedcba9876543210fedcba9876543210"
	const good = `{"receipts":[{"id":"a","status":"delivered"},{"ref":"r","status":"failed"}]}`
	signed := func(secret, stamp, body string) http.Header {
		return http.Header{notify.HeaderTimestamp: {stamp}, notify.HeaderSignature: {notify.Signature([]byte(secret), stamp, []byte(body))}}
	}
	const now = "1795333920"
	var got []notify.Report
	sink := sinkFunc(func(rc notify.Report) error {
		got = append(got, rc)
		switch rc.ID {
		case "unknown":
			return fmt.Errorf("x: %w", store.ErrNotFound)
		case "trouble":
			return errTrouble
		}
		return nil
	})
	many := `{"receipts":[` + strings.Repeat(`{"id":"a","status":"failed"},`, 100) + `{"id":"a","status":"failed"}]}`
	sent := make(chan []byte, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sent <- body
	}))
	defer srv.Close()
	hook, err := notify.NewWebhook(notify.WebhookConfig{URL: srv.URL, Secret: []byte(hookSecret), Previous: []byte(old), Now: hookClock})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hook.Send(t.Context(), notify.Text{ID: "a", Phone: testPhone}); err != nil {
		t.Fatal(err)
	}
	reflected := <-sent
	h := newDoor(t, hook, sink)
	for name, c := range map[string]struct {
		method, body string
		header       http.Header
		status, got  int
	}{
		"good":              {"POST", good, signed(hookSecret, now, good), 204, 2},
		"previous secret":   {"POST", good, signed(old, now, good), 204, 2},
		"other secret":      {"POST", good, signed("x", now, good), 401, 0},
		"other body":        {"POST", good + " ", signed(hookSecret, now, good), 401, 0},
		"unsigned":          {"POST", good, nil, 401, 0},
		"old":               {"POST", good, signed(hookSecret, "1795333619", good), 401, 0},
		"from the future":   {"POST", good, signed(hookSecret, "1795334221", good), 401, 0},
		"no time":           {"POST", good, signed(hookSecret, "", good), 401, 0},
		"far past":          {"POST", good, signed(hookSecret, "-9223372036854775808", good), 401, 0},
		"get":               {"GET", good, signed(hookSecret, now, good), 405, 0},
		"too long":          {"POST", strings.Repeat(" ", maxBody+1), nil, 400, 0},
		"too many":          {"POST", many, signed(hookSecret, now, many), 400, 0},
		"none":              {"POST", `{"receipts":[]}`, signed(hookSecret, now, `{"receipts":[]}`), 400, 0},
		"not JSON":          {"POST", "x", signed(hookSecret, now, "x"), 400, 0},
		"a send, reflected": {"POST", string(reflected), signed(hookSecret, now, string(reflected)), 400, 0},
		"bad status":        {"POST", `{"receipts":[{"id":"a","status":"sent"}]}`, signed(hookSecret, now, `{"receipts":[{"id":"a","status":"sent"}]}`), 400, 0},
		"no name":           {"POST", `{"receipts":[{"status":"failed"}]}`, signed(hookSecret, now, `{"receipts":[{"status":"failed"}]}`), 400, 0},
		"two documents":     {"POST", good + good, signed(hookSecret, now, good+good), 400, 0},
		"unknown message":   {"POST", `{"receipts":[{"id":"unknown","status":"failed"}]}`, signed(hookSecret, now, `{"receipts":[{"id":"unknown","status":"failed"}]}`), 204, 1},
		"store in trouble":  {"POST", `{"receipts":[{"id":"trouble","status":"failed"}]}`, signed(hookSecret, now, `{"receipts":[{"id":"trouble","status":"failed"}]}`), 503, 1},
	} {
		got = nil
		req := httptest.NewRequestWithContext(t.Context(), c.method, path, bytes.NewReader([]byte(c.body)))
		for name, v := range c.header {
			req.Header[http.CanonicalHeaderKey(name)] = v
		}
		rw := httptest.NewRecorder()
		h.ServeHTTP(rw, req)
		if rw.Code != c.status || len(got) != c.got {
			t.Errorf("%s: status %d, %d receipts; want %d, %d", name, rw.Code, len(got), c.status, c.got)
		}
		if c.status == 204 && c.got == 2 && (got[0] != notify.Report{ID: "a", Delivered: true} || got[1] != notify.Report{Ref: "r"}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestKannelReports sends reports as smsbox does, and as a stranger who guesses
// tokens.
func TestKannelReports(t *testing.T) {
	k, other := newSmsbox(t), newSmsbox(t)
	var got []notify.Report
	h := newDoor(t, k.driver, sinkFunc(func(rc notify.Report) error {
		got = append(got, rc)
		switch rc.ID {
		case "unknown":
			return store.ErrNotFound
		case "trouble":
			return errTrouble
		}
		return nil
	}))
	good := k.token(t, "a")
	for name, c := range map[string]struct {
		method, id, token, status string
		want                      int
		got                       []notify.Report
	}{
		"delivered":          {"GET", "a", good, "1", 204, []notify.Report{{ID: "a", Delivered: true}}},
		"failed":             {"GET", "a", good, "2", 204, []notify.Report{{ID: "a"}}},
		"rejected":           {"GET", "a", good, "16", 204, []notify.Report{{ID: "a"}}},
		"on its way":         {"GET", "a", good, "8", 204, nil},
		"no status":          {"GET", "a", good, "", 400, nil},
		"token of another":   {"GET", "a", k.token(t, "b"), "1", 403, nil},
		"of another gateway": {"GET", "a", other.token(t, "a"), "1", 403, nil},
		"no token":           {"GET", "a", "", "1", 403, nil},
		"posted":             {"POST", "a", good, "1", 405, nil},
		"unknown":            {"GET", "unknown", k.token(t, "unknown"), "1", 204, []notify.Report{{ID: "unknown", Delivered: true}}},
		"store in trouble":   {"GET", "trouble", k.token(t, "trouble"), "1", 503, []notify.Report{{ID: "trouble", Delivered: true}}},
	} {
		got = nil
		q := url.Values{"id": {c.id}, "token": {c.token}, "status": {c.status}}
		rw := httptest.NewRecorder()
		h.ServeHTTP(rw, httptest.NewRequestWithContext(t.Context(), c.method, path+"?"+q.Encode(), http.NoBody))
		if rw.Code != c.want || len(got) != len(c.got) || len(got) == 1 && got[0] != c.got[0] {
			t.Errorf("%s: status %d, %+v", name, rw.Code, got)
		}
	}
}

// TestOnlyReportsAreAnswered: other paths, and drivers whose gateways report
// nothing.
func TestOnlyReportsAreAnswered(t *testing.T) {
	sink := sinkFunc(func(notify.Report) error { t.Error("a receipt"); return nil })
	for what, h := range map[string]http.Handler{"another path": newDoor(t, newSmsbox(t).driver, sink), "a silent driver": newDoor(t, notify.NewInbox(hookClock), sink)} {
		for _, target := range []string{"/", path + "/x"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, http.NoBody))
			if w.Code != http.StatusNotFound || len(w.Header().Get("X-Request-Id")) != 16 {
				t.Errorf("%s, %s: %d", what, target, w.Code)
			}
		}
	}
	w := httptest.NewRecorder()
	newDoor(t, notify.NewInbox(hookClock), sink).ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, http.NoBody))
	if w.Code != http.StatusNotFound {
		t.Errorf("a silent driver: %d", w.Code)
	}
}

func TestConfigIsChecked(t *testing.T) {
	sink := sinkFunc(func(notify.Report) error { return nil })
	for what, spoil := range map[string]func(*Config){
		"driver": func(c *Config) { c.Driver = nil }, "sink": func(c *Config) { c.Sink = nil }, "path": func(c *Config) { c.Path = "" },
		"clock": func(c *Config) { c.Now = nil }, "logger": func(c *Config) { c.Logger = nil },
	} {
		c := Config{Driver: notify.NewInbox(hookClock), Sink: sink, Path: path, Now: hookClock, Logger: slog.New(slog.DiscardHandler)}
		spoil(&c)
		if _, err := NewServer(c); err == nil {
			t.Errorf("no %s: accepted", what)
		}
	}
}

package door_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
)

var start = time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)

// newLog is a log whose clock moves a second at each look.
func newLog(t *testing.T, level slog.Level) (*door.Log, *bytes.Buffer) {
	t.Helper()
	out, now := &bytes.Buffer{}, start
	l, err := door.NewLog(door.LogConfig{
		Now:    func() time.Time { now = now.Add(time.Second); return now },
		Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level})),
		Fault: func(v *door.Visit, _ *http.Request) {
			v.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(v, "fault")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, out
}

func serve(l *door.Log, r *http.Request, handle func(*door.Visit, *http.Request)) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	l.Serve(w, r, handle)
	return w
}

func TestLogConfigIsChecked(t *testing.T) {
	good := door.LogConfig{Now: time.Now, Logger: slog.New(slog.DiscardHandler), Fault: func(*door.Visit, *http.Request) {}}
	for what, spoil := range map[string]func(*door.LogConfig){
		"clock": func(c *door.LogConfig) { c.Now = nil }, "logger": func(c *door.LogConfig) { c.Logger = nil }, "fault": func(c *door.LogConfig) { c.Fault = nil },
	} {
		c := good
		spoil(&c)
		if _, err := door.NewLog(c); err == nil {
			t.Errorf("no %s: accepted", what)
		}
	}
}

// TestOneLine: each request logs exactly one line, and the line holds only
// permitted values.
func TestOneLine(t *testing.T) {
	l, out := newLog(t, slog.LevelInfo)
	r := httptest.NewRequest("POST", "/v1/canary1?canary2=1", strings.NewReader("canary3"))
	r.Header.Set("User-Agent", "canary4")
	w := serve(l, r, func(v *door.Visit, r *http.Request) {
		r.Pattern = "POST /v1/{x}"
		v.Client, v.BusinessNo = "zj-hrss", "canary5"
		if door.VisitOf(r.Context()) != v || v.Instance() != "urn:liuma:request:"+v.ID() {
			t.Error("the request does not know its visit")
		}
		v.WriteHeader(http.StatusTeapot)
		fmt.Fprint(v, "seven b")
	})
	id := w.Header().Get("X-Request-Id")
	want := `msg=request method=POST route="POST /v1/{x}" status=418 bytes=7 took_ms=1000 request=` + id + " client=zj-hrss\n"
	if len(id) != 16 || strings.Count(out.String(), "\n") != 1 || !strings.HasSuffix(out.String(), want) || strings.Contains(out.String(), "canary") {
		t.Errorf("log: %s\nwant: %s", out, want)
	}
	if again := serve(l, r, func(*door.Visit, *http.Request) {}).Header().Get("X-Request-Id"); again == id {
		t.Error("two requests have one id")
	}
	if door.VisitOf(context.Background()) != nil {
		t.Error("a visit outside of a door")
	}
}

func TestWhatIsLoggedOfOddRequests(t *testing.T) {
	l, out := newLog(t, slog.LevelInfo)
	serve(l, httptest.NewRequest("CANARY", "/", nil), func(*door.Visit, *http.Request) {})
	if !strings.Contains(out.String(), "method=other") || !strings.Contains(out.String(), "status=200") || strings.Contains(out.String(), "CANARY") {
		t.Errorf("log: %s", out)
	}
	quiet, out := newLog(t, slog.LevelWarn)
	serve(quiet, httptest.NewRequest("GET", "/", nil), func(*door.Visit, *http.Request) {})
	if out.Len() != 0 {
		t.Errorf("a quiet log: %s", out)
	}
}

func TestPanics(t *testing.T) {
	for what, c := range map[string]struct {
		handle       func(*door.Visit, *http.Request)
		status       int
		body, logged string
	}{
		"a text":              {func(*door.Visit, *http.Request) { panic("canary") }, 500, "fault", "panic=string"},
		"an error":            {func(*door.Visit, *http.Request) { panic(errors.New("canary")) }, 500, "fault", "panic=*errors.errorString"},
		"the runtime's":       {func(*door.Visit, *http.Request) { _ = []int{}[len(what())] }, 500, "fault", "index out of range"},
		"nil":                 {func(*door.Visit, *http.Request) { panic(nil) }, 500, "fault", "panic called with nil"},
		"after half a page":   {func(v *door.Visit, _ *http.Request) { fmt.Fprint(v, "half"); panic("canary") }, 200, "half", "panic=string"},
		"after a bare status": {func(v *door.Visit, _ *http.Request) { v.WriteHeader(204); panic("canary") }, 204, "", "panic=string"},
	} {
		l, out := newLog(t, slog.LevelInfo)
		w := serve(l, httptest.NewRequest("GET", "/", nil), c.handle)
		log := out.String()
		if w.Code != c.status || w.Body.String() != c.body || !strings.Contains(log, c.logged) || strings.Contains(log, "canary") ||
			!strings.Contains(log, fmt.Sprintf("msg=request method=GET route=\"\" status=%d", c.status)) {
			t.Errorf("%s: %d %q\n%s", what, w.Code, w.Body, log)
		}
	}
}

func what() string { return "x" }

// TestAbortGoesOn: the server's own way to drop a connection is not swallowed.
func TestAbortGoesOn(t *testing.T) {
	l, out := newLog(t, slog.LevelInfo)
	defer func() {
		if recover() != http.ErrAbortHandler || strings.Contains(out.String(), "panic") {
			t.Errorf("swallowed: %s", out)
		}
	}()
	serve(l, httptest.NewRequest("GET", "/", nil), func(*door.Visit, *http.Request) { panic(http.ErrAbortHandler) })
}

// TestTheConnectionIsReached: the log takes no informational status for the
// answer, and hides nothing that the server looks for.
func TestTheConnectionIsReached(t *testing.T) {
	l, out := newLog(t, slog.LevelInfo)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.Serve(w, r, func(v *door.Visit, _ *http.Request) {
			if err := http.NewResponseController(v).SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Error(err)
			}
			v.WriteHeader(http.StatusEarlyHints)
			v.WriteHeader(http.StatusAccepted)
		})
	}))
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	server.Close() // which waits for the handler, and so for its line
	if resp.StatusCode != http.StatusAccepted || !strings.Contains(out.String(), "status=202") {
		t.Errorf("%d\n%s", resp.StatusCode, out)
	}
}

func TestShown(t *testing.T) {
	left := 3
	full := func(c liuma.Code) *liuma.Error {
		return &liuma.Error{Code: c, Field: "f", Reason: "r", TriesLeft: &left, Until: start, Challenge: "c"}
	}
	known := func(c liuma.Code) bool { return c != liuma.CodeFrozen }
	r := httptest.NewRequest("GET", "/", nil)
	ended, end := context.WithCancel(t.Context())
	end()
	for what, c := range map[string]struct {
		r    *http.Request
		err  error
		want liuma.Error
	}{
		"classified":   {r, fmt.Errorf("w: %w", full(liuma.CodeLocked)), *full(liuma.CodeLocked)},
		"unclassified": {r, errors.New("canary"), liuma.Error{Code: liuma.CodeInternal}},
		"unknown here": {r, full(liuma.CodeFrozen), liuma.Error{Code: liuma.CodeInternal}},
		"internal":     {r, full(liuma.CodeInternal), liuma.Error{Code: liuma.CodeInternal}},
		"one refusal":  {r, full(liuma.CodeRefused), liuma.Error{Code: liuma.CodeRefused}},
		"caller gone":  {r.WithContext(ended), full(liuma.CodeLocked), liuma.Error{Code: liuma.CodeUnavailable}},
	} {
		if got := door.Shown(c.r, c.err, known); *got != c.want {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

func TestFailed(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	r := httptest.NewRequest("GET", "/canary", nil)
	for _, c := range []struct {
		r      *http.Request
		status int
		code   liuma.Code
		level  string
	}{
		{r, 500, liuma.CodeInternal, "ERROR"}, {r, 503, liuma.CodeUnavailable, "ERROR"}, {r, 401, liuma.CodeUnauthenticated, "WARN"},
		{r, 403, liuma.CodeForbidden, "WARN"}, {r, 400, liuma.CodeCodeInvalid, "WARN"}, {r, 422, liuma.CodeWeakPIN, "DEBUG"},
		{r.WithContext(ended), 503, liuma.CodeUnavailable, "DEBUG"},
	} {
		l, out := newLog(t, slog.LevelDebug)
		serve(l, c.r, func(v *door.Visit, r *http.Request) {
			v.Client = "zj-hrss"
			l.Failed(v, r, c.status, c.code, errors.New("why"))
		})
		first, _, _ := strings.Cut(out.String(), "\n")
		if !strings.Contains(first, "level="+c.level+` msg="request failed"`) || !strings.Contains(first, "client=zj-hrss code="+string(c.code)+" cause=why") ||
			strings.Contains(first, "canary") {
			t.Errorf("%s: %s", c.code, first)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		e    liuma.Error
		want int
	}{
		{liuma.Error{Code: liuma.CodeLocked, Until: start.Add(90 * time.Second)}, 90},
		{liuma.Error{Code: liuma.CodeLocked, Until: start.Add(1500 * time.Millisecond)}, 2},
		{liuma.Error{Code: liuma.CodeLocked, Until: start.Add(-time.Hour)}, 1},
		{liuma.Error{Code: liuma.CodeBusy}, 2}, {liuma.Error{Code: liuma.CodeChangeUnderWay}, 2}, {liuma.Error{Code: liuma.CodeUnavailable}, 5},
		{liuma.Error{Code: liuma.CodeLocked}, 0}, {liuma.Error{Code: liuma.CodeBadRequest}, 0},
	} {
		if got := door.RetryAfter(&c.e, start); got != c.want {
			t.Errorf("%s: %d, want %d", c.e.Code, got, c.want)
		}
	}
}

func TestEnglish(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "zh-CN": false, "en": true, "en-GB,en;q=0.9,zh;q=0.1": true, "zh;q=0.5,en;q=0.4": false, "zh;q=0.4,en;q=0.5": true,
		"zh-TW,en;q=0.9": false, "fr": false, "fr,en;q=0.5,zh;q=0.4": true, "bo,zh-CN;q=0.9,en;q=0.8": false, "*": false,
		"\x80;;;": false, "en;q=oops": false, strings.Repeat("en,", 100): false,
	} {
		if got := door.Accepted(header) == door.English; got != want {
			t.Errorf("%.30q: %v", header, got)
		}
	}
}

package door_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/locale"
)

// shown is how the door of these tests writes an error down.
type shown struct {
	Code   liuma.Code
	Status int
	Detail string
	Next   string
	ID     string
	No     string
}

func callsConfig(log io.Writer) door.CallsConfig {
	return door.CallsConfig{
		Now: func() time.Time { return start }, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Status: func(c liuma.Code) (int, bool) {
			switch c {
			case liuma.CodeInternal:
				return 500, true
			case liuma.CodeUnavailable:
				return 503, true
			case liuma.CodeUnauthenticated:
				return 401, true
			case liuma.CodeBadRequest, liuma.CodeBusy:
				return 400, true
			}
			return 0, false
		},
		Reasons: append(door.Explain("api", door.ReasonMethod), door.Explained{Reason: "own", Text: liuma.Text{ZH: "自己的", EN: "own words"}}), Type: "application/x-error", Challenge: "Bearer",
		Document: func(_ *http.Request, f door.Refusal) any {
			return shown{f.Code, f.Status, f.In(f.Detail), f.In(f.Next), f.Instance, f.BusinessNo}
		},
	}
}

func newCalls(t *testing.T, c door.CallsConfig) *door.Calls {
	t.Helper()
	calls, err := door.NewCalls(c)
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

func TestCallsConfigIsChecked(t *testing.T) {
	for what, spoil := range map[string]func(*door.CallsConfig){
		"clock": func(c *door.CallsConfig) { c.Now = nil }, "logger": func(c *door.CallsConfig) { c.Logger = nil },
		"statuses": func(c *door.CallsConfig) { c.Status = nil }, "reasons": func(c *door.CallsConfig) { c.Reasons = nil },
		"type": func(c *door.CallsConfig) { c.Type = "" }, "document": func(c *door.CallsConfig) { c.Document = nil },
	} {
		c := callsConfig(io.Discard)
		spoil(&c)
		if _, err := door.NewCalls(c); err == nil {
			t.Errorf("no %s: accepted", what)
		}
	}
}

func TestErrorsAreAnswered(t *testing.T) {
	for what, c := range map[string]struct {
		err    error
		accept string
		want   shown
		header map[string]string
	}{
		"a code":       {liuma.Fail(liuma.CodeBusy, nil), "en", shown{Code: "busy", Status: 400, Detail: locale.Explain("busy", "").What.EN, Next: locale.Explain("busy", "").Next.EN}, map[string]string{"Retry-After": "2"}},
		"a reason":     {door.Malformed("own", ""), "en", shown{Code: "bad_request", Status: 400, Detail: "own words", Next: locale.Explain("bad_request", "").Next.EN}, nil},
		"in Chinese":   {door.Malformed("own", ""), "", shown{Code: "bad_request", Status: 400, Detail: "自己的", Next: locale.Explain("bad_request", "").Next.ZH}, nil},
		"its sentence": {&liuma.Error{Code: liuma.CodeBadRequest, Reason: "own", Sentence: liuma.Text{ZH: "这次", EN: "this time"}}, "en", shown{Code: "bad_request", Status: 400, Detail: "this time", Next: locale.Explain("bad_request", "").Next.EN}, nil},
		"method":       {door.Malformed(door.ReasonMethod, ""), "en", shown{Code: "bad_request", Status: 405, Detail: "This address does not answer to this method.", Next: locale.Explain("bad_request", "").Next.EN}, nil},
		"media type":   {door.Malformed(door.ReasonContentType, ""), "en", shown{Code: "bad_request", Status: 415, Detail: locale.Explain("bad_request", "").What.EN, Next: locale.Explain("bad_request", "").Next.EN}, nil},
		"who is it":    {door.Unauthenticated("own", "", errors.New("canary")), "en", shown{Code: "unauthenticated", Status: 401, Detail: "own words", Next: locale.Explain("unauthenticated", "").Next.EN}, map[string]string{"WWW-Authenticate": "Bearer"}},
		"not known":    {liuma.Fail(liuma.CodeFrozen, nil), "en", shown{Code: "internal", Status: 500, Detail: locale.Explain("internal", "").What.EN, Next: locale.Explain("internal", "").Next.EN}, nil},
		"not a code":   {errors.New("canary"), "en", shown{Code: "internal", Status: 500, Detail: locale.Explain("internal", "").What.EN, Next: locale.Explain("internal", "").Next.EN}, nil},
	} {
		calls := newCalls(t, callsConfig(io.Discard))
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Accept-Language", c.accept)
		w := httptest.NewRecorder()
		calls.Serve(w, r, func(v *door.Visit, _ *http.Request) error { v.BusinessNo = "B-1"; return c.err })
		c.want.No, c.want.ID = "B-1", "urn:liuma:request:"+w.Header().Get("X-Request-Id")
		var got shown
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got != c.want || w.Code != c.want.Status {
			t.Errorf("%s: %d %s, %v; want %+v", what, w.Code, w.Body, err, c.want)
		}
		header := map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "application/x-error",
			"Vary": "Accept-Language", "Retry-After": "", "WWW-Authenticate": ""}
		for name, value := range c.header {
			header[name] = value
		}
		for name, value := range header {
			if w.Header().Get(name) != value {
				t.Errorf("%s: %s is %q, want %q", what, name, w.Header().Get(name), value)
			}
		}
	}
}

// TestWhatCannotBeWrittenIsAFault: an answer that cannot be encoded, and a
// handler that panics, give internal errors without detail.
func TestWhatCannotBeWrittenIsAFault(t *testing.T) {
	var log bytes.Buffer
	c := callsConfig(&log)
	c.Document = func(*http.Request, door.Refusal) any { return func() {} }
	w := httptest.NewRecorder()
	newCalls(t, c).Serve(w, httptest.NewRequest("GET", "/", nil), func(*door.Visit, *http.Request) error { return liuma.Fail(liuma.CodeBusy, nil) })
	if w.Code != 500 || w.Body.Len() != 0 || !strings.Contains(log.String(), "error document") {
		t.Errorf("%d %s\n%s", w.Code, w.Body, &log)
	}
	w = httptest.NewRecorder()
	newCalls(t, callsConfig(&log)).Serve(w, httptest.NewRequest("GET", "/", nil), func(*door.Visit, *http.Request) error { panic("canary") })
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"internal"`) || strings.Contains(w.Body.String()+log.String(), "canary") {
		t.Errorf("%d %s\n%s", w.Code, w.Body, &log)
	}
}

func TestBodies(t *testing.T) {
	const kind = "application/json"
	for what, c := range map[string]struct {
		header map[string][]string
		want   door.Reason
	}{
		"plain":      {map[string][]string{"Content-Type": {kind}}, ""},
		"charset":    {map[string][]string{"Content-Type": {kind + "; charset=UTF-8"}}, ""},
		"identity":   {map[string][]string{"Content-Type": {kind}, "Content-Encoding": {"Identity"}}, ""},
		"none":       {nil, door.ReasonContentType},
		"two":        {map[string][]string{"Content-Type": {kind, kind}}, door.ReasonContentType},
		"other":      {map[string][]string{"Content-Type": {"text/plain"}}, door.ReasonContentType},
		"GB 18030":   {map[string][]string{"Content-Type": {kind + "; charset=gb18030"}}, door.ReasonContentType},
		"malformed":  {map[string][]string{"Content-Type": {kind + ";;"}}, door.ReasonContentType},
		"compressed": {map[string][]string{"Content-Type": {kind}, "Content-Encoding": {"gzip"}}, door.ReasonContentEncoding},
	} {
		if got := reasonOf(t, door.OnlyType(c.header, kind)); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
	for target, want := range map[string]door.Reason{"/a": "", "/a?": door.ReasonQuery, "/a?b=c": door.ReasonQuery} {
		if got := reasonOf(t, door.NoQuery(httptest.NewRequest("POST", target, nil))); got != want {
			t.Errorf("%s: %q", target, got)
		}
	}
}

func reasonOf(t *testing.T, err error) door.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Code != liuma.CodeBadRequest {
		t.Errorf("%v", err)
		return ""
	}
	return door.Reason(e.Reason)
}

func TestReadBody(t *testing.T) {
	for what, c := range map[string]struct {
		body   io.Reader
		length int64
		want   liuma.Code
	}{
		"empty":              {strings.NewReader(""), 0, ""},
		"as long as may be":  {strings.NewReader("12345678"), 8, ""},
		"of unknown length":  {strings.NewReader("12345678"), -1, ""},
		"announced too long": {strings.NewReader(""), 9, liuma.CodeTooLarge},
		"too long":           {strings.NewReader("123456789"), -1, liuma.CodeTooLarge},
		"cut off":            {iotest.ErrReader(io.ErrUnexpectedEOF), 5, liuma.CodeBadRequest},
	} {
		r := httptest.NewRequest("POST", "/", c.body)
		r.ContentLength = c.length
		body, err := door.ReadBody(httptest.NewRecorder(), r, 8)
		if c.want == "" && (err != nil || len(body) > 8) || c.want != "" && (liuma.CodeOf(err) != c.want || body != nil) {
			t.Errorf("%s: %q, %v", what, body, err)
		}
	}
}

func TestOriginsAndPaths(t *testing.T) {
	for origin, want := range map[string]string{
		"https://pin.example.cn": "secure", "https://pin.example.cn:8443": "secure", "http://127.0.0.1:8601": "plain", "http://localhost": "plain", "http://[::1]:1": "plain",
		"": "", "pin.example.cn": "", "http://pin.example.cn": "", "https://pin.example.cn/": "", "https://u@pin.example.cn": "", "ftp://127.0.0.1": "", "https:opaque": "", "http://localhost.example": "",
	} {
		secure, err := door.CheckOrigin(origin)
		if got := map[bool]string{true: "secure", false: "plain"}[secure]; (err == nil) != (want != "") || err == nil && got != want || err != nil && secure {
			t.Errorf("%q: %t, %v", origin, secure, err)
		}
	}
	for path, want := range map[string]bool{"/": true, "/a/b": true, "": false, "a": false, "//a": false, "/a/": false, "/a/../b": false, "/./a": false} {
		if door.CleanPath(path) != want {
			t.Errorf("%q: %t", path, !want)
		}
	}
}

func TestServersAreBounded(t *testing.T) {
	s := door.NewServer(http.NewServeMux(), door.Bounds{Read: 1, Write: 2, Idle: 3, HeaderBytes: 4}, slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout != 1 || s.WriteTimeout != 2 || s.IdleTimeout != 3 || s.MaxHeaderBytes != 4 || s.ErrorLog == nil {
		t.Errorf("%+v", s)
	}
}

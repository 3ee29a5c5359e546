package door

import (
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
)

func testDoor(t *testing.T, origin string) (*Pages, *strings.Builder) {
	t.Helper()
	logs := &strings.Builder{}
	now := time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)
	d, err := NewPages(PagesConfig{
		Origin: origin, Now: func() time.Time { return now },
		Logger: slog.New(slog.NewTextHandler(logs, nil)),
		Fault: func(w http.ResponseWriter, _ *http.Request, status int, code liuma.Code) {
			w.WriteHeader(status)
			fmt.Fprint(w, "fault ", code)
		},
		MaxBody: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, logs
}

func do(d *Pages, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

func TestPanicBecomesAPage(t *testing.T) {
	d, logs := testDoor(t, "https://pin.example.cn")
	d.HandleFunc("GET /value", func(http.ResponseWriter, *http.Request) { panic("canary") })
	d.HandleFunc("GET /nil", func(_ http.ResponseWriter, r *http.Request) { panic(r.Context().Value("x").(fmt.Stringer).String()) })
	d.HandleFunc("GET /late", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "half"); panic("canary") })
	for _, path := range []string{"/value", "/nil"} {
		if w := do(d, "GET", path, ""); w.Code != 500 || w.Body.String() != "fault internal" || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := do(d, "GET", "/late", ""); w.Body.String() != "half" {
		t.Errorf("late: %s", w.Body)
	}
	if log := logs.String(); strings.Contains(log, "canary") || !strings.Contains(log, "interface conversion") {
		t.Errorf("log:\n%s", log)
	}
	d.HandleFunc("GET /abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("an aborted answer was swallowed")
		}
	}()
	do(d, "GET", "/abort", "")
}

func TestLogHoldsTheRouteAlone(t *testing.T) {
	d, logs := testDoor(t, "https://pin.example.cn")
	d.HandleFunc("GET /c/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, RequestID(r.Context()))
	})
	w := do(d, "GET", "/c/canary1?canary2=1", "", "User-Agent", "canary3", "Cookie", "canary4=1", "Referer", "https://canary5/")
	log := logs.String()
	for _, want := range []string{`route="GET /c/{id}"`, "status=418", "bytes=16", "request=" + w.Body.String()} {
		if !strings.Contains(log, want) {
			t.Errorf("log lacks %s: %s", want, log)
		}
	}
	do(d, "CANARY6", "/canary7", "")
	if strings.Contains(strings.ToLower(logs.String()), "canary") {
		t.Errorf("log: %s", logs)
	}
	if id := w.Header().Get("X-Request-Id"); len(id) != 16 || id != w.Body.String() {
		t.Errorf("request id %q", id)
	}
}

func TestRefusalsOfTheMux(t *testing.T) {
	d, _ := testDoor(t, "https://pin.example.cn")
	d.HandleFunc("GET /a", func(http.ResponseWriter, *http.Request) {})
	if w := do(d, "GET", "/b", ""); w.Code != 404 || w.Body.String() != "fault not_found" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := do(d, "PUT", "/a", "", "Sec-Fetch-Site", "same-origin"); w.Code != 405 || w.Header().Get("Allow") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestBodiesAreBounded(t *testing.T) {
	d, _ := testDoor(t, "https://pin.example.cn")
	d.HandleFunc("POST /form", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	for n, want := range map[int]int{50: 200, 500: 413} {
		w := do(d, "POST", "/form", "a="+strings.Repeat("x", n), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
		if w.Code != want {
			t.Errorf("%d bytes: %d", n, w.Code)
		}
	}
}

func TestReports(t *testing.T) {
	d, logs := testDoor(t, "https://pin.example.cn")
	d.maxBody = 1000
	send := func(body string) {
		if w := do(d, "POST", ReportPath, body, "Content-Type", "application/csp-report", "Sec-Fetch-Site", "cross-site"); w.Code != 204 {
			t.Errorf("report: %d", w.Code)
		}
	}
	send(`{"csp-report":{"effective-directive":"script-src-elem","blocked-uri":"https://evil.example/canary?x","document-uri":"https://pin.example.cn/c/canary?x"}}`)
	if log := logs.String(); !strings.Contains(log, "directive=script-src-elem") || !strings.Contains(log, "blocked=https://evil.example ") ||
		!strings.Contains(log, "page=/c ") || strings.Contains(log, "canary") {
		t.Errorf("log: %s", log)
	}
	send(`{"csp-report":{"effective-directive":"CANARY\n","blocked-uri":"canary","document-uri":"canary"}}`)
	send("canary")
	if strings.Contains(strings.ToLower(logs.String()), "canary") {
		t.Errorf("log: %s", logs)
	}
	for range 100 {
		send(`{"csp-report":{"effective-directive":"img-src"}}`)
	}
	if n := strings.Count(logs.String(), "content policy refused"); n != 30 {
		t.Errorf("%d reports in the log", n)
	}
}

func TestCookieFlags(t *testing.T) {
	for origin, secure := range map[string]bool{"https://pin.example.cn": true, "http://127.0.0.1:8601": false, "http://localhost:8601": false, "http://[::1]:1": false} {
		d, _ := testDoor(t, origin)
		w := httptest.NewRecorder()
		d.Cookies().Set(w, "x", "v", time.Minute)
		c := w.Result().Cookies()[0]
		if c.Secure != secure || strings.HasPrefix(c.Name, "__Host-") != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 60 || c.Path != "/" {
			t.Errorf("%s: %+v", origin, c)
		}
		if got := do(d, "GET", "/", "").Header().Get("Strict-Transport-Security") != ""; got != secure {
			t.Errorf("%s: HSTS %v", origin, got)
		}
	}
}

func TestLanguages(t *testing.T) {
	d, _ := testDoor(t, "https://pin.example.cn")
	for _, tt := range []struct {
		query, cookie, header string
		want                  Lang
	}{
		{"", "", "", Chinese},
		{"", "", "en-GB,en;q=0.9", English},
		{"", "", "zh-TW,en;q=0.9", Chinese},
		{"", "", "fr,en;q=0.5,zh;q=0.4", English},
		{"", "", "fr", Chinese},
		{"", "", "en;q=oops", Chinese},
		{"", "", strings.Repeat("en,", 100), Chinese},
		{"", "zh-CN", "en", Chinese},
		{"", "en", "zh", English},
		{"lang=en", "zh-CN", "zh", English},
		{"lang=ZH-cn", "en", "en", Chinese},
		{"lang=fr", "en", "zh", English},
	} {
		r := httptest.NewRequest("GET", "/?"+tt.query, nil)
		r.Header.Set("Accept-Language", tt.header)
		r.AddCookie(&http.Cookie{Name: "__Host-lang", Value: tt.cookie})
		if got := d.Preferences(r).Lang; got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

func TestPagesConfigIsChecked(t *testing.T) {
	ok := PagesConfig{Origin: "https://a.example", Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Fault: func(http.ResponseWriter, *http.Request, int, liuma.Code) {}}
	if _, err := NewPages(ok); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*PagesConfig){
		"no clock": func(c *PagesConfig) { c.Now = nil }, "no logger": func(c *PagesConfig) { c.Logger = nil },
		"no fault page": func(c *PagesConfig) { c.Fault = nil }, "negative": func(c *PagesConfig) { c.MaxBody = -1 },
		"plain http": func(c *PagesConfig) { c.Origin = "http://a.example" }, "path": func(c *PagesConfig) { c.Origin = "https://a.example/x" },
		"user": func(c *PagesConfig) { c.Origin = "https://u@a.example" }, "empty": func(c *PagesConfig) { c.Origin = "" },
	} {
		c := ok
		spoil(&c)
		if _, err := NewPages(c); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func TestPrefetched(t *testing.T) {
	for header, want := range map[string]bool{"Sec-Purpose: prefetch;prerender": true, "Purpose: prefetch": true, "X-Moz: prefetch": true,
		"X-Purpose: preview": true, "Sec-Purpose: other": false, "Accept: prefetch": false} {
		name, value, _ := strings.Cut(header, ": ")
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set(name, value)
		if Prefetched(r) != want {
			t.Errorf("%s: %v", header, !want)
		}
	}
}

func TestPreferencesForm(t *testing.T) {
	d, _ := testDoor(t, "https://pin.example.cn")
	form := url.Values{"lang": {"<script>"}, "care": {"2"}, "back": {"/c/x?lang=en&a=1"}}
	w := do(d, "POST", "/preferences", form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	if w.Header().Get("Location") != "/c/x?a=1" || len(w.Result().Cookies()) != 0 {
		t.Errorf("%v", w.Header())
	}
}

// TestPagesAreCompressed: what browsers that can read it get, and nobody else.
func TestPagesAreCompressed(t *testing.T) {
	d, _ := testDoor(t, "https://pin.example.cn")
	long := "<!doctype html>" + strings.Repeat("六码 ", 1000)
	d.HandleFunc("GET /long", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, long)
	})
	d.HandleFunc("GET /other", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = io.WriteString(w, long)
	})
	for _, c := range []struct{ path, accepts, want string }{
		{"/long", "gzip, deflate, br", "gzip"},
		{"/long", "br", ""},
		{"/long", "gzip;q=0", ""},
		{"/long", "", ""},
		{"/other", "gzip", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.Header.Set("Accept-Encoding", c.accepts)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Encoding"); got != c.want {
			t.Errorf("%s with %q: coding %q, want %q", c.path, c.accepts, got, c.want)
		}
		if vary := strings.Join(w.Header().Values("Vary"), ","); c.path == "/long" && !strings.Contains(vary, "Accept-Encoding") {
			t.Errorf("%s with %q: Vary is %q", c.path, c.accepts, vary)
		}
		if c.want == "" {
			if w.Body.String() != long {
				t.Errorf("%s with %q: another page", c.path, c.accepts)
			}
			continue
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := io.ReadAll(z); err != nil || string(plain) != long {
			t.Errorf("%s with %q: another page, %v", c.path, c.accepts, err)
		}
	}
}

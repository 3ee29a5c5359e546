package bench

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestAskerReadsAnswers: each answer is read whole and looked at, over one connection.
func TestAskerReadsAnswers(t *testing.T) {
	var mu sync.Mutex
	from := map[string]bool{} // guarded by mu
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		from[r.RemoteAddr] = true
		mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer token" || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusTeapot)
		}
		if string(body) == "refuse" {
			w.WriteHeader(http.StatusForbidden)
		}
		w.Write(body)
	}))
	defer s.Close()
	a := newAsker(s.URL)
	defer a.close()
	for _, c := range []struct{ body, want, fault string }{
		{`{"verdict":"right"}`, `"verdict":"right"`, ""},
		{`{"verdict":"wrong"}`, `"verdict":"right"`, `status 200: {"verdict":"wrong"}`},
		{"refuse", "", "status 403: refuse"},
		{"", "", ""},
	} {
		err := a.ask(t.Context(), a.request("/v1/verifications", "token", []byte(c.body)), c.want)
		if (err != nil) != (c.fault != "") || err != nil && err.Error() != c.fault {
			t.Errorf("%q: %v, want %q", c.body, err, c.fault)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(from) != 3 {
		t.Errorf("%d connections, want one that stays, and one after each answer that was refused", len(from))
	}
}

// TestAskerRefusesOtherAnswers: what it does not read is an error, and never an answer.
func TestAskerRefusesOtherAnswers(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"in chunks": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "right") },
		"too long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "65537")
			io.WriteString(w, strings.Repeat("right", 1<<14)[:65537])
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "right")
		},
	} {
		s := httptest.NewServer(handler)
		a := newAsker(s.URL)
		if err := a.ask(t.Context(), a.request("/", "token", nil), "right"); err == nil {
			t.Errorf("an answer %s was taken", name)
		}
		a.close()
		s.Close()
	}
}

// TestAskerHangsUp: what the server ended meanwhile is not used again.
func TestAskerHangsUp(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "right") }))
	defer s.Close()
	a := newAsker(s.URL)
	defer a.close()
	for range 2 {
		if err := a.hangUp(); err != nil {
			t.Fatal(err)
		}
		if err := a.ask(t.Context(), a.request("/", "token", nil), "right"); err != nil {
			t.Fatal(err)
		}
		s.CloseClientConnections()
	}
}

// TestAskerAsksAnew: a connection that the server closes after its answer is not used again.
func TestAskerAsksAnew(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		io.WriteString(w, "right")
	}))
	defer s.Close()
	a := newAsker(s.URL)
	defer a.close()
	for range 3 {
		if err := a.ask(t.Context(), a.request("/", "token", nil), "right"); err != nil {
			t.Fatal(err)
		}
	}
}

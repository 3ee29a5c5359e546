package door_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/liuma-pin/liuma/internal/door"
)

// TestHealthSaysAWord: whatever is wrong, who asks learns whether, and not what.
func TestHealthSaysAWord(t *testing.T) {
	cause := errors.New("keeper k2 at 10.0.0.7: card 3301: name 王")
	for _, c := range []struct {
		what   string
		answer http.HandlerFunc
		status int
		body   string
	}{
		{"alive", door.Alive, http.StatusOK, "{\"status\":\"alive\"}\n"},
		{"ready", door.ReadyOrNot(func(context.Context) error { return nil }), http.StatusOK, "{\"status\":\"ready\"}\n"},
		{"not ready", door.ReadyOrNot(func(context.Context) error { return cause }), http.StatusServiceUnavailable, "{\"status\":\"not_ready\"}\n"},
	} {
		rec := httptest.NewRecorder()
		c.answer(rec, httptest.NewRequest("GET", "/", http.NoBody))
		if rec.Code != c.status || rec.Body.String() != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.what, rec.Code, rec.Body, c.status, c.body)
		}
		if got := rec.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: a cache may keep the answer: %q", c.what, got)
		}
	}
}

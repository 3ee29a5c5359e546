package api_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/door/api"
)

// TestADegradedQuorumIsToldAndHoldsUpNothing: readiness names it and stays 200.
func TestADegradedQuorumIsToldAndHoldsUpNothing(t *testing.T) {
	for degraded, want := range map[bool]string{false: `{"status":"ready","keepers":"whole"}`, true: `{"status":"ready","keepers":"degraded"}`} {
		door, err := api.New(api.Config{Authority: newFake(t, time.Now), Issuer: issuer, Now: time.Now,
			Logger: slog.New(slog.DiscardHandler), KeepersDegraded: func() bool { return degraded }})
		if err != nil {
			t.Fatal(err)
		}
		got := httptest.NewRecorder()
		door.ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody))
		if got.Code != http.StatusOK || strings.TrimSpace(got.Body.String()) != want {
			t.Errorf("%t: %d %s", degraded, got.Code, got.Body)
		}
	}
}

// TestLateTextsAreToldAndHoldUpNothing: readiness names them and stays 200.
func TestLateTextsAreToldAndHoldUpNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		behind func() bool
		want   string
	}{
		"nothing is sent": {nil, `{"status":"ready"}`},
		"in time":         {func() bool { return false }, `{"status":"ready","texts":"in_time"}`},
		"late":            {func() bool { return true }, `{"status":"ready","texts":"late"}`},
	} {
		door, err := api.New(api.Config{Authority: newFake(t, time.Now), Issuer: issuer, Now: time.Now,
			Logger: slog.New(slog.DiscardHandler), TextsBehind: tt.behind})
		if err != nil {
			t.Fatal(err)
		}
		got := httptest.NewRecorder()
		door.ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody))
		if got.Code != http.StatusOK || strings.TrimSpace(got.Body.String()) != tt.want {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
}

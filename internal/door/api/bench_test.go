package api_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/door/api"
)

// instant gives every verification the same right verdict at once.
type instant struct{ *fake }

func (i instant) Verify(_ context.Context, _ authority.Caller, q authority.Request) (authority.Verification, error) {
	return authority.Verification{BusinessNo: q.BusinessNo, Action: liuma.ActionVerify, State: "decided", Verdict: liuma.Right,
		Card: "0123456789abcdef0123456789abcdef", Receipt: strings.Repeat("r", 600), ReceiptEnd: time.Unix(1e9, 0), At: time.Unix(1e9, 0)}, nil
}

// BenchmarkVerify measures the cost of the door itself per verification:
// everything between net/http and the authority, with a cached token. In
// "first" every token is new.
func BenchmarkVerify(b *testing.B) {
	s := newSetup(b)
	door, err := api.New(api.Config{Authority: instant{s.fake}, Issuer: issuer, Now: s.clock.now,
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	body := `{"business_no":"ZJ20260401-000019","subject":{"card":"0123456789abcdef0123456789abcdef"},"region":"3305","purpose":"查询社保缴费年限",` +
		`"challenge":"` + strings.Repeat("c", 54) + `","pin":{"kid":"k1","enc":"` + strings.Repeat("A", 87) + `","ct":"` + strings.Repeat("A", 363) + `"}}`
	serve := func(b *testing.B, token string) {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/verifications", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	b.Run("cached", func(b *testing.B) {
		token := s.token(b)
		b.ReportAllocs()
		for b.Loop() {
			serve(b, token)
		}
	})
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			token := s.token(b)
			b.StartTimer()
			serve(b, token)
		}
	})
	b.Run("floor", func(b *testing.B) { // the test's own request and recorder
		b.ReportAllocs()
		for b.Loop() {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/verifications", strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer x")
			r.Header.Set("Content-Type", "application/json")
			io.Copy(httptest.NewRecorder(), r.Body)
		}
	})
}

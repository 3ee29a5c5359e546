package server_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// clumsy is a driver that panics at every report.
type clumsy struct{ *notify.Inbox }

func (clumsy) ReadReports(string, string, []byte) ([]notify.Report, error) { panic("canary") }

// TestTheGatewayDoorIsADoor: the answer to a report that made the driver panic
// shows nothing of the panic, and each request has one line in the log, without
// its address, because the address of a report holds a token.
func TestTheGatewayDoorIsADoor(t *testing.T) {
	secret := t.TempDir() + "/secret"
	if err := os.WriteFile(secret, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	var logs bytes.Buffer
	e := testkit.New(t, testkit.Options{Texts: clumsy{notify.NewInbox(testkit.NewClock().Now)}, Logger: slog.New(slog.NewJSONHandler(&logs, nil)),
		Configure: func(c *config.Config) {
			c.Gateway.Listen, c.Texts.Driver = "127.0.0.1:0", config.DriverWebhook
			c.Texts.Webhook = config.Webhook{URL: "http://127.0.0.1:1/", SecretFile: secret}
		}})
	logs.Reset()
	for path, want := range map[string]int{config.ReceiptPath + "?token=canary": http.StatusInternalServerError, "/canary": http.StatusNotFound} {
		w := httptest.NewRecorder()
		e.System.Gateway.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, http.NoBody))
		if w.Code != want || strings.Contains(w.Body.String(), "canary") || w.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if said := logs.String(); strings.Count(said, `"msg":"request"`) != 2 || strings.Count(said, `"msg":"panic in a handler"`) != 1 || strings.Contains(said, "canary") {
		t.Errorf("the log:\n%s", said)
	}
}

package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestKannelFromTheConfiguration: messages go to smsbox with the password from
// its file, and delivery reports come in at the gateway door, each with its own
// token. test/kannel does the same with Kannel itself.
func TestKannelFromTheConfiguration(t *testing.T) {
	var mu sync.Mutex
	var asked []url.Values
	smsbox := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Query())
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "0: Accepted for delivery")
	}))
	defer smsbox.Close()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The door's port must be known before it listens, because Kannel needs it.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	e := testkit.New(t, testkit.Options{Configure: func(c *config.Config) {
		c.Gateway.Listen, c.Texts.Driver = address, config.DriverKannel
		c.Texts.Kannel = config.Kannel{URL: smsbox.URL + "/cgi-bin/sendsms", Username: "liuma", PasswordFile: password,
			From: "12333", ReceiptURL: "http://" + address + config.ReceiptPath}
	}})
	find := func(what string) (found url.Values) {
		eventually(t, what, func() bool {
			mu.Lock()
			defer mu.Unlock()
			for _, q := range asked {
				if strings.Contains(q.Get("text"), what) {
					found = q
				}
			}
			return found != nil
		})
		return found
	}
	enroll(t, e, channel(e), e.People[0], func() string {
		_, code, _ := strings.Cut(find("绑定手机").Get("text"), "验证码")
		return code[:6]
	})
	set := find("设置密码")
	if set.Get("password") != "sesame" || set.Get("username") != "liuma" || set.Get("from") != "12333" || set.Get("to") != e.People[0].Phone {
		t.Errorf("smsbox was asked by %s from %s", set.Get("username"), set.Get("from"))
	}
	ln, err := e.System.ListenGateway()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	channels, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- e.System.Serve(ctx, channels, nil, ln) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	report := func(address string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	dlr := strings.Replace(set.Get("dlr-url"), "%d", "1", 1)
	forged, err := url.Parse(dlr)
	if err != nil {
		t.Fatal(err)
	}
	q := forged.Query()
	q.Set("token", strings.Repeat("0", len(q.Get("token"))))
	forged.RawQuery = q.Encode()
	if got := report(forged.String()); got != http.StatusForbidden {
		t.Errorf("a report without the token: %d", got)
	}
	if got := report(dlr); got != http.StatusNoContent {
		t.Errorf("a report: %d", got)
	}
	eventually(t, "delivered", func() bool {
		s, err := e.System.Outbox.Stats(t.Context())
		return err == nil && s.Notices.Delivered == 1
	})
}

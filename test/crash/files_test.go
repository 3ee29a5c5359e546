package crash

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// filesOfAServer is a limit that many systems give a program, and less than the
// connections that one laptop opens.
const filesOfAServer = 128

// TestIdleConnectionsShutNoDoor: three hundred connections that say nothing, at
// one door of a real server that may have 128 files open, from one address or
// from many, and both doors answer everybody who asks.
func TestIdleConnectionsShutNoDoor(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has all of 127.0.0.0/8 on the loopback")
	}
	h := &house{binary: build(t), files: filesOfAServer, Env: testkit.New(t, testkit.Options{Clock: testkit.RunningClock(0),
		Configure: func(c *config.Config) {
			c.Log, c.Issuer, c.Hosted.Listen = "warn", "http://127.0.0.1:18601", "127.0.0.1:0"
		}})}
	h.channel = h.AddParty(testkit.NationalChannel(channelID))
	h.leave(t)
	h.start(t)
	for _, tt := range []struct {
		name   string
		native bool // the door that is flooded
		many   bool // addresses
	}{{"hosted, one address", false, false}, {"hosted, many addresses", false, true}, {"native, one address", true, false}, {"native, many addresses", true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			at := h.hosted
			if tt.native {
				at = h.native
			}
			for i := range 300 {
				from := "127.0.0.9"
				if tt.many {
					from = fmt.Sprintf("127.0.%d.%d", 1+i/100, 10+i%100)
				}
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience.Limit}
				conn, err := dialer.Dial("tcp", at)
				if err != nil {
					t.Fatalf("connection %d: %v", i, err)
				}
				defer conn.Close()
			}
			for range 5 {
				// Connections of their own: a new visitor's, a new server's.
				visitor := &http.Client{Timeout: patience.Limit, Transport: &http.Transport{DisableKeepAlives: true}}
				if page := fetch(t, visitor, "http://"+h.hosted+"/freeze"); !strings.Contains(page, "<form") {
					t.Errorf("the hosted door answers with %.200s", page)
				}
				if doc := fetch(t, visitor, "http://"+h.native+"/readyz"); !strings.Contains(doc, `"ready"`) {
					t.Errorf("the native door answers with %.200s", doc)
				}
				if _, err := h.client.Challenge(context.Background()); err != nil {
					t.Errorf("a channel: %v", err)
				}
			}
		})
	}
	h.kill(t)
	if said := h.said.String(); strings.Contains(said, "too many open files") || !strings.Contains(said, "door full of connections") {
		t.Errorf("log: %s", said)
	}
}

func fetch(t *testing.T, c *http.Client, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	resp, err := c.Do(&http.Request{Method: http.MethodGet, URL: u, Host: "127.0.0.1:18601"})
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(b)
}

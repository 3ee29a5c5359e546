package server_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestEachDoorHasItsOwnConnections: more than one door may have, at each, while
// both answer new visitors.
func TestEachDoorHasItsOwnConnections(t *testing.T) {
	e := testkit.New(t, testkit.Options{Listen: true, Configure: func(c *config.Config) {
		c.Channel.Connections, c.Hosted.Connections = 4, 4
	}})
	e.Serve()
	doors := []string{e.System.Config.Channel.Listen, e.System.Config.Hosted.Listen}
	for _, at := range doors {
		for range 10 {
			conn, err := net.Dial("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
	}
	visitor := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, at := range doors {
		resp, err := visitor.Get("http://" + at + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", at, resp.StatusCode)
		}
	}
	for _, d := range e.System.Doors() {
		c := d.Connections
		if c.Most != 4 || c.Open > 4 || c.Closed+c.Refused < 6 {
			t.Errorf("%s door: %+v", d.Door, c)
		}
	}
}

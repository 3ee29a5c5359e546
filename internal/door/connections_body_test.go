package door_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/door"
)

// TestBodiesThatDawdleShutNoDoor: four households hold every connection of a door
// by bodies that do not end. The next holder gets in, and whose body was read is
// worked on to the end.
func TestBodiesThatDawdleShutNoDoor(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	let := make(chan struct{})
	flight, err := door.NewInFlight(door.InFlightConfig{Door: "hosted", Total: 100, PerSource: 50, PerClient: 50, Body: 1 << 10, Now: time.Now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	log, err := door.NewLog(door.LogConfig{Now: time.Now, Logger: quiet, InFlight: flight,
		Fault: func(*door.Visit, *http.Request) {}, Refuse: func(v *door.Visit, _ *http.Request, _ error) { v.WriteHeader(429) }})
	if err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{}, 1)
	server := door.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Serve(w, r, func(v *door.Visit, r *http.Request) {
			if r.URL.Path == "/wait" {
				begun <- struct{}{}
				<-let
			}
			fmt.Fprint(v, "served")
		})
	}), door.Bounds{Read: time.Minute, Write: time.Minute, Idle: time.Minute, HeaderBytes: 8 << 10}, quiet)
	connections, err := door.NewConnections(door.ConnectionsConfig{Door: "hosted", Most: 9, PerSource: 3, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	connections.Guard(server)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sources := []string{"192.0.2.200"}
	for i := range 12 {
		sources = append(sources, fmt.Sprintf("2001:db8:0:%d::1", i%4))
	}
	ended := make(chan struct{})
	go func() {
		_ = server.Serve(&somewhere{Listener: plain, from: append(sources, "192.0.2.201")})
		close(ended)
	}()
	t.Cleanup(func() { server.Close(); <-ended })
	s := &street{t: t, at: plain.Addr().String(), connections: connections}

	const post = "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
	working := s.dial(fmt.Sprintf(post, "/wait") + "body")
	<-begun
	for i := range 12 {
		s.dial(fmt.Sprintf(post, "/") + "bo")
		s.open(min(i+2, 9))
		time.Sleep(20 * time.Millisecond)
	}
	if next := s.dial(get); !answered(t, next) {
		t.Error("the next holder is shut out")
	}
	close(let)
	_ = working.SetDeadline(time.Now().Add(2 * time.Minute))
	if n, err := io.ReadFull(working, make([]byte, len("HTTP/1.1 200 OK"))); err != nil {
		t.Errorf("what was worked on was cut off: %d %v", n, err)
	}
}

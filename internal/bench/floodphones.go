package bench

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/testkit/world"
)

// phones is the message gateway and every phone behind it: it takes all texts
// and keeps the last one-time code of each number.
type phones struct {
	listener net.Listener
	server   *http.Server

	mu    sync.Mutex
	codes map[string]string // guarded by mu; by number
}

func newPhones() (*phones, error) {
	ln, err := world.Loopback()
	if err != nil {
		return nil, err
	}
	p := &phones{listener: ln, codes: map[string]string{}}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go p.server.Serve(ln) // ends with close
	return p, nil
}

func (p *phones) url() string { return "http://" + p.listener.Addr().String() + "/" }

func (p *phones) close() error { return p.server.Close() }

// ServeHTTP takes a text.
func (p *phones) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var text struct {
		Phone  string            `json:"phone"`
		Params map[string]string `json:"params"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&text); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if code := text.Params["code"]; code != "" {
		p.mu.Lock()
		p.codes[text.Phone] = code
		p.mu.Unlock()
	}
	w.WriteHeader(http.StatusNoContent)
}

// code is the last one-time code that came to a number, or empty.
func (p *phones) code(number string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.codes[number]
}

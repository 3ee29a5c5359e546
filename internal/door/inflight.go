package door

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
)

// Paths at which machines ask whether the server is alive and ready. They are
// answered however many requests are in flight.
const (
	HealthPath = "/healthz"
	ReadyPath  = "/readyz"
)

// InFlightConfig holds the settings of an InFlight. All members except Body and
// Proxies are required.
type InFlightConfig struct {
	Door string // its name in the log
	// Total, PerSource and PerClient limit the requests in flight: of the door, of
	// one source before its client is known, and of one client.
	Total, PerSource, PerClient int
	// Body is how many bytes of a body are read before its request counts for Total.
	// Doors that read bodies from anybody set it: a client that sends a body slowly
	// then uses only its own source's share.
	Body int64
	// Proxies are the proxies in front of the door.
	Proxies Proxies
	Now     func() time.Time
	Logger  *slog.Logger
	// Finished, if set, is called with every request that the door answered,
	// including those refused for a limit. It must return at once.
	Finished func(Finished)
}

// Finished is a request that was answered. It has less than the access log's line:
// neither request id nor client.
type Finished struct {
	Door   string
	Route  string // the route's pattern; empty: no route matched
	Status int
	Took   time.Duration
}

// InFlight limits the requests that a door works on at once. A request over a limit
// is refused with CodeTooManyRequests before anything is done or counted, so that one
// source or client never takes what others need. A request counts for its source
// until its client is known, and then for the client, so that clients behind one
// address do not use up each other's share. It is safe for concurrent use.
type InFlight struct {
	c     InFlightConfig
	first meter // limits the refusals that are logged

	mu      sync.Mutex
	total   int            // guarded by mu
	sources map[string]int // guarded by mu; without zero counts
	clients map[string]int // guarded by mu; without zero counts
	refused uint64         // guarded by mu
}

// NewInFlight checks the configuration.
func NewInFlight(c InFlightConfig) (*InFlight, error) {
	if c.Door == "" || c.Now == nil || c.Logger == nil {
		return nil, errors.New("door: in flight: name, clock and logger are required")
	}
	if c.PerSource < 1 || c.PerClient < 1 || c.Total <= c.PerSource || c.Total <= c.PerClient || c.Body < 0 {
		return nil, fmt.Errorf("door: %s: want more requests in flight (%d) than from one source (%d) and of one client (%d)", c.Door, c.Total, c.PerSource, c.PerClient)
	}
	return &InFlight{c: c, first: meter{most: 1, per: time.Minute}, sources: map[string]int{}, clients: map[string]int{}}, nil
}

// Crowd is how many requests a door works on, and how many it refused.
type Crowd struct {
	InFlight, Total, PerSource, PerClient int
	Refused                               uint64 // since the start
}

// Crowd looks at the requests in flight.
func (f *InFlight) Crowd() Crowd {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Crowd{InFlight: f.total, Total: f.c.Total, PerSource: f.c.PerSource, PerClient: f.c.PerClient, Refused: f.refused}
}

// place is one request's part in the counts. It belongs to the request's goroutine;
// the counts themselves belong to the InFlight.
type place struct {
	of      *InFlight
	source  string // the source it counts for; or empty
	client  string // the client it counts for; or empty
	on      held   // its connection
	working bool   // counted in the total
}

// enter counts a request, or refuses it. The place must be left in any case.
func (f *InFlight) enter(r *http.Request) (*place, error) {
	p := &place{of: f}
	p.on, _ = r.Context().Value(heldKey{}).(held)
	p.on.count(0, 1)
	if r.URL.Path == HealthPath || r.URL.Path == ReadyPath {
		return p, nil
	}
	if from, proxy := f.c.Proxies.from(r); !proxy {
		source := sourceOf(from)
		if !f.take(f.sources, source, f.c.PerSource) {
			return p, f.refuse("source", "")
		}
		p.source = source
	}
	if f.c.Body > 0 {
		p.on.count(1, -1)
		readAhead(r, f.c.Body)
		p.on.count(-1, 1)
	}
	f.mu.Lock()
	p.working = f.total < f.c.Total
	if p.working {
		f.total++
	}
	f.mu.Unlock()
	if !p.working {
		return p, f.refuse("door", "")
	}
	return p, nil
}

// admit counts a request for its client, and no longer for its source.
func (p *place) admit(client string) error {
	if p == nil || !p.working || p.client == client {
		return nil
	}
	f := p.of
	if !f.take(f.clients, client, f.c.PerClient) {
		return f.refuse("client", client)
	}
	was := p.client
	p.client = client
	f.mu.Lock()
	defer f.mu.Unlock()
	drop(f.clients, was)
	drop(f.sources, p.source)
	p.source = ""
	return nil
}

// leave takes the request out of all counts.
func (p *place) leave() {
	if p == nil {
		return
	}
	f := p.of
	p.on.count(0, -1)
	f.mu.Lock()
	defer f.mu.Unlock()
	drop(f.sources, p.source)
	drop(f.clients, p.client)
	if p.working {
		f.total--
	}
	*p = place{of: f}
}

func (f *InFlight) take(of map[string]int, who string, most int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if of[who] >= most {
		return false
	}
	of[who]++
	return true
}

// drop reduces a count by one; for the empty name it does nothing.
func drop(of map[string]int, who string) {
	if who == "" {
		return
	}
	if of[who]--; of[who] == 0 {
		delete(of, who)
	}
}

// refuse counts a refusal, and logs the first in a minute: which limit it was, but
// never a source's address.
func (f *InFlight) refuse(bound, client string) error {
	f.mu.Lock()
	f.refused++
	refused := f.refused
	f.mu.Unlock()
	if f.first.take(f.c.Now()) {
		f.c.Logger.Warn("too many requests in flight", "door", f.c.Door, "bound", bound, "client", client, "refused", refused)
	}
	return liuma.Fail(liuma.CodeTooManyRequests, nil)
}

// readAhead reads at most most bytes of a body before its handler does. The handler
// gets the same bytes, followed by any error.
func readAhead(r *http.Request, most int64) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	var begun bytes.Buffer
	_, err := begun.ReadFrom(io.LimitReader(r.Body, most+1))
	rest := io.Reader(r.Body)
	if err != nil {
		rest = failing{err}
	}
	r.Body = body{io.MultiReader(&begun, rest), r.Body}
}

// body is a body whose beginning was read ahead.
type body struct {
	io.Reader
	io.Closer
}

// failing is a reader that only returns an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

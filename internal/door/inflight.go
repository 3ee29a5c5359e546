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

// Paths at which machines ask whether the server lives and is ready. They are
// answered however many requests are in flight.
const (
	HealthPath = "/healthz"
	ReadyPath  = "/readyz"
)

// InFlightConfig holds the settings of an InFlight. All but Body and Proxies is
// required.
type InFlightConfig struct {
	Door string // its name in the log
	// Total, PerSource and PerClient bound the requests in flight: of the door,
	// from one source before its client is known, and of one client.
	Total, PerSource, PerClient int
	// Body says that a body is read before its request counts for Total, at
	// most so many bytes of it. Doors that read bodies of anybody set it: who
	// sends a body slowly then takes up nothing but the share of one source.
	Body int64
	// Proxies are those in front of the door.
	Proxies Proxies
	Now     func() time.Time
	Logger  *slog.Logger
	// Finished, if set, hears of every request that the door answered, those too that
	// were refused for a bound. It must return at once.
	Finished func(Finished)
}

// Finished is a request that was answered. It says no more than the access log's line,
// and neither request id nor client.
type Finished struct {
	Door   string
	Route  string // the route's pattern; empty: there is none
	Status int
	Took   time.Duration
}

// InFlight bounds the requests that a door works on at once. What is over a
// bound is refused with CodeTooManyRequests before anything is done or counted,
// so that the work of one source or client never takes what others need. A
// request counts for its source until its client is known, and from then on for
// the client: what clients behind one address have at work does not take each
// other's share. It is safe for concurrent use.
type InFlight struct {
	c     InFlightConfig
	first meter // of the refusals that are logged

	mu      sync.Mutex
	total   int            // guarded by mu
	sources map[string]int // guarded by mu; nobody is in it with zero
	clients map[string]int // guarded by mu; nobody is in it with zero
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

// Crowd says how many requests a door works on, and how many it refused.
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

// place is what one request takes up. It belongs to the request's goroutine,
// and the counts that it stands for to its InFlight.
type place struct {
	of      *InFlight
	source  string // counted for it, unless empty
	client  string // counted for it, unless empty
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

// drop takes one of a count; nobody ("") has none.
func drop(of map[string]int, who string) {
	if who == "" {
		return
	}
	if of[who]--; of[who] == 0 {
		delete(of, who)
	}
}

// refuse counts a refusal, and logs the first in a minute: whose bound it was,
// and never a source's address.
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

// readAhead reads a body before its handler does, at most so many bytes. The
// handler gets the same bytes, and what error there was after them.
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

// body is a body of which some was read ahead.
type body struct {
	io.Reader
	io.Closer
}

// failing is a reader that gives an error alone.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

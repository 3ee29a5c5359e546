package door

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// streams limits the requests on one HTTP/2 connection at once. A browser needs a
// few; a channel's server opens a second connection.
const streams = 100

// ConnectionsConfig holds the settings of Connections. All members except Proxies and
// Now are required.
type ConnectionsConfig struct {
	Door string // its name in the log
	// Most limits the open connections of the door, and PerSource those from one
	// source. Proxies are exempt from PerSource.
	Most, PerSource int
	Proxies         Proxies
	Now             func() time.Time // default: the machine's monotonic clock
	Logger          *slog.Logger
}

// Connections limits the open connections of a door, so that no door and no source
// uses up the file descriptors that others need. If the limit is reached, it closes
// the connection that has been idle longest; if the source has reached its own limit,
// one of that source. If none is idle, it closes the new one. So the door goes on
// taking connections, whatever anybody holds open. A connection counts as idle, too,
// until it has completed its TLS handshake, a request's header, and a body that the
// door reads before it works on the request (InFlight). A request in work is never
// cut off. It is safe for concurrent use.
type Connections struct {
	c     ConnectionsConfig
	first meter // limits the closings that are logged

	mu      sync.Mutex
	open    map[net.Conn]*connection // guarded by mu
	sources map[string]*origin       // guarded by mu; only sources with open connections
	idle    *list.List               // of all sources, longest first; guarded by mu
	closed  uint64                   // guarded by mu; idle ones that were closed to make room
	refused uint64                   // guarded by mu
}

// connection is an open connection; its members are guarded by Connections.mu.
type connection struct {
	net    net.Conn
	source string // empty for a proxy's connection, which counts for no source
	// waits are its places in the idle queues of the door and of its source. It has
	// none while it has a request whose header was read and whose answer was not
	// sent.
	waits []waiting
	// reading counts its requests whose body is being read, and working the others.
	reading, working int
}

// waiting is a place in an idle queue.
type waiting struct {
	queue *list.List
	at    *list.Element
}

// origin is one source of connections.
type origin struct {
	open int
	idle *list.List // longest first
}

// NewConnections checks the configuration.
func NewConnections(c ConnectionsConfig) (*Connections, error) {
	if c.Door == "" || c.Logger == nil {
		return nil, errors.New("door: connections: name and logger are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Most < 1 || c.PerSource < 1 || c.PerSource > c.Most {
		return nil, fmt.Errorf("door: %s: want at most as many connections from one source (%d) as in all (%d)", c.Door, c.PerSource, c.Most)
	}
	return &Connections{c: c, first: meter{most: 1, per: time.Minute},
		open: map[net.Conn]*connection{}, sources: map[string]*origin{}, idle: list.New()}, nil
}

// Guard applies the limits to a server, before it serves. It uses the server's hooks
// ConnState and ConnContext.
func (c *Connections) Guard(s *http.Server) {
	s.ConnState = c.changed
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, heldKey{}, held{c, conn})
	}
}

// held is the connection of a request, where a Connections guards it.
type held struct {
	of  *Connections
	net net.Conn
}

type heldKey struct{}

// count counts the requests of a connection. While the door only reads bodies on it,
// it counts as idle.
func (h held) count(reading, working int) {
	if h.of == nil {
		return
	}
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	k := h.of.open[h.net]
	if k == nil {
		return // it was closed
	}
	k.reading, k.working = k.reading+reading, k.working+working
	switch {
	case k.working > 0:
		k.work()
	case k.reading > 0:
		h.of.wait(k)
	}
}

// Open is how many connections a door has open, and how many it closed.
type Open struct {
	Connections, Most, PerSource int
	Closed                       uint64 // idle ones that were closed to make room, since the start
	Refused                      uint64 // new ones, since the start
}

// Open looks at the open connections.
func (c *Connections) Open() Open {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Open{Connections: len(c.open), Most: c.c.Most, PerSource: c.c.PerSource, Closed: c.closed, Refused: c.refused}
}

// changed is the server's hook. The server calls it with StateNew before it
// accepts the next connection, so no more than Most are open at any time.
func (c *Connections) changed(conn net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		c.opened(conn)
	case http.StateActive: // the header of a request is read
		c.mu.Lock()
		if k := c.open[conn]; k != nil {
			k.work()
		}
		c.mu.Unlock()
	case http.StateIdle: // every request is answered
		c.mu.Lock()
		if k := c.open[conn]; k != nil {
			c.wait(k)
		}
		c.mu.Unlock()
	case http.StateClosed, http.StateHijacked:
		c.mu.Lock()
		c.remove(c.open[conn])
		c.mu.Unlock()
	}
}

// opened takes a new connection in. If there is no room, it closes another one, or
// the new one.
func (c *Connections) opened(conn net.Conn) {
	from := AddressOf(conn.RemoteAddr().String())
	k := &connection{net: conn, source: sourceOf(from)}
	if c.c.Proxies.Has(from) {
		k.source = "" // many holders'
	}
	c.mu.Lock()
	room, closing := true, (*connection)(nil)
	if own := c.sources[k.source]; own != nil && own.open >= c.c.PerSource {
		closing = longest(own.idle)
		room = closing != nil
	} else if len(c.open) >= c.c.Most {
		closing = longest(c.idle)
		room = closing != nil
	}
	c.remove(closing)
	if room {
		c.add(k)
	} else {
		c.refused++
		closing = k
	}
	if closing != nil && room {
		c.closed++
	}
	now := Open{Connections: len(c.open), Closed: c.closed, Refused: c.refused}
	c.mu.Unlock()
	if closing == nil {
		return
	}
	shut(closing.net)
	if c.first.take(c.c.Now()) {
		c.c.Logger.Warn("door full of connections", "door", c.c.Door, "open", now.Connections, "most", c.c.Most, "closed_idle", now.Closed, "refused", now.Refused)
	}
}

// longest is the connection that has been idle longest; nil if none is.
func longest(idle *list.List) *connection {
	if e := idle.Front(); e != nil {
		return e.Value.(*connection)
	}
	return nil
}

// add takes a connection in. c.mu is held.
func (c *Connections) add(k *connection) {
	c.open[k.net] = k
	if k.source != "" {
		own := c.sources[k.source]
		if own == nil {
			own = &origin{idle: list.New()}
			c.sources[k.source] = own
		}
		own.open++
	}
	c.wait(k)
}

// remove forgets a connection; it does nothing for nil. c.mu is held.
func (c *Connections) remove(k *connection) {
	if k == nil || c.open[k.net] != k {
		return
	}
	delete(c.open, k.net)
	k.work()
	if own := c.sources[k.source]; own != nil {
		if own.open--; own.open == 0 {
			delete(c.sources, k.source)
		}
	}
}

// wait puts a connection at the end of the queues. c.mu is held.
func (c *Connections) wait(k *connection) {
	k.work()
	k.waits = append(k.waits, waiting{c.idle, c.idle.PushBack(k)})
	if own := c.sources[k.source]; own != nil {
		k.waits = append(k.waits, waiting{own.idle, own.idle.PushBack(k)})
	}
}

// work takes a connection out of the queues.
func (k *connection) work() {
	for _, w := range k.waits {
		w.queue.Remove(w.at)
	}
	k.waits = k.waits[:0]
}

// shut closes a connection at once. The goodbye of TLS would wait for a client
// that does not read.
func shut(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	_ = conn.Close() // the server notices by its next read, and cleans up
}

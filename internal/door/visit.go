package door

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/liuma-pin/liuma"
)

// LogConfig holds the settings of a Log. All members are required, except InFlight; Refuse
// is required only with InFlight.
type LogConfig struct {
	Now    func() time.Time
	Logger *slog.Logger
	// Fault answers after a panic, if nothing was answered yet.
	Fault func(*Visit, *http.Request)
	// InFlight limits the requests in work; nil: no limit.
	InFlight *InFlight
	// Refuse answers a request that is over a limit of InFlight.
	Refuse func(*Visit, *http.Request, error)
}

// Log keeps a door's access log. It is immutable and safe for concurrent use.
type Log struct{ c LogConfig }

// NewLog checks the configuration.
func NewLog(c LogConfig) (*Log, error) {
	if c.Now == nil || c.Logger == nil || c.Fault == nil {
		return nil, errors.New("door: clock, logger and fault are required")
	}
	if c.InFlight != nil && c.Refuse == nil {
		return nil, errors.New("door: who bounds requests must say how they are refused")
	}
	return &Log{c: c}, nil
}

// Visit is one request, and the ResponseWriter that its handlers get, so that the log has
// the status and size of the answer. It belongs to the goroutine of its request.
type Visit struct {
	http.ResponseWriter
	// Client is the client's id, once it is authenticated.
	Client string
	// BusinessNo is the request's business number, once it was read; it is never logged.
	BusinessNo liuma.BusinessNo

	id     liuma.RequestID
	door   string // its name; empty if nothing limits the requests in flight
	place  *place // nil if nothing limits the requests in flight
	begun  time.Time
	came   time.Time // by the machine's running time
	status int       // zero until the header is written
	bytes  int64
}

// ID is the random number of the request in the log.
func (v *Visit) ID() string { return v.id.String() }

// Arrived is when the request came, to measure durations from.
func (v *Visit) Arrived() time.Time { return v.came }

// Admit records the client of the request, once that is proven. From then on it counts for
// that client, and is refused if too many of the client's are in flight.
func (v *Visit) Admit(client string) error {
	v.Client = client
	return v.place.admit(client)
}

// Instance is the id in the form of problem documents.
func (v *Visit) Instance() string { return "urn:liuma:request:" + v.id.String() }

// WriteHeader remembers the status; informational statuses are not the answer.
func (v *Visit) WriteHeader(status int) {
	if v.status == 0 && status >= http.StatusOK {
		v.status = status
	}
	v.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes of the answer.
func (v *Visit) Write(b []byte) (int, error) {
	if v.status == 0 {
		v.status = http.StatusOK
	}
	n, err := v.ResponseWriter.Write(b)
	v.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (v *Visit) Unwrap() http.ResponseWriter { return v.ResponseWriter }

type visitKey struct{}

// VisitOf returns the visit of a request's context, and nil outside a door.
func VisitOf(ctx context.Context) *Visit {
	v, _ := ctx.Value(visitKey{}).(*Visit)
	return v
}

// NameOf is the name of the door that a context's request came in by; empty outside a door,
// and at a door whose requests nothing limits.
func NameOf(ctx context.Context) string {
	if v := VisitOf(ctx); v != nil {
		return v.door
	}
	return ""
}

// Serve is a door's outermost layer. The request that handle gets can be asked for its
// visit.
func (l *Log) Serve(w http.ResponseWriter, r *http.Request, handle func(*Visit, *http.Request)) {
	v := &Visit{ResponseWriter: w, id: newID(), begun: l.c.Now(), came: time.Now()}
	r = r.WithContext(context.WithValue(liuma.WithRequest(r.Context(), v.id), visitKey{}, v))
	v.Header().Set("X-Request-Id", v.ID())
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p) // the server's own way to drop a connection
			}
			l.panicked(v, r, p)
		}
		l.line(v, r)
	}()
	if l.c.InFlight != nil {
		v.door = l.c.InFlight.c.Door
		var err error
		v.place, err = l.c.InFlight.enter(r)
		defer v.place.leave()
		if err != nil {
			l.c.Refuse(v, r, err)
			return
		}
	}
	handle(v, r)
}

// newID never takes an id that the sender brought. Otherwise a channel could make two
// holders' requests look like one, and a proxy's id could be linked to a holder.
func newID() (id liuma.RequestID) {
	rand.Read(id[:])
	return id
}

// panicked logs a panic by its type and stack. Its value may quote data of the request, so
// only texts of the Go runtime are kept.
func (l *Log) panicked(v *Visit, r *http.Request, p any) {
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	l.c.Logger.ErrorContext(r.Context(), "panic in a handler",
		"route", r.Pattern, "request", v.ID(), "panic", what, "stack", string(debug.Stack()))
	if v.status == 0 {
		l.c.Fault(v, r)
	}
}

// line writes the visit's line. It has only the route's pattern, not the URL.
func (l *Log) line(v *Visit, r *http.Request) {
	status := v.status
	if status == 0 {
		status = http.StatusOK // the status that net/http sends for a handler that wrote nothing
	}
	took := l.c.Now().Sub(v.begun)
	if f := l.c.InFlight; f != nil && f.c.Finished != nil {
		f.c.Finished(Finished{Door: f.c.Door, Route: r.Pattern, Status: status, Took: took})
	}
	if !l.c.Logger.Enabled(r.Context(), slog.LevelInfo) {
		return
	}
	l.c.Logger.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("method", methodWord(r.Method)),
		slog.String("route", r.Pattern),
		slog.Int("status", status),
		slog.Int64("bytes", v.bytes),
		// A number of milliseconds: a Duration is nanoseconds in JSON.
		slog.Float64("took_ms", float64(took.Microseconds())/1000),
		slog.String("request", v.ID()),
		slog.String("client", v.Client))
}

// methodWord keeps a made-up method out of the log.
func methodWord(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return m
	}
	return "other"
}

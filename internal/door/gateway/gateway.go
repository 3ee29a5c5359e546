// Package gateway is the door for the gateway's delivery reports. It guarantees that it answers no
// other request (except whether it is alive and ready), that a report counts only if the driver
// recognises it as its gateway's (by a signature or by a token), that the size of a request is
// limited, and that it answers 204 only when every report is recorded or is about an unknown
// message, so that otherwise the gateway sends them again. It trusts the driver to tell its
// gateway's reports from forged ones, and the sink to record a report that comes twice only once.
//
// Start here: New, then signed and fetched, the two ways in which gateways report.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
)

// maxBody is the largest body of posted reports, in bytes.
const maxBody = 64 << 10

// Sink takes delivery reports; *notify.Outbox is one. Taking a report again
// changes nothing; store.ErrNotFound means that there is no such message (any
// more).
type Sink interface {
	Receive(context.Context, notify.Report) error
}

// Signed is a driver whose gateway posts signed reports; *notify.Webhook is one. notify.ErrForged
// means that the signature is not the gateway's.
type Signed interface {
	ReadReports(timestamp, signature string, body []byte) ([]notify.Report, error)
}

// Fetched is a driver whose gateway reports by fetching an address that it got with each text;
// *notify.Kannel is one. notify.ErrForged means that the token does not belong to the message.
type Fetched interface {
	ReadReport(id, token, status string) ([]notify.Report, error)
}

// Config holds the parts of the door. All members but InFlight and Ready are required.
type Config struct {
	// Driver sends the texts. Reports are taken if it is Signed or Fetched.
	Driver notify.Driver
	Sink   Sink
	// Path is the path for reports.
	Path   string
	Now    func() time.Time
	Logger *slog.Logger
	// InFlight limits the requests in work; nil: no limit.
	InFlight *door.InFlight
	// Ready reports whether a report can be stored now, for the door's ReadyPath.
	Ready func(context.Context) error
}

// handler serves the door. It is immutable.
type handler struct {
	sink   Sink
	visits *door.Log
	mux    *http.ServeMux
	log    *slog.Logger
}

// New builds the door. It fails only for a bad Config.
func New(c Config) (http.Handler, error) {
	if c.Driver == nil || c.Sink == nil || c.Path == "" {
		return nil, errors.New("gateway: driver, sink and path are required")
	}
	h := &handler{sink: c.Sink, mux: http.NewServeMux(), log: c.Logger}
	var err error
	h.visits, err = door.NewLog(door.LogConfig{Now: c.Now, Logger: c.Logger, InFlight: c.InFlight, Fault: func(v *door.Visit, _ *http.Request) {
		v.WriteHeader(http.StatusInternalServerError) // the gateway sends it again
	}, Refuse: func(v *door.Visit, _ *http.Request, err error) {
		v.Header().Set("Retry-After", strconv.Itoa(door.RetryAfter(&liuma.Error{Code: liuma.CodeOf(err)}, c.Now())))
		v.WriteHeader(http.StatusServiceUnavailable) // the gateway sends it again
	}})
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	h.mux.HandleFunc("GET "+door.HealthPath, door.Alive)
	if c.Ready != nil {
		h.mux.HandleFunc("GET "+door.ReadyPath, door.ReadyOrNot(c.Ready))
	}
	switch driver := c.Driver.(type) {
	case Signed:
		h.mux.HandleFunc(c.Path, h.report(http.MethodPost, http.StatusUnauthorized, signed(driver)))
	case Fetched:
		h.mux.HandleFunc(c.Path, h.report(http.MethodGet, http.StatusForbidden, fetched(driver)))
	}
	return h, nil
}

// NewServer builds the door and an HTTP server around it, with every time and
// size bounded. The caller sets Addr or listens itself, and shuts it down.
func NewServer(c Config) (*http.Server, error) {
	h, err := New(c)
	if err != nil {
		return nil, err
	}
	return door.NewServer(h, door.Bounds{Read: 10 * time.Second, Write: 20 * time.Second, Idle: time.Minute, HeaderBytes: 8 << 10}, c.Logger), nil
}

// ServeHTTP answers one request. Its line in the access log holds no address,
// and so no token of a report.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.visits.Serve(w, r, func(v *door.Visit, r *http.Request) { h.mux.ServeHTTP(v, r) })
}

// report takes reports that come by the given method and that read reads. A forged one gets the
// status forged.
func (h *handler) report(method string, forged int, read func(http.ResponseWriter, *http.Request) ([]notify.Report, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != method {
			w.Header().Set("Allow", method)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		receipts, err := read(w, r)
		switch {
		case errors.Is(err, notify.ErrForged):
			w.WriteHeader(forged)
		case err != nil:
			w.WriteHeader(http.StatusBadRequest)
		default:
			w.WriteHeader(h.record(r.Context(), receipts))
		}
	}
}

func signed(driver Signed) func(http.ResponseWriter, *http.Request) ([]notify.Report, error) {
	return func(w http.ResponseWriter, r *http.Request) ([]notify.Report, error) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return nil, err
		}
		return driver.ReadReports(r.Header.Get(notify.HeaderTimestamp), r.Header.Get(notify.HeaderSignature), body)
	}
}

func fetched(driver Fetched) func(http.ResponseWriter, *http.Request) ([]notify.Report, error) {
	return func(_ http.ResponseWriter, r *http.Request) ([]notify.Report, error) {
		q := r.URL.Query()
		return driver.ReadReport(q.Get("id"), q.Get("token"), q.Get("status"))
	}
}

// record passes delivery reports to the sink and returns the HTTP status.
func (h *handler) record(ctx context.Context, receipts []notify.Report) int {
	for _, receipt := range receipts {
		err := h.sink.Receive(ctx, receipt)
		if err == nil || errors.Is(err, store.ErrNotFound) {
			continue
		}
		h.log.ErrorContext(ctx, "receipt not recorded", "err", err)
		return http.StatusServiceUnavailable
	}
	return http.StatusNoContent
}

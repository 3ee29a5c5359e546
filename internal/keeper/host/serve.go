package host

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/process"
)

const (
	// lookEvery is how often the keeper checks for expired callers and changed files.
	lookEvery = time.Second
	// tellEvery is how often the log says how many requests came.
	tellEvery = time.Minute
	// shutFor is how long the other doors may take to close.
	shutFor = 2 * time.Second
	// httpConnections is how many connections the metrics and the administrator's door
	// may have, each. Further connections are closed, so that they use up no file
	// descriptors that the ledger needs.
	httpConnections = 32
)

// Addresses are the addresses at which a Host listens.
type Addresses struct {
	Door    string
	Metrics string // empty: no metrics
}

// Serve answers until ctx ends. Then it completes the requests that have begun, closes
// the ledger, and gives back its lease. ready is called once with the addresses. A Host
// serves once.
func (h *Host) Serve(ctx context.Context, ready func(Addresses)) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	doors, at, err := h.listen(ctx)
	if err != nil {
		return errors.Join(err, h.close())
	}
	ended := make(chan error, len(doors))
	for _, d := range doors {
		go func() { ended <- d.serve() }()
	}
	h.log.InfoContext(ctx, "serving", "keeper", string(h.dir.Keeper), "door", at.Door, "metrics", at.Metrics, "release", h.release)
	ready(at)
	go h.watch(ctx)
	go h.watchTime(ctx)
	left := len(doors)
	select {
	case <-ctx.Done():
	case err = <-ended: // none of them ends by itself
		left--
	}
	stop()
	for _, d := range doors {
		d.shut()
	}
	for range left {
		err = errors.Join(err, <-ended)
	}
	return errors.Join(err, h.close())
}

// close ends a repair, and closes the ledger and the directory.
func (h *Host) close() error {
	h.endRepair()
	err := errors.Join(h.seat.empty(keeper.ErrClosed), h.free())
	h.tell("stopped")
	return err
}

// listening is one open door; serve returns nil after shut.
type listening struct {
	serve func() error
	shut  func()
}

// listen opens the doors: the keeper's own, the one for its administrator, and the
// metrics.
func (h *Host) listen(ctx context.Context) (doors []listening, at Addresses, err error) {
	defer func() {
		if err != nil {
			for _, d := range doors {
				d.shut()
			}
		}
	}()
	door, err := process.Listen("listen", h.dir.Listen)
	if err != nil {
		return nil, at, err
	}
	at.Door = door.Addr().String()
	doors = append(doors, listening{
		serve: func() error {
			if err := h.server.Serve(door); !errors.Is(err, wire.ErrClosed) {
				return err
			}
			return nil
		},
		shut: func() { _ = errors.Join(h.server.Close(), door.Close()) },
	})
	socket, err := listenSocket(h.dir.path)
	if err != nil {
		return doors, at, err
	}
	doors = append(doors, h.overHTTP(ctx, socket, h.socketRoutes()))
	if h.dir.Metrics == "" {
		return doors, at, nil
	}
	metrics, err := process.Listen("metrics", h.dir.Metrics)
	if err != nil {
		return doors, at, err
	}
	at.Metrics = metrics.Addr().String()
	return append(doors, h.overHTTP(ctx, metrics, h.metricRoutes())), at, nil
}

// overHTTP makes a door for a few small requests.
func (h *Host) overHTTP(ctx context.Context, l net.Listener, routes http.Handler) listening {
	l = &bounded{Listener: l, places: make(chan struct{}, httpConnections)}
	s := &http.Server{
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelWarn),
		Handler:  http.MaxBytesHandler(routes, 1<<10), MaxHeaderBytes: 8 << 10, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	return listening{
		serve: func() error {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
		shut: func() {
			ctx, cancel := context.WithTimeout(context.Background(), shutFor)
			defer cancel()
			if s.Shutdown(ctx) != nil {
				_ = s.Close() // clients that keep a connection open are not waited for
			}
			_ = l.Close() // in case it was never served
		},
	}
}

// watch applies changes while the keeper serves: of the time and of files.
func (h *Host) watch(ctx context.Context) {
	look, tell := time.NewTicker(lookEvery), time.NewTicker(tellEvery)
	defer look.Stop()
	defer tell.Stop()
	said := "" // an unreadable file is logged once, not at every look
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if !h.changed() {
				h.recheck()
				continue
			}
			err := h.Reload()
			if err == nil {
				said = ""
			} else if why := err.Error(); why != said {
				said = why
				h.log.ErrorContext(ctx, "files of the keeper were not taken in", "err", err)
			}
		case <-tell.C:
			h.tell("asked")
			if s := h.Status(ctx); s.State != Serves || len(s.Warnings) > 0 {
				h.log.WarnContext(ctx, "look at the keeper", "state", s.State, "why", s.Why, "warnings", s.Warnings)
			}
		}
	}
}

// tell logs how many requests of each kind came.
func (h *Host) tell(what string) {
	var args []any
	for _, n := range sorted(h.seat.tally.read()) {
		name := n.what
		if n.kind != "" {
			name += "." + n.kind
		}
		args = append(args, name, n.n)
	}
	if n := h.lines.left(); n > 0 {
		args = append(args, "lines_left_out", n)
	}
	h.log.Info(what, args...)
}

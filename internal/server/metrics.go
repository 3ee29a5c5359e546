package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/metrics"
	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/internal/store"
)

// newMetrics makes the process's metrics before anything that they measure is opened. It
// returns nil if no listener is configured for them; then nothing is measured.
func newMetrics(c config.Config) *metrics.Metrics {
	if c.Metrics.Listen == "" {
		return nil
	}
	return metrics.New(process.Release())
}

// measuredStore and measuredKeeper wrap a store or a keeper so that its calls
// are measured.
func (o Options) measuredStore(s store.Store) store.Store {
	if o.metrics == nil {
		return s
	}
	return o.metrics.Store(s)
}

func (o Options) measuredKeeper(k keeper.Keeper) keeper.Keeper {
	if o.metrics == nil {
		return k
	}
	return o.metrics.Keeper(k)
}

// committed and wrote return the functions that are called after a batch was written: to the
// database's file, and to a ledger of this process. nil: nothing is measured.
func (o Options) committed() func(updates int) {
	if o.metrics == nil {
		return nil
	}
	return o.metrics.Committed
}

func (o Options) wrote() func(spends int) {
	if o.metrics == nil {
		return nil
	}
	return o.metrics.Wrote
}

// finished returns the function that is called for each request that a door
// answered. nil: nothing is measured.
func (o Options) finished() func(door.Finished) {
	if o.metrics == nil {
		return nil
	}
	return o.metrics.Finished
}

// lookForMetrics lets collectors read the state of the system, once administration is
// opened.
func (s *System) lookForMetrics() {
	if s.options.metrics == nil {
		return
	}
	look := metrics.LookConfig{Measure: s.Admin.Measure, Every: s.options.LookEvery, Logger: s.options.Logger}
	if p, ok := s.Database.(store.Pooled); ok {
		look.Pools = p.Pools
	}
	s.options.metrics.Look(look)
}

// metricsTimes bound a collector's request. A scrape asks every keeper.
func metricsTimes() door.Bounds {
	return door.Bounds{Read: 10 * time.Second, Write: 30 * time.Second, Idle: 2 * time.Minute, HeaderBytes: 8 << 10}
}

// ServeMetrics serves the metrics, liveness and readiness of the process until shut is
// called. at is the address that it listens at; empty if none is configured.
func (s *System) ServeMetrics() (at string, shut func(), err error) {
	if s.options.metrics == nil {
		return "", func() {}, nil
	}
	ln, err := listen("metrics", config.Door{Listen: s.Config.Metrics.Listen, Certificate: s.Config.Metrics.Certificate, Key: s.Config.Metrics.Key})
	if err != nil {
		return "", nil, err
	}
	server := door.NewServer(s.metricsRoutes(), metricsTimes(), s.options.Logger)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(netutil.LimitListener(ln, config.MetricsConnections)) }()
	return ln.Addr().String(), func() {
		stop, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := server.Shutdown(stop); err != nil {
			_ = server.Close() // a collector that hangs loses its answer
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.options.Logger.Error("metrics", "err", err)
		}
	}, nil
}

// metricsRoutes are the three paths of the listener. Readiness is checked as at the hosted
// door. The answer does not give the cause: the log and 'liuma status' do.
func (s *System) metricsRoutes() http.Handler {
	m := http.NewServeMux()
	m.Handle("GET /metrics", s.options.metrics.Handler())
	m.HandleFunc("GET "+door.HealthPath, door.Alive)
	m.HandleFunc("GET "+door.ReadyPath, door.ReadyOrNot(s.ready))
	return m
}

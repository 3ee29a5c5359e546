// Package metrics provides the metrics of an authority: counts and times of the process's
// work, taken between its packages (at the doors, before the store, before each keeper),
// and the state of the process, which is looked up when a collector asks.
//
// It guarantees that no metric holds a card, a person, a client, a business number, an
// address or anything else that a request brought: every label value is a word of the
// program (a door, a route's pattern, a verdict, an event, a kind of alarm) or a keeper's
// name from the configuration, so that no flood of requests can create new series; that
// measuring changes no answer and no error; and that collectors, however many, cause at
// most one look in lookEvery. It trusts the other packages to name routes, events and
// alarms by fixed words.
//
// docs/METRICS.md has every metric.
//
// Start here: New.
package metrics

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/tally"
)

// Metrics are the metrics of one process. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // door, route, status
	took     *prometheus.HistogramVec // door, route
	verdicts *prometheus.CounterVec   // door, verdict
	deciding *prometheus.HistogramVec // door
	events   *prometheus.CounterVec   // event
	stored   *prometheus.HistogramVec // act
	storing  *prometheus.CounterVec   // error
	keeper   keeperNumbers
	commits  *prometheus.HistogramVec // none
	writes   *prometheus.HistogramVec // none
	all      []Metric
}

// Metric describes a metric, for documents.
type Metric struct {
	Name, Kind, Help string
	Labels           []string
}

// All lists the authority's metrics, including those of Look, in their order. Metrics
// of the Go runtime and of the process are not listed.
func (m *Metrics) All() []Metric {
	out := slices.Clone(m.all)
	for _, g := range gauges() {
		kind := "gauge"
		if strings.HasSuffix(g[0], "_total") {
			kind = "counter"
		}
		out = append(out, Metric{Name: namespace + "_" + g[0], Kind: kind, Help: g[1], Labels: g[2:]})
	}
	return out
}

// seconds are the bounds of all duration histograms: from the time of a look-up to a time
// for which nobody waits any more.
func seconds() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// sizes are the bounds of histograms of batches, up to the largest that a ledger writes.
func sizes() []float64 { return []float64{1, 2, 4, 8, 16, 32, 64, 128, 256} }

// New makes the metrics of a process that runs a release.
func New(release string) *Metrics {
	m := &Metrics{registry: prometheus.NewPedanticRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		m.all = append(m.all, Metric{namespace + "_" + name, "counter", help, labels})
		return c
	}
	bounded := func(buckets []float64) func(string, string, ...string) *prometheus.HistogramVec {
		return func(name, help string, labels ...string) *prometheus.HistogramVec {
			h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
			m.registry.MustRegister(h)
			m.all = append(m.all, Metric{namespace + "_" + name, "histogram", help, labels})
			return h
		}
	}
	histogram, batch := bounded(seconds()), bounded(sizes())
	m.requests = counter("requests_total", "Requests that a door answered, by the pattern of their route and the class of the status.", "door", "route", "status")
	m.took = histogram("request_seconds", "How long answering took, by door and pattern of the route.", "door", "route")
	m.verdicts = counter("verdicts_total", "Guesses at PINs by what they came to and the door that they came in by.", "door", "verdict")
	m.deciding = histogram("verdict_seconds", "From the beginning of a request to its verdict on disk, by door.", "door")
	m.events = counter("events_total", "Entries of the audit record, by event.", "event")
	m.stored = histogram("store_seconds", "How long the database took: for reading, and for a transaction until it was durable.", "act")
	m.storing = counter("store_errors_total", "Calls of the database that failed, by what failed: full, failed, undecided, unreachable, closed, time.", "error")
	m.keeper = newKeeperNumbers(counter, histogram, batch)
	m.commits = batch("store_updates_per_commit", "How many transactions shared one durable commit of a database in a file; on a PostgreSQL server each has its own.")
	m.writes = batch("ledger_spends_per_write", "How many guesses shared one durable write of the ledger of a keeper in this process.")
	for _, v := range verdictWords() {
		for _, d := range []string{"channel", "hosted"} {
			m.verdicts.WithLabelValues(d, v)
		}
	}
	for _, e := range storeErrors() {
		m.storing.WithLabelValues(e.word)
	}
	m.all = append(m.all, Metric{namespace + "_build_info", "gauge", "1, with the release of the program.", []string{"release"}})
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "1, with the release of the program."}, []string{"release"})
	build.WithLabelValues(release).Set(1)
	m.registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const namespace = "liuma"

// other replaces a value that is not one of the program's fixed words, which should not
// happen.
const other = "other"

// Handler answers /metrics, and nothing else.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}

// Finished counts a request that a door answered.
func (m *Metrics) Finished(f door.Finished) {
	route := f.Route
	if route == "" {
		route = "none" // a path without a route; the path itself is never used
	}
	class := other
	if f.Status >= 100 && f.Status < 600 {
		class = strconv.Itoa(f.Status/100) + "xx"
	}
	m.requests.WithLabelValues(f.Door, route, class).Inc()
	m.took.WithLabelValues(f.Door, route).Observe(f.Took.Seconds())
}

// verdictWords lists all results that a guess can have in the record: refused covers
// every refusal that says nothing about the PIN.
func verdictWords() []string {
	return []string{"right", "wrong", "locked", "blocked", "refused", "unavailable", "undecided"}
}

// verdictOf returns an entry's result of a guess; empty if it is not about a guess.
func verdictOf(e audit.Entry) string {
	switch {
	case e.Event == audit.AttemptUndecided:
		return "undecided"
	case e.Event == audit.AttemptDecided && e.Outcome == string(liuma.CodeUnavailable):
		return "unavailable"
	}
	for _, k := range tally.KindsOf(e) {
		switch k {
		case tally.Right:
			return "right"
		case tally.Wrong:
			return "wrong"
		case tally.Locked:
			return "locked"
		case tally.Blocked:
			return "blocked"
		case tally.Refused:
			return "refused"
		}
	}
	return ""
}

// storeErrors are the errors that mean that the database itself fails, and not that a
// request is impossible.
func storeErrors() []struct {
	err  error
	word string
} {
	return []struct {
		err  error
		word string
	}{{store.ErrFull, "full"}, {store.ErrFailed, "failed"}, {store.ErrUndecided, "undecided"}, {store.ErrUnreachable, "unreachable"},
		{store.ErrClosed, "closed"}, {context.DeadlineExceeded, "time"}}
}

// Committed counts how many transactions shared a durable commit. It returns at once.
func (m *Metrics) Committed(updates int) { m.commits.WithLabelValues().Observe(float64(updates)) }

// Wrote counts how many guesses shared a durable write of a ledger of this process. It
// returns at once.
func (m *Metrics) Wrote(spends int) { m.writes.WithLabelValues().Observe(float64(spends)) }

// Store wraps a store so that its transactions are measured. The transactions do not
// change.
func (m *Metrics) Store(s store.Store) store.Store { return &measured{Store: s, m: m} }

type measured struct {
	store.Store
	m *Metrics
}

func (s *measured) View(ctx context.Context, f func(store.Reader) error) error {
	begun := time.Now()
	err := s.Store.View(ctx, f)
	s.done("view", begun, err)
	return err
}

func (s *measured) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	begun := time.Now()
	var last audit.Entry // of the last run of f, which is the one that was committed
	err := s.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		e, err := f(tx)
		last = e
		return e, err
	})
	s.done("update", begun, err)
	if err == nil && last.Event != "" {
		s.m.recorded(ctx, last)
	}
	return err
}

func (s *measured) done(act string, begun time.Time, err error) {
	s.m.stored.WithLabelValues(act).Observe(time.Since(begun).Seconds())
	for _, e := range storeErrors() {
		if errors.Is(err, e.err) {
			s.m.storing.WithLabelValues(e.word).Inc()
			return
		}
	}
}

// recorded counts an entry, and a verdict by the door through which the request came.
func (m *Metrics) recorded(ctx context.Context, e audit.Entry) {
	m.events.WithLabelValues(string(e.Event)).Inc()
	verdict := verdictOf(e)
	if verdict == "" {
		return
	}
	in := door.NameOf(ctx)
	if in == "" {
		in = "none"
	}
	m.verdicts.WithLabelValues(in, verdict).Inc()
	if v := door.VisitOf(ctx); v != nil {
		m.deciding.WithLabelValues(in).Observe(time.Since(v.Arrived()).Seconds())
	}
}

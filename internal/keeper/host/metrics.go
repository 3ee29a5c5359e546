package host

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper/wire"
)

// number is one number of a tally.
type number struct {
	count
	n uint64
}

// sorted lists the numbers of a tally.
func sorted(t map[count]uint64) (list []number) {
	for c, n := range t {
		list = append(list, number{c, n})
	}
	slices.SortFunc(list, func(a, b number) int {
		return cmp.Or(cmp.Compare(a.what, b.what), cmp.Compare(a.kind, b.kind))
	})
	return list
}

// metricRoutes are the requests that a collector may make.
func (h *Host) metricRoutes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = io.WriteString(w, h.metrics(r.Context())) // a collector that does not read it loses it
	})
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plainAnswer(w, http.StatusOK, "alive") })
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if h.Status(r.Context()).State != Serves {
			plainAnswer(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		plainAnswer(w, http.StatusOK, "ready")
	})
	return m
}

// plainAnswer gives the keeper's state in one word; the reason is in its log and
// status.
func plainAnswer(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, word+"\n") // a caller that does not read it loses it
}

// exposition is text in the exposition format of Prometheus, version 0.0.4.
type exposition struct{ strings.Builder }

// family begins a metric.
func (e *exposition) family(name, kind, help string) {
	fmt.Fprintf(e, "# HELP liuma_keeper_%s %s\n# TYPE liuma_keeper_%s %s\n", name, help, name, kind)
}

// value writes one number; labels are names and values in turn.
func (e *exposition) value(name string, n any, labels ...string) {
	for i := 0; i+1 < len(labels); i += 2 {
		open := ","
		if i == 0 {
			open = "{"
		}
		name += fmt.Sprintf("%s%s=%q", open, labels[i], labels[i+1]) // labels are codes, numbers and names of a-z, 0-9 and dashes
	}
	if len(labels) > 0 {
		name += "}"
	}
	fmt.Fprintf(e, "liuma_keeper_%s %v\n", name, n)
}

// one writes a metric that is a single number.
func (e *exposition) one(name, kind, help string, n any) {
	e.family(name, kind, help)
	e.value(name, n)
}

// metrics returns all metrics of the keeper.
func (h *Host) metrics(ctx context.Context) string {
	var e exposition
	s := h.Status(ctx)
	asked := h.seat.tally.read()
	h.counters(&e, asked)
	h.timings(&e)
	e.family("state", "gauge", "1 for the state that the keeper is in.")
	for _, state := range states() {
		e.value("state", truth(s.State == state), "state", string(state))
	}
	e.one("ledger_sequence", "gauge", "The ledger's sequence.", s.Sequence)
	if s.Clock != nil {
		e.one("clock_ahead_seconds", "gauge", "How far the machine's clock is ahead of the ledger's time.", s.Clock.Wall.Sub(s.Clock.High).Seconds())
	}
	e.family("connections", "gauge", "Open connections by role; one with several roles counts for each.")
	for bit := wire.Authority; bit <= wire.Administrator; bit <<= 1 {
		name := bit.Names()[0]
		e.value("connections", s.Connections[name], "role", name)
	}
	e.one("door_certificate_end_seconds", "gauge", "When the certificate of the keeper's door ends, as Unix time.", s.Door.Unix())
	e.one("issuer_certificate_end_seconds", "gauge", "When the keeper's issuer ends, as Unix time.", s.Issuer.Until.Unix())
	e.family("caller_certificate_end_seconds", "gauge", "When a caller's last certificate ends, as Unix time.")
	for _, c := range lastOf(s.Callers) {
		e.value("caller_certificate_end_seconds", c.Until.Unix(), "caller", c.Name)
	}
	e.family("warning", "gauge", "1 for each warning of 'liuma-keeper status'.")
	for _, w := range warnings() {
		e.value("warning", truth(slices.Contains(s.Warnings, w)), "warning", string(w))
	}
	e.one("start_time_seconds", "gauge", "When the process began, as Unix time.", float64(s.Began.UnixNano())/float64(time.Second))
	return e.String()
}

// timings writes how long requests took, and how many guesses shared a write.
func (h *Host) timings(e *exposition) {
	e.family("request_seconds", "histogram", "How long the keeper worked on a request, by what was asked; the time on the network is not in it.")
	for _, what := range timed() {
		e.histogram("request_seconds", h.seat.took[what], "request", what)
	}
	e.family("spends_per_write", "histogram", "How many guesses shared one durable write.")
	e.histogram("spends_per_write", h.seat.batches)
	e.one("log_lines_left_out_total", "counter", "Log lines that were left out since many alike came within a minute.", h.lines.left())
}

// counters writes how many requests of each kind came since the process began.
func (h *Host) counters(e *exposition, asked map[count]uint64) {
	of := func(what string) uint64 { return asked[count{what, ""}] }
	e.one("spends_total", "counter", "Guesses that were counted and evaluated.", of("spends"))
	e.one("evaluations_total", "counter", "Blinded points that were evaluated, for guesses and for new PINs.", of("spends")+of("proposals"))
	e.family("lane_spends_total", "counter", "Guesses that were counted, by lane. Whether one was right a keeper does not learn.")
	for _, lane := range []string{"known", "stranger"} {
		e.value("lane_spends_total", asked[count{"lane_spends", lane}], "lane", lane)
	}
	for _, m := range []struct{ what, help string }{
		{"proposals", "New PINs that were evaluated."},
		{"commits", "Commits that were taken, repeated ones included."},
		{"settlements", "Requests with proofs that guesses were right."},
		{"heads", "Requests that raised heads of cards."},
		{"retags", "Cards that were moved to another tag."},
		{"retirements", "Cards that were retired."},
		{"unretirements", "Retirements that were undone."},
		{"looks", "Requests for a state that change nothing."},
		{"scanned", "Rows that were given to other keepers for their repair."},
	} {
		e.one(m.what+"_total", "counter", m.help, of(m.what))
	}
	var merged uint64
	if n, err := h.seat.sits(); err == nil {
		merged = n.Taken()
	}
	e.one("merged_rows_total", "counter", "Rows of other keepers that the repair of the ledger took in.", merged)
	for _, m := range []struct{ what, label, help string }{
		{"refusals", "reason", "Requests that were refused and counted nothing, by reason."},
		{"failures", "error", "Requests that ended with an error, by what was wrong."},
	} {
		e.family(m.what+"_total", "counter", m.help)
		for _, n := range sorted(asked) {
			if n.what == m.what {
				e.value(m.what+"_total", n.n, m.label, n.kind)
			}
		}
	}
}

// lastOf returns, for each caller that was not dismissed, the admission that ends
// last.
func lastOf(callers []CallerStatus) (last []CallerStatus) {
	for _, c := range callers {
		if c.State == CallerDismissed {
			continue
		}
		at := slices.IndexFunc(last, func(o CallerStatus) bool { return o.Name == c.Name })
		switch {
		case at < 0:
			last = append(last, c)
		case c.Until.After(last[at].Until):
			last[at] = c
		}
	}
	return last
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

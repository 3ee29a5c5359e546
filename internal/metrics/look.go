package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	// lookEvery is the least time between two looks: each asks the database and every keeper.
	lookEvery = 5 * time.Second
	lookTakes = 10 * time.Second // at most
)

// LookConfig says how Look finds out the state of the process. All members except Pools
// and Every are required.
type LookConfig struct {
	Measure func(context.Context) (admin.Measures, error)
	// Pools are the connections to the database, by their use; nil: it has none.
	Pools  func() []store.Pool
	Every  time.Duration // least time between two looks; 5 s if zero
	Logger *slog.Logger
}

// Look adds metrics of the process's state to those that a collector reads. The state is
// looked up when a collector asks, but not more often than LookConfig.Every; in between
// the last result is used, with its age. A look that failed sets liuma_look_failed and
// leaves out its other metrics, except the clock.
func (m *Metrics) Look(c LookConfig) {
	if c.Every == 0 {
		c.Every = lookEvery
	}
	m.registry.MustRegister(&looker{c: c, d: describe()})
}

// looker is a prometheus.Collector.
type looker struct {
	c LookConfig
	d map[string]*prometheus.Desc

	mu   sync.Mutex // held during a look
	at   time.Time  // guarded by mu: when it last looked; zero: never
	seen admin.Measures
	err  error
}

// look returns the last result, and looks again if that is too old.
func (l *looker) look() (admin.Measures, time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at.IsZero() || time.Since(l.at) >= l.c.Every {
		ctx, cancel := context.WithTimeout(context.Background(), lookTakes)
		defer cancel()
		l.seen, l.err = l.c.Measure(ctx)
		l.at = time.Now()
		if l.err != nil {
			l.c.Logger.Warn("metrics: not known how the process stands", "err", l.err)
		}
	}
	return l.seen, time.Since(l.at), l.err
}

// gauges are the metrics of a look: name, help, labels. A name that ends in _total is a
// counter.
func gauges() [][]string {
	return [][]string{
		{"look_failed", "1 while it is not known how the process stands, and the metrics of a look are missing but those of the clock."},
		{"look_age_seconds", "Age of what the metrics of a look say."},
		{"ready", "1 while verdicts can be given."},
		{"clock_high_behind_seconds", "How far the kept time is behind the machine's clock; negative: the machine's clock is behind, and beyond 60 s nothing is served."},
		{"clock_behind", "1 while the machine's clock is so far behind the kept time that nothing is served."},
		{"quorum_state", "1 for the state that a keeper is in, as 'liuma keeper status' says.", "keeper", "state"},
		{"quorum_sequence", "The highest sequence that was heard from a keeper.", "keeper"},
		{"quorum_round_trip_seconds", "Round trip of the last look at a keeper on a machine of its own; missing while it does not answer.", "keeper"},
		{"quorum_admission_end_seconds", "When this authority's admission at a keeper ends, as Unix time.", "keeper"},
		{"quorum_clock_behind_seconds", "How far the kept time of a keeper in this process is behind the machine's clock.", "keeper"},
		{"texts_waiting", "Messages in the outbox that wait to be sent.", "queue"},
		{"texts_overdue", "Of them, those queued more than a minute ago.", "queue"},
		{"texts_oldest_seconds", "Age of the oldest that waits.", "queue"},
		{"texts_dead", "Messages that were given up and are still kept.", "queue"},
		{"texts_sent_total", "Messages that the gateway took.", "queue"},
		{"texts_late_total", "Messages that were sent more than a minute after they were queued.", "queue"},
		{"texts_delivered_total", "Messages that were reported as delivered.", "queue"},
		{"letters_waiting", "Letters that wait to be printed."},
		{"letters_overdue", "Letters that wait too long to be printed or posted."},
		{"open_intents", "Settings of a PIN that not every keeper has yet."},
		{"corrections_stopped", "Corrections of ID numbers that an operator has to decide."},
		{"seal_key_age_seconds", "Age of the newest seal key, to which channels seal PINs."},
		{"record_digest_number", "Number of the last signed digest of the record."},
		{"record_digest_age_seconds", "Age of that digest."},
		{"record_entries", "Entries of the record that the last digest is over."},
		{"record_checked_age_seconds", "How long ago the entries were last checked."},
		{"record_faults", "What was found that is not as it was written."},
		{"guesses_total", "Guesses that came to a verdict, as the guard counts them."},
		{"guesses_wrong_total", "Of them, wrong ones."},
		{"guesses_slowed_total", "Guesses that were told to slow down, uncounted."},
		{"door_connections", "Open connections of a door.", "door"},
		{"door_connections_most", "How many it may have.", "door"},
		{"door_connections_refused_total", "Connections that a door refused for its bounds.", "door"},
		{"door_requests_in_flight", "Requests that a door works on.", "door"},
		{"door_requests_most", "How many it works on at most.", "door"},
		{"door_requests_refused_total", "Requests that a door refused for its bounds.", "door"},
		{"alarms", "What somebody has to look after now, by kind, as 'liuma status' and the console list it.", "kind"},
		{"store_pool_open", "Open connections to the database.", "pool"},
		{"store_pool_in_use", "Of them, those in use.", "pool"},
		{"store_pool_most", "How many there may be.", "pool"},
		{"store_pool_waited_total", "How often a connection was waited for.", "pool"},
		{"store_pool_waited_seconds_total", "How long connections were waited for.", "pool"},
	}
}

func describe() map[string]*prometheus.Desc {
	out := map[string]*prometheus.Desc{}
	for _, g := range gauges() {
		out[g[0]] = prometheus.NewDesc(namespace+"_"+g[0], g[1], g[2:], nil)
	}
	return out
}

// Describe implements prometheus.Collector.
func (l *looker) Describe(to chan<- *prometheus.Desc) {
	for _, d := range l.d {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (l *looker) Collect(to chan<- prometheus.Metric) {
	s, age, err := l.look()
	tell := teller{d: l.d, to: to}
	tell.truth("look_failed", err != nil)
	tell.number("look_age_seconds", age.Seconds())
	if l.c.Pools != nil {
		for _, p := range l.c.Pools() {
			tell.pool(p)
		}
	}
	if !s.Clock.Wall.IsZero() { // known even if the look failed, as it does while the clock is behind
		tell.clock(s)
	}
	if err != nil {
		return
	}
	tell.standing(s)
	tell.keepers(s)
	tell.queues(s)
	tell.record(s)
	tell.doors(s)
	tell.alarms(s)
}

// teller writes the metrics of one look.
type teller struct {
	d  map[string]*prometheus.Desc
	to chan<- prometheus.Metric
}

func (t teller) number(name string, n float64, labels ...string) {
	t.to <- prometheus.MustNewConstMetric(t.d[name], prometheus.GaugeValue, n, labels...)
}

func (t teller) count(name string, n float64, labels ...string) {
	t.to <- prometheus.MustNewConstMetric(t.d[name], prometheus.CounterValue, n, labels...)
}

func (t teller) truth(name string, is bool, labels ...string) {
	n := 0.0
	if is {
		n = 1
	}
	t.number(name, n, labels...)
}

func (t teller) pool(p store.Pool) {
	t.number("store_pool_open", float64(p.Open), p.Name)
	t.number("store_pool_in_use", float64(p.InUse), p.Name)
	t.number("store_pool_most", float64(p.Most), p.Name)
	t.count("store_pool_waited_total", float64(p.Waited), p.Name)
	t.count("store_pool_waited_seconds_total", p.WaitedFor.Seconds(), p.Name)
}

func (t teller) clock(s admin.Measures) {
	t.number("clock_high_behind_seconds", s.Clock.Wall.Sub(s.Clock.High).Seconds())
	t.truth("clock_behind", s.Clock.Behind)
	for _, k := range s.Clock.Keepers {
		t.number("quorum_clock_behind_seconds", s.Clock.Wall.Sub(k.High).Seconds(), k.ID)
	}
}

func (t teller) standing(s admin.Measures) {
	t.truth("ready", s.Status.Serving != nil && s.Status.Serving.Ready)
	t.number("open_intents", float64(s.Status.OpenIntents))
	t.number("corrections_stopped", float64(s.Status.Corrections.Stopped))
	if k := s.Status.SealKey; k != nil {
		t.number("seal_key_age_seconds", s.Status.At.Sub(k.MadeAt).Seconds())
	}
	if v := s.Status.Serving; v != nil {
		t.count("guesses_total", float64(v.Guesses.Decided))
		t.count("guesses_wrong_total", float64(v.Guesses.Wrong))
		t.count("guesses_slowed_total", float64(v.Guesses.Slowed))
	}
}

// keeperStates lists all states in which the authority can see a keeper.
func keeperStates() []string {
	out := []string{admin.KeeperWhole, admin.KeeperRepairing, "unknown"}
	for _, f := range []keeper.Fault{keeper.Disagrees, keeper.RolledBack, keeper.ClockOff, keeper.Gone, keeper.NoShareKeys, keeper.Uncounted,
		keeper.CertificateBad, keeper.Stranger, keeper.DiskBad, keeper.Silent} {
		out = append(out, string(f))
	}
	return append(out, other)
}

// among returns word if it is in the list, and otherwise the last word of the list.
func among(word string, all []string) string {
	for _, w := range all {
		if w == word {
			return w
		}
	}
	return all[len(all)-1]
}

func (t teller) keepers(s admin.Measures) {
	states := keeperStates()
	for _, k := range s.Status.Keepers {
		is := k.State
		if is == "" {
			is = "unknown"
		}
		is = among(is, states)
		for _, state := range states {
			t.truth("quorum_state", state == is, k.ID, state)
		}
		t.number("quorum_sequence", float64(k.Sequence), k.ID)
		if r := k.Remote; r != nil {
			if r.RoundTrip > 0 {
				t.number("quorum_round_trip_seconds", r.RoundTrip/1000, k.ID)
			}
			if r.Until != nil {
				t.number("quorum_admission_end_seconds", float64(r.Until.Unix()), k.ID)
			}
		}
	}
}

func (t teller) queues(s admin.Measures) {
	for name, q := range map[string]admin.TextQueue{"codes": s.Status.Texts.Codes, "notices": s.Status.Texts.Notices} {
		t.number("texts_waiting", float64(q.Waiting), name)
		t.number("texts_overdue", float64(q.Overdue), name)
		t.number("texts_oldest_seconds", float64(q.Oldest), name)
		t.number("texts_dead", float64(q.Dead), name)
		if q.Since != nil {
			t.count("texts_sent_total", float64(q.Since.Sent), name)
			t.count("texts_late_total", float64(q.Since.Late), name)
			t.count("texts_delivered_total", float64(q.Since.Delivered), name)
		}
	}
	t.number("letters_waiting", float64(s.Status.Letters.Waiting))
	t.number("letters_overdue", float64(s.Status.Letters.Due))
}

func (t teller) record(s admin.Measures) {
	r := s.Status.Record
	t.number("record_digest_number", float64(r.Digest))
	t.number("record_entries", float64(r.Entries))
	t.number("record_faults", float64(len(r.Faults)))
	if r.At != nil {
		t.number("record_digest_age_seconds", s.Status.At.Sub(*r.At).Seconds())
	}
	if r.Checked != nil {
		t.number("record_checked_age_seconds", s.Status.At.Sub(*r.Checked).Seconds())
	}
}

func (t teller) doors(s admin.Measures) {
	if s.Status.Serving == nil {
		return
	}
	for _, d := range s.Status.Serving.Doors {
		t.number("door_connections", float64(d.Connections.Open), d.Door)
		t.number("door_connections_most", float64(d.Connections.Most), d.Door)
		t.count("door_connections_refused_total", float64(d.Connections.Refused), d.Door)
		t.number("door_requests_in_flight", float64(d.Requests.InFlight), d.Door)
		t.number("door_requests_most", float64(d.Requests.Most), d.Door)
		t.count("door_requests_refused_total", float64(d.Requests.Refused), d.Door)
	}
}

// alarms counts alarms by kind. It does not say what an alarm is about, because that
// may be a client or a member of staff.
func (t teller) alarms(s admin.Measures) {
	kinds := append(admin.AlarmKinds(), other)
	n := map[string]int{}
	for _, a := range s.Alarms {
		n[among(a.Kind, kinds)]++
	}
	for _, kind := range kinds {
		t.number("alarms", float64(n[kind]), kind)
	}
}

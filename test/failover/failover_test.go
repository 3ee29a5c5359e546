//go:build linux

// Package failover tries authorities on a PostgreSQL of three nodes, with Patroni and etcd
// as examples/patroni sets them up, while programs and machines are killed, cut off and
// suspended under load.
//
// Whatever befalls the database, no answer that a holder or channel got is lost or comes
// about twice: a wrong guess, a lock, a PIN that was set, a freeze, a business number that
// was decided. Every answer is asked for again after each fault, checked against a model of
// a card, and in the end compared with the rows, the record and the keepers' counts. How
// long nobody got an answer is told for each fault.
//
// It guarantees nothing by itself. It trusts namespaces and TUN devices of Linux (package
// netns), and SIGKILL to be as sudden as a power cut, except for data that the operating
// system already has. The keepers are in its own process, behind connections, and do not
// fail: test/faults has that.
//
// It tries docs/INVARIANTS.md I-9, I-11, R-40 and R-67.
//
// Start here: TestFailover, then fault_test.go.
package failover

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/test/history"
	"github.com/liuma-pin/liuma/test/netns"
)

var (
	rounds      = flag.Int("failovers", 0, "rounds of TestFailover, each with one fault at random")
	seed        = flag.Uint64("seed", 0, "of everything random; 0: another one each time, which is printed")
	within      = flag.Duration("within", 0, "no round begins after this; 0: all do")
	logs        = flag.String("logs", "", "directory for all that the programs said")
	only        = flag.String("fault", "", "these faults in turn, with a comma between two")
	authorities = flag.Int("authorities", 1, "processes that serve from the database, each in a namespace of its own")
)

// whyNot is why no trial can be made here; empty: it can.
var whyNot string // set once by TestMain

func TestMain(m *testing.M) {
	if dir := os.Getenv(nodeEnv); dir != "" {
		beNode(dir)
	}
	flag.Parse()
	if whyNot = missing(); *rounds > 0 && whyNot == "" {
		whyNot = netns.Main()
	}
	os.Exit(m.Run())
}

// missing is what this machine lacks for a trial.
func missing() string {
	if os.Getuid() != 0 {
		return "the database runs in an account of its own: run it as root"
	}
	for _, p := range []string{"patroni", "etcd", "nsenter", "setpriv", "pkill", "/usr/lib/postgresql/15/bin/postgres"} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Sprintf("%v: test/failover/prepare installs it", err)
		}
	}
	return ""
}

// TestFailover has faults befall the database, -failovers times. The first three are a
// kill, a cut and a suspension of the primary, the others any.
func TestFailover(t *testing.T) {
	if *rounds == 0 {
		t.Skip("-failovers says how many; make failover does 50")
	}
	netns.Need(t, whyNot)
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("again with -seed %d", n)
	rng := rand.New(rand.NewPCG(n, 67))
	h := newHouse(t, *authorities)
	t.Cleanup(h.keepLogs)
	l := history.NewCrowd(4, h.next)
	t.Cleanup(l.End)
	var gaps []time.Duration
	gapsOf := map[kind][]time.Duration{} // of rounds in which another node took over
	moved, short := 0, 0
	start := time.Now()
	for i := range *rounds {
		if *within > 0 && time.Since(start) > *within && i > 0 {
			break
		}
		f := h.draw(i, rng)
		came := h.suffers(f, rng, l)
		gaps = append(gaps, came.gap)
		if came.moved {
			moved++
			gapsOf[f.kind] = append(gapsOf[f.kind], came.gap)
		}
		if len(h.db.away) > 0 {
			short++
		}
		t.Logf("round %d: %s: no answer for %.1f s; another node leads: %v; %s", i+1, f.name, came.gap.Seconds(), came.moved, came.acts)
		if t.Failed() {
			break
		}
	}
	l.End()
	operations := h.checkHistories()
	h.count()
	t.Logf("%d rounds, in %d of which another node took over; %d people, %d acts fit the model, %s in all; no answer for %s",
		len(gaps), moved, len(h.all), operations, tellOf(h.acts), tellGaps(gaps))
	for _, k := range slices.Sorted(maps.Keys(gapsOf)) {
		t.Logf("another node took over after a fault of the kind %q: %d rounds, no answer for %s", k, len(gapsOf[k]), tellGaps(gapsOf[k]))
	}
	t.Logf("nodes: %s; %d rounds ended with one of them away", h.db.tellHealed(), short)
}

// tellGaps is the least, the middle and the most of several.
func tellGaps(gaps []time.Duration) string {
	slices.Sort(gaps)
	return fmt.Sprintf("%.1f s at least, %.1f in the middle, %.1f at most", gaps[0].Seconds(), gaps[len(gaps)/2].Seconds(), gaps[len(gaps)-1].Seconds())
}

// draw draws the fault of a round.
func (h *house) draw(round int, rng *rand.Rand) fault {
	all := faults()
	var these []string
	if *only != "" {
		these = strings.Split(*only, ",")
	}
	all = slices.DeleteFunc(all, func(f fault) bool {
		if these != nil {
			return f.name != strings.TrimSpace(these[round%len(these)])
		}
		if f.asked || f.three && len(h.db.away) > 0 {
			return true
		}
		return round < 3 && (f.kind != []kind{kill, cut, suspend}[round] || !f.ends)
	})
	if len(all) == 0 {
		h.t.Fatalf("no fault is called %q", *only)
	}
	return all[rng.IntN(len(all))]
}

// course is what came of one fault.
type course struct {
	gap   time.Duration // the longest time without an answer
	moved bool          // another node is the primary than before
	acts  string        // how many of the acts had which answer
}

// suffers has a fault befall the database, waits for what should come of it, heals it, and
// asks for all answers again.
func (h *house) suffers(f fault, rng *rand.Rand, l *history.Crowd) course {
	h.t.Helper()
	primary := h.db.awaitWhole()
	h.awaitAnswer(time.Now())
	time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
	h.mu.Lock()
	before := len(h.acts)
	h.mu.Unlock()
	h.t.Logf("%s: %s is the primary: %s", clockOf(time.Now()), primary.name, f.name)
	began := time.Now()
	heal := f.begin(h, primary, rng)
	time.Sleep(f.hold + time.Duration(rng.IntN(4000))*time.Millisecond)
	if f.ends && len(h.db.away) == 0 { // of two nodes, neither goes on alone
		h.awaitAnswer(time.Now())
	}
	heal()
	healed := time.Now()
	now := h.db.awaitWhole()
	h.awaitAnswer(time.Now())
	h.t.Logf("%s: whole %.1f s after it was healed; %s is the primary", clockOf(time.Now()), time.Since(healed).Seconds(), now.name)
	l.Pause()
	defer l.Resume()
	h.mu.Lock()
	since := slices.Clone(h.acts[before:])
	h.mu.Unlock()
	h.ask(since)
	h.stopped(since)
	h.db.checkpoint()
	return course{gapIn(since, began), now != primary, tellOf(since)}
}

// awaitAnswer waits until somebody was told something of an act that began after a moment.
func (h *house) awaitAnswer(after time.Time) {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		h.mu.Lock()
		acts := h.acts
		h.mu.Unlock()
		for _, a := range slices.Backward(acts) {
			if a.Told() && a.Began.After(after) {
				return
			}
			if a.Ended.Before(after) {
				break
			}
		}
	}
	for _, a := range h.at {
		a.process.Signal(syscall.SIGQUIT) // it says what it waits for
	}
	for _, n := range h.db.nodes {
		h.t.Logf("%s said, at last:\n%s", n.name, n.lastSaid())
	}
	time.Sleep(3 * time.Second)
	h.t.Fatal("nobody gets an answer any more")
}

// stopped looks whether cards that were locked or frozen meanwhile still are.
func (h *house) stopped(acts []*history.Tried) {
	h.t.Helper()
	seen := map[*history.Person]bool{}
	for _, a := range acts {
		p := a.By
		pin, maybe := p.Knows()
		locked, frozen := p.Stopped()
		if seen[p] || maybe != "" || !frozen && !locked || len(seen) == 20 {
			continue
		}
		seen[p] = true
		said := ""
		for n := range 20 { // "not known" and "not now" say nothing about the card
			if said = p.Verify(h.t.Context(), n, pin); said != history.Undecided && said != history.Refused && said != "unavailable" {
				break
			}
			time.Sleep(time.Second)
		}
		if frozen && said == "suspended" || !frozen && (said == "locked" || said == "blocked") {
			continue
		}
		h.t.Errorf("%s was locked (%v) or frozen (%v), and now the PIN is %s", p.Facts.CardNo, locked, frozen, said)
	}
}

// gapIn is the longest time without an answer, from a moment on.
func gapIn(acts []*history.Tried, from time.Time) (gap time.Duration) {
	times := []time.Time{from}
	for _, a := range acts {
		if a.Told() && a.Ended.After(from) {
			times = append(times, a.Ended)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := range len(times) - 1 {
		gap = max(gap, times[i+1].Sub(times[i]))
	}
	return gap
}

// tellOf counts acts by what was said.
func tellOf(acts []*history.Tried) string {
	var told, none, open, looked int
	for _, a := range acts {
		switch {
		case a.Told():
			told++
		case a.Said == history.Undecided:
			open++
		default:
			none++
		}
		if a.Looked {
			looked++
		}
	}
	return fmt.Sprintf("%d answers, %d unavailable, %d undecided, %d looked up", told, none, open, looked)
}

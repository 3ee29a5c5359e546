//go:build linux

// Package faults tries an authority and its three keepers as four processes, each in a
// network namespace of its own, while machines, networks, disks, clocks and people fail.
//
// With one bad keeper of three every honest holder gets in, sets a PIN and is told the
// truth; with two nobody is told anything; what fails is named, with its keeper, by status
// and record; and a keeper that is healed catches up. Every answer that a holder got is
// checked against a model, and the keepers' counts against every answer.
//
// It guarantees nothing by itself. It trusts namespaces and TUN devices of Linux, and
// SIGKILL to be as sudden as a power cut, except for data that the operating system
// already has. Between the namespaces packets go through this process, so that a fault of
// the network needs no module of the kernel.
//
// It tries docs/INVARIANTS.md I-1, I-2, I-7, I-9, R-54, R-55, R-57 and R-61.
//
// Start here: TestEachFault, then fault_test.go.
package faults

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
	storesqlite "github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/test/netns"
)

var (
	rounds = flag.Int("rounds", 0, "rounds of TestRounds, each with one fault at random")
	seed   = flag.Uint64("seed", 0, "of everything random; 0: another one each time, which is printed")
	logs   = flag.String("logs", "", "directory for all that the processes said")
	one    = flag.String("fault", "", "only faults whose names match this")
)

// whyNot is why there are no namespaces here; empty: there are.
var whyNot string // set once by TestMain

func TestMain(m *testing.M) {
	flag.Parse()
	whyNot = netns.Main()
	var err error
	if buildDir, err = os.MkdirTemp("", "liuma-faults-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(buildDir)
	os.Exit(code)
}

// needNamespaces skips a trial where it cannot be made.
func needNamespaces(t *testing.T) {
	t.Helper()
	netns.Need(t, whyNot)
}

// chance is what is random in a trial.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("again with -seed %d", n)
	return rand.New(rand.NewPCG(n, 61))
}

// TestEachFault has each fault befall a keeper once, while holders come and go, and in the
// end cuts the power everywhere.
func TestEachFault(t *testing.T) {
	needNamespaces(t)
	rng := chance(t)
	only, err := regexp.Compile(*one)
	must(t, err)
	all := faults()
	h := newHouse(t, len(all), 4*len(all)+40)
	l := h.load(4)
	for _, f := range all {
		if only.MatchString(f.name) && !t.Failed() {
			p := h.places[rng.IntN(len(h.places))]
			t.Run(f.name, func(t *testing.T) { h.in(t, func() { h.suffers(f, p, rng, true, l) }) })
		}
	}
	if t.Failed() {
		return
	}
	t.Run("everything at once", func(t *testing.T) { h.in(t, func() { h.powerCut(rng, l) }) })
	if !t.Failed() {
		h.conclude(l)
	}
}

// TestRounds has faults befall keepers at random, -rounds times.
func TestRounds(t *testing.T) {
	if *rounds == 0 {
		t.Skip("-rounds says how many; make nightly does 200")
	}
	needNamespaces(t)
	rng := chance(t)
	h := newHouse(t, *rounds, 3**rounds+200)
	l := h.load(4)
	for n := range *rounds {
		f, p := faults()[rng.IntN(len(faults()))], h.places[rng.IntN(len(h.places))]
		began := time.Now()
		t.Run(fmt.Sprint(n+1), func(t *testing.T) {
			h.in(t, func() {
				if rng.IntN(8) == 0 {
					h.powerCut(rng, l)
				}
				h.suffers(f, p, rng, rng.IntN(4) == 0, l)
			})
		})
		t.Logf("round %d: %s at %s, %.1f s", n+1, f.name, p.id, time.Since(began).Seconds())
		if t.Failed() {
			return
		}
	}
	h.conclude(l)
}

// in has the house report to a part of the test.
func (h *house) in(t *testing.T, f func()) {
	was := h.t
	set := func(t *testing.T) {
		h.t = t
		for _, p := range h.places {
			p.t = t
		}
	}
	set(t)
	defer set(was)
	f()
}

// want ends the trial where a holder was told something else.
func (h *house) want(what, got, want string) {
	h.t.Helper()
	if got != want {
		h.t.Fatalf("%s: a holder was told %q, want %q", what, got, want)
	}
}

// enrolled is somebody new, with a PIN.
func (h *house) enrolled() *person {
	h.t.Helper()
	p := h.next()
	h.want("enrolment", p.enrol(h.t.Context()), "right")
	return p
}

// another draws a PIN that is not the person's.
func (p *person) another() string {
	for {
		if pin := p.somePIN(); pin != p.knows() {
			return pin
		}
	}
}

// suffers has a fault befall a keeper, looks at what holders are told meanwhile and what
// is told about it, heals it, and looks whether the keeper catches up.
func (h *house) suffers(f fault, p *place, rng *rand.Rand, thorough bool, l *load) {
	h.t.Helper()
	h.t.Logf("%s: %s", p.id, f.name)
	ctx := h.t.Context()
	a, of := h.enrolledCard()
	had := 0
	if thorough && f.alarm != "" {
		had = h.alarms(p, f.alarm)
	}
	starts := h.starts
	heal := f.begin(h, p, rng)
	h.gotIn(a, f)
	if thorough {
		if len(f.named) > 0 {
			h.awaitNamed(p, f.named...)
		}
		if f.state != "" {
			p.awaitState(f.state)
		}
		if f.alarm != "" {
			h.awaitAlarm(p, f.alarm, had)
		}
	}
	if !f.serves {
		h.twoBad(a, p, rng, l)
	}
	heal()
	h.awaitHealed(p)
	h.want("healed", a.settled(ctx, 0), "right")
	if h.starts > starts {
		h.everybodyActs()
	}
	if f.counts {
		h.awaitCaughtUp(of, p)
	} else {
		h.awaitCaughtUp(of, nil)
	}
}

// enrolledCard is somebody new with a PIN, and their card as keepers know it: nobody else
// is enrolled meanwhile.
func (h *house) enrolledCard() (*person, liuma.CardID) {
	h.t.Helper()
	before, err := h.places[0].rows()
	must(h.t, err)
	a := h.enrolled()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		after, err := h.places[0].rows() // two others may have been faster
		must(h.t, err)
		for card := range after {
			if _, ok := before[card]; !ok {
				return a, card
			}
		}
	}
	h.t.Fatal("the keeper does not know who was enrolled")
	return nil, liuma.CardID{}
}

// gotIn plays what an honest holder does, with one bad keeper.
func (h *house) gotIn(a *person, f fault) {
	h.t.Helper()
	ctx := h.t.Context()
	h.want("the PIN", a.verify(ctx, 0, a.knows()), "right")
	h.want("another PIN", a.verify(ctx, 0, a.another()), "wrong")
	h.want("the PIN", a.verify(ctx, 0, a.knows()), "right")
	if f.lies {
		// Where shares of a new PIN differ, nothing says which are right: the old one stays.
		if said := a.change(ctx, 0); said != "right" && said != "unavailable" {
			h.t.Fatalf("a change with a keeper that lies: %q", said)
		}
		h.want("after a change beside a liar", a.settled(ctx, 0), "right")
		return
	}
	h.want("change", a.change(ctx, 0), "right")
	h.want("the PIN", a.verify(ctx, 0, a.knows()), "right")
	b := h.enrolled()
	h.want("after the enrolment", b.verify(ctx, 0, b.knows()), "right")
	c := h.phoned[0]
	h.phoned = h.phoned[1:]
	said, err := c.reset(ctx)
	if err != nil {
		h.t.Fatalf("a reset: %v", err)
	}
	h.want("reset", said, "right")
	h.want("after the reset", c.verify(ctx, 0, c.knows()), "right")
}

// twoBad stops a second keeper: nobody is told anything then, and nothing is set.
func (h *house) twoBad(a *person, p *place, rng *rand.Rand, l *load) {
	h.t.Helper()
	ctx := h.t.Context()
	l.pause()
	defer l.resume()
	others := slices.DeleteFunc(slices.Clone(h.places), func(o *place) bool { return o == p })
	o := others[rng.IntN(len(others))]
	o.end(syscall.SIGKILL)
	h.want("two bad, the PIN", a.verify(ctx, 0, a.knows()), "unavailable")
	h.want("two bad, another PIN", a.verify(ctx, 0, a.another()), "unavailable")
	o.start()
	h.awaitServing(o)
	h.want("two of three again", a.settled(ctx, 0), "right")
}

// awaitHealed waits until the authority has nothing more to say of the keeper.
func (h *house) awaitHealed(p *place) {
	h.t.Helper()
	p.awaitState(host.Serves)
	h.awaitWhole()
}

// awaitSettled waits until nothing moves any more at the keepers.
func (h *house) awaitSettled() {
	h.t.Helper()
	time.Sleep(1500 * time.Millisecond) // the authority keeps the sequences every second
}

// everybodyActs has each card used once. Which of them a keeper was still to be told of lay
// in the memory of the authority that was killed; the other two know, and the next use of a
// card brings it to the third.
func (h *house) everybodyActs() {
	for _, p := range h.all {
		_ = p.settled(h.t.Context(), 0) // who is locked, or knows no PIN, is told of it too
	}
}

// awaitCaughtUp waits until all keepers hold the same version, head and tag of every card,
// and no guess at one card is counted against its holder any more, whose last one was
// right: but at one keeper, which counted guesses that nobody heard of.
func (h *house) awaitCaughtUp(settled liuma.CardID, but *place) {
	h.t.Helper()
	var why string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if why = h.differences(settled, but); why == "" {
			return
		}
	}
	h.t.Errorf("keepers do not catch up: %s", why)
}

// differences says in what keepers differ.
func (h *house) differences(settled liuma.CardID, but *place) string {
	first, err := h.places[0].rows()
	if err != nil {
		return err.Error()
	}
	counted := func(p *place, rows map[liuma.CardID]ledger.Row) bool {
		return p != but && rows[settled].Tally.Failures != [2]uint32{}
	}
	if counted(h.places[0], first) {
		return fmt.Sprintf("%s counts a guess that was right: %+v", h.places[0].id, first[settled].Tally)
	}
	for _, p := range h.places[1:] {
		rows, err := p.rows()
		if err != nil {
			return err.Error()
		}
		if counted(p, rows) {
			return fmt.Sprintf("%s counts a guess that was right: %+v", p.id, rows[settled].Tally)
		}
		for card := range maps.Keys(first) {
			x, y := first[card], rows[card]
			if x.Version != y.Version || x.Verifier != y.Verifier || x.KeySet != y.KeySet || x.Tag != y.Tag || x.Head != y.Head {
				return fmt.Sprintf("card %s is version %d head %d at %s and version %d head %d at %s", card, x.Version, x.Head, h.places[0].id, y.Version, y.Head, p.id)
			}
		}
		if len(first) != len(rows) {
			return fmt.Sprintf("%s holds %d cards, %s %d", h.places[0].id, len(first), p.id, len(rows))
		}
	}
	return ""
}

// powerCut kills everything at once under load. No count is lost by it.
func (h *house) powerCut(rng *rand.Rand, l *load) {
	h.t.Helper()
	before := h.spent()
	time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
	h.kill()
	for _, p := range h.places {
		p.end(syscall.SIGKILL)
	}
	l.pause() // everybody's last act is without an answer
	defer l.resume()
	for _, p := range h.places {
		p.start()
	}
	h.start()
	h.awaitWhole()
	after := h.spent()
	for i, p := range h.places {
		for card, n := range before[i] {
			if after[i][card] < n {
				h.t.Errorf("%s counted %d guesses before the power was cut, and %d after", p.id, n, after[i][card])
			}
		}
	}
	for _, p := range l.people() {
		h.want("after the power cut", p.settled(h.t.Context(), 0), "right")
	}
	h.everybodyActs()
	h.awaitCaughtUp(liuma.CardID{}, nil)
}

// spent is how many guesses each keeper counted of each card.
func (h *house) spent() (out []map[liuma.CardID]uint64) {
	h.t.Helper()
	for _, p := range h.places {
		rows, err := p.rows()
		must(h.t, err)
		counts := map[liuma.CardID]uint64{}
		for card, r := range rows {
			counts[card] = r.Tally.Spent
		}
		out = append(out, counts)
	}
	return out
}

// conclude compares all answers with the model, and the keepers' counts with all answers:
// right and wrong rest on two evaluations, each with a spend of its own.
func (h *house) conclude(l *load) {
	h.t.Helper()
	l.end()
	n := h.checkHistories(h.t)
	spent := h.spent()
	h.kill()
	keys, err := vault.Open(h.conf.Vault)
	must(h.t, err)
	db, err := storesqlite.Open(h.t.Context(), h.conf.Database, storesqlite.Config{Seal: keys})
	must(h.t, err)
	defer db.Close()
	guesses := 0
	must(h.t, db.View(h.t.Context(), func(r store.Reader) error {
		for _, p := range h.all {
			if p.card == "" {
				continue
			}
			link, err := r.LinkByHandle(channelID, store.Handle(p.card))
			if err != nil {
				return err
			}
			sum := uint64(0)
			for i := range h.places {
				sum += spent[i][link.Card]
			}
			guesses += p.spends
			if want := uint64(2 * p.spends); sum < want {
				h.t.Errorf("%s: verdicts were given for %d evaluations, %d are counted", p.facts.CardNo, want, sum)
			}
		}
		return nil
	}))
	h.t.Logf("%d people, %d acts fit the model, %d guesses were counted at two keepers at least", len(h.all), n, guesses)
	if guesses == 0 {
		h.t.Error("nothing happened; the trial proves nothing")
	}
}

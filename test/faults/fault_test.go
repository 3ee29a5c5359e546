//go:build linux

package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
)

// fault is something that befalls one keeper.
type fault struct {
	name string
	// begin has it befall a keeper, and returns what heals it.
	begin func(h *house, p *place, rng *rand.Rand) (heal func())
	named []string     // the states that the authority may name; empty: it does not notice
	alarm keeper.Fault // on the record; empty: none
	state host.State   // what the keeper says; empty: it is not there to say
	// serves: the keeper still gives answers that count.
	serves bool
	// lies: PINs are not set while the keeper does.
	lies bool
	// counts: the keeper counts guesses and nobody hears of it.
	counts bool
}

func faults() []fault {
	return []fault{
		{name: "slow", begin: slow, state: host.Serves, serves: true},
		{name: "cut", begin: cut(true, true), named: []string{"silent"}, alarm: keeper.Silent, state: host.Serves},
		{name: "half-open, requests lost", begin: cut(true, false), named: []string{"silent"}, alarm: keeper.Silent, state: host.Serves},
		{name: "half-open, answers lost", begin: cut(false, true), named: []string{"silent"}, alarm: keeper.Silent, state: host.Serves, counts: true},
		{name: "lying", begin: lying, named: []string{"disagrees"}, alarm: keeper.Disagrees, lies: true, counts: true},
		{name: "rolled back", begin: rolledBack, named: []string{"rolled_back"}, alarm: keeper.RolledBack, state: host.RolledBack},
		{name: "out of disk", begin: outOfDisk, named: []string{"disk"}, alarm: keeper.DiskBad, state: host.Full},
		{name: "clock wrong", begin: clockWrong, named: []string{"clock"}, alarm: keeper.ClockOff},
		{name: "replaced", begin: replaced, named: []string{"silent"}, alarm: keeper.Silent},
		{name: "restarted", begin: restarted, named: []string{"silent"}, alarm: keeper.Silent},
		{name: "certificate ended", begin: ended, named: []string{"certificate"}, alarm: keeper.CertificateBad, state: host.Serves},
		{name: "dismissed", begin: dismissed, named: []string{"certificate"}, alarm: keeper.CertificateBad, state: host.Serves},
	}
}

// slow delays what the keeper is asked and what it answers, within the time that a call
// may take.
func slow(h *house, p *place, rng *rand.Rand) func() {
	h.net.Around(p.member, false, false, time.Duration(200+rng.IntN(300))*time.Millisecond)
	return func() { h.net.Around(p.member, false, false, 0) }
}

func cut(in, out bool) func(*house, *place, *rand.Rand) func() {
	return func(h *house, p *place, _ *rand.Rand) func() {
		h.net.Around(p.member, in, out, 0)
		return func() { h.net.Around(p.member, false, false, 0) }
	}
}

func lying(_ *house, p *place, rng *rand.Rand) func() {
	p.end(syscall.SIGTERM)
	p.startWith(p.bin.faulty, "lie", p.dir, []string{"guesses", "everything"}[rng.IntN(2)])
	return p.again
}

// again starts the keeper anew, as it should be.
func (p *place) again() {
	p.end(syscall.SIGTERM)
	p.start()
}

// rolledBack puts the ledger back as it was before some guesses.
func rolledBack(h *house, p *place, _ *rand.Rand) func() {
	old, err := os.MkdirTemp(h.t.TempDir(), "old")
	must(h.t, err)
	p.end(syscall.SIGTERM)
	must(h.t, copyLedger(p.dir, old))
	p.start()
	h.awaitWhole()
	somebody := h.enrolled()
	for range 3 {
		h.want("before the ledger is put back", somebody.verify(h.t.Context(), 0, somebody.knows()), "right")
	}
	h.awaitSettled()
	p.end(syscall.SIGTERM)
	must(h.t, copyLedger(old, p.dir))
	p.start()
	return func() {
		p.run("repair")
		p.awaitState(host.Serves)
	}
}

func outOfDisk(_ *house, p *place, _ *rand.Rand) func() { return p.fillDisk() }

func clockWrong(h *house, p *place, rng *rand.Rand) func() {
	off := time.Duration(90+rng.IntN(90)) * time.Second
	if rng.IntN(2) == 0 && time.Since(h.born) > off { // before that its certificates are not good yet
		off = -off
	}
	p.end(syscall.SIGTERM)
	p.startWith(p.bin.faulty, "clock", p.dir, off.String())
	return p.again
}

func restarted(h *house, p *place, rng *rand.Rand) func() {
	for range 3 {
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		p.end(syscall.SIGKILL)
		p.start()
	}
	time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
	p.end(syscall.SIGKILL)
	return p.start
}

// ended lets the authority's admission at the keeper end.
func ended(h *house, p *place, _ *rand.Rand) func() {
	ask := filepath.Join(h.t.TempDir(), "authority.request")
	_, err := h.liuma("keeper", "request", "--name", h.name(), "--out", ask)
	must(h.t, err)
	h.admitted(p, ask, "--for", "5s")
	p.again() // which makes a new connection, by the new certificate
	time.Sleep(5 * time.Second)
	return func() { h.admitted(p, ask) }
}

func dismissed(h *house, p *place, _ *rand.Rand) func() {
	p.run("dismiss", h.name())
	return h.rekey
}

// replaced loses the keeper's machine. The new one gets its keys and rows from the others.
func replaced(h *house, p *place, _ *rand.Rand) func() {
	p.end(syscall.SIGKILL)
	names, err := filepath.Glob(filepath.Join(p.dir, "*"))
	must(h.t, err)
	for _, n := range names {
		must(h.t, os.RemoveAll(n))
	}
	return func() {
		p.initialise("--lost")
		asked := spoken(h, p.run("replace"))
		for _, o := range h.places {
			if o == p {
				continue
			}
			o.run("dismiss", string(p.id))
			gift := spoken(h, o.run("give", filepath.Join(p.dir, "carry", string(p.id)+"-ask.json"), "--heard", asked))
			p.run("replace", filepath.Join(o.dir, "carry", string(o.id)+"-gift-"+string(p.id)+".json"), "--heard", gift)
		}
		p.start()
		for _, o := range h.places {
			if o != p {
				p.befriends(o)
				o.befriends(p)
			}
		}
		p.watched()
		h.join(h.name(), p)
		p.run("repair", "--seen", fmt.Sprint(h.sequenceOf(p)))
		p.awaitState(host.Serves)
	}
}

// sequenceOf is the highest sequence that the authority had from a keeper.
func (h *house) sequenceOf(p *place) uint64 {
	list, err := h.keepersNow()
	must(h.t, err)
	for _, k := range list {
		if k.ID == string(p.id) {
			return k.Sequence
		}
	}
	h.t.Fatalf("the authority knows no %s", p.id)
	return 0
}

var digits = regexp.MustCompile(`(?m)^\s*(\d{4}( \d{4}){7,9})\s*$`)

// spoken are the digits that a command has its user read aloud.
func spoken(h *house, out string) string {
	found := digits.FindStringSubmatch(out)
	if found == nil {
		h.t.Fatalf("no digits in\n%s", out)
	}
	return found[1]
}

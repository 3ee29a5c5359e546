//go:build linux

package failover

import (
	"math/rand/v2"
	"os"
	"slices"
	"time"
)

// fault is something that befalls the database.
type fault struct {
	name string
	kind kind
	// begin has it befall, and returns what heals it.
	begin func(h *house, primary *node, rng *rand.Rand) (heal func())
	// ends: the service comes back by itself, before it is healed.
	ends bool
	// hold is how long it is left at the least, so that what should happen meanwhile does.
	hold time.Duration
	// three: it needs all three nodes. The others befall two as well.
	three bool
	// asked: it befalls only where -fault names it, since an operator has to heal it.
	asked bool
}

type kind string

const (
	kill    kind = "kill"
	cut     kind = "cut"
	suspend kind = "suspend"
	other   kind = "other"
)

// ttl is how long a primary that is not heard of is waited for (examples/patroni), and
// what Patroni's round adds.
const ttl = 26 * time.Second

func faults() []fault {
	return []fault{
		{name: "PostgreSQL killed", kind: kill, begin: killed("postgres"), ends: true},
		{name: "Patroni and PostgreSQL killed", kind: kill, begin: killed("patroni|postgres"), ends: true},
		{name: "node killed", kind: kill, begin: nodeKilled, ends: true},
		{name: "node cut from all", kind: cut, begin: nodeCut, ends: true, hold: ttl},
		{name: "primary cut from the other nodes", kind: cut, begin: primaryCut, ends: true, hold: ttl},
		{name: "authority cut from the primary", kind: cut, begin: authorityCut, hold: 12 * time.Second},
		{name: "PostgreSQL suspended", kind: suspend, begin: suspended("postgres"), ends: true, hold: ttl},
		// Nobody ends this primary without a watchdog, and the authority is connected to it.
		{name: "Patroni suspended", kind: suspend, begin: suspended("patroni"), hold: ttl},
		{name: "node suspended", kind: suspend, begin: nodeSuspended, ends: true, hold: ttl},
		{name: "majority of etcd lost", kind: other, begin: etcdLost(2), hold: 20 * time.Second},
		{name: "one etcd lost", kind: other, begin: etcdLost(1), ends: true, hold: 10 * time.Second},
		{name: "synchronous standby killed", kind: other, begin: standbysKilled(1), ends: true},
		{name: "both standbys killed", kind: other, begin: standbysKilled(2), hold: 20 * time.Second},
		{name: "leader of etcd killed", kind: other, begin: etcdLeaderKilled, ends: true, hold: 10 * time.Second},
		{name: "synchronous standby killed and then the primary", kind: other, begin: standbyThenPrimary, hold: ttl, three: true},
		{name: "files of a standby damaged", kind: other, begin: standbyDamaged, ends: true, three: true, asked: true},
		{name: "no leader when a node comes back", kind: other, begin: noLeaderAfterRewind, three: true, asked: true},
	}
}

// killed kills programs of the primary. Patroni is started again, as a service manager does.
func killed(names string) func(*house, *node, *rand.Rand) func() {
	return func(_ *house, p *node, _ *rand.Rand) func() {
		p.signal("KILL", names)
		return func() { p.run("patroni") }
	}
}

func nodeKilled(_ *house, p *node, _ *rand.Rand) func() {
	p.off()
	return p.on
}

func nodeCut(h *house, p *node, _ *rand.Rand) func() {
	h.net.Around(p.number, true, true, 0)
	return func() { h.net.Around(p.number, false, false, 0) }
}

// primaryCut leaves the authority between a primary that is alone and the others.
func primaryCut(h *house, p *node, _ *rand.Rand) func() {
	set := func(gone bool) {
		for _, o := range h.db.nodes {
			if o != p {
				h.net.Set(p.number, o.number, gone, 0)
				h.net.Set(o.number, p.number, gone, 0)
			}
		}
	}
	set(true)
	return func() { set(false) }
}

func authorityCut(h *house, p *node, _ *rand.Rand) func() {
	set := func(gone bool) {
		for _, a := range h.at {
			h.net.Set(p.number, a.number, gone, 0)
			h.net.Set(a.number, p.number, gone, 0)
		}
	}
	set(true)
	return func() { set(false) }
}

func suspended(names string) func(*house, *node, *rand.Rand) func() {
	return func(_ *house, p *node, _ *rand.Rand) func() {
		p.signal("STOP", names)
		return p.resume
	}
}

func nodeSuspended(_ *house, p *node, _ *rand.Rand) func() {
	p.signal("STOP", "etcd|patroni|postgres")
	return p.resume
}

// etcdLost kills etcd on some nodes, the primary's among them.
func etcdLost(n int) func(*house, *node, *rand.Rand) func() {
	return func(h *house, p *node, rng *rand.Rand) func() {
		those := append([]*node{p}, h.others(p, rng)...)[:n]
		for _, o := range those {
			o.signal("KILL", "etcd")
		}
		return func() {
			for _, o := range those {
				o.run("etcd")
			}
		}
	}
}

// etcdLeaderKilled kills the member of etcd that leads the others, on whichever node. Where
// it cannot be told, it is the primary's.
func etcdLeaderKilled(h *house, p *node, _ *rand.Rand) func() {
	of := p
	for _, o := range h.db.nodes {
		if h.db.leadsEtcd(o) {
			of = o
		}
	}
	h.t.Logf("the leader of etcd is on %s", of.name)
	of.signal("KILL", "etcd")
	return func() { of.run("etcd") }
}

// standbyThenPrimary turns the synchronous standby off, waits until the other one has taken
// its place and acts are answered again, and then turns the primary off as well. What was
// answered in between is on the one node that is left, which alone is nobody's primary
// until another has come back: acts wait for it.
func standbyThenPrimary(h *house, p *node, rng *rand.Rand) func() {
	first, left := h.syncFirst(p, rng)
	first.off()
	h.awaitAnswer(time.Now())
	h.awaitThat(left.name+" is the synchronous standby", func() bool { return h.db.isSync(p, left) })
	h.awaitAnswer(time.Now())
	p.off()
	return func() {
		first.on()
		h.awaitAnswer(time.Now()) // two of three are there
		p.on()
	}
}

// standbysKilled turns standbys off: the synchronous one, or both.
func standbysKilled(n int) func(*house, *node, *rand.Rand) func() {
	return func(h *house, p *node, rng *rand.Rand) func() {
		first, second := h.syncFirst(p, rng)
		those := []*node{first, second}
		for _, o := range those[:n] {
			o.off()
		}
		return func() {
			for _, o := range those[:n] {
				o.on()
			}
		}
	}
}

// standbyDamaged takes from the synchronous standby the file by which its PostgreSQL knows
// itself, as a disk may. To start Patroni again does not help; to copy the node anew does.
func standbyDamaged(h *house, p *node, rng *rand.Rand) func() {
	first, _ := h.syncFirst(p, rng)
	first.off()
	if err := os.Remove(first.file("/var/lib/postgresql/15/liuma/global/pg_control")); err != nil {
		h.t.Error(err)
	}
	return first.on
}

// noLeaderAfterRewind turns the primary off, and has it come back while there is no leader at
// the moment in which pg_rewind has ended. Patroni 3.0.2 starts it with nobody to follow, and
// leaves it so when there is a leader again.
func noLeaderAfterRewind(h *house, p *node, rng *rand.Rand) func() {
	next, third := h.syncFirst(p, rng)
	p.off()
	h.awaitAnswer(time.Now())
	third.off() // nobody is to take the place of the next one
	p.on()
	h.awaitThat("pg_rewind runs on "+p.name, p.copying)
	p.signal("STOP", "pg_rewind")
	next.signal("STOP", "patroni")
	h.awaitThat("nobody leads", func() bool {
		list, err := h.db.members(p)
		return err == nil && !slices.ContainsFunc(list, func(m member) bool { return m.Role == "leader" })
	})
	p.signal("CONT", "pg_rewind")
	h.awaitThat("PostgreSQL starts on "+p.name, func() bool {
		_, err := p.sh("pgrep -x postgres")
		return err == nil && !p.copying()
	})
	next.resume()
	return third.on
}

// awaitThat waits until something is so.
func (h *house) awaitThat(what string, is func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// syncFirst are the other two nodes, the synchronous standby first.
func (h *house) syncFirst(p *node, rng *rand.Rand) (first, second *node) {
	those := h.others(p, rng)
	if h.db.isSync(p, those[1]) {
		return those[1], those[0]
	}
	return those[0], those[1]
}

// others are the other two nodes, in any order.
func (h *house) others(p *node, rng *rand.Rand) (out []*node) {
	for _, o := range h.db.nodes {
		if o != p {
			out = append(out, o)
		}
	}
	if rng.IntN(2) == 0 {
		out[0], out[1] = out[1], out[0]
	}
	return out
}

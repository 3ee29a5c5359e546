//go:build linux

package failover

import (
	"math/rand/v2"
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

// standbysKilled turns standbys off: the synchronous one, or both.
func standbysKilled(n int) func(*house, *node, *rand.Rand) func() {
	return func(h *house, p *node, rng *rand.Rand) func() {
		those := h.others(p, rng)
		if list, err := h.db.members(p); err == nil {
			for _, m := range list {
				if m.Role == "sync_standby" && m.Name != those[0].name {
					those[0], those[1] = those[1], those[0]
				}
			}
		}
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

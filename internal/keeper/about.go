package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/split"
)

// ErrCertificate: the authority or the keeper does not accept the other's certificate,
// or no longer accepts it.
var ErrCertificate = errors.New("keeper: the certificates of authority and keeper do not let them speak")

// About is what a keeper reports about itself. Nothing in it is secret.
type About struct {
	ID      ID
	Member  int
	Shape   split.Shape
	Release string // of the keeper's program; may be empty
	// Wall is the clock of the keeper's machine; zero while that clock is behind the
	// time of the keeper's ledger.
	Wall time.Time
	// Machine identifies the start of the keeper's machine (clock.Clock.Start). Keepers
	// with the same value share one clock. Zero: the keeper does not know it.
	Machine [clock.StartSize]byte
	Answer
	KeySets []HeldKeySet // rising
}

// HeldKeySet is one member's part of a key set, described by a fingerprint of each of
// its share keys, in the order of Shape.SubsetsOf.
type HeldKeySet struct {
	ID     uint32
	Prints []Fingerprint
}

// Holds finds a key set.
func (a About) Holds(id uint32) (HeldKeySet, bool) {
	for _, s := range a.KeySets {
		if s.ID == id {
			return s, true
		}
	}
	return HeldKeySet{}, false
}

// Compare compares the share keys that two keepers both hold: how many there are, and
// whether all of them are the same. One may have a key set that the other lacks.
func (a About) Compare(b About) (both int, same bool) {
	same = true
	for _, x := range a.KeySets {
		y, held := b.Holds(x.ID)
		if !held {
			continue
		}
		n, ok := x.Compare(y)
		both, same = both+n, same && ok
	}
	return both, same
}

// Compare is About.Compare for one key set.
func (s HeldKeySet) Compare(o HeldKeySet) (both int, same bool) {
	same = true
	for _, p := range s.Prints {
		for _, q := range o.Prints {
			if p.Subset == q.Subset {
				both, same = both+1, same && p.Sum == q.Sum // fingerprints are not secret
			}
		}
	}
	return both, same
}

// About reports this keeper's identity and which share keys it holds.
func (n *Node) About(context.Context) (About, error) {
	leave, err := n.enter()
	if err != nil {
		return About{}, err
	}
	defer leave()
	a := About{ID: n.id, Machine: n.ledger.Start(), Answer: n.answer()}
	if t := n.ledger.Times(); t.Check() == nil {
		a.Wall = t.Wall
	}
	for _, id := range n.ring.KeySets() {
		set, _ := n.ring.set(id)
		prints, err := set.fingerprints()
		if err != nil {
			return About{}, fmt.Errorf("%w: %w", ErrShareKeys, err)
		}
		a.Member, a.Shape = set.Member, set.Shape
		a.KeySets = append(a.KeySets, HeldKeySet{ID: id, Prints: prints})
	}
	return a, nil
}

// fingerprints returns the fingerprints of the share keys that the member holds.
func (s KeySet) fingerprints() ([]Fingerprint, error) {
	var out []Fingerprint
	for _, m := range s.Shape.SubsetsOf(s.Member) {
		sum, err := fingerprint(s.ID, m, s.Keys[m])
		if err != nil {
			return nil, err
		}
		out = append(out, Fingerprint{Member: s.Member, Subset: m, Sum: sum})
	}
	return out, nil
}

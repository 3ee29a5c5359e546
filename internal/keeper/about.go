package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/split"
)

// ErrCertificate: the certificate of one side is not, or no longer, good to the other.
var ErrCertificate = errors.New("keeper: the certificates of authority and keeper do not let them speak")

// About is what a keeper says of itself. Nothing in it is secret.
type About struct {
	ID      ID
	Member  int
	Shape   split.Shape
	Release string // of its program; may be empty
	// Wall is its machine's clock; zero while that is behind the time of its ledger.
	Wall time.Time
	// Machine is its machine's start (clock.Clock.Start): who has the same has the same
	// clock. Zero: it does not know.
	Machine [clock.StartSize]byte
	Answer
	KeySets []HeldKeySet // rising
}

// HeldKeySet is a key set as one member holds it: a fingerprint of each of its share
// keys, in the order of Shape.SubsetsOf.
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

// About says what this keeper is and which share keys it holds.
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

// fingerprints are those of the share keys that the member holds.
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

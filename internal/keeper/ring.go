package keeper

import (
	"errors"
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// KeySet is one keeper's part of a key set: the share keys of the subsets that
// it is a member of, and of no others (I-5).
type KeySet struct {
	ID     uint32 // from 1
	Shape  split.Shape
	Member int // this keeper's number, from 1
	Keys   map[split.Subset]split.ShareMAC
}

func (s KeySet) validate() error {
	if err := s.Shape.Validate(); err != nil {
		return err
	}
	if s.ID == 0 || s.Member < 1 || s.Member > s.Shape.N {
		return errors.New("keeper: a key set needs a number and a member of its shape")
	}
	subsets := s.Shape.SubsetsOf(s.Member)
	if len(s.Keys) != len(subsets) {
		return fmt.Errorf("keeper: key set %d: %d share keys, want %d", s.ID, len(s.Keys), len(subsets))
	}
	for _, m := range subsets {
		if s.Keys[m] == nil {
			return fmt.Errorf("keeper: key set %d: no share key of subset %d", s.ID, m)
		}
	}
	return nil
}

// wipe clears the share keys that are held in memory.
func (s KeySet) wipe() {
	for _, k := range s.Keys {
		if held, ok := k.(interface{ Wipe() }); ok {
			held.Wipe()
		}
	}
}

// Ring holds a keeper's key sets. It does not change after NewRing.
type Ring struct{ sets map[uint32]KeySet }

// NewRing takes the key sets over; it wants at least one.
func NewRing(sets ...KeySet) (*Ring, error) {
	r := &Ring{sets: map[uint32]KeySet{}}
	for _, s := range sets {
		if err := s.validate(); err != nil {
			return nil, err
		}
		if _, twice := r.sets[s.ID]; twice {
			return nil, fmt.Errorf("keeper: key set %d twice", s.ID)
		}
		r.sets[s.ID] = s
	}
	if len(r.sets) == 0 {
		return nil, errors.New("keeper: a ring without a key set")
	}
	return r, nil
}

// KeySets lists the numbers of the key sets, rising.
func (r *Ring) KeySets() []uint32 {
	var out []uint32
	for id := range r.sets {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

func (r *Ring) has(id uint32) bool { _, ok := r.sets[id]; return ok }

func (r *Ring) wipe() {
	for _, s := range r.sets {
		s.wipe()
	}
}

// grant is permission to evaluate once. A ledger makes it, after it wrote down
// the guess or the proposal. No other type can be one.
type grant interface {
	*ledger.Spent | *ledger.Proposed
	Redeem() error
	Card() liuma.CardID
	Version() liuma.Version
}

// evaluate redeems a grant for the shares of all this keeper's subsets. It is
// the only function that evaluates with a share key, so nothing is evaluated
// that a ledger has not counted (I-1) or marked (I-3).
//
// A crash in here leaves a guess counted and unanswered: lost, never free.
func evaluate[G grant](r *Ring, g G, keySet uint32, blinded split.Point) ([]split.Share, error) {
	if err := g.Redeem(); err != nil {
		return nil, err
	}
	set, ok := r.sets[keySet]
	if !ok {
		return nil, fmt.Errorf("%w: %d", ErrKeySet, keySet)
	}
	subsets := set.Shape.SubsetsOf(set.Member)
	shares := make([]split.Share, 0, len(subsets))
	for _, m := range subsets {
		k, err := split.Derive(set.Keys[m], split.Scope{KeySet: set.ID, Subset: m, Card: g.Card(), Version: g.Version()})
		if err != nil {
			return nil, err
		}
		s, err := k.Evaluate(blinded)
		k.Wipe()
		if err != nil {
			return nil, err
		}
		shares = append(shares, s)
	}
	return shares, nil
}

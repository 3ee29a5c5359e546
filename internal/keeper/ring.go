package keeper

import (
	"errors"
	"fmt"
	"slices"

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

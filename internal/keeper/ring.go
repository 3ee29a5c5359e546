package keeper

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/liuma-pin/liuma/internal/split"
)

// KeySet is one keeper's part of a key set: the share keys of the subsets that the
// keeper is a member of, and of no others (I-5).
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

// Ring holds a keeper's key sets. Key sets can be added while it is used; they are never
// changed or removed. It is safe for use by many goroutines.
type Ring struct {
	mu   sync.RWMutex
	sets map[uint32]KeySet // guarded by mu
}

// NewRing takes ownership of the key sets; there must be at least one.
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
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.sets))
}

// set returns the key set with the number id.
func (r *Ring) set(id uint32) (KeySet, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s, ok := r.sets[id]
	return s, ok
}

func (r *Ring) has(id uint32) bool { _, ok := r.set(id); return ok }

// takeOver moves the key sets that this ring lacks here from another ring, and wipes
// the other ring's remaining key sets. It returns how many came.
func (r *Ring) takeOver(from *Ring) (came int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, s := range from.sets {
		if _, there := r.sets[id]; there {
			s.wipe()
			continue
		}
		r.sets[id] = s
		came++
	}
	return came
}

func (r *Ring) wipe() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sets {
		s.wipe()
	}
}

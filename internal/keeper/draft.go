package keeper

import (
	"fmt"
	"maps"
	"slices"

	"github.com/liuma-pin/liuma/internal/split"
)

// Draft is the state of a Member that is saved between two processes: what it
// generated itself, and what it received from the others. It holds share keys, so
// it is protected like keeper.json, and wiped.
type Draft struct {
	Hello  Hello
	Met    []Hello // of the other members
	Keys   []SavedKey
	Prints []Fingerprint // of the other members
}

// SavedKey is a share key in the form that its custody returned for saving.
type SavedKey struct {
	Subset split.Subset
	Saved  []byte
}

// Wipe clears the share keys.
func (d Draft) Wipe() {
	for _, k := range d.Keys {
		clear(k.Saved)
	}
}

// Draft returns the member's state. The caller wipes it.
func (m *Member) Draft() (d Draft, err error) {
	d.Hello = m.hello
	for i := 1; i <= m.hello.Shape.N; i++ {
		if h, ok := m.met[i]; ok && i != m.hello.Member {
			d.Met = append(d.Met, h)
		}
	}
	for _, s := range slices.Sorted(maps.Keys(m.keys)) {
		saved, err := m.keys[s].Save()
		if err != nil {
			d.Wipe()
			return Draft{}, fmt.Errorf("keeper: share key of subset %d: %w", s, err)
		}
		d.Keys = append(d.Keys, SavedKey{Subset: s, Saved: saved})
	}
	for _, s := range m.hello.Shape.Subsets() {
		for i := 1; i <= m.hello.Shape.N; i++ {
			if sum, ok := m.sums[s][i]; ok {
				d.Prints = append(d.Prints, Fingerprint{Member: i, Subset: s, Sum: sum})
			}
		}
	}
	return d, nil
}

// Resume restores the Member from its Draft. It checks all of the draft again.
func Resume(d Draft, custody Custody) (*Member, error) {
	m, err := newMember(d.Hello, custody)
	if err != nil {
		return nil, err
	}
	if err := m.resume(d); err != nil {
		m.Wipe()
		return nil, err
	}
	return m, nil
}

func (m *Member) resume(d Draft) error {
	for _, h := range d.Met {
		if err := m.Meet(h); err != nil {
			return err
		}
	}
	own := m.hello.Shape.SubsetsOf(m.hello.Member)
	for _, k := range d.Keys {
		if m.keys[k.Subset] != nil || !slices.Contains(own, k.Subset) {
			return fmt.Errorf("%w: a share key of subset %d", ErrCeremony, k.Subset)
		}
		key, err := m.custody.Load(k.Saved)
		if err != nil {
			return fmt.Errorf("%w: share key of subset %d: %w", ErrCeremony, k.Subset, err)
		}
		m.keys[k.Subset] = key
	}
	for _, s := range own {
		if s.First() == m.hello.Member && m.keys[s] == nil {
			return fmt.Errorf("%w: no share key of subset %d", ErrCeremony, s)
		}
	}
	for _, f := range d.Prints {
		if err := m.Check(f); err != nil {
			return err
		}
	}
	return nil
}

// Stage is a member's progress in a ceremony.
type Stage int

// The stages in order, named after what the member waits for.
const (
	AwaitsHellos Stage = iota + 1
	AwaitsOffers
	AwaitsPrints
	AwaitsReading
)

// Stage reports what the member waits for, and from which members.
func (m *Member) Stage() (stage Stage, from []int) {
	shape, own := m.hello.Shape, m.hello.Member
	for i := 1; i <= shape.N; i++ {
		if _, ok := m.met[i]; !ok {
			from = append(from, i)
		}
	}
	if len(from) > 0 {
		return AwaitsHellos, from
	}
	for _, s := range shape.SubsetsOf(own) {
		if m.keys[s] == nil && !slices.Contains(from, s.First()) {
			from = append(from, s.First())
		}
	}
	if len(from) > 0 {
		slices.Sort(from)
		return AwaitsOffers, from
	}
	for i := 1; i <= shape.N; i++ {
		lacks := func(s split.Subset) bool { _, ok := m.sums[s][i]; return !ok }
		if i != own && slices.ContainsFunc(shape.SubsetsOf(i), lacks) {
			from = append(from, i)
		}
	}
	if len(from) > 0 {
		return AwaitsPrints, from
	}
	return AwaitsReading, nil
}

// Members returns the ids of all members, in the order of their numbers; an id is
// empty if that member's Hello has not come yet.
func (m *Member) Members() []ID {
	out := make([]ID, m.hello.Shape.N)
	for i := range out {
		out[i] = m.met[i+1].ID
	}
	return out
}

package keys

import (
	"fmt"
	"maps"
	"slices"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// TakeGift takes in the share keys that a member gave. heard are the digits that the
// member's people read aloud.
func (d Desk) TakeGift(file []byte, heard string) (Where, error) {
	m, err := parse(file)
	if err != nil {
		return Where{}, err
	}
	if m.gift == nil {
		return Where{}, fmt.Errorf("%w: it gives nothing", ErrFile)
	}
	return d.inAsking(func(f *keeper.KeyFile, a *askState) (Where, error) {
		data, err := marshal(a.Ask)
		if err != nil {
			return Where{}, err
		}
		asked := hashOf(askLabel, data)
		if m.gift.Ask != asked || m.shape() != a.Ask.shape() || m.Member == a.Ask.Member || m.ID == a.Ask.ID {
			return Where{}, fmt.Errorf("%w: a gift of %s", ErrOther, m.ID)
		}
		if !sameDigits(heard, d.digitsOf(hashOf(giftLabel, m.data))) {
			return Where{}, ErrReading
		}
		got, err := openGift(f, a, m, asked)
		if err != nil {
			return Where{}, err
		}
		// A member may give again: the last gift counts.
		a.Gifts = slices.DeleteFunc(a.Gifts, func(g gotGift) bool { return g.Member == m.Member })
		a.Gifts = append(a.Gifts, got)
		if err := a.agree(f); err != nil {
			return Where{}, err
		}
		if err := d.saveAsking(a); err != nil {
			return Where{}, err
		}
		return d.whereAsking(f, a)
	})
}

// inAsking runs do with the keeper's pending request for share keys; it returns an
// OrderError if there is none.
func (d Desk) inAsking(do func(*keeper.KeyFile, *askState) (Where, error)) (Where, error) {
	return d.opened(func(f *keeper.KeyFile) (Where, error) {
		a, err := d.asking(f)
		if err != nil {
			return Where{}, err
		}
		if a == nil {
			return Where{}, d.outOfOrder()
		}
		defer a.wipe()
		return do(f, a)
	})
}

// openGift opens the share keys of a gift. They must be exactly the keys that both
// members hold.
func openGift(f *keeper.KeyFile, a *askState, m message, asked keeper.Hash) (gotGift, error) {
	got := gotGift{Member: m.Member, ID: m.ID}
	if len(m.gift.Sets) == 0 {
		return got, fmt.Errorf("%w: %s gives nothing", ErrFile, m.ID)
	}
	for _, set := range m.gift.Sets {
		g := gotSet{KeySet: set.KeySet, Members: set.Members}
		var want, have []split.Subset
		for _, s := range a.Ask.shape().SubsetsOf(m.Member) {
			if s.Has(a.Ask.Member) {
				want = append(want, s)
			}
		}
		for _, k := range set.Keys {
			have = append(have, k.Subset)
		}
		if !slices.Equal(want, have) || set.KeySet == 0 || slices.ContainsFunc(got.Sets, func(o gotSet) bool { return o.KeySet >= set.KeySet }) {
			return got, fmt.Errorf("%w: the key sets of %s", ErrFile, m.ID)
		}
		if n := len(set.Members); n > 0 && (n != m.N || set.Members[m.Member-1] != m.ID || set.Members[a.Ask.Member-1] != a.Ask.ID) {
			return got, fmt.Errorf("%w: %s names other members of key set %d", ErrDiffer, m.ID, set.KeySet)
		}
		for _, k := range set.Keys {
			saved, err := openKey(f, set.KeySet, k, sealing(asked, set.KeySet, k.Subset, m.Member))
			if err != nil {
				return got, fmt.Errorf("%w: key set %d of %s: %w", ErrFile, set.KeySet, m.ID, err)
			}
			g.Keys = append(g.Keys, keptKey{Subset: k.Subset, Key: saved})
			g.Sums = append(g.Sums, shown{Subset: k.Subset, Sum: k.Sum})
		}
		got.Sets = append(got.Sets, g)
	}
	return got, nil
}

func openKey(f *keeper.KeyFile, keySet uint32, k givenKey, info []byte) ([]byte, error) {
	key, err := f.Custody().Open(k.Sealed, info, keeper.Slot{KeySet: keySet, Subset: k.Subset})
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	sum, err := keeper.FingerprintOf(keySet, k.Subset, key)
	if err != nil {
		return nil, err
	}
	if sum != k.Sum {
		return nil, ErrDiffer
	}
	return key.Save()
}

// agree returns ErrDiffer if two members gave different keys or different facts about a
// key set, or if one differs from what the keeper has.
func (a *askState) agree(f *keeper.KeyFile) error {
	type place struct {
		keySet uint32
		subset split.Subset
	}
	sums, from, members := map[place]keeper.Hash{}, map[place]keeper.ID{}, map[uint32][]keeper.ID{}
	for _, have := range f.KeySets() {
		held, err := f.Keys(have.ID)
		if err != nil {
			return err
		}
		for s, k := range held {
			p := place{have.ID, s}
			if sums[p], err = keeper.FingerprintOf(have.ID, s, k); err != nil {
				return err
			}
			from[p] = f.ID()
		}
		wipeAll(held)
	}
	for _, g := range a.Gifts {
		for _, set := range g.Sets {
			for _, sum := range set.Sums {
				p := place{set.KeySet, sum.Subset}
				if have, ok := sums[p]; ok && have != sum.Sum {
					return fmt.Errorf("%w: %s and %s, of key set %d", ErrDiffer, from[p], g.ID, set.KeySet)
				}
				sums[p], from[p] = sum.Sum, g.ID
			}
			if have, ok := members[set.KeySet]; ok && !slices.Equal(have, set.Members) {
				return fmt.Errorf("%w: %s names other members of key set %d", ErrDiffer, g.ID, set.KeySet)
			}
			members[set.KeySet] = set.Members
		}
	}
	return nil
}

// Gather ends the request for share keys: the key sets that are complete are taken into
// use. It waits for every member that gave nothing, unless without names the member as
// lost too. Every key must have come from some member, and from two if two are left.
//
// A crash in here leaves the request as it was, or a keeper that has the key sets.
func (d Desk) Gather(without ...int) (Where, error) {
	return d.inAsking(func(f *keeper.KeyFile, a *askState) (Where, error) {
		w := viewAsking(f, a)
		for _, o := range w.Waits {
			if !slices.Contains(without, o.Member) {
				return Where{}, &OrderError{w}
			}
		}
		if err := a.agree(f); err != nil {
			return Where{}, err
		}
		sets, left, err := a.whole(f)
		if err != nil {
			return Where{}, err
		}
		defer func() {
			for _, s := range sets {
				for _, k := range s.Keys {
					k.(keeper.HeldKey).Wipe() //nolint:forcetypeassert // whole made them
				}
			}
		}()
		if len(sets) > 0 {
			if err := f.Add(sets...); err != nil {
				return Where{}, err
			}
		} else if len(f.KeySets()) == 0 || len(left) > 0 {
			return Where{}, ErrLacking
		}
		if err := d.Disk.Remove(d.Dir, askFile); err != nil {
			return Where{}, err
		}
		out := quiet(f)
		out.Left = left
		return out, nil
	})
}

// whole returns the key sets that the keeper lacks and for which every member that gave
// a gift gave all keys that it holds, and the numbers of the key sets that are
// incomplete.
func (a *askState) whole(f *keeper.KeyFile) (sets []keeper.NewSet, left []uint32, err error) {
	shape, own := a.Ask.shape(), a.Ask.Member
	numbers := map[uint32]bool{}
	for _, g := range a.Gifts {
		for _, s := range g.Sets {
			numbers[s.KeySet] = true
		}
	}
	for _, have := range f.KeySets() {
		delete(numbers, have.ID)
	}
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		set := keeper.NewSet{KeySet: keeper.KeySet{ID: n, Shape: shape, Member: own, Keys: map[split.Subset]split.ShareMAC{}}}
		missed := false
		for _, g := range a.Gifts {
			i := slices.IndexFunc(g.Sets, func(s gotSet) bool { return s.KeySet == n })
			if i < 0 {
				missed = true
				continue
			}
			set.Members = g.Sets[i].Members
			for _, k := range g.Sets[i].Keys {
				if set.Keys[k.Subset] != nil {
					continue // both are the same (agree)
				}
				if set.Keys[k.Subset], err = f.Custody().Load(k.Key); err != nil {
					return sets, left, ErrFile
				}
			}
		}
		if missed || len(set.Keys) != len(shape.SubsetsOf(own)) {
			for _, k := range set.Keys {
				k.(keeper.HeldKey).Wipe() //nolint:forcetypeassert // made above
			}
			left = append(left, n)
			continue
		}
		sets = append(sets, set)
	}
	return sets, left, nil
}

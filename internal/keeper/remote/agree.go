package remote

import (
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// strangers reports, for each keeper that reported its keys, whether its share keys
// differ from the others'. If that cannot be decided, no keeper is a stranger.
func strangers(said []*keeper.About, shape split.Shape) []bool {
	out, _ := keeper.Strangers(len(said), shape.T,
		func(i int) bool { return said[i] != nil }, func(i, j int) bool { return agree(*said[i], *said[j]) })
	return out
}

// agree reports whether two keepers have the same share keys wherever both hold one. One
// of them may have a key set that the other does not have yet.
func agree(a, b keeper.About) bool {
	_, same := a.Compare(b)
	return same
}

// common returns the highest key set that all of these keepers hold with the same share
// keys; 0 if there is none. If only is not zero, it considers only that key set.
func common(there []keeper.About, only uint32) (best uint32) {
	for _, s := range there[0].KeySets {
		if s.ID > best && (only == 0 || s.ID == only) && heldByAll(there, s.ID) {
			best = s.ID
		}
	}
	return best
}

func heldByAll(there []keeper.About, id uint32) bool {
	for i, a := range there {
		x, held := a.Holds(id)
		if !held {
			return false
		}
		for _, b := range there[:i] {
			y, _ := b.Holds(id)
			if _, same := x.Compare(y); !same {
				return false
			}
		}
	}
	return true
}

package remote

import (
	"math/bits"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// strangers says of each keeper that said something whether its share keys are not those
// of the others: of those outside the largest set of keepers that agree. Where two sets
// are the largest and each could give a verdict, it cannot be told who the strangers are,
// and nobody is one: verdicts rest on what the keepers answer.
func strangers(said []*keeper.About, shape split.Shape) []bool {
	best, several := uint(0), false
	for set := uint(1); set < 1<<len(said); set++ {
		if !together(said, set) {
			continue
		}
		switch n, most := bits.OnesCount(set), bits.OnesCount(best); {
		case n > most:
			best, several = set, false
		case n == most:
			several = true
		}
	}
	out := make([]bool, len(said))
	if several && bits.OnesCount(best) >= shape.T {
		return out
	}
	for i, a := range said {
		out[i] = a != nil && (several || best>>i&1 == 0)
	}
	return out
}

// together reports whether the keepers of a set, by bit, have all said something and
// agree with one another.
func together(said []*keeper.About, set uint) bool {
	for i, a := range said {
		if set>>i&1 == 0 {
			continue
		}
		if a == nil {
			return false
		}
		for j, b := range said[:i] {
			if set>>j&1 == 1 && b != nil && !agree(*a, *b) {
				return false
			}
		}
	}
	return true
}

// agree reports whether two keepers have the same share key wherever both hold one. One of
// them may have a key set that the other does not have yet.
func agree(a, b keeper.About) bool {
	for _, x := range a.KeySets {
		if y, both := b.Holds(x.ID); both && !sameKeys(x, y) {
			return false
		}
	}
	return true
}

func sameKeys(x, y keeper.HeldKeySet) bool {
	for _, p := range x.Prints {
		for _, q := range y.Prints {
			if p.Subset == q.Subset && p.Sum != q.Sum { // fingerprints are no secret
				return false
			}
		}
	}
	return true
}

// common is the highest key set that all of these hold with the same share keys, or only,
// if that is not zero and they do; 0: there is none.
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
			if y, _ := b.Holds(id); !sameKeys(x, y) {
				return false
			}
		}
	}
	return true
}

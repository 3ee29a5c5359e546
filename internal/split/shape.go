package split

import (
	"fmt"
	"math/bits"
)

// Validate accepts 1 of 1, 2 of 3 and 3 of 5, and nothing else.
func (s Shape) Validate() error {
	switch s {
	case Shape{1, 1}, Shape{2, 3}, Shape{3, 5}:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrShape, s)
}

func (s Shape) String() string { return fmt.Sprintf("%d of %d", s.T, s.N) }

// Majority is q: at least t, so that a version can be evaluated, and large enough that
// any two sets of q keepers share a keeper.
func (s Shape) Majority() int { return max(s.T, s.N-s.T+1) }

// Subsets lists the sets of n-t+1 keepers, one share key each, in rising order.
// Any t keepers have a member in every subset; for any t-1 keepers there is a
// subset without one of them. It is nil for a shape that Validate refuses.
func (s Shape) Subsets() []Subset {
	if s.Validate() != nil {
		return nil
	}
	var out []Subset
	for m := Subset(1); m < 1<<s.N; m++ {
		if m.Size() == s.N-s.T+1 {
			out = append(out, m)
		}
	}
	return out
}

// SubsetsOf lists the subsets that keeper number member (1 to n) belongs to,
// in rising order.
func (s Shape) SubsetsOf(member int) []Subset {
	var out []Subset
	for _, m := range s.Subsets() {
		if m.Has(member) {
			out = append(out, m)
		}
	}
	return out
}

// Has reports whether keeper number member (from 1) is in the subset.
func (m Subset) Has(member int) bool {
	return member >= 1 && member <= 8 && m>>(member-1)&1 == 1
}

// Size is the number of keepers in the subset.
func (m Subset) Size() int { return bits.OnesCount8(uint8(m)) }

// First is the lowest keeper number in the subset, 0 if it is empty. In a key
// ceremony that keeper makes the subset's share key.
func (m Subset) First() int {
	if m == 0 {
		return 0
	}
	return bits.TrailingZeros8(uint8(m)) + 1
}

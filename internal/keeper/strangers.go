package keeper

import "math/bits"

// Strangers says of each of n members whether it is there and its share keys are not those
// of the others: it is outside the largest set of members that agree with one another.
// Where two sets are the largest and each could give a verdict, it cannot be told who the
// strangers are, and nobody is one: verdicts rest on what the keepers answer. unsure is
// set then. agree is only asked about members that are there, the second before the first.
func Strangers(n, t int, there func(i int) bool, agree func(i, j int) bool) (strange []bool, unsure bool) {
	best, several := uint(0), false
	for set := uint(1); set < 1<<n; set++ {
		if !together(n, set, there, agree) {
			continue
		}
		switch size, most := bits.OnesCount(set), bits.OnesCount(best); {
		case size > most:
			best, several = set, false
		case size == most:
			several = true
		}
	}
	strange = make([]bool, n)
	if several && bits.OnesCount(best) >= t {
		return strange, true
	}
	for i := range strange {
		strange[i] = there(i) && (several || best>>i&1 == 0)
	}
	return strange, false
}

// together reports whether the members of a set, by bit, are all there and agree.
func together(n int, set uint, there func(i int) bool, agree func(i, j int) bool) bool {
	for i := range n {
		if set>>i&1 == 0 {
			continue
		}
		if !there(i) {
			return false
		}
		for j := range i {
			if set>>j&1 == 1 && !agree(i, j) {
				return false
			}
		}
	}
	return true
}

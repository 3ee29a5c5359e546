package keeper

import "math/bits"

// Strangers reports, for each of n members, whether it is a stranger: it is present, but
// its share keys put it outside the largest set of members that agree with one another. If
// two largest sets exist and each could give a verdict, it is impossible to tell who the
// strangers are: then nobody is reported, because verdicts depend on the keepers' answers
// anyway, and unsure is set. agree is only called for members that are present, with i <
// j.
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

// together reports whether the members of a set (one bit each) are all present and
// agree.
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

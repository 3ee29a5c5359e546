package remote

import (
	"slices"
	"testing"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

var twoOfThree = split.Shape{T: 2, N: 3}

// says is what a member of 2 of 3 says that holds key sets made under a secret.
func says(member int, secret byte, sets ...uint32) *keeper.About {
	a := &keeper.About{ID: keeper.IDOf(member), Member: member, Shape: twoOfThree}
	for _, id := range sets {
		held := keeper.HeldKeySet{ID: id}
		for _, s := range twoOfThree.SubsetsOf(member) {
			held.Prints = append(held.Prints, keeper.Fingerprint{Member: member, Subset: s, Sum: [32]byte{secret, byte(id), byte(s)}})
		}
		a.KeySets = append(a.KeySets, held)
	}
	return a
}

func TestStrangers(t *testing.T) {
	one := says(1, 1, 1)
	odd := says(1, 1, 1) // agrees with k2 and not with k3
	for i, p := range odd.KeySets[0].Prints {
		if p.Subset.Has(3) {
			odd.KeySets[0].Prints[i].Sum[0] = 9
		}
	}
	for name, c := range map[string]struct {
		said []*keeper.About
		want []bool
	}{
		"nobody yet":                       {[]*keeper.About{nil, nil, nil}, []bool{false, false, false}},
		"one":                              {[]*keeper.About{one, nil, nil}, []bool{false, false, false}},
		"all alike":                        {[]*keeper.About{one, says(2, 1, 1), says(3, 1, 1)}, []bool{false, false, false}},
		"one in the midst of a change":     {[]*keeper.About{says(1, 1, 1, 2), says(2, 1, 1), says(3, 1, 1)}, []bool{false, false, false}},
		"one with other keys":              {[]*keeper.About{one, says(2, 7, 1), says(3, 1, 1)}, []bool{false, true, false}},
		"another change of its own":        {[]*keeper.About{says(1, 1, 1, 2), says(2, 1, 1, 2), says(3, 1, 1), nil}[:3], []bool{false, false, false}},
		"two that differ, and nobody else": {[]*keeper.About{one, says(2, 7, 1), nil}, []bool{true, true, false}},
		"each with its own":                {[]*keeper.About{one, says(2, 7, 1), says(3, 8, 1)}, []bool{true, true, true}},
		"who lies cannot be told":          {[]*keeper.About{odd, says(2, 1, 1), says(3, 1, 1)}, []bool{false, false, false}},
	} {
		if got := strangers(c.said, twoOfThree); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestCommonKeySet(t *testing.T) {
	for name, c := range map[string]struct {
		there []*keeper.About
		only  uint32
		want  uint32
	}{
		"the highest":             {[]*keeper.About{says(1, 1, 1, 2), says(2, 1, 1, 2), says(3, 1, 1, 2)}, 0, 2},
		"that all hold":           {[]*keeper.About{says(1, 1, 1, 2), says(2, 1, 1, 2), says(3, 1, 1)}, 0, 1},
		"two that are there":      {[]*keeper.About{says(1, 1, 1, 2), says(2, 1, 1, 2)}, 0, 2},
		"with the same keys":      {[]*keeper.About{says(1, 1, 1, 2), {KeySets: append(says(2, 1, 1).KeySets, says(2, 7, 2).KeySets...)}}, 0, 1},
		"the one that is named":   {[]*keeper.About{says(1, 1, 1, 2), says(2, 1, 1, 2)}, 1, 1},
		"named, and not with all": {[]*keeper.About{says(1, 1, 1, 2), says(2, 1, 1)}, 2, 0},
		"none":                    {[]*keeper.About{says(1, 1), says(2, 1)}, 0, 0},
		"none alike":              {[]*keeper.About{says(1, 1, 1), says(2, 1, 2)}, 0, 0},
	} {
		var there []keeper.About
		for _, a := range c.there {
			there = append(there, *a)
		}
		if got := common(there, c.only); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

package written

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Fingerprint identifies something that two people compare: an authority's identity, a
// keeper's issuer. One reads it aloud to the other, who knows the voice.
type Fingerprint [sha256.Size]byte

// readAloud is how many decimal digits a fingerprint has: 106 bits, so that nobody can find
// another one with the same digits.
const readAloud = 32

// String is the form that is read aloud: eight groups of four digits.
func (f Fingerprint) String() string {
	n := new(big.Int).SetBytes(f[:])
	n.Mod(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(readAloud), nil))
	return Fours(fmt.Sprintf("%0*s", readAloud, n.String()))
}

// Fours writes digits in groups of four, as they are read aloud; the last group may be shorter.
func Fours(digits string) string {
	var groups []string
	for group := range slices.Chunk([]rune(digits), 4) {
		groups = append(groups, string(group))
	}
	return strings.Join(groups, " ")
}

// Heard reports whether the typed digits are exactly those of the fingerprint; blanks and
// dashes between them, and their width, do not count.
func (f Fingerprint) Heard(typed string) bool { return Number(typed) == Number(f.String()) }

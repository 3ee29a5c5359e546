package written

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"
)

// Fingerprint tells something that two people compare from every other: an authority's
// identity, a keeper's issuer. It is read aloud where both sides know each other's voice.
type Fingerprint [sha256.Size]byte

// readAloud is how many decimal digits of a fingerprint are: 106 bits, so that nobody finds
// another one with the same ones.
const readAloud = 32

// String is what is read aloud: eight groups of four digits.
func (f Fingerprint) String() string {
	n := new(big.Int).SetBytes(f[:])
	n.Mod(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(readAloud), nil))
	digits := fmt.Sprintf("%0*s", readAloud, n.String())
	var groups []string
	for ; len(digits) > 0; digits = digits[4:] {
		groups = append(groups, digits[:4])
	}
	return strings.Join(groups, " ")
}

// Heard reports whether the digits that somebody typed as they heard them are all those
// of the fingerprint; blanks and dashes between them, and their width, do not count.
func (f Fingerprint) Heard(typed string) bool { return Number(typed) == Number(f.String()) }

package keys

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/written"
)

// People read forty digits to one another, in groups of four: 132 bits of a hash that
// takes 262,144 steps to compute.
//
// Whoever carries the files may give each member other files, and so can choose freely
// among many transcripts for each of them, because nobody commits to anything before
// the digits are read. If a member helps the carrier and says that the digits match, it
// is enough that two other members get the same digits. Two of 2^132 possible values
// collide after 2^66 tries; with 2^18 steps for each, that is 2^84 hashes, within the
// days that a ceremony takes. Twenty digits would need only 2^33 tries.
const (
	digitCount = 40
	groupSize  = 4
	stretch    = 1 << 18
)

// digitsOf returns the digits of a hash.
func (d Desk) digitsOf(h keeper.Hash) string { return digitsAfter(cmp.Or(d.steps, stretch), h) }

func digitsAfter(steps int, h keeper.Hash) string {
	for range steps {
		h = sha256.Sum256(h[:])
	}
	n := new(big.Int).SetBytes(h[:])
	n.Mod(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(digitCount), nil))
	all := fmt.Sprintf("%0*s", digitCount, n.String())
	var groups []string
	for i := 0; i < digitCount; i += groupSize {
		groups = append(groups, all[i:i+groupSize])
	}
	return strings.Join(groups, " ")
}

// sameDigits compares digits as a person types them. Blanks and dashes between them,
// and full-width forms, do not matter.
func sameDigits(typed, want string) bool {
	return want != "" && written.Number(typed) == written.Number(want) // they are read aloud: comparing leaks nothing
}

// hashOf hashes the content of a file under a label.
func hashOf(label string, data []byte) keeper.Hash {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(label))) //nolint:gosec // labels are short
	b = append(b, label...)
	return sha256.Sum256(append(b, data...))
}

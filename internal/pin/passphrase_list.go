package pin

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"sort"
)

//go:generate go run ./genpassphrases

// commonPrints is data/common-passphrases.prints. It is never written to.
//
//go:embed data/common-passphrases.prints
var commonPrints string

const (
	// printSize is how many bytes of an entry's SHA-256 are kept. One in ten million
	// texts that nobody uses would be mistaken for a common one.
	printSize = 5
	// minPassphrases guards against a list that was cut short, which would silently
	// weaken the refusals.
	minPassphrases = 100_000
)

// commonPassphrases is a set of folded texts that many people chose as passwords: the
// first bytes of each text's SHA-256, sorted. The texts themselves are in no program
// and no repository, because some belonged to one person.
type commonPassphrases string

func loadCommonPassphrases() (commonPassphrases, error) {
	if n := len(commonPrints) / printSize; n < minPassphrases || len(commonPrints)%printSize != 0 {
		return "", fmt.Errorf("pin: list of common passphrases has %d entries, want %d or more", n, minPassphrases)
	}
	return commonPassphrases(commonPrints), nil
}

func (s commonPassphrases) has(folded []byte) bool {
	sum := sha256.Sum256(folded)
	mark := string(sum[:printSize])
	n := len(s) / printSize
	at := func(i int) string { return string(s[i*printSize : (i+1)*printSize]) }
	i := sort.Search(n, func(i int) bool { return at(i) >= mark })
	return i < n && at(i) == mark
}

package pin

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:generate go run ./gencommon

// The lists are derived from data/pwdb-6digit-counts.tsv and from the list
// named in data/README.md; the notice in data/LICENSE-Pwdb-Public.txt goes
// with them. Neither is written to.
//
//go:embed data/common.bitmap
var commonBitmap string

//go:embed data/common-passphrases.txt
var commonLines string

const (
	bitmapSize = 1_000_000 / 8
	// minPassphrases guards against a list that was cut short: fewer entries
	// mean weaker refusals, silently.
	minPassphrases = 1000
)

// commonPINs is a set of six-digit PINs: bit n%8 of byte n/8 stands for n.
type commonPINs string

func loadCommonPINs() (commonPINs, error) {
	if len(commonBitmap) != bitmapSize {
		return "", fmt.Errorf("pin: bitmap of common PINs has %d bytes, want %d", len(commonBitmap), bitmapSize)
	}
	return commonPINs(commonBitmap), nil
}

func (s commonPINs) has(d *[Digits]byte) bool {
	n := 0
	for _, c := range d {
		n = n*10 + int(c-'0')
	}
	return s[n/8]&(1<<(n%8)) != 0
}

// commonPassphrases is a set of folded passphrases.
type commonPassphrases map[string]struct{}

func loadCommonPassphrases() (commonPassphrases, error) {
	set := make(commonPassphrases)
	for line := range strings.Lines(commonLines) {
		set[strings.TrimSuffix(line, "\n")] = struct{}{}
	}
	if len(set) < minPassphrases {
		return nil, fmt.Errorf("pin: list of common passphrases has %d entries, want %d or more", len(set), minPassphrases)
	}
	return set, nil
}

func (s commonPassphrases) has(folded []byte) bool {
	_, ok := s[string(folded)]
	return ok
}

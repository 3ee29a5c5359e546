package pin

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
)

//go:generate go run ./gencommon

// The list is derived from data/pwdb-6digit-counts.tsv; the notice in
// data/LICENSE-Pwdb-Public.txt goes with both. Neither is written to.
//
//go:embed data/common.list
var commonList string

//go:embed data/pwdb-6digit-counts.tsv
var choices string

// Choices are the counts that the lists are derived from: PIN, tab, count, a row
// each. docs/PINS.md says what they are and are not.
func Choices() string { return choices }

const (
	bitmapSize = 1_000_000 / 8
	// minPINs guards against a list that was cut short: fewer entries mean weaker
	// refusals, silently.
	minPINs = 2500
)

// pinSet is a set of six-digit PINs: bit n%8 of byte n/8 stands for n.
type pinSet [bitmapSize]byte

// loadList reads one of the lists out of the file that has both, and that the
// web pad reads too. It holds the PINs in order, as unsigned varints: the distance
// from the one before (of the first, from -1), doubled, and one more if the basic
// list has it too.
func loadList(which List) (*pinSet, error) {
	set, at, size := new(pinSet), int64(-1), 0
	for rest := []byte(commonList); len(rest) > 0; {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n>>1 == 0 || n>>1 > 1_000_000 {
			return nil, errors.New("pin: the list of common PINs is malformed")
		}
		rest = rest[used:]
		if at += int64(n >> 1); at >= 1_000_000 {
			return nil, errors.New("pin: the list of common PINs goes on after the last PIN")
		}
		if which == ListStrong || n&1 == 1 {
			set[at/8] |= 1 << (at % 8)
			size++
		}
	}
	if size < minPINs {
		return nil, fmt.Errorf("pin: the %s list of common PINs has %d, want %d or more", which, size, minPINs)
	}
	return set, nil
}

func (s *pinSet) has(d *[Digits]byte) bool {
	n := 0
	for _, c := range d {
		n = n*10 + int(c-'0')
	}
	return s[n/8]&(1<<(n%8)) != 0
}

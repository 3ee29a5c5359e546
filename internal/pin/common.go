package pin

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
)

//go:generate go run ./gencommon

// The list is derived from data/pwdb-6digit-counts.tsv; the notice in
// data/LICENSE-Pwdb-Public.txt applies to both. The program never writes to them.
//
//go:embed data/common.list
var commonList string

//go:embed data/pwdb-6digit-counts.tsv
var choices string

// Choices are the counts from which the lists are derived: PIN, tab, count, a row
// each. docs/PINS.md says what they are and are not.
func Choices() string { return choices }

const (
	bitmapSize = 1_000_000 / 8
	// minPINs guards against a list that was cut short, which would silently weaken
	// the refusals.
	minPINs = 2500
)

// pinSet is a set of six-digit PINs: bit n%8 of byte n/8 stands for n.
type pinSet [bitmapSize]byte

// loadList reads one of the lists out of the file that has both; the web pad reads
// the same file. It holds the PINs in order, as unsigned varints: twice the distance
// from the PIN before (for the first, from -1), plus one if the basic list has the
// PIN too.
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

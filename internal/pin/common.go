package pin

import (
	_ "embed"
	"fmt"
)

//go:generate go run ./gencommon

// The bitmap is derived from data/pwdb-6digit-counts.tsv; the notice in
// data/LICENSE-Pwdb-Public.txt goes with it. It is never written to.
//
//go:embed data/common.bitmap
var commonBitmap string

const bitmapSize = 1_000_000 / 8

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

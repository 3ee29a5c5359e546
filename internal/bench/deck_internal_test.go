package bench

import (
	"bytes"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
)

func testDeck(size, asked int) *deck {
	d := &deck{size: size, keySet: 1, at: time.UnixMilli(1_700_000_000_000).UTC(), seed: [16]byte{7}, verifier: make([]liuma.Verifier, asked)}
	for i := range d.verifier {
		d.verifier[i] = liuma.Verifier{1, byte(i), byte(i >> 8)}
	}
	return d
}

// TestDeckIsInOrder: ids and holders rise, whatever the size, and are the same each time.
func TestDeckIsInOrder(t *testing.T) {
	for _, size := range []int{1, 2, 3, 1000, 4097} {
		d := testDeck(size, min(size, 10))
		all, again := d.part(0, size), testDeck(size, min(size, 10)).part(0, size)
		for i := range all {
			if all[i].ID != again[i].ID || all[i].Holder != again[i].Holder || all[i].Verifier != again[i].Verifier {
				t.Fatalf("size %d: card %d differs from itself", size, i)
			}
			if i > 0 && (bytes.Compare(all[i-1].ID[:], all[i].ID[:]) >= 0 || bytes.Compare(all[i-1].Holder[:], all[i].Holder[:]) >= 0) {
				t.Fatalf("size %d: card %d does not follow", size, i)
			}
			id := all[i].ID
			if got := d.upTo(id[:]); got != i+1 {
				t.Fatalf("size %d: %d cards up to card %d", size, got, i)
			}
		}
	}
}

// TestAskedCardsAreSpread evenly, and each has its own verifier.
func TestAskedCardsAreSpread(t *testing.T) {
	for _, c := range [][2]int{{1, 1}, {10, 10}, {1000, 7}, {4097, 100}} {
		d := testDeck(c[0], c[1])
		found := 0
		for place, card := range d.part(0, d.size) {
			i, asked := d.asks(place)
			if !asked {
				continue
			}
			if d.askedAt(i) != place || card.Verifier != d.verifier[i] {
				t.Fatalf("%v: card %d is not asked card %d", c, place, i)
			}
			found++
		}
		if found != c[1] {
			t.Errorf("%v: %d asked cards", c, found)
		}
	}
}

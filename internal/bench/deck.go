package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	mathrand "math/rand/v2"
	"sort"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// deck is all cards of a database. Only the cards that are asked about are kept in memory
// or on disk: any other card is computed from its place and the seed whenever it is
// written, each time the same, so an interrupted filling continues where it stopped.
//
// Cards are in the order of their ids, and of their holders, which are spread evenly. So
// tables and indexes are written from left to right, each page once. Their pages are
// fuller than those of a database that grew card by card.
type deck struct {
	size     int
	keySet   uint32
	at       time.Time // when all cards were made, to the millisecond
	seed     [16]byte
	verifier []liuma.Verifier // of the asked cards, which are spread evenly among all
}

// askedAt is the place of an asked card among all cards.
func (d *deck) askedAt(i int) int { return int(int64(i) * int64(d.size) / int64(len(d.verifier))) }

// asks reports which of the asked cards is at a place.
func (d *deck) asks(place int) (i int, is bool) {
	n := int64(len(d.verifier))
	if n == 0 {
		return 0, false
	}
	i = int((int64(place)*n + int64(d.size) - 1) / int64(d.size))
	return i, i < int(n) && d.askedAt(i) == place
}

// id is the card at a place.
func (d *deck) id(place int) (id liuma.CardID) {
	from := d.random(place)
	d.spread(id[:], place, from)
	binary.BigEndian.PutUint64(id[8:], from.Uint64())
	return id
}

// random is the source of a card's random values.
func (d *deck) random(place int) *mathrand.PCG {
	return mathrand.NewPCG(binary.BigEndian.Uint64(d.seed[:]), binary.BigEndian.Uint64(d.seed[8:])^uint64(place))
}

// spread puts the first eight bytes of what orders the cards.
func (d *deck) spread(b []byte, place int, from *mathrand.PCG) {
	step := uint64(math.MaxUint64) / uint64(d.size)
	binary.BigEndian.PutUint64(b, step*uint64(place)+from.Uint64()%step)
}

// card is the card at a place, with its verifier if it is asked about.
func (d *deck) card(place int) store.Card {
	c := store.Card{ID: d.id(place), Region: "33", Version: 1, KeySet: d.keySet, Reserved: 1,
		PINSetAt: d.at, CreatedAt: d.at, Physical: liuma.PhysicalNormal}
	from := d.random(place)
	from.Uint64() // two made the id
	from.Uint64()
	d.spread(c.Holder[:], place, from)
	fillFrom(c.Holder[8:], from)
	if i, is := d.asks(place); is {
		c.Verifier = d.verifier[i]
	} else {
		fillFrom(c.Verifier[:], from)
	}
	return c
}

func fillFrom(b []byte, from *mathrand.PCG) {
	for ; len(b) >= 8; b = b[8:] {
		binary.BigEndian.PutUint64(b, from.Uint64())
	}
}

// upTo is how many cards stand up to a key of theirs; none if it is nil.
func (d *deck) upTo(last []byte) int {
	if last == nil {
		return 0
	}
	return sort.Search(d.size, func(i int) bool { id := d.id(i); return bytes.Compare(id[:], last) > 0 })
}

func (d *deck) len() int { return d.size }

// part is the cards from one place to before another.
func (d *deck) part(from, to int) []store.Card {
	cards := make([]store.Card, 0, to-from)
	for i := from; i < to; i++ {
		cards = append(cards, d.card(i))
	}
	return cards
}

// hand is cards that are all in memory.
type hand []store.Card

func (h hand) len() int                       { return len(h) }
func (h hand) part(from, to int) []store.Card { return h[from:to] }

// source is where the cards of a filling come from.
type source interface {
	len() int
	part(from, to int) []store.Card
}

// secretOf is the PIN of a card. Cards have different PINs, as in life: if many guesses
// have one value, the guard slows them.
func secretOf(card liuma.CardID) []byte {
	h := fnv.New32a()
	h.Write(card[:])
	return fmt.Appendf(nil, "%06d", h.Sum32()%1_000_000)
}

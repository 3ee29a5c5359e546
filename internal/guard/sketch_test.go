package guard

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
)

// TestNoise has the distribution that the odds below rest on.
func TestNoise(t *testing.T) {
	const n = 1 << 21
	cells := make([]uint16, n)
	noise(cells)
	var times [64]int
	for _, c := range cells {
		times[min(int(c), 63)]++
	}
	for k := range 15 {
		want := n * math.Pow(0.75, float64(k)) / 4
		if d := math.Abs(float64(times[k]) - want); d > 6*math.Sqrt(want) {
			t.Errorf("%d cells begin with %d, want about %.0f", times[k], k, want)
		}
	}
	again := make([]uint16, n)
	noise(again)
	if slices.Equal(cells, again) {
		t.Error("the same noise twice")
	}
}

// TestADumpDoesNotSayWhatWasGuessed has a thief who holds the memory of a quiet
// service, keys included, and knows that one guess was made. He computes how
// well each value there is goes with the cells.
func TestADumpDoesNotSayWhatWasGuessed(t *testing.T) {
	for _, span := range []Span{Short, Long} {
		w, guessed := newWorld(t), "620594"
		w.try(t, value(t, guessed), guess(1), liuma.Wrong)
		l := w.short
		if span == Long {
			l = w.long
		}
		e := l.epochs[l.now]
		// How many times as likely the cells are if the value was guessed.
		odds := func(s string) float64 {
			all := 1.0
			for r, i := range cellsOf(&e.key, []byte(s), e.width) {
				c := e.cells()[uint32(r)*e.width+i]
				if c == 0 {
					return 0
				}
				all *= 4.0 / 3
			}
			return all
		}
		if o := odds(guessed); o > 3.2 {
			t.Errorf("%s: the odds of the value that was guessed rise %.1f times", span, o)
		}
		alike := 0
		for n := range 1_000_000 {
			if odds(digits(n)) >= odds(guessed) {
				alike++
			}
		}
		if alike < 250_000 {
			t.Errorf("%s: only %d values of a million are as likely as the one that was guessed", span, alike)
		}
	}
}

// TestNothingTiesValuesToCards makes the same guesses at other cards: what two
// guards with the same random numbers keep must be the same.
func TestNothingTiesValuesToCards(t *testing.T) {
	a, b := newWorld(t), newWorld(t)
	for i, l := range a.layers() {
		twin := b.layers()[i]
		copy(twin.epochs[twin.now].cells(), l.epochs[l.now].cells())
		twin.cards.seed = l.cards.seed
	}
	b.underKey = a.underKey
	pins := settable(t, random(12), 50)
	for n := range pins {
		same := guess(0) // one address for all
		same.Card = cardNo(n)
		a.try(t, pins[n], same, liuma.Wrong)
		b.try(t, pins[(n+7)%len(pins)], same, liuma.Wrong)
	}
	for i, l := range a.layers() {
		twin := b.layers()[i]
		if !slices.Equal(l.epochs[l.now].cells(), twin.epochs[twin.now].cells()) {
			t.Errorf("%s: counts of values depend on the cards", l.span)
		}
		if !slices.Equal(l.cards.cells, twin.cards.cells) {
			t.Errorf("%s: counts of cards depend on the values", l.span)
		}
	}
	if !reflect.DeepEqual(a.traffic.channels, b.traffic.channels) || a.underWay != b.underWay {
		t.Error("something else depends on which value was tried on which card")
	}
}

// TestKeysRotate wants one value to have other cells in every epoch and span.
func TestKeysRotate(t *testing.T) {
	w, p := newWorld(t), []byte("620594")
	seen := map[[rows]uint32]bool{}
	for range 8 {
		if err := w.turn(w.Now()); err != nil {
			t.Fatal(err)
		}
		e := w.short.epochs[w.short.now]
		seen[cellsOf(&e.key, p, e.width)] = true
		w.wait(10 * time.Minute)
	}
	e := w.long.epochs[w.long.now]
	seen[cellsOf(&e.key, p, shortWidth)] = true
	if len(seen) != 9 {
		t.Errorf("%d of 9 epochs have cells of their own", len(seen))
	}
	if n := len(w.short.epochs); n > 2 {
		t.Errorf("%d short epochs are kept, want two", n)
	}
}

// TestCellsOf compares with SHA-256(key | length (2) | value | zeros to a whole
// block), as computed by another program. Authorities of two releases must find
// the same cells.
func TestCellsOf(t *testing.T) {
	key, _ := testKey(Short, 1)
	if got, want := cellsOf(&key, []byte("620594"), longWidth), [rows]uint32{61831, 21926, 80859, 86280}; got != want {
		t.Errorf("cells %v, want %v", got, want)
	}
	if cellsOf(&key, []byte("62059"), longWidth) == cellsOf(&key, append([]byte("62059"), 0), longWidth) {
		t.Error("the length of a value does not count")
	}
	long := make([]byte, 254)
	long[253] = 1
	if cellsOf(&key, long, longWidth) == cellsOf(&key, make([]byte, 254), longWidth) {
		t.Error("the end of a long passphrase does not count")
	}
}

// TestMemoryIsBounded floods a guard with everything that it keeps by name.
func TestMemoryIsBounded(t *testing.T) {
	w, p := newWorld(t), value(t, "739150")
	for n := range 2 * maxChannels {
		q := guess(n)
		q.Channel = liuma.ChannelID(time.Duration(n).String())
		w.try(t, p, q, liuma.Right)
	}
	if n := len(w.traffic.channels); n > maxChannels {
		t.Errorf("%d channels are counted", n)
	}
	for range 100 {
		w.wait(12 * time.Hour)
		w.try(t, p, guess(1), liuma.Right)
	}
	if n := len(w.traffic.channels); n > 1 {
		t.Errorf("%d channels are remembered after 50 days without guesses", n)
	}
	if n := len(w.alarmed); n > 1 {
		t.Errorf("%d causes of alarms are remembered", n)
	}
	if n := len(w.short.epochs) + len(w.long.epochs); n > 4 {
		t.Errorf("%d epochs are kept", n)
	}
}

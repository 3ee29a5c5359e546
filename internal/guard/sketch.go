package guard

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	mathbits "math/bits"
	mathrand "math/rand/v2"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/pin"
)

// The sketch is a count-min sketch: each value has one cell in each row, and its lowest
// cell is never below its count. Widths are powers of two, and part of the encoding of
// a Sum.
const (
	rows          = 4
	shortWidth    = 1 << 16
	longWidth     = 1 << 18
	underWayWidth = 1 << 12

	// perCard is how many wrong guesses on one card count in an epoch: the six that
	// lock it (package ledger). A card can have more only if its owner clears them with
	// right PINs in between. It must not be lower: otherwise a thief could first try
	// other values on each card, and the sprayed value would not be counted.
	perCard    = 6
	shortCards = 1 << 16 // widths of the card filters
	longCards  = 1 << 20
	// fullFilter: the card filter is too full to be useful after this many guesses for
	// each cell of its width.
	fullFilter = 3

	// Noise: a cell begins with k with probability (1/4)(3/4)^k. A guess raises each of
	// its four cells by one; noise alone has the same effect with at least 3/4 of the
	// probability for each cell. So a memory dump makes it at most (4/3)^4 = 3.2 times
	// as likely that a certain value was guessed once.
	//
	// noiseTail is a number that the lowest of four cells exceeds by noise alone for
	// none of a million values in a year of epochs.
	noiseTail = 24
)

// epoch is the sketch of one epoch of a span.
type epoch struct {
	number int64
	key    Key
	width  uint32

	// Everything below is guarded by Guard.mu. Cells are stored row by row.
	own     []uint16 // with noise; nil before the first guess, see cells
	total   uint64   // guesses counted in own
	told    told
	others  []uint16 // total of the other authorities' sums; nil before the first sum
	reports map[Origin]*report
}

func newEpoch(number int64, width uint32, key Key) *epoch {
	return &epoch{number: number, width: width, key: key, reports: map[Origin]*report{}}
}

// cells returns the epoch's own counts. All of them are made, with their noise, when the
// first guess needs one. So a memory dump reveals no more, and an epoch without guesses,
// which is the usual case for a process that runs only briefly, costs nothing.
func (e *epoch) cells() []uint16 {
	if e.own == nil {
		e.own = make([]uint16, rows*e.width)
		noise(e.own)
	}
	return e.own
}

// noise fills the cells before the first guess. See noiseTail.
func noise(cells []uint16) {
	var seed [32]byte
	rand.Read(seed[:])
	random := mathrand.NewChaCha8(seed)
	clear(seed[:])
	for i := 0; i < len(cells); {
		// Each cell uses half of 64 bits: 16 pairs, of which one is nearly always zero, so
		// that the processor predicts the branch well.
		both := random.Uint64()
		for _, bits := range [2]uint32{uint32(both), uint32(both >> 32)} {
			if i == len(cells) {
				break
			}
			zero := ^(bits | bits>>1) & 0x55555555
			cells[i] += uint16(mathbits.TrailingZeros32(zero) / 2) // number of pairs before the first that is zero
			if zero != 0 {
				i++
			}
		}
	}
}

func randomKey() (k Key) {
	rand.Read(k[:])
	return k
}

// all returns the guesses that all authorities counted in this epoch.
func (e *epoch) all() uint64 {
	total := e.total
	for _, r := range e.reports {
		total += r.total
	}
	return total
}

// spot is a value's cells in an epoch; without an epoch, none.
type spot struct {
	epoch *epoch
	cells [rows]uint32
}

func (s spot) count() uint64 {
	if s.epoch == nil {
		return 0
	}
	least := uint64(math.MaxUint64)
	own := s.epoch.cells()
	for _, i := range s.cells {
		n := uint64(own[i])
		if s.epoch.others != nil {
			n += uint64(s.epoch.others[i])
		}
		least = min(least, n)
	}
	return least
}

func (s spot) raise() {
	own := s.epoch.cells()
	for _, i := range s.cells {
		if own[i] < math.MaxUint16 {
			own[i]++
		}
	}
	s.epoch.total++
}

// spots are a value's cells in the present epoch of each span and in the one before.
type spots struct{ short, long [2]spot }

func (s spots) tally() windows {
	of := func(w [2]spot) (c counted) {
		for _, at := range w {
			if at.epoch != nil {
				c.value += at.count()
				c.total += at.epoch.all()
			}
		}
		return c
	}
	return windows{short: of(s.short), long: of(s.long)}
}

// locate finds a value's cells. It needs no lock: keys and widths do not change.
func (p *Pass) locate(value []byte) {
	for _, w := range []*[2]spot{&p.spots.short, &p.spots.long} {
		for i := range w {
			if e := w[i].epoch; e != nil {
				w[i].cells = cellsOf(&e.key, value, e.width)
				for r := range w[i].cells {
					w[i].cells[r] += uint32(r) * e.width
				}
			}
		}
	}
	p.under = cellsOf(&p.g.underKey, value, underWayWidth)
}

// blockBuffer holds the key, the length and the longest PIN in whole blocks of SHA-256.
const blockBuffer = 320

// cellsOf hashes a value under a key. The input is padded to whole blocks, of which
// crypto/sha256 keeps no copy; the buffer is wiped (I-6).
func cellsOf(key *Key, value []byte, width uint32) (at [rows]uint32) {
	var buf [blockBuffer]byte
	n := copy(buf[:], key[:])
	binary.BigEndian.PutUint16(buf[n:], uint16(len(value)))
	n += 2 + copy(buf[n+2:n+2+pin.MaxBytes], value)
	sum := sha256.Sum256(buf[:(n+sha256.BlockSize-1)/sha256.BlockSize*sha256.BlockSize])
	clear(buf[:])
	for r := range at {
		at[r] = binary.BigEndian.Uint32(sum[4*r:]) % width
	}
	clear(sum[:])
	return at
}

// layer is one span: its epochs, and the cards that it counted.
type layer struct {
	span   Span
	length time.Duration
	width  uint32
	wide   uint32 // of the card filter
	hide   uint64 // smaller counts are not put into sums
	cards  cardFilter
	epochs map[int64]*epoch // now-1, now and, if a sum had it, now+1
	now    int64
	begun  bool
}

func newLayer(span Span, length time.Duration, width, wide uint32, hide uint64) *layer {
	return &layer{span: span, length: length, width: width, wide: wide, hide: hide, epochs: map[int64]*epoch{}}
}

// turn moves on to the epoch of a time. A clock that goes back changes nothing. If the
// new key cannot be had, nothing changes, and the next call tries again.
func (l *layer) turn(now time.Time, key func(Span, int64) (Key, error)) error {
	n := now.Unix() / int64(l.length/time.Second)
	if l.begun && n <= l.now {
		return nil
	}
	if err := l.make(n, key); err != nil {
		return err
	}
	l.now, l.begun = n, true
	for number := range l.epochs {
		if number < n-1 {
			delete(l.epochs, number)
		}
	}
	l.cards = newCardFilter(l.wide)
	return nil
}

// make creates the epoch with that number, if it does not exist.
func (l *layer) make(n int64, key func(Span, int64) (Key, error)) error {
	if l.epochs[n] != nil {
		return nil
	}
	k, err := key(l.span, n)
	if err == nil && k == (Key{}) {
		err = fmt.Errorf("the key of epoch %d is empty", n)
	}
	if err != nil {
		return fmt.Errorf("%w: %s span: %w", ErrNoKey, l.span, err)
	}
	l.epochs[n] = newEpoch(n, l.width, k)
	return nil
}

func (l *layer) window() [2]spot {
	return [2]spot{{epoch: l.epochs[l.now]}, {epoch: l.epochs[l.now-1]}}
}

func (l *layer) counts(card liuma.CardID) bool { return l.cards.counts(card) }

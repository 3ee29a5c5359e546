package guard

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// ErrSum is returned for bytes that are not a sum, or do not fit this guard. Nothing of
// them was used.
var ErrSum = errors.New("guard: not a sum")

// A sum holds only counts of at least shortHide or longHide, and of at least four times
// the mean of an epoch's cells. Large counts are enough to see a spray, and small ones
// would reveal single guesses to anyone who stores sums. So each authority may hold
// back that many guesses of a value, and the others notice a spray that much later.
const (
	shortHide = 24
	longHide  = 64

	// maxOrigins bounds the processes whose sums an epoch accepts; each start of an
	// authority within a day is a separate process.
	maxOrigins = 128
	maxCells   = 1 << 16 // cells of one epoch in one sum

	sumVersion  = 1
	sumHeader   = 1 + len(Origin{}) + 1
	partHeader  = 1 + 4 + 8 + 8 + 4
	cellBytes   = 4 + 2
	maxParts    = 4
	maxSumBytes = sumHeader + maxParts*(partHeader+maxCells*cellBytes)
)

// Origin names the process that made a sum. It is random for each start, because a new
// process counts an epoch from zero.
type Origin [16]byte

func newOrigin() (o Origin) {
	rand.Read(o[:])
	return o
}

// report is what one origin reported for an epoch. Values only rise: of two sums the
// larger value counts, so sums may arrive twice, late, or in any order.
type report struct {
	total uint64
	cells map[uint32]uint16
}

// part is one epoch in a sum.
type part struct {
	span   byte // 1 Short, 2 Long
	length uint32
	number int64
	total  uint64
	cells  []cell // in order
}

type cell struct {
	at    uint32
	value uint16
}

// EpochSum is what this process counted in one epoch, for the other authorities.
type EpochSum struct {
	Span  Span
	Epoch int64
	Until time.Time // after that no span's window includes the epoch
	Bytes []byte
}

// Origin returns this process's name in its sums.
func (g *Guard) Origin() Origin { return g.origin }

// Sums returns the sums of the epochs for which other authorities should know more than the last
// call returned. With all, it returns the sums of every epoch that still counts, for a caller
// that could not pass on what it got before. Each sum has everything that others may know about
// its epoch, so a sum that arrives late or twice does no harm, and only the last one must be
// stored.
func (g *Guard) Sums(all bool) ([]EpochSum, error) {
	now := g.cfg.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.turn(now); err != nil {
		return nil, err
	}
	var sums []EpochSum
	for i, l := range g.layers() {
		for n := l.now - 1; n <= l.now; n++ {
			e := l.epochs[n]
			if e == nil {
				continue
			}
			if cells, news := e.news(l.hide, all); news {
				sums = append(sums, EpochSum{Span: l.span, Epoch: n, Until: l.over(n),
					Bytes: encodeSum(g.origin, []part{{span: byte(i + 1), length: l.seconds(), number: n, total: e.total, cells: cells}})})
			}
		}
	}
	return sums, nil
}

// Since is the first epoch of each span that counts now.
func (g *Guard) Since() (short, long int64, err error) {
	now := g.cfg.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.turn(now); err != nil {
		return 0, 0, err
	}
	return g.short.now - 1, g.long.now - 1, nil
}

// layers returns the layers in the order of their numbers in a sum.
func (g *Guard) layers() [2]*layer { return [2]*layer{g.short, g.long} }

func (l *layer) seconds() uint32 { return uint32(l.length / time.Second) }

// over returns when no window includes an epoch any more: when the next epoch has
// ended.
func (l *layer) over(n int64) time.Time { return time.Unix((n+2)*int64(l.seconds()), 0).UTC() }

// told is the content of an epoch's last sum.
type told struct {
	total uint64
	cells []cell
}

// news returns the large counts of an epoch, and whether other authorities should get
// them: because one count rose, or because the total rose by a sixteenth. Smaller
// changes hardly affect limits that depend on the total.
func (e *epoch) news(hide uint64, all bool) ([]cell, bool) {
	if e.total == 0 || e.total == e.told.total && !all {
		return nil, false
	}
	cells := e.large(hide)
	if !all && slices.Equal(cells, e.told.cells) && e.total-e.told.total <= e.told.total/16 {
		return nil, false
	}
	e.told = told{e.total, cells}
	return cells, true
}

// large lists the counts that others may know.
func (e *epoch) large(hide uint64) []cell {
	hide = max(hide, 4*e.total/uint64(e.width))
	var found []cell
	for i, n := range e.cells() {
		if uint64(n) < hide {
			continue
		}
		if len(found) == maxCells {
			break
		}
		found = append(found, cell{uint32(i), n})
	}
	return found
}

func encodeSum(from Origin, parts []part) []byte {
	b := append([]byte{sumVersion}, from[:]...)
	b = append(b, byte(len(parts)))
	for _, p := range parts {
		b = append(b, p.span)
		b = binary.BigEndian.AppendUint32(b, p.length)
		b = binary.BigEndian.AppendUint64(b, uint64(p.number))
		b = binary.BigEndian.AppendUint64(b, p.total)
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.cells)))
		for _, c := range p.cells {
			b = binary.BigEndian.AppendUint32(b, c.at)
			b = binary.BigEndian.AppendUint16(b, c.value)
		}
	}
	return b
}

// parseSum reads the encoding that encodeSum writes, and nothing else.
func parseSum(b []byte) (from Origin, parts []part, err error) {
	if len(b) < sumHeader || len(b) > maxSumBytes || b[0] != sumVersion || b[sumHeader-1] > maxParts {
		return from, nil, fmt.Errorf("%w: header", ErrSum)
	}
	copy(from[:], b[1:])
	n := int(b[sumHeader-1])
	b = b[sumHeader:]
	for range n {
		p, rest, err := parsePart(b)
		if err != nil {
			return from, nil, err
		}
		if len(parts) > 0 && !parts[len(parts)-1].before(p) {
			return from, nil, fmt.Errorf("%w: parts out of order", ErrSum)
		}
		parts, b = append(parts, p), rest
	}
	if len(b) > 0 {
		return from, nil, fmt.Errorf("%w: %d bytes too many", ErrSum, len(b))
	}
	return from, parts, nil
}

func (p part) before(q part) bool {
	return p.span < q.span || p.span == q.span && p.number < q.number
}

func parsePart(b []byte) (p part, rest []byte, err error) {
	if len(b) < partHeader {
		return p, nil, fmt.Errorf("%w: cut short", ErrSum)
	}
	p.span = b[0]
	p.length = binary.BigEndian.Uint32(b[1:])
	p.number = int64(binary.BigEndian.Uint64(b[5:]))
	p.total = binary.BigEndian.Uint64(b[13:])
	n := binary.BigEndian.Uint32(b[21:])
	b = b[partHeader:]
	width := uint32(shortWidth)
	switch p.span {
	case 1:
	case 2:
		width = longWidth
	default:
		return p, nil, fmt.Errorf("%w: span %d", ErrSum, p.span)
	}
	// No authority sends a larger total, and it would make limits that depend on it
	// overflow.
	if p.length == 0 || p.number < 0 || p.total == 0 || p.total > math.MaxUint32 || n > maxCells || len(b) < int(n)*cellBytes {
		return p, nil, fmt.Errorf("%w: part", ErrSum)
	}
	p.cells = make([]cell, n)
	for i := range p.cells {
		p.cells[i] = cell{binary.BigEndian.Uint32(b), binary.BigEndian.Uint16(b[4:])}
		b = b[cellBytes:]
		if p.cells[i].at >= rows*width || p.cells[i].value == 0 || i > 0 && p.cells[i-1].at >= p.cells[i].at {
			return p, nil, fmt.Errorf("%w: cell", ErrSum)
		}
	}
	return p, b, nil
}

// Merge adds another authority's sum. A sum of its own, or of an epoch that is over,
// changes nothing. If a part of a sum cannot be used, the whole sum is refused.
func (g *Guard) Merge(sum []byte) error {
	from, parts, err := parseSum(sum)
	if err != nil {
		return err
	}
	now := g.cfg.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.turn(now); err != nil {
		return err
	}
	if from == g.origin {
		return nil
	}
	layers := g.layers()
	for _, p := range parts {
		l := layers[p.span-1]
		if p.length != l.seconds() {
			return fmt.Errorf("%w: epochs of %d seconds", ErrSum, p.length)
		}
		// One epoch ahead can come from a clock slightly ahead of ours. More than one
		// is a mistake.
		if p.number > l.now+1 {
			return fmt.Errorf("%w: epoch %d is to come", ErrSum, p.number)
		}
		if p.number < l.now-1 {
			continue
		}
		if err := l.make(p.number, g.cfg.Key); err != nil {
			return err
		}
		if e := l.epochs[p.number]; e.reports[from] == nil && len(e.reports) >= maxOrigins {
			return fmt.Errorf("%w: more than %d origins", ErrSum, maxOrigins)
		}
	}
	for _, p := range parts {
		if e := layers[p.span-1].epochs[p.number]; e != nil {
			e.take(from, p)
		}
	}
	return nil
}

// take adds what an origin reports for an epoch beyond its earlier reports.
func (e *epoch) take(from Origin, p part) {
	r := e.reports[from]
	if r == nil {
		r = &report{}
		e.reports[from] = r
	}
	r.total = max(r.total, p.total)
	if len(p.cells) == 0 {
		return
	}
	if e.others == nil {
		e.others = make([]uint16, rows*e.width)
	}
	if r.cells == nil {
		r.cells = make(map[uint32]uint16, len(p.cells))
	}
	for _, c := range p.cells {
		if old := r.cells[c.at]; c.value > old {
			e.others[c.at] = uint16(min(uint32(e.others[c.at])+uint32(c.value-old), math.MaxUint16))
			r.cells[c.at] = c.value
		}
	}
}

package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// body is a frame's body while it is being written. It only grows; the bounds of its
// lists bound the largest request.
type body []byte

func (b *body) u8(v uint8)   { *b = append(*b, v) }
func (b *body) u16(v int)    { *b = binary.BigEndian.AppendUint16(*b, uint16(v)) } //nolint:gosec // callers bound it
func (b *body) u32(v uint32) { *b = binary.BigEndian.AppendUint32(*b, v) }
func (b *body) u64(v uint64) { *b = binary.BigEndian.AppendUint64(*b, v) }
func (b *body) raw(v []byte) { *b = append(*b, v...) }
func (b *body) text(s string) {
	b.u8(uint8(min(len(s), math.MaxUint8)))
	b.raw([]byte(s[:min(len(s), math.MaxUint8)]))
}                                   //nolint:gosec // bounded
func (b *body) point(p split.Point) { b.raw(p.Uncompressed()) }

func (b *body) flag(v bool) {
	if v {
		b.u8(1)
	} else {
		b.u8(0)
	}
}

// when writes a moment; zero for none.
func (b *body) when(t time.Time) {
	if t.IsZero() {
		b.u64(0)
		return
	}
	b.u64(uint64(t.UnixMilli())) //nolint:gosec // the reader takes it back as it was
}

// span writes a duration in milliseconds.
func (b *body) span(d time.Duration) { b.u64(uint64(d.Milliseconds())) } //nolint:gosec // as above

// reader reads a body strictly. After its first fault all reads return zero, and end
// returns the fault.
type reader struct {
	b    []byte
	fail bool
}

// end returns ErrFrame unless the body was read completely and without a fault.
func (r *reader) end() error {
	if r.fail || len(r.b) != 0 {
		return ErrFrame
	}
	return nil
}

func (r *reader) take(n int) []byte {
	if r.fail || n < 0 || len(r.b) < n {
		r.fail = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) flag() bool {
	v := r.u8()
	r.fail = r.fail || v > 1
	return v == 1
}

// text reads a name or a code. It may be shown on a terminal or in a log, so only
// printable ASCII is accepted.
func (r *reader) text() string {
	b := r.take(int(r.u8()))
	for _, c := range b {
		if c < ' ' || c > '~' {
			r.fail = true
			return ""
		}
	}
	return string(b)
}

// count reads the length of a list.
func (r *reader) count(most int) int {
	n := r.u16()
	if n > most {
		r.fail = true
		return 0
	}
	return n
}

func (r *reader) into(out []byte) {
	if b := r.take(len(out)); b != nil {
		copy(out, b)
	}
}

// longestTime keeps times within what time.Time and JSON can show: the year 9999.
const longestTime = 253402300799999

func (r *reader) when() time.Time {
	v := r.u64()
	if v == 0 || v > longestTime {
		r.fail = r.fail || v != 0
		return time.Time{}
	}
	return time.UnixMilli(int64(v)).UTC()
}

func (r *reader) span() time.Duration {
	v := r.u64()
	if v > math.MaxInt64/uint64(time.Millisecond) {
		r.fail = true
		return 0
	}
	return time.Duration(v) * time.Millisecond //nolint:gosec // bounded
}

func (r *reader) card() (c liuma.CardID)        { r.into(c[:]); return c }
func (r *reader) tag() (t ledger.Tag)           { r.into(t[:]); return t }
func (r *reader) verifier() (v liuma.Verifier)  { r.into(v[:]); return v }
func (r *reader) incarnation() (i [16]byte)     { r.into(i[:]); return i }
func (r *reader) pinVersion() (v liuma.Version) { return liuma.Version(r.u32()) }

// point reads a point and checks that it is on the curve.
func (r *reader) point() split.Point {
	b := r.take(split.UncompressedSize)
	if b == nil {
		return split.Point{}
	}
	p, err := split.ParseUncompressed(b)
	if err != nil {
		r.fail = true
	}
	return p
}

// small reads a number that the domain keeps in an int.
func (r *reader) small() int {
	v := r.u32()
	if v > math.MaxInt32 {
		r.fail = true
		return 0
	}
	return int(v)
}

// malformed is the error for a malformed frame of a type.
func malformed(t kind) error { return fmt.Errorf("%w: type %d", ErrFrame, t) }

package ledger

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/liuma-pin/liuma"
)

// Rows and tallies have exactly one encoding each, with a format number. The
// decoder refuses everything else: a number in more bytes than it needs, an
// impossible tally, an extra byte. So a row that was read is exactly the row
// that was written.
const (
	tallyFormat = 1
	rowFormat   = 1
)

// Bits of the row's flag byte.
const (
	flagVerifier = 1 << iota
	flagRetired
	flagTag
	flagsAll = flagVerifier | flagRetired | flagTag
)

var (
	_ encoding.BinaryAppender    = Tally{}
	_ encoding.BinaryMarshaler   = Tally{}
	_ encoding.BinaryUnmarshaler = (*Tally)(nil)
)

// MarshalBinary encodes a valid tally, in 7 to about 100 bytes.
func (t Tally) MarshalBinary() ([]byte, error) { return t.AppendBinary(nil) }

// AppendBinary appends the encoding of a valid tally to b.
func (t Tally) AppendBinary(b []byte) ([]byte, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	b = append(b, tallyFormat)
	b = binary.AppendUvarint(b, t.Spent)
	for lane := range t.Cleared {
		b = binary.AppendUvarint(b, t.Spent-t.Cleared[lane])
		b = binary.AppendUvarint(b, uint64(t.Failures[lane]))
	}
	b = binary.AppendUvarint(b, uint64(t.Kept))
	s, at := t.Spent, int64(0)
	for i := t.Kept - 1; i >= 0; i-- { // newest first: its number is near Spent
		m := t.Recent[i]
		b = binary.AppendUvarint(b, s-m.S)
		b = append(b, byte(m.Lane))
		b = binary.AppendVarint(b, m.At.UnixMilli()-at)
		s, at = m.S, m.At.UnixMilli()
	}
	return b, nil
}

// UnmarshalBinary decodes an encoding that AppendBinary wrote, and nothing
// else.
func (t *Tally) UnmarshalBinary(data []byte) error {
	d := decoder{data: data}
	if d.byte() != tallyFormat {
		return errors.New("tally: unknown format")
	}
	var v Tally
	v.Spent = d.uvarint(math.MaxUint64)
	for lane := range v.Cleared {
		v.Cleared[lane] = v.Spent - d.uvarint(v.Spent)
		v.Failures[lane] = uint32(d.uvarint(math.MaxUint32))
	}
	v.Kept = int(d.uvarint(uint64(len(v.Recent))))
	s, at := v.Spent, int64(0)
	for i := v.Kept - 1; i >= 0 && !d.bad; i-- {
		s -= d.uvarint(s)
		lane := Lane(d.byte())
		at += d.varint()
		v.Recent[i] = Mark{S: s, Lane: lane, At: time.UnixMilli(at).UTC()}
	}
	if d.bad || len(d.data) > 0 {
		return errors.New("tally: damaged encoding")
	}
	if err := v.Validate(); err != nil {
		return err
	}
	*t = v
	return nil
}

// AppendRow appends the encoding of a row, without its card, to b. Backends
// keep it as one value beside the card, so that a write is one small statement.
func AppendRow(b []byte, r Row) ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	b = append(b, rowFormat)
	b = binary.AppendUvarint(b, uint64(r.Version))
	b = binary.AppendUvarint(b, uint64(r.KeySet))
	b = binary.AppendUvarint(b, uint64(r.Mark-r.Version))
	var flags byte
	if !r.Verifier.IsZero() {
		flags |= flagVerifier
	}
	if !r.Retired.IsZero() {
		flags |= flagRetired
	}
	if !r.Tag.IsZero() {
		flags |= flagTag
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, r.Head)
	if flags&flagVerifier != 0 {
		b = append(b, r.Verifier[:]...)
	}
	if flags&flagRetired != 0 {
		b = binary.AppendVarint(b, r.Retired.UnixMilli())
	}
	if flags&flagTag != 0 {
		b = append(b, r.Tag[:]...)
	}
	return r.Tally.AppendBinary(b)
}

// ParseRow decodes a row that AppendRow wrote for the card.
func ParseRow(card liuma.CardID, data []byte) (Row, error) {
	d := decoder{data: data}
	if d.byte() != rowFormat {
		return Row{}, errors.New("ledger row: unknown format")
	}
	r := Row{Card: card}
	r.Version = liuma.Version(d.uvarint(math.MaxUint32))
	r.KeySet = uint32(d.uvarint(math.MaxUint32))
	r.Mark = r.Version + liuma.Version(d.uvarint(uint64(math.MaxUint32-r.Version)))
	flags := d.byte()
	r.Head = d.uvarint(maxHead)
	if flags&flagVerifier != 0 {
		copy(r.Verifier[:], d.take(len(r.Verifier)))
		d.bad = d.bad || r.Verifier.IsZero()
	}
	if flags&flagRetired != 0 {
		r.Retired = time.UnixMilli(d.varint()).UTC()
		d.bad = d.bad || r.Retired.IsZero()
	}
	if flags&flagTag != 0 {
		copy(r.Tag[:], d.take(len(r.Tag)))
		d.bad = d.bad || r.Tag.IsZero()
	}
	if d.bad || flags&^flagsAll != 0 {
		return Row{}, errors.New("ledger row: damaged encoding")
	}
	if err := r.Tally.UnmarshalBinary(d.data); err != nil {
		return Row{}, fmt.Errorf("ledger row: %w", err)
	}
	return r, r.validate()
}

// validate refuses rows that no ledger makes.
func (r Row) validate() error {
	switch {
	case r.Mark < r.Version:
		return errors.New("ledger row: mark below the version")
	case (r.Version == 0) != r.Verifier.IsZero():
		return errors.New("ledger row: version without verifier, or the reverse")
	case (r.Version == 0) != r.Tag.IsZero():
		return errors.New("ledger row: version without the holder's tag, or the reverse")
	case r.Head > maxHead:
		return errors.New("ledger row: head too high")
	case !r.Retired.IsZero() && r.Retired != millis(r.Retired):
		return errors.New("ledger row: time finer than a millisecond")
	}
	return nil
}

// decoder reads from data. After the first error, bad stays set and all reads
// return zero.
type decoder struct {
	data []byte
	bad  bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || len(d.data) < n {
		d.bad = true
		return nil
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// uvarint reads a number of at most limit, in the fewest bytes that hold it.
func (d *decoder) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 || v > limit || n > 1 && d.data[n-1] == 0 {
		d.bad = true
	}
	if d.take(max(n, 0)); d.bad {
		return 0
	}
	return v
}

func (d *decoder) varint() int64 {
	v := d.uvarint(math.MaxUint64)
	return int64(v>>1) ^ -int64(v&1)
}

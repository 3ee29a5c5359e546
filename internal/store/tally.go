package store

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
)

// Tally is what one hour of the record came to, by channel and region. It names no
// card and no person. Package tally says what is counted, and adds it up.
type Tally struct {
	Hour  time.Time // its beginning, UTC
	Cells []TallyCell
}

// TallyCell is what came of one channel and region in an hour. Either may be empty:
// it is not known.
type TallyCell struct {
	Channel liuma.ChannelID
	Region  liuma.Region
	Counts  TallyCounts
}

// TallyCounts are counts by the number of their kind (tally.Kind); a kind beyond the
// end came to nothing.
type TallyCounts []uint64

// MarshalBinary writes each count as a varint, so that an hour of a province is a few
// kilobytes.
func (c TallyCounts) MarshalBinary() ([]byte, error) {
	var b []byte
	for _, n := range c {
		b = binary.AppendUvarint(b, n)
	}
	return b, nil
}

// UnmarshalBinary reads them.
func (c *TallyCounts) UnmarshalBinary(b []byte) error {
	*c = nil
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return errors.New("store: counts that do not decode")
		}
		*c, b = append(*c, n), b[size:]
	}
	return nil
}

// TallyReader reads tallies.
type TallyReader interface {
	// Tally is that of the hour that a time is in; ErrNotFound if there is none.
	Tally(at time.Time) (Tally, error)
}

// TallyWriter writes tallies.
type TallyWriter interface {
	// PutTally replaces the tally of its hour, or adds it.
	PutTally(Tally) error
	// PruneTallies drops those of hours that were over by a time, and returns how many.
	PruneTallies(before time.Time) (int64, error)
}

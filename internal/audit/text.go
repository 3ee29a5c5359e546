package audit

import (
	"encoding/hex"
	"errors"
	"strings"
)

// ParseStream reads a string that Stream.String wrote.
func ParseStream(s string) (Stream, error) {
	kind, id, ok := strings.Cut(s, ":")
	var out Stream
	switch kind {
	case OfCard.String():
		out.Kind = OfCard
	case OfProcess.String():
		out.Kind = OfProcess
	default:
		ok = false
	}
	if !ok || decode(out.ID[:], id) != nil {
		return Stream{}, errors.New(`audit: not a stream; want "card:" or "process:" and 32 hexadecimal digits`)
	}
	return out, nil
}

// decode reads exactly len(dst) bytes in lower-case hexadecimal.
func decode(dst []byte, s string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(dst) || s != strings.ToLower(s) {
		return errors.New("audit: want lower-case hexadecimal digits of the right number")
	}
	copy(dst, b)
	return nil
}

// Compare orders streams as the store lists them: first cards' streams, then by
// ID.
func (s Stream) Compare(t Stream) int {
	if s.Kind != t.Kind {
		return int(s.Kind) - int(t.Kind)
	}
	return strings.Compare(string(s.ID[:]), string(t.ID[:]))
}

// MarshalText writes the stream as String does; the zero Stream is empty.
func (s Stream) MarshalText() ([]byte, error) {
	if s.IsZero() {
		return nil, nil
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads a stream.
func (s *Stream) UnmarshalText(b []byte) (err error) { *s, err = ParseStream(string(b)); return err }

// MarshalText writes hexadecimal digits.
func (id EntryID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads an entry's ID.
func (id *EntryID) UnmarshalText(b []byte) error { return decode(id[:], string(b)) }

// MarshalText writes hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads a hash.
func (h *Hash) UnmarshalText(b []byte) error { return decode(h[:], string(b)) }

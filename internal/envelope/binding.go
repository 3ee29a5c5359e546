package envelope

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/liuma-pin/liuma"
)

// Binding is everything that an envelope is sealed for. Both sides build it
// from the request; it is never sent itself.
type Binding struct {
	Channel     liuma.ChannelID
	Action      liuma.Action
	Role        liuma.Role
	Subject     Subject
	BusinessNo  liuma.BusinessNo
	PurposeHash [32]byte // PurposeHash of the purpose as shown to the holder
	SealKeyID   string
	Challenge   string
}

// Subject names the holder, byte for byte as sent: no spelling is changed
// before it is bound, so a device needs no spelling rules. Members that the
// request lacks are empty. A Subject prints redacted and refuses to be written
// as JSON, because it holds personal data.
type Subject struct {
	Card     string // handle of the card in the channel
	IDNumber string
	Name     string
	Phone    string
}

// AAD returns the associated data: each field as a four-byte big-endian length
// and its bytes, in the order below. Because of the lengths no two bindings
// have the same encoding.
func (b Binding) AAD() []byte {
	fields := [...]string{
		label,
		string([]byte{formatVersion}),
		string(b.Channel),
		string(b.Action),
		string(b.Role),
		b.Subject.Card,
		b.Subject.IDNumber,
		b.Subject.Name,
		b.Subject.Phone,
		string(b.BusinessNo),
		string(b.PurposeHash[:]),
		b.SealKeyID,
		b.Challenge,
	}
	size := 0
	for _, f := range fields {
		size += 4 + len(f)
	}
	aad := make([]byte, 0, size)
	for _, f := range fields {
		aad = binary.BigEndian.AppendUint32(aad, uint32(len(f)))
		aad = append(aad, f...)
	}
	return aad
}

// PurposeHash is SHA-256 over the purpose's UTF-8 bytes: one text as shown to the
// holder, or the lines that liuma.Purpose describes. A request without a purpose
// has the hash of the empty string.
func PurposeHash(purpose liuma.Purpose) [32]byte { return sha256.Sum256([]byte(purpose)) }

const redacted = "[subject]"

// Format prints a placeholder under every verb.
func (Subject) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs the placeholder.
func (Subject) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON always fails, because a redacted subject in a request or a digest
// would be a fault that nobody notices; each door has its own wire type.
func (Subject) MarshalJSON() ([]byte, error) {
	return nil, errors.New("envelope: a subject is not written as JSON")
}

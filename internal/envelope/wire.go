package envelope

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/liuma-pin/liuma/internal/strictjson"
)

// Encode returns the three members of the JSON form: key id, encapsulated key
// and ciphertext. Key and ciphertext are in base64url without padding (RFC 4648
// section 5).
func (e Envelope) Encode() (kid, enc, ct string) {
	b64 := base64.RawURLEncoding
	return e.SealKeyID, b64.EncodeToString(e.Enc), b64.EncodeToString(e.Ciphertext)
}

// Decode reads the members that Encode returns. It refuses every other
// spelling, so that one envelope has one encoding. Failures are
// CodeEnvelopeInvalid.
func Decode(kid, enc, ct string) (Envelope, error) {
	// Exact lengths are checked first, so nothing long is ever decoded.
	b64 := base64.RawURLEncoding.Strict()
	if len(enc) != b64.EncodedLen(EncSize) || len(ct) != b64.EncodedLen(CiphertextSize) {
		return Envelope{}, invalid(errShape)
	}
	e := Envelope{SealKeyID: kid}
	var err error
	if e.Enc, err = b64.DecodeString(enc); err != nil {
		return Envelope{}, invalid(fmt.Errorf("%w: enc", errShape))
	}
	if e.Ciphertext, err = b64.DecodeString(ct); err != nil {
		return Envelope{}, invalid(fmt.Errorf("%w: ct", errShape))
	}
	if err := e.validate(); err != nil {
		return Envelope{}, invalid(err)
	}
	return e, nil
}

func (e Envelope) validate() error {
	if !validKeyID(e.SealKeyID) || len(e.Enc) != EncSize || len(e.Ciphertext) != CiphertextSize {
		return errShape
	}
	return nil
}

func validKeyID(s string) bool {
	if len(s) == 0 || len(s) > maxKeyID {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// MarshalJSON writes {"kid","enc","ct"}.
func (e Envelope) MarshalJSON() ([]byte, error) {
	kid, enc, ct := e.Encode()
	return json.Marshal(struct {
		KID string `json:"kid"`
		Enc string `json:"enc"`
		CT  string `json:"ct"`
	}{kid, enc, ct})
}

// UnmarshalJSON reads exactly what MarshalJSON writes, in any member order:
// each member once, spelled in lower case, a string, and no other member. Go's
// decoder alone would accept a repeated or upper-case name.
func (e *Envelope) UnmarshalJSON(data []byte) error {
	members, fault := strictjson.Object(data, "kid", "enc", "ct")
	if fault != nil {
		return invalid(fmt.Errorf("%w: %w", errShape, fault))
	}
	parsed, err := Decode(members["kid"], members["enc"], members["ct"])
	if err != nil {
		return err
	}
	*e = parsed
	return nil
}

package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
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
// each member once, spelled in lower case, a string, and no other member.
// Go's decoder alone would take a repeated or upper-case name.
func (e *Envelope) UnmarshalJSON(data []byte) error {
	members, err := stringMembers(data, "kid", "enc", "ct")
	if err != nil {
		return invalid(err)
	}
	parsed, err := Decode(members["kid"], members["enc"], members["ct"])
	if err != nil {
		return err
	}
	*e = parsed
	return nil
}

// stringMembers reads one JSON object that has each of the names exactly once,
// with a string, and nothing else.
func stringMembers(data []byte, names ...string) (map[string]string, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errShape
	}
	members := make(map[string]string, len(names))
	for dec.More() {
		name, err := stringToken(dec)
		if err != nil {
			return nil, err
		}
		known := false
		for _, n := range names {
			known = known || n == name
		}
		if _, repeated := members[name]; repeated || !known {
			return nil, fmt.Errorf("%w: unknown or repeated member", errShape)
		}
		if members[name], err = stringToken(dec); err != nil {
			return nil, err
		}
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('}') {
		return nil, errShape
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: data after the object", errShape)
	}
	if len(members) != len(names) {
		return nil, fmt.Errorf("%w: member missing", errShape)
	}
	return members, nil
}

func stringToken(dec *json.Decoder) (string, error) {
	t, err := dec.Token()
	if err != nil {
		return "", errShape
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%w: not a string", errShape)
	}
	return s, nil
}

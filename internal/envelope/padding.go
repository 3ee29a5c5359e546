package envelope

import (
	"encoding/binary"
	"fmt"
)

// pad writes the secret's length (two bytes, big endian), the secret, and zeros
// up to PlainSize, so that a six-digit PIN and a long passphrase make envelopes
// of the same length.
func pad(secret []byte) ([]byte, error) {
	if len(secret) == 0 || len(secret) > MaxSecret {
		return nil, fmt.Errorf("envelope: secret has %d bytes, want 1 to %d", len(secret), MaxSecret)
	}
	plain := make([]byte, PlainSize)
	binary.BigEndian.PutUint16(plain, uint16(len(secret)))
	copy(plain[prefix:], secret)
	return plain, nil
}

// unpad returns a copy of the secret. Bytes after it must be zero: otherwise an
// envelope could carry hidden data, and one secret would have several padded
// forms.
func unpad(plain []byte) ([]byte, error) {
	if len(plain) != PlainSize {
		return nil, errPadding
	}
	n := int(binary.BigEndian.Uint16(plain))
	if n == 0 || n > MaxSecret {
		return nil, errPadding
	}
	var rest byte
	for _, b := range plain[prefix+n:] {
		rest |= b
	}
	if rest != 0 {
		return nil, errPadding
	}
	secret := make([]byte, n)
	copy(secret, plain[prefix:])
	return secret, nil
}

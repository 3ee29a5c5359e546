package vault

import (
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/pin"
)

var errOtherKey = errors.New("vault: binding names another seal key")

// OpenPIN opens an envelope that was sealed to key k for the request b, and
// returns its content as a pin.PIN, which the caller wipes; passphrase says
// whether passphrases are accepted. An envelope that does not open gives
// CodeEnvelopeInvalid; one without a valid PIN inside gives CodePINFormat. If
// the seal key does not open, that is the authority's fault, and the error is
// neither of these.
func (v *Vault) OpenPIN(k SealedKey, b envelope.Binding, e envelope.Envelope, passphrase bool) (pin.PIN, error) {
	if b.SealKeyID != k.ID {
		return pin.PIN{}, liuma.Fail(liuma.CodeEnvelopeInvalid, errOtherKey)
	}
	key, err := v.sealKey(k)
	if err != nil {
		return pin.PIN{}, err
	}
	secret, err := envelope.Open(key, b, e)
	if err != nil {
		return pin.PIN{}, err
	}
	defer clear(secret) // I-6: pin.Parse wipes it too, and this covers its every return
	return pin.Parse(secret, passphrase)
}

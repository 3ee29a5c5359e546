// Package token is a hardware security module, reached by PKCS#11: keys that are
// made in it, used in it and never come out. It guarantees that a private key or a
// sealed share key of Liuma's is sensitive and not extractable, that a token which
// was away is found again without a restart, that nobody waits for one without an
// end, and that a wrong PIN is given to a token once and not until it locks. It
// trusts the vendor's library, which runs within this process, and the token.
//
// A token does not tell a good caller from a bad one: who holds this process may ask
// it for every MAC, one by one, at its pace (docs/HSM.md, "What it does not stop").
//
// The library is C, so programs that speak to a token are built with cgo and
// `-tags pkcs11`; without the tag Open says so (ErrNotBuilt).
//
// Start here: Token, then Open.
package token

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Config says which token is opened, and how.
type Config struct {
	Module string // path of the vendor's PKCS#11 library
	Label  string // of the token, as it was given when the token was initialized
	PIN    PIN    // of the token's user
	// Sessions is how many calls the token works on at once; default 8.
	Sessions int
	// Wait is how long a call waits for a session; default 2 s.
	Wait   time.Duration
	Logger *slog.Logger
}

// PIN is the PIN of a token's user. It prints redacted.
type PIN struct{ text string }

// NewPIN takes a token's PIN.
func NewPIN(text string) PIN { return PIN{text} }

const redacted = "[token PIN]"

// Format prints a placeholder under every verb.
func (PIN) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs the placeholder.
func (PIN) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON writes the placeholder.
func (PIN) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Token is a token that this process is logged in at. Keys have names, which are
// their labels in the token. All methods may be called by many goroutines.
//
// A method that finds the token gone connects anew, once a second at most, and asks
// once more; the errors of a token that stays away are ErrAway, ErrBusy and ErrNoToken.
type Token interface {
	// Check reports whether the token answers; nil: it does.
	Check() error
	// Label is the token's own name.
	Label() string

	// WrappingKey returns the public half of the RSA key that things are wrapped to;
	// it is made if it is not there.
	WrappingKey(name string) (WrappingKey, error)
	// Decrypt opens what was encrypted to a wrapping key.
	Decrypt(name string, hash crypto.Hash, sealed []byte) ([]byte, error)

	// NewSigningKey makes a P-256 key. ErrExists: the name is taken.
	NewSigningKey(name string) (*ecdsa.PublicKey, error)
	// Sign signs a SHA-256 digest: r and s, 32 bytes each.
	Sign(name string, digest []byte) ([]byte, error)

	ShareKeys

	// Destroy removes every key of a name; removing none is no error.
	Destroy(name string) error
	// Close ends all sessions.
	Close() error
}

// ShareKeys are the share keys in a token.
type ShareKeys interface {
	// NewShareKey makes a share key that can be wrapped until SealShareKey.
	NewShareKey(name string) error
	// WrapShareKey encrypts a share key to another token's wrapping key.
	// ErrUnextractable: it was sealed.
	WrapShareKey(name string, to WrappingKey) ([]byte, error)
	// UnwrapShareKey takes a share key in that was wrapped to the wrapping key here.
	// It can be wrapped again until SealShareKey.
	UnwrapShareKey(name, wrappingKey string, hash crypto.Hash, wrapped []byte) error
	// SealShareKey makes a share key unextractable, for ever.
	SealShareKey(name string) error
	// Sealed reports whether a share key cannot be extracted any more.
	Sealed(name string) (bool, error)
	// MAC is HMAC-SHA256 under a share key.
	MAC(name string, message []byte) ([32]byte, error)
}

// Errors of tokens.
var (
	ErrNotBuilt      = errors.New("token: this program was built without PKCS#11; build it with CGO_ENABLED=1 and -tags pkcs11")
	ErrConfig        = errors.New("token: want module, label and PIN of a token")
	ErrModule        = errors.New("token: the PKCS#11 library cannot be loaded")
	ErrNoToken       = errors.New("token: there is no token of this label, or it was taken out")
	ErrPIN           = errors.New("token: the token refused its PIN, and is not asked again before a restart, so that it does not lock")
	ErrBusy          = errors.New("token: no session was free in time")
	ErrAway          = errors.New("token: the token does not answer")
	ErrClosed        = errors.New("token: closed")
	ErrNoKey         = errors.New("token: no such key in the token")
	ErrExists        = errors.New("token: a key of this name is there already")
	ErrAmbiguous     = errors.New("token: several keys of this name; remove those that are not Liuma's")
	ErrWeakKey       = errors.New("token: the key can be extracted, or is not sensitive; Liuma did not make it")
	ErrUnextractable = errors.New("token: the key cannot be extracted")
	ErrFull          = errors.New("token: the token has no room for another key")
	ErrCannot        = errors.New("token: the token cannot do that")
)

// ShareKey is a share key in a token, which was sealed. It is a split.ShareMAC.
type ShareKey struct {
	token ShareKeys
	name  string
}

// OpenShareKey takes a share key for use. One that can still be extracted is refused
// (ErrWeakKey): its ceremony has not ended.
func OpenShareKey(t ShareKeys, name string) (ShareKey, error) {
	sealed, err := t.Sealed(name)
	if err != nil {
		return ShareKey{}, err
	}
	if !sealed {
		return ShareKey{}, fmt.Errorf("%w: %s", ErrWeakKey, name)
	}
	return ShareKey{token: t, name: name}, nil
}

// MAC implements split.ShareMAC.
func (k ShareKey) MAC(message []byte) ([32]byte, error) { return k.token.MAC(k.name, message) }

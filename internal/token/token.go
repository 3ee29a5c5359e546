// Package token uses a hardware security module through PKCS#11: keys are made in it,
// used in it and never leave it. It guarantees that Liuma's private keys and sealed
// share keys are sensitive and not extractable, that a token which was not reachable is
// found again without a restart, that nobody waits for a token for ever, and that a
// wrong PIN is given to a token only once, so that the token does not lock. It trusts
// the vendor's library, which runs within this process, and the token.
//
// A token cannot distinguish good callers from bad ones: somebody who controls this
// process can ask it for any MAC, one by one, at the token's speed (docs/HSM.md, "What
// it does not stop").
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

// Config says which token to open, and how.
type Config struct {
	Module string // path of the vendor's PKCS#11 library
	Label  string // of the token, given when the token was initialized
	PIN    PIN    // of the token's user
	// Sessions is how many calls the token handles at once; default 8.
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

// Token is a token at which this process is logged in. Keys have names, which are their
// labels in the token. All methods may be called by many goroutines.
//
// A method that finds the token gone connects again, at most once a second, and repeats
// the operation once. The errors for a token that stays unreachable are ErrAway,
// ErrBusy and ErrNoToken.
type Token interface {
	// Check returns nil if the token answers.
	Check() error
	// Label is the token's own name.
	Label() string

	// WrappingKey returns the public half of the RSA key to which secrets are wrapped;
	// the key is made if it does not exist.
	WrappingKey(name string) (WrappingKey, error)
	// Decrypt opens a secret that was encrypted to a wrapping key.
	Decrypt(name string, hash crypto.Hash, sealed []byte) ([]byte, error)

	// NewSigningKey makes a P-256 key. It returns ErrExists if the name is used.
	NewSigningKey(name string) (*ecdsa.PublicKey, error)
	// Sign signs a SHA-256 digest: r and s, 32 bytes each.
	Sign(name string, digest []byte) ([]byte, error)

	ShareKeys

	// Destroy removes every key with a name; it is no error if there is none.
	Destroy(name string) error
	// Close ends all sessions.
	Close() error
}

// ShareKeys are the share keys in a token.
type ShareKeys interface {
	// NewShareKey makes a share key that can be wrapped until SealShareKey.
	NewShareKey(name string) error
	// WrapShareKey encrypts a share key to another token's wrapping key. It returns
	// ErrUnextractable if the share key was sealed.
	WrapShareKey(name string, to WrappingKey) ([]byte, error)
	// UnwrapShareKey imports a share key that was wrapped to this token's wrapping key.
	// It can be wrapped again until SealShareKey.
	UnwrapShareKey(name, wrappingKey string, hash crypto.Hash, wrapped []byte) error
	// SealShareKey makes a share key unextractable, for ever.
	SealShareKey(name string) error
	// Sealed reports whether a share key can no longer be extracted.
	Sealed(name string) (bool, error)
	// MAC returns HMAC-SHA256 with a share key.
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

// ShareKey is a sealed share key in a token. It is a split.ShareMAC.
type ShareKey struct {
	token ShareKeys
	name  string
}

// OpenShareKey opens a share key for use. It refuses a key that can still be extracted
// (ErrWeakKey), because its ceremony has not ended.
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

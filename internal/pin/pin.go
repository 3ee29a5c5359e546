// Package pin holds the PIN itself and judges whether one may be set. It guarantees
// that a PIN prints as •••••• wherever it goes (fmt, slog, JSON, text), that its
// bytes are only ever lent, never handed out (I-6), that Wipe clears the only copy,
// and that a Judge gives the same findings in the same order for the same PIN and
// facts. It trusts its caller to pass the facts of the right holder, and to wipe.
//
// The rules, and how much each helps, are in docs/PINS.md.
//
// Start here: PIN, then Judge.
package pin

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
)

// Digits is the length of a PIN of digits.
const Digits = 6

// MaxBytes is the longest passphrase in UTF-8. It is the capacity of an envelope: 256
// bytes less two for the length.
const MaxBytes = 254

const redacted = "••••••"

// ErrWiped is returned by Use on a PIN that was wiped, or was never parsed.
var ErrWiped = errors.New("pin: wiped or empty")

// PIN is one PIN, six digits or a passphrase. Only Parse makes one; the zero PIN is
// empty and equals nothing. Copies share one memory, so wiping any of them wipes all.
// A PIN may be used by several goroutines at once.
//
// It cannot be compared with == or be a map key: that would compare addresses instead
// of digits.
type PIN struct {
	// cell is a func because fmt and reflection print a func only as an address. fmt
	// does not call methods of unexported fields, so redacting methods alone would
	// not protect a PIN that is in an unexported field of another type.
	cell func() *cell
}

// cell holds the only copy of a PIN's bytes.
type cell struct {
	mu    sync.Mutex
	users int  // calls of Use under way; guarded by mu
	wiped bool // guarded by mu
	n     int  // length; never changes
	// b is padded with zeros to one size, so that comparing takes the same time
	// for any two PINs. No PIN contains a zero byte. It is written by newPIN,
	// and cleared under mu when wiped and users is 0.
	b [MaxBytes]byte
	// earlier is the spelling in NFC, of m bytes, if that differs (Form).
	earlier [MaxBytes]byte
	m       int
}

// newPIN copies b, which is at most MaxBytes long.
func newPIN(b []byte) PIN { return newSpelt(b, nil) }

// newSpelt copies both spellings; an empty second one is the same as the first.
func newSpelt(b, earlier []byte) PIN {
	c := &cell{n: len(b), m: len(earlier)}
	copy(c.b[:], b)
	copy(c.earlier[:], earlier)
	return PIN{cell: func() *cell { return c }}
}

// Use lends the bytes to f: ASCII digits, or a passphrase in UTF-8 (NFKC). f
// must neither keep nor change them. The error is f's, or ErrWiped. A Wipe
// during f takes effect when the last call of Use ends.
func (p PIN) Use(f func([]byte) error) error {
	return p.lend(func(c *cell) error { return f(c.b[:c.n:c.n]) })
}

func (p PIN) lend(f func(*cell) error) error {
	if p.cell == nil {
		return ErrWiped
	}
	c := p.cell()
	if !c.take() {
		return ErrWiped
	}
	defer c.release()
	return f(c)
}

func (c *cell) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wiped {
		return false
	}
	c.users++
	return true
}

func (c *cell) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users--
	c.clearIfDone()
}

// clearIfDone clears the bytes if they are wiped and not in use. The caller
// holds mu.
func (c *cell) clearIfDone() {
	if c.wiped && c.users == 0 {
		clear(c.b[:])
		clear(c.earlier[:])
		runtime.KeepAlive(c)
	}
}

// Wipe clears the memory of p and of all its copies. It may be called again.
func (p PIN) Wipe() {
	if p.cell == nil {
		return
	}
	c := p.cell()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wiped = true
	c.clearIfDone()
}

// Equal reports whether p and q are the same PIN. It takes the same time for
// any two PINs. A wiped or zero PIN equals nothing, not even itself.
func (p PIN) Equal(q PIN) bool {
	equal := false
	err := p.lend(func(a *cell) error {
		return q.lend(func(b *cell) error {
			equal = subtle.ConstantTimeCompare(a.b[:], b.b[:]) == 1
			return nil
		})
	})
	return err == nil && equal
}

// Passphrase reports whether p is a passphrase, not six digits.
func (p PIN) Passphrase() bool { return p.cell != nil && p.cell().n != Digits }

// IsZero reports whether p was never parsed.
func (p PIN) IsZero() bool { return p.cell == nil }

// Format writes •••••• for every verb and flag.
func (p PIN) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// String returns ••••••.
func (p PIN) String() string { return redacted }

// GoString returns ••••••.
func (p PIN) GoString() string { return redacted }

// LogValue makes slog write ••••••.
func (p PIN) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText makes XML, YAML and other text encoders write ••••••.
func (p PIN) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON makes encoding/json write "••••••".
func (p PIN) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

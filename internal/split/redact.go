package split

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const hidden = "[redacted]"

// redacted is embedded in every secret type of this package, so that no fmt
// verb, log, JSON or gob shows the secret. It has no state.
type redacted struct{}

// Format writes the same words under every verb and flag.
func (redacted) Format(f fmt.State, _ rune) {
	// Writing to a fmt.State never fails.
	_, _ = io.WriteString(f, hidden)
}

// LogValue implements slog.LogValuer.
func (redacted) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText covers JSON, XML and every other text encoder.
func (redacted) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// GobEncode always fails: a secret is sealed before it is sent anywhere.
func (redacted) GobEncode() ([]byte, error) {
	return nil, errors.New("split: a secret is not encoded")
}

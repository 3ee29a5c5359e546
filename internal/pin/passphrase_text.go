package pin

import (
	"bytes"
	"unicode/utf8"

	"github.com/liuma-pin/liuma/internal/written"
)

// The limits of a passphrase, in characters (Unicode code points as spelt).
const (
	MinPassphrase = 8
	MaxPassphrase = 64
)

// maxTyped is the longest text that is normalised, in bytes. Normalising can make
// text shorter, so it is well above MaxBytes.
const maxTyped = 1024

// parseWords makes a PIN of text that is not six ASCII digits.
func parseWords(typed []byte) (PIN, error) {
	if len(typed) > maxTyped {
		return PIN{}, badFormat(ReasonTooLong)
	}
	if !utf8.Valid(typed) {
		return PIN{}, badFormat(ReasonEncoding)
	}
	text := written.Passphrase(typed)
	defer clear(text)
	if sixDigits(text) { // typed in full-width digits, for example
		return newPIN(text), nil
	}
	if reason := refusal(text); reason != "" {
		return PIN{}, badFormat(reason)
	}
	earlier := written.PassphraseNFC(typed)
	defer clear(earlier)
	if bytes.Equal(earlier, text) || refusal(earlier) != "" {
		return newPIN(text), nil
	}
	return newSpelt(text, earlier), nil
}

// refusal returns why text cannot be a passphrase, or "".
func refusal(text []byte) string {
	n := 0
	for i := 0; i < len(text); n++ {
		r, size := utf8.DecodeRune(text[i:])
		if written.Unreadable(r) {
			return ReasonCharacter
		}
		i += size
	}
	switch {
	case n < MinPassphrase:
		return ReasonTooShort
	case n > MaxPassphrase:
		return ReasonTooLong
	case len(text) > MaxBytes:
		return ReasonTooWide
	}
	return ""
}

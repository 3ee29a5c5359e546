package pin

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/liuma-pin/liuma"
)

// A passphrase's bounds, in characters (Unicode code points after NFC).
const (
	MinPassphrase = 8
	MaxPassphrase = 64
)

// The reasons of CodePINFormat. None contains the text that was typed.
const (
	ReasonNotSixDigits = "not_six_digits"
	ReasonTooShort     = "passphrase_too_short"
	ReasonTooLong      = "passphrase_too_long"
	ReasonCharacter    = "passphrase_character" // control, invisible or unassigned
	ReasonEncoding     = "passphrase_encoding"  // not UTF-8
)

// maxTyped bounds the text that is normalised, in bytes. NFC can make text
// shorter, so it is well above MaxBytes.
const maxTyped = 1024

// growth is how much longer UTF-8 can get under NFC (Unicode Annex 15).
const growth = 3

// Parse copies the typed text into a PIN, and wipes secret, also when it
// refuses. Without passphrase only six ASCII digits pass. With it, six digits
// or 8 to 64 characters do. A passphrase is brought to NFC, and every kind of
// space to U+0020, so that two keyboards that show the same text give the same
// PIN; case and width stay as typed. The error is a *liuma.Error with
// CodePINFormat, and Reason one of the above.
func Parse(secret []byte, passphrase bool) (PIN, error) {
	defer clear(secret)
	if sixDigits(secret) {
		return newPIN(secret), nil
	}
	if !passphrase {
		return PIN{}, badFormat(ReasonNotSixDigits)
	}
	if len(secret) > maxTyped {
		return PIN{}, badFormat(ReasonTooLong)
	}
	if !utf8.Valid(secret) {
		return PIN{}, badFormat(ReasonEncoding)
	}
	text := composed(secret)
	defer clear(text)
	if reason := refusal(text); reason != "" {
		return PIN{}, badFormat(reason)
	}
	return newPIN(text), nil
}

func badFormat(reason string) error {
	return &liuma.Error{Code: liuma.CodePINFormat, Reason: reason}
}

func sixDigits(b []byte) bool {
	return len(b) == Digits && !bytes.ContainsFunc(b, func(r rune) bool { return r < '0' || r > '9' })
}

// composed returns text in NFC with plain spaces, in new memory. The buffers
// are made large enough beforehand: growing them would leave copies that are
// never wiped.
func composed(text []byte) []byte {
	spaced := make([]byte, 0, len(text))
	defer func() { clear(spaced) }()
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if unicode.Is(unicode.Zs, r) {
			r = ' '
		}
		spaced = utf8.AppendRune(spaced, r)
		i += size
	}
	return norm.NFC.Append(make([]byte, 0, growth*len(spaced)), spaced...)
}

// refusal returns why text cannot be a passphrase, or "".
func refusal(text []byte) string {
	n := 0
	for i := 0; i < len(text); n++ {
		r, size := utf8.DecodeRune(text[i:])
		if unicode.Is(unicode.C, r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ReasonCharacter
		}
		i += size
	}
	switch {
	case n < MinPassphrase:
		return ReasonTooShort
	case n > MaxPassphrase || len(text) > MaxBytes:
		return ReasonTooLong
	}
	return ""
}

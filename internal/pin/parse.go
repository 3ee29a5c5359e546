package pin

import (
	"bytes"

	"github.com/liuma-pin/liuma"
)

// The reasons of CodePINFormat. None contains the text that was typed.
const (
	ReasonNotSixDigits = "not_six_digits"
	ReasonTooShort     = "passphrase_too_short"
	ReasonTooLong      = "passphrase_too_long"
	ReasonTooWide      = "passphrase_too_wide"  // few enough characters, and too many bytes
	ReasonCharacter    = "passphrase_character" // control, invisible or unassigned
	ReasonEncoding     = "passphrase_encoding"  // not UTF-8
)

// Parse copies the typed text into a PIN, and wipes secret, even if it refuses. Without
// passphrase it accepts only six ASCII digits. With it, it accepts six digits or 8 to 64
// characters. It spells passphrases by written.Passphrase, so that two keyboards that
// show the same text give the same PIN. The error is a *liuma.Error with CodePINFormat,
// and Reason one of the above.
func Parse(secret []byte, passphrase bool) (PIN, error) {
	defer clear(secret)
	if sixDigits(secret) {
		return newPIN(secret), nil
	}
	if !passphrase {
		return PIN{}, badFormat(ReasonNotSixDigits)
	}
	return parseWords(secret)
}

func badFormat(reason string) error {
	return &liuma.Error{Code: liuma.CodePINFormat, Reason: reason}
}

func sixDigits(b []byte) bool {
	return len(b) == Digits && !bytes.ContainsFunc(b, func(r rune) bool { return r < '0' || r > '9' })
}

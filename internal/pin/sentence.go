package pin

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// Sentence says in plain words why a rule refuses, and how to choose better. An
// unknown rule reads as RuleUnreadable.
func Sentence(r Rule, passphrase bool) liuma.Text {
	return locale.Both(func(w *locale.Words) string { return w.PINRule(string(r), passphrase) })
}

// FormatSentence says in plain words why Parse refused. reason is one of the
// reasons of CodePINFormat; any other reads as ReasonNotSixDigits.
func FormatSentence(reason string) liuma.Text {
	return locale.Both(func(w *locale.Words) string { return w.PINFormat(reason) })
}

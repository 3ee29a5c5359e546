package written

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Address brings a postal address to the form in which it is kept and printed: as it was
// given, on one line, without invisible characters, in the usual width and in Unicode's
// composed form. It reports false if there is something that no address has (control
// characters, private use, markup, or no letter at all), so that a letter shows exactly
// the registry's address or nothing.
func Address(s string) (string, bool) {
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
		return "", false
	}
	out := strings.Join(strings.Fields(norm.NFC.String(halfWidth(visible(s)))), " ")
	letters := false
	for _, r := range out {
		switch {
		case Ideograph(r), unicode.IsLetter(r):
			letters = true
		case unicode.IsDigit(r), unicode.IsMark(r), selector(r), strings.ContainsRune(" -#()./,'&、·．。；:;+", r), r == '（', r == '）':
		default:
			return "", false
		}
	}
	return out, letters || out == ""
}

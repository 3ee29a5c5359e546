package audit

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReason bounds a reason, in characters.
const maxReason = 200

// ErrReason says that an act was asked for without a reason that can be recorded.
var ErrReason = errors.New("this act is recorded with a reason: one line of 1 to 200 characters")

// Reason is why an operator did what takes a second look, in the operator's own
// words. It stands in the entry's note, which nobody can take back: no personal
// data belongs in it.
type Reason string

// ParseReason trims the text and refuses one that is empty, long, or has
// characters that do not print. ErrReason.
func ParseReason(text string) (Reason, error) {
	text = strings.TrimSpace(text)
	if text == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxReason {
		return "", ErrReason
	}
	for _, c := range text {
		if !unicode.IsPrint(c) {
			return "", ErrReason
		}
	}
	return Reason(text), nil
}

// Note is an entry's note: words of the fixed list, and the reason after them.
func (r Reason) Note(words string) string {
	return strings.TrimSpace(words + " reason=" + string(r))
}

package audit

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReason bounds a reason, in characters.
const maxReason = 200

// ErrReason means that an act was requested without a reason that can be
// recorded.
var ErrReason = errors.New("this act is recorded with a reason: one line of 1 to 200 characters")

// Reason is why an operator did an act that others may want to review, in the
// operator's own words. It becomes part of the entry's note, which cannot be
// removed later: it must contain no personal data.
type Reason string

// ParseReason trims the text. It returns ErrReason if the text is empty, too
// long, or has characters that do not print.
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

// Note returns an entry's note: words of the fixed list, followed by the
// reason.
func (r Reason) Note(words string) string {
	return strings.TrimSpace(words + " reason=" + string(r))
}

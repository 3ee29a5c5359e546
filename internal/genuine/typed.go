package genuine

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// clean folds what a phone's keyboard adds: full-width letters and digits, ideographic
// stops in addresses, blanks around.
func clean(s string) string {
	s = norm.NFKC.String(s)
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '。':
			return '.'
		case unseen(r):
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// numberOf is the digits of a telephone number, without its marks and China's +86.
func numberOf(s string) (number string, ok bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "+86")
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -()+", r) {
			return -1
		}
		return r
	}, s)
	if len(s) < 3 || len(s) > 20 || strings.Trim(s, "0123456789") != "" {
		return "", false
	}
	return s, true
}

// address reports something that is meant as the address of a page.
func address(s string) bool {
	if strings.Contains(s, "://") {
		return true
	}
	host, _, _ := strings.Cut(s, "/")
	host = strings.TrimSuffix(host, ".")
	i := strings.LastIndexByte(host, '.')
	return i > 0 && i < len(host)-1 && !strings.Contains(host, " ")
}

// nameKey is a name without case, blanks and marks, in which names are compared. It drops
// nothing that could make one name into another: letters and digits stay.
func nameKey(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(s))
}

// hidden reports characters that nobody sees.
func hidden(s string) bool { return strings.ContainsFunc(s, unseen) }

func unseen(r rune) bool { return unicode.Is(unicode.Cf, r) || unicode.IsControl(r) }

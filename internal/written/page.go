package written

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// PageAddress brings a typed address of a page to the characters that a browser goes by:
// full width becomes ASCII, an ideographic stop is a stop, blanks around it go. hidden
// reports characters in it that nobody sees and that nobody types; they are dropped.
func PageAddress(s string) (address string, hidden bool) {
	var b strings.Builder
	for _, r := range norm.NFKC.String(s) {
		switch {
		case invisible(r) || selector(r) || unicode.IsControl(r):
			hidden = true
		case r == '。':
			b.WriteByte('.')
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String()), hidden
}

package written

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// PageAddress brings a typed address of a page to the characters that a browser goes by:
// full width becomes ASCII, an ideographic stop is a stop, blanks around it go. hidden
// reports characters in it that nobody sees and that nobody types; they are dropped. So
// is a mark at which the host of an address seems to end, in another form than ASCII, where
// a stop follows: one program reads the host to that mark, and another reads on, to a host
// that is another's (app.example.cn／.evil.example).
func PageAddress(s string) (address string, hidden bool) {
	hidden = disguised(s)
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

// disguised reports a character that becomes one of the marks of an address, before the
// end of the host, and a stop behind it, with which the host may go on.
func disguised(s string) bool {
	before, marked := "", false // before: as a browser goes by it, up to the marks of the scheme
	for _, r := range strings.TrimSpace(s) {
		folded := strings.ToLower(norm.NFKC.String(string(r)))
		scheme := folded == ":" && (before == "http" || before == "https") ||
			folded == "/" && (before == "http:" || before == "https:" || before == "http:/" || before == "https:/")
		if len(before) < len("https:") || scheme {
			before += folded
		}
		switch {
		case scheme:
		case r == '/' || r == '?' || r == '#': // the host is over
			return false
		case marked && strings.ContainsAny(folded, ".。"):
			return true
		case r >= 0x80 && strings.ContainsAny(folded, `/\?#@:%[]`):
			marked = true
		}
	}
	return false
}

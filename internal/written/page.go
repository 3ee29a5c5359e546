package written

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// PageAddress brings a typed address of a page to the characters that a browser uses: full
// width becomes ASCII, an ideographic stop becomes a stop, blanks around it are dropped.
// hidden reports characters in it that nobody sees or types; they are dropped. It also
// reports a mark, in a form other than ASCII, at which the host seems to end although a
// stop follows: one program reads the host up to that mark, another reads on, to a host of
// somebody else (app.example.cn／.evil.example).
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

// disguised reports whether, before the end of the host, a character turns into one of the
// marks of an address and a stop follows, so that the host may go on.
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

// Package written reads what people type and what registries send: names, ID
// numbers, codes, phones, numbers of cards and documents, and passphrases. It guarantees that
// spellings which look alike are one value, whichever door they came through
// (I-4, R-16): full width, invisible characters, blanks, dashes, middle dots,
// apostrophes, radicals, compatibility forms, and the private-use codes that
// GB 18030 gave out. No other package folds such text; a test of the module
// looks for places that do. It trusts nothing and keeps nothing.
//
// What it drops says nothing about a person. A digit of another script, a letter
// that only looks like another, or a character that nobody can name is left in
// place, so that the caller refuses it. It also draws the codes that people read aloud
// and type, so that what is drawn is what is read (code.go).
//
// Start here: Name and Number, then plain in fold.go.
package written

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Number brings a typed number or code to the characters that count: full width and
// other compatibility forms become ASCII, letters become capitals, and blanks, dashes
// and invisible characters are dropped. Anything else stays for the caller to refuse,
// including digits of other scripts (OtherDigits). Values read by earlier releases,
// before this package, come out the same.
func Number(s string) string {
	if plainNumber(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range norm.NFKC.String(visible(s)) {
		switch {
		case invisible(r) || selector(r) || blank(r) || dash(r) || r == 'ー':
		case r >= 'a' && r <= 'z':
			b.WriteRune(r - 'a' + 'A')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plainNumber reports whether s is capitals and digits already, as nearly all
// numbers are.
func plainNumber(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// OtherDigits reports whether a number holds digits of another script, which look
// right to the person who typed them.
func OtherDigits(number string) bool {
	return strings.ContainsFunc(number, func(r rune) bool { return r > unicode.MaxASCII && unicode.Is(unicode.Nd, r) })
}

// Name brings a typed name to the form in which it is kept and shown: as it was
// given, without invisible characters, with one kind of blank, dash, apostrophe
// and middle dot, and in Unicode's composed form. Blanks are kept only between
// words that are no ideographs. Variation selectors stay: they choose the form of
// an ideograph that its holder writes.
func Name(s string) string {
	if ideographs(s) {
		return s
	}
	return spaced(dotted([]rune(norm.NFC.String(halfWidth(visible(s))))))
}

// NameKey is the same for two spellings of one name; names are compared only by it. It
// ignores case, variation selectors, radicals and compatibility forms; of dashes,
// blanks and punctuation it keeps only the dots between ideographs.
func NameKey(s string) string {
	if ideographs(s) {
		return s
	}
	shown := []rune(Name(s))
	var b strings.Builder
	for i, r := range shown {
		switch {
		case selector(r):
		case r == Dot:
			if i > 0 && i+1 < len(shown) && Ideograph(before(shown, i)) && Ideograph(shown[i+1]) {
				b.WriteRune(r)
			}
		case r == '-' || r == '\'' || r == '.' || r == ',' || r == ' ' || tibetan(r):
		case r >= 0x02B0 && r <= 0x02FF: // letters that stand for an apostrophe
		default:
			b.WriteRune(ideograph(r))
		}
	}
	// Capitals alone do not compare: ß and ẞ, ς and Σ have several forms.
	return norm.NFC.String(strings.Map(func(r rune) rune { return unicode.ToUpper(unicode.ToLower(r)) }, norm.NFKC.String(b.String())))
}

// CanonicalName is the spelling of a name that evidence providers sign. For names
// stored before names were kept as given, it is the same as it was then
// (docs/SEALING.md describes it).
func CanonicalName(s string) string {
	shown := strings.Map(func(r rune) rune {
		switch {
		case r == '.':
			return Dot
		case selector(r):
			return -1
		}
		return unicode.ToUpper(ideograph(r))
	}, Name(s))
	var b strings.Builder
	last := rune(0)
	for i, word := range strings.Fields(shown) {
		first, _ := utf8.DecodeRuneInString(word)
		if i > 0 && unicode.Is(unicode.Latin, last) && unicode.Is(unicode.Latin, first) {
			b.WriteByte(' ')
		}
		b.WriteString(word)
		last, _ = utf8.DecodeLastRuneInString(word)
	}
	return b.String()
}

// SameName reports whether two spellings are of one name. Neither may be empty.
func SameName(a, b string) bool {
	key := NameKey(a)
	return key != "" && key == NameKey(b)
}

// Letters are the characters of a name as a person counts them: a mark or a
// variation selector belongs to the character before it.
func Letters(name string) []string {
	var out []string
	for _, r := range name {
		if len(out) > 0 && (selector(r) || unicode.IsMark(r)) {
			out[len(out)-1] += string(r)
			continue
		}
		out = append(out, string(r))
	}
	return out
}

// Plain is a name without variation selectors.
func Plain(name string) string {
	return strings.Map(func(r rune) rune {
		if selector(r) {
			return -1
		}
		return r
	}, name)
}

// NameShape reports whether a name that Name returned has only letters, their marks,
// and single dots, dashes and punctuation inside. Ideographs are known by their
// blocks, not by the Unicode tables of this program.
func NameShape(name string) bool {
	previous := Dot // so that a leading dot counts as a double one
	for _, r := range name {
		joins := r == Dot || r == '-'
		switch {
		case joins && (previous == Dot || previous == '-'):
			return false
		case r == '\'' && previous == '\'':
			return false
		case joins, r == '\'', r == ' ':
		case r == '.' || r == ',':
			if Ideograph(previous) || !unicode.IsLetter(previous) && !unicode.IsMark(previous) {
				return false
			}
		case selector(r):
			continue
		case Ideograph(r), unicode.IsLetter(r), unicode.IsMark(r), tibetan(r):
		default:
			return false
		}
		previous = r
	}
	return previous != Dot && previous != '-' && previous != ','
}

// before is the last character before position i that is no variation selector.
func before(s []rune, i int) rune {
	for i--; i >= 0; i-- {
		if !selector(s[i]) {
			return s[i]
		}
	}
	return 0
}

// ideographs reports whether s is nothing but ideographs of the first block, as
// nearly all names are.
func ideographs(s string) bool {
	for _, r := range s {
		if r < 0x4E00 || r > 0x9FFF {
			return false
		}
	}
	return utf8.ValidString(s)
}

// PrivateUse reports whether s has a private-use character that GB 18030 does not
// name; only the system that it came from knows its meaning.
func PrivateUse(s string) bool {
	return strings.ContainsFunc(visible(s), func(r rune) bool { return unicode.Is(unicode.Co, r) })
}

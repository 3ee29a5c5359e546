package written

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// How much longer UTF-8 can get under NFC and NFKC (Unicode Annex 15).
const (
	growth       = 3
	compatGrowth = 11
)

// Passphrase returns the one spelling of a passphrase, in new memory: NFKC, so that full
// and half width and other compatible forms are the same; every kind of space as U+0020;
// no variation selectors, which one keyboard puts behind an emoji or an ideograph and
// another does not; and no spaces in front or behind, which keyboards add to a word that
// they complete. Case stays. Passphrases are secrets: what this makes on the way is
// wiped, in buffers that are large enough from the start, since growing one would leave
// a copy; the caller wipes the result.
func Passphrase(typed []byte) []byte {
	plain := Mapped(typed, func(r rune) rune {
		switch {
		case unicode.Is(unicode.Zs, r):
			return ' '
		case selector(r):
			return -1
		}
		return r
	})
	defer clear(plain)
	whole := norm.NFKC.Append(make([]byte, 0, compatGrowth*len(plain)), plain...)
	defer clear(whole)
	return bytes.Clone(bytes.Trim(whole, " "))
}

// PassphraseNFC is the spelling of passphrases before that: NFC, and every kind of space
// as U+0020.
func PassphraseNFC(typed []byte) []byte {
	spaced := Mapped(typed, func(r rune) rune {
		if unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	})
	defer clear(spaced)
	return norm.NFC.Append(make([]byte, 0, growth*len(spaced)), spaced...)
}

// Unreadable reports whether a passphrase cannot have a character, because nobody sees it
// or nobody can say what it is: control characters, private use, what Unicode has not
// assigned, what it lets displays ignore, and letters and signs that show as empty room.
// Variation selectors are none of them: no spelling by Passphrase has one.
func Unreadable(r rune) bool {
	return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point) || hollow(r)
}

// hollow reports whether r is a letter or sign that Unicode does not call a space, and
// that shows as one.
func hollow(r rune) bool {
	switch r {
	case 0x2800, // empty cell of Braille
		0xFFFC,           // place of an object that is not in the text
		0x13441, 0x13442, // blanks between hieroglyphs
		0x16FE4, // filler of Khitan
		0x1D159: // musical note without a head
		return true
	}
	return false
}

// Mapped is bytes.Map into memory that does not grow: f returns no longer rune.
func Mapped(text []byte, f func(rune) rune) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r = f(r); r >= 0 {
			out = utf8.AppendRune(out, r)
		}
		i += size
	}
	return out
}

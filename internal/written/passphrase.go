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

// Passphrase returns the one spelling of a passphrase, in new memory. It is NFKC, so that
// full and half width and other compatible forms are the same. Every kind of space
// becomes U+0020. Variation selectors are dropped, because only some keyboards put them
// behind an emoji or an ideograph. Spaces at both ends are dropped, because keyboards add
// them to a word that they complete. Case stays. Passphrases are secrets: intermediate
// copies are wiped, and buffers are large enough from the start, since growing one would
// leave a copy; the caller wipes the result.
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

// PassphraseNFC is the earlier spelling of passphrases: NFC, and every kind of space as
// U+0020.
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

// Unreadable reports whether a passphrase may not have a character, because it is
// invisible or its meaning is uncertain: control characters, private use, unassigned code
// points, characters that displays may ignore, and letters and signs that show as empty
// room. Variation selectors are not among them, since Passphrase drops them.
func Unreadable(r rune) bool {
	return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point) || hollow(r)
}

// hollow reports whether r is a letter or sign that shows as a space, although Unicode
// does not call it one.
func hollow(r rune) bool {
	switch r {
	case 0x2800, // empty cell of Braille
		0xFFFC,           // place of an embedded object
		0x13441, 0x13442, // blanks between hieroglyphs
		0x16FE4, // filler of Khitan
		0x1D159: // musical note without a head
		return true
	}
	return false
}

// Mapped is bytes.Map into memory that does not grow: f must not return a longer rune.
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

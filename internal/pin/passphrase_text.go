package pin

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A passphrase's bounds, in characters (Unicode code points as spelt).
const (
	MinPassphrase = 8
	MaxPassphrase = 64
)

// maxTyped bounds the text that is normalised, in bytes. Normalising can make
// text shorter, so it is well above MaxBytes.
const maxTyped = 1024

// How much longer UTF-8 can get under NFC and NFKC (Unicode Annex 15).
const (
	growth       = 3
	compatGrowth = 11
)

// parseWords makes a PIN of text that is not six ASCII digits.
func parseWords(typed []byte) (PIN, error) {
	if len(typed) > maxTyped {
		return PIN{}, badFormat(ReasonTooLong)
	}
	if !utf8.Valid(typed) {
		return PIN{}, badFormat(ReasonEncoding)
	}
	text := canonical(typed)
	defer clear(text)
	if sixDigits(text) { // typed in full width, say
		return newPIN(text), nil
	}
	if reason := refusal(text); reason != "" {
		return PIN{}, badFormat(reason)
	}
	earlier := composed(typed)
	defer clear(earlier)
	if bytes.Equal(earlier, text) || refusal(earlier) != "" {
		return newPIN(text), nil
	}
	return newSpelt(text, earlier), nil
}

// canonical returns the one spelling of what was typed, in new memory: NFKC, so
// that full and half width and other compatible forms are the same; every kind of
// space as U+0020; no variation selectors, which one keyboard puts behind an emoji
// and another does not; and no spaces in front or behind, which keyboards add to a
// word that they complete. Case stays. The buffers are made large enough
// beforehand: growing them would leave copies that are never wiped.
func canonical(typed []byte) []byte {
	plain := mapped(typed, func(r rune) rune {
		switch {
		case unicode.Is(unicode.Zs, r):
			return ' '
		case r >= 0xFE00 && r <= 0xFE0F:
			return -1
		}
		return r
	})
	defer clear(plain)
	whole := norm.NFKC.Append(make([]byte, 0, compatGrowth*len(plain)), plain...)
	defer clear(whole)
	return bytes.Clone(bytes.Trim(whole, " "))
}

// composed is the spelling before FormPassphrase: NFC, and every kind of space as
// U+0020.
func composed(typed []byte) []byte {
	spaced := mapped(typed, func(r rune) rune {
		if unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	})
	defer clear(spaced)
	return norm.NFC.Append(make([]byte, 0, growth*len(spaced)), spaced...)
}

// mapped is bytes.Map into memory that does not grow: f returns no longer rune.
func mapped(text []byte, f func(rune) rune) []byte {
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

// refusal returns why text cannot be a passphrase, or "".
func refusal(text []byte) string {
	n := 0
	for i := 0; i < len(text); n++ {
		r, size := utf8.DecodeRune(text[i:])
		if unicode.Is(unicode.C, r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ReasonCharacter
		}
		i += size
	}
	switch {
	case n < MinPassphrase:
		return ReasonTooShort
	case n > MaxPassphrase:
		return ReasonTooLong
	case len(text) > MaxBytes:
		return ReasonTooWide
	}
	return ""
}

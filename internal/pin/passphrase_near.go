package pin

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/liuma-pin/liuma/internal/written"
)

// RuleNearCommon: the passphrase is a common word, number or date, with signs and obvious digits.
// It goes with RuleCommon.
const RuleNearCommon Rule = "near_common"

// leastWord is the least length of a part of a passphrase that is looked up in the list.
const leastWord = 4

// nearCommon reports whether a folded passphrase is one that is tried soon after the common ones.
// Digits are read for numerals (一二三四五六七八), signs and spaces are left out, and letters are read for
// similar signs (p@ssw0rd). It matches a common word, or one that runs along the keyboard, with
// obvious digits before or behind it (password2024, 123zhang), or nothing but such digits
// (1986-02-14).
func (j *Judge) nearCommon(folded []byte) bool {
	inner := bytes.TrimFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, sign := range []func(rune) rune{unsigned, signedLetter} {
		bare := written.Mapped(inner, func(r rune) rune {
			if v, ok := written.Digit(r); ok {
				return '0' + v
			}
			if r = sign(r); unicode.IsLetter(r) || unicode.IsDigit(r) {
				return r
			}
			return -1
		})
		found := j.often.has(bare) || j.dressed(bare)
		clear(bare)
		if found {
			return true
		}
	}
	return false
}

func unsigned(r rune) rune { return r }

// signedLetter is the letter that a sign looks like.
func signedLetter(r rune) rune {
	switch r {
	case '@':
		return 'a'
	case '$':
		return 's'
	case '!':
		return 'i'
	}
	return r
}

// numberedLetter is the letter that a digit looks like.
func numberedLetter(r rune) rune {
	if i := strings.IndexRune("013457", r); i >= 0 {
		return rune("oieast"[i])
	}
	return r
}

// core is text without the digits before and behind it.
func core(text []byte) []byte { return bytes.TrimFunc(text, isDigit) }

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// dressed reports whether text is a common word between obvious digits, or such digits alone.
func (j *Judge) dressed(text []byte) bool {
	word := core(text)
	if len(word) == 0 {
		return j.foreseen(text)
	}
	at := bytes.Index(text, word)
	return j.foreseen(text[:at]) && j.foreseen(text[at+len(word):]) && j.known(word)
}

// known reports whether a word is in the list, or runs along the keyboard or the
// alphabet.
func (j *Judge) known(word []byte) bool {
	read := written.Mapped(word, numberedLetter)
	defer clear(read)
	letters := bytes.Runes(word)
	defer clear(letters)
	return len(word) >= leastWord && (j.often.has(word) || j.often.has(read)) || len(letters) >= 3 && unforeseen(letters) <= 2
}

// foreseen reports whether digits are obvious: no more than four, a date, a row that runs or
// repeats, a common PIN, or a number in the list.
func (j *Judge) foreseen(digits []byte) bool {
	letters := bytes.Runes(digits)
	defer clear(letters)
	switch n := len(digits); {
	case n <= 4, isDate(digits), unforeseen(letters) <= 3:
		return true
	case n >= 4 && repeats(letters):
		return true
	case n == Digits && j.common.has((*[Digits]byte)(digits)):
		return true
	}
	return j.often.has(digits)
}

// isDate reports whether digits are a date of 1930 to 2039: year, month and day, in
// Chinese, British or American order, the year in two digits or four.
func isDate(d []byte) bool {
	two := func(i int) int { return int(d[i]-'0')*10 + int(d[i+1]-'0') }
	date := func(m, n int) bool { return m >= 1 && m <= 12 && n >= 1 && n <= 31 }
	switch len(d) {
	case 6:
		return date(two(2), two(4)) || date(two(0), two(2)) || date(two(2), two(0))
	case 8:
		year := func(i int) bool { c := two(i)*100 + two(i+2); return c >= 1930 && c <= 2039 }
		return year(0) && date(two(4), two(6)) || year(4) && (date(two(0), two(2)) || date(two(2), two(0)))
	}
	return false
}

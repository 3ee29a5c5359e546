package pin

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/liuma-pin/liuma/internal/written"
)

// minUnforeseen is how many characters of a passphrase must not simply continue the two
// before them.
const minUnforeseen = 7

// passphrase applies the rules for 8 to 64 characters. The holder's numbers are searched
// in its digits alone, so that 1985-03-07 and 138 0013 8000 are found as well.
func (j *Judge) passphrase(secret []byte, h *holder, same bool) []Rule {
	folded := fold(secret)
	defer clear(folded)
	digits := digitsOf(folded)
	defer clear(digits)
	letters := make([]rune, 0, len(folded))
	for i := 0; i < len(folded); {
		r, size := utf8.DecodeRune(folded[i:])
		letters = append(letters, r)
		i += size
	}
	defer clear(letters)

	r := j.rules
	var out []Rule
	add := func(on bool, rule Rule) {
		if on {
			out = append(out, rule)
		}
	}
	add(r.Birthday && h.bornOn(digits), RuleBirthday)
	out = append(out, j.numbers(digits, h)...)
	add(r.Current && same, RuleCurrent)
	add(r.Repeat && repeats(letters), RuleRepeat)
	add(r.Steps && unforeseen(letters) < minUnforeseen, RuleSteps)
	switch {
	case !r.Common:
	case j.often.has(folded):
		out = append(out, RuleCommon)
	case slices.Contains(out, RuleRepeat), slices.Contains(out, RuleSteps): // those rules explain it better
	case j.named(folded, newCalled(h.name)):
		out = append(out, RuleName)
	case j.nearCommon(folded):
		out = append(out, RuleNearCommon)
	}
	return out
}

// fold brings a passphrase to the form that is compared with lists and numbers: letters
// become lower case. The passphrase itself stays as typed, apart from its spelling
// (written.Passphrase).
func fold(secret []byte) []byte {
	folded := make([]byte, 0, 2*len(secret)) // lower case may be longer: U+023A
	for i := 0; i < len(secret); {
		r, size := utf8.DecodeRune(secret[i:])
		folded = utf8.AppendRune(folded, unicode.ToLower(r))
		i += size
	}
	return folded
}

// digitsOf are the digits of a folded passphrase, of any script, and the Chinese numerals.
func digitsOf(folded []byte) []byte {
	digits := make([]byte, 0, len(folded))
	for i := 0; i < len(folded); {
		r, size := utf8.DecodeRune(folded[i:])
		if v, ok := written.Digit(r); ok {
			digits = append(digits, byte('0'+v))
		}
		i += size
	}
	return digits
}

// repeats reports whether there are no more than two different characters, or one piece is
// repeated to the end; the last piece may be cut short (abcabcab).
func repeats(s []rune) bool {
	for piece := 1; piece <= len(s)/2; piece++ {
		if repeatsEvery(s, piece) {
			return true
		}
	}
	first, second, others := s[0], rune(-1), false
	for _, r := range s {
		switch {
		case r == first || r == second:
		case second < 0:
			second = r
		default:
			others = true
		}
	}
	return !others
}

func repeatsEvery(s []rune, piece int) bool {
	for i := piece; i < len(s); i++ {
		if s[i] != s[i-piece] {
			return false
		}
	}
	return true
}

// unforeseen counts the characters that do not continue the two before them:
// by the same step of at most two (aaaa, abcd, 2468), or along a row of the
// keyboard or down it (qwer, lkjh, 1qaz).
func unforeseen(s []rune) int {
	n := min(2, len(s))
	for i := 2; i < len(s); i++ {
		if !continues(s[i-2], s[i-1], s[i]) {
			n++
		}
	}
	return n
}

func continues(a, b, c rune) bool {
	if step := b - a; step == c-b && step >= -2 && step <= 2 {
		return true
	}
	for _, row := range []string{"1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm",
		"1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm"} {
		i, j, k := indexOf(row, a), indexOf(row, b), indexOf(row, c)
		if i >= 0 && j >= 0 && k >= 0 && j-i == k-j && (j-i == 1 || j-i == -1) {
			return true
		}
	}
	return false
}

func indexOf(row string, r rune) int {
	if r >= utf8.RuneSelf {
		return -1
	}
	return strings.IndexByte(row, byte(r))
}

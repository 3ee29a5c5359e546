package written

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Line brings a line of text for people to one spelling: composed, without invisible characters,
// with single blanks and none at its ends. ok is false if it is longer than so many characters, or
// has a character that a line cannot have: a control character, private use, one that turns the
// direction of writing, or markup.
func Line(s string, most int) (line string, ok bool) {
	if len(s) > 4*4*most || !utf8.ValidString(s) {
		return "", false
	}
	line = strings.Join(strings.FieldsFunc(norm.NFC.String(visible(s)), blank), " ")
	bad := strings.ContainsFunc(line, func(r rune) bool {
		return !unicode.IsPrint(r) && r != ' ' || unicode.Is(unicode.Co, r) || r == '<' || r == '>' || unicode.Is(unicode.Cf, r)
	})
	return line, !bad && utf8.RuneCountInString(line) <= most && !PrivateUse(line)
}

// Telephone brings a typed telephone number to its digits, with single dashes in place of dashes,
// blanks, brackets or the word for an extension. Anything else stays for the caller to refuse.
func Telephone(s string) string {
	var parts []string
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool {
		return dash(r) || blank(r) || strings.ContainsRune("()（）转", r)
	}) {
		parts = append(parts, Number(part))
	}
	return strings.Join(parts, "-")
}

// Dialled is the digits of a telephone number, without its marks and China's +86. ok is false if it
// cannot be a number that people dial.
func Dialled(s string) (number string, ok bool) {
	s = strings.TrimPrefix(Number(s), "+86")
	s = strings.NewReplacer("(", "", ")", "").Replace(s)
	if len(s) < 3 || len(s) > 20 || strings.Trim(s, "0123456789") != "" {
		return "", false
	}
	return s, true
}

// Pinyin brings letters that were typed as pinyin, folded by NameKey, to the form of a
// keyboard: ü is V there.
func Pinyin(key string) string {
	return strings.NewReplacer("Ü", "V", "LYU", "LV", "NYU", "NV").Replace(key)
}

// Numerals replaces numerals that are read out as digits by digits, and drops marks over or around
// a character (keycaps).
func Numerals(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.M, r) {
			return -1
		}
		if v, ok := numeral(r); ok {
			return '0' + v
		}
		return r
	}, s)
}

// Digit is the value of a character that is read as a digit: of any script, or a Chinese
// numeral.
func Digit(r rune) (value rune, ok bool) {
	if r >= '0' && r <= '9' {
		return r - '0', true
	}
	if r < 0x80 {
		return 0, false
	}
	if v, ok := numeral(r); ok {
		return v, true
	}
	for _, in := range unicode.Nd.R16 { // each range begins with a zero
		if r >= rune(in.Lo) && r <= rune(in.Hi) {
			return (r - rune(in.Lo)) % 10, true
		}
	}
	for _, in := range unicode.Nd.R32 {
		if r >= rune(in.Lo) && r <= rune(in.Hi) {
			return (r - rune(in.Lo)) % 10, true
		}
	}
	return 0, false
}

// numeral is the value of a Chinese numeral, as numbers are read out.
func numeral(r rune) (value rune, ok bool) {
	const numerals, values = "〇零○一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖", "00012345678912123456789"
	for i, n := range []rune(numerals) {
		if n == r {
			return rune(values[i] - '0'), true
		}
	}
	return 0, false
}

package registry

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"github.com/liuma-pin/liuma"
)

// A name's bounds, in characters.
const (
	minName = 2
	maxName = 50
)

// dot joins the parts of minority names: 阿依古丽·买买提.
const dot = '·'

var (
	errName   = errors.New("registry: name: want 2 to 50 letters, with · inside at most")
	errPhone  = errors.New("registry: phone: want a mobile number of mainland China")
	errCardNo = errors.New("registry: card number: want 8 to 20 letters and digits")
)

// ParseName brings a name to the one spelling in which names are compared: NFC,
// half-width Latin letters in upper case, every kind of middle dot as ·, no
// spaces except a single one between Latin words. It takes 2 to 50 characters.
// Characters outside Unicode's letters (private-use ideographs of old systems
// among them) are refused, because two systems may mean different characters by
// them. The error is CodeBadRequest with Field "name".
func ParseName(s string) (string, error) {
	if len(s) > maxTyped*2 || !utf8.ValidString(s) {
		return "", liuma.FailField(liuma.CodeBadRequest, "name", errName)
	}
	name := spaceName(strings.Map(foldDot, norm.NFC.String(width.Fold.String(s))))
	n := utf8.RuneCountInString(name)
	if n < minName || n > maxName || !nameShape(name) {
		return "", liuma.FailField(liuma.CodeBadRequest, "name", errName)
	}
	return name, nil
}

// foldDot maps the characters that keyboards and older systems write for the
// middle dot.
func foldDot(r rune) rune {
	switch r {
	case '•', '‧', '∙', '⋅', '・', '･', '●', '.', '。', '｡':
		return dot
	}
	return unicode.ToUpper(r)
}

// spaceName drops spaces, except one between two Latin words.
func spaceName(s string) string {
	words := strings.Fields(s)
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			last, _ := utf8.DecodeLastRuneInString(words[i-1])
			first, _ := utf8.DecodeRuneInString(word)
			if unicode.Is(unicode.Latin, last) && unicode.Is(unicode.Latin, first) {
				b.WriteByte(' ')
			}
		}
		b.WriteString(word)
	}
	return b.String()
}

// nameShape allows letters and their marks, 〇 (which Unicode counts as a
// number), and single dots inside.
func nameShape(name string) bool {
	previous := dot // so that a leading dot counts as a double one
	for _, r := range name {
		switch {
		case r == dot && previous == dot:
			return false
		case r == dot, r == ' ', r == '〇', unicode.IsLetter(r), unicode.IsMark(r):
		default:
			return false
		}
		previous = r
	}
	return previous != dot
}

// ParsePhone brings a mobile number of mainland China to its 11 digits. It
// takes +86, 0086, full width, spaces and hyphens. The error is
// CodeBadRequest with Field "phone".
func ParsePhone(s string) (string, error) {
	fail := liuma.FailField(liuma.CodeBadRequest, "phone", errPhone)
	if len(s) > maxTyped {
		return "", fail
	}
	c := strings.ReplaceAll(compact(s), "-", "")
	// The library also reads letters, extensions and text around a number; here
	// such input is no spelling of a phone number.
	if !allDigits(strings.TrimPrefix(c, "+")) || len(c) < 11 || len(c) > 15 {
		return "", fail
	}
	number, err := phonenumbers.Parse(c, "CN")
	if err != nil || number.GetCountryCode() != 86 {
		return "", fail
	}
	if phonenumbers.GetNumberType(number) != phonenumbers.MOBILE {
		return "", fail
	}
	digits := phonenumbers.GetNationalSignificantNumber(number)
	if len(digits) != 11 || digits[0] != '1' {
		return "", fail
	}
	return digits, nil
}

// ParseCardNo brings a social-security card number (社会保障卡卡号, mostly a
// letter and eight digits) to upper case without spaces and hyphens: 8 to 20
// of A-Z and 0-9. The error is CodeBadRequest with Field "card_no".
func ParseCardNo(s string) (string, error) {
	fail := liuma.FailField(liuma.CodeBadRequest, "card_no", errCardNo)
	if len(s) > maxTyped {
		return "", fail
	}
	c := strings.ToUpper(strings.ReplaceAll(compact(s), "-", ""))
	if len(c) < 8 || len(c) > 20 {
		return "", fail
	}
	for i := range len(c) {
		switch {
		case c[i] >= 'A' && c[i] <= 'Z', c[i] >= '0' && c[i] <= '9':
		default:
			return "", fail
		}
	}
	return c, nil
}

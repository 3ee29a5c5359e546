package registry

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/written"
)

// The limits of a name, in characters.
const (
	minName = 2
	maxName = 80
)

var (
	errName   = errors.New("registry: name: want 2 to 80 letters, with · between them at most")
	errPhone  = errors.New("registry: phone: want a mobile number of mainland China")
	errCardNo = errors.New("registry: card number: want 8 to 20 letters and digits")
)

// ParseName brings a name to the form in which it is stored and shown: as it was
// given, cleaned (written.Name). It takes 2 to 80 characters. Names are compared by
// SameName alone. Private-use characters that GB 18030 does not name are refused,
// because two systems may use them for different characters. The error is
// CodeBadRequest with Field "name".
func ParseName(s string) (string, error) {
	fail := liuma.FailField(liuma.CodeBadRequest, "name", errName)
	if len(s) > maxTyped*4 || !utf8.ValidString(s) {
		return "", fail
	}
	name := written.Name(s)
	n := len(written.Letters(name))
	if n < minName || n > maxName || len(name) > maxMember || !written.NameShape(name) || written.NameKey(name) == "" {
		return "", fail
	}
	return name, nil
}

// SameName reports whether two spellings are of the same name. Upper and lower case,
// variants of a character and punctuation make no difference.
func SameName(a, b string) bool { return written.SameName(a, b) }

// ParsePhone brings a mobile number of mainland China to its 11 digits. It accepts
// +86, 0086, full-width characters, everything that written.Number drops, and
// brackets and dots between the digits. The error is CodeBadRequest with Field
// "phone".
func ParsePhone(s string) (string, error) {
	fail := liuma.FailField(liuma.CodeBadRequest, "phone", errPhone)
	if len(s) > maxTyped {
		return "", fail
	}
	c := strings.Map(func(r rune) rune {
		if strings.ContainsRune("().·•", r) {
			return -1
		}
		return r
	}, written.Number(s))
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
// letter and eight digits) to its canonical spelling (written.Number): 8 to 20
// of A-Z and 0-9. The error is CodeBadRequest with Field "card_no".
func ParseCardNo(s string) (string, error) {
	fail := liuma.FailField(liuma.CodeBadRequest, "card_no", errCardNo)
	if len(s) > maxTyped {
		return "", fail
	}
	c := written.Number(s)
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

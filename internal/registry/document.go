package registry

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/written"
)

var (
	errDocumentType  = errors.New("registry: document: no such type")
	errDocumentShape = errors.New("registry: document: the number does not have the form of its type")
	errDocumentState = errors.New("registry: document: no such issuing state")
	errDocumentCheck = errors.New("registry: document: wrong check digit")
)

// lastOldResidence is the last year in which old permanent residence numbers were
// given out. They name the year of birth by two digits.
const lastOldResidence = 2023

// bornForm is the form in which birthdays are kept.
const bornForm = "20060102"

// ParseDocument reads a document in any spelling (written.Number), as ParseIDNumber
// does. An 18-character number gives the same value under every document type that
// may have it, so that it reaches the same row (I-4). It is pure.
//
// Errors: CodeDocumentInvalid; CodeDocumentState for a passport without the state
// that issued it, because two states may give out one number; those of ParseIDNumber.
func ParseDocument(d liuma.Document) (IDNumber, error) {
	if len(d.Number) > maxTyped {
		return IDNumber{}, liuma.Fail(liuma.CodeDocumentInvalid, errDocumentShape)
	}
	number := written.Number(d.Number)
	if written.OtherDigits(number) {
		return IDNumber{}, liuma.Fail(liuma.CodeDocumentInvalid, errDigits)
	}
	var err error
	switch d.Type {
	case liuma.DocumentIDNumber:
		return parsePlain(d.Number)
	case liuma.DocumentPermanentResidence:
		if len(number) == 18 && number[0] == '9' {
			return parsePlain(d.Number)
		}
		err = checkResidence(number)
	case liuma.DocumentPassport:
		number, err = passport(d.Number)
	case liuma.DocumentHKMacaoPermit:
		number, err = hkMacaoPermit(number)
	case liuma.DocumentTaiwanPermit:
		number, err = taiwanPermit(number)
	case liuma.DocumentForeignerNumber:
		if oldResidence(number) { // its holder uses it as the social security number
			return ParseDocument(liuma.Document{Type: liuma.DocumentPermanentResidence, Number: number})
		}
		err = foreignerNumber(number)
	default:
		err = errDocumentType
	}
	if errors.Is(err, errNoState) {
		return IDNumber{}, liuma.Fail(liuma.CodeDocumentState, err)
	}
	if err != nil {
		return IDNumber{}, liuma.Fail(liuma.CodeDocumentInvalid, err)
	}
	text := liuma.Document{Type: d.Type, Number: number}.Text()
	return IDNumber{s: &text}, nil
}

func letters(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' })
}

func lettersAndDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
}

// state reports whether code is the three letters of a state (ISO 3166-1 alpha-3), or
// one of the further codes in passports (ICAO 9303-3): stateless people, refugees,
// the British forms, the United Nations, the European Union.
func state(code string) bool {
	switch code {
	case "XXA", "XXB", "XXC", "XXX", "GBD", "GBN", "GBO", "GBP", "GBS", "UNO", "UNA", "UNK", "EUE", "XOM", "RKS":
		return true
	}
	if len(code) != 3 || !letters(code) {
		return false
	}
	r, err := language.ParseRegion(code)
	return err == nil && r.IsCountry() && r.ISO3() == code
}

var errNoState = errors.New("registry: document: a passport without its issuing state")

// passport splits the issuing state from the number. They must be written apart
// (DEU-C01X00T47, "DEU C01X00T47"), because many numbers begin with letters that are
// also a state's code.
func passport(typed string) (string, error) {
	runes := []rune(typed)
	code, at := "", 0
	for ; at < len(runes) && len(code) < 3; at++ {
		code += written.Number(string(runes[at]))
	}
	if at == len(runes) || len(code) != 3 || !letters(code) || written.Number(string(runes[at])) != "" || at+1 == len(runes) {
		return "", errNoState
	}
	if !state(code) {
		return "", errDocumentState
	}
	number := written.Number(string(runes[at:]))
	if len(number) < 5 || len(number) > 14 || !lettersAndDigits(number) || letters(number) {
		return "", errDocumentShape
	}
	return code + "-" + number, nil
}

// hkMacaoPermit reads H or M and eight digits, which stay with a person. The two
// digits that older permits have after them count the permits, and are dropped.
func hkMacaoPermit(number string) (string, error) {
	if (len(number) != 9 && len(number) != 11) || (number[0] != 'H' && number[0] != 'M') || !allDigits(number[1:]) {
		return "", errDocumentShape
	}
	return number[:9], nil
}

// taiwanPermit reads eight digits, which stay with a person. Older permits have
// two more, which count the permits, and a letter or a digit for who issued it, in
// brackets; both are dropped. A letter may stand there without brackets.
func taiwanPermit(number string) (string, error) {
	if inner, ok := strings.CutSuffix(number, ")"); ok && len(inner) == 12 && inner[10] == '(' && lettersAndDigits(inner[11:]) {
		number = inner[:10]
	}
	switch {
	case len(number) == 8 && allDigits(number):
	case len(number) == 10 && allDigits(number):
	case len(number) == 11 && allDigits(number[:10]) && letters(number[10:]):
	default:
		return "", errDocumentShape
	}
	return number[:8], nil
}

func oldResidence(number string) bool {
	return len(number) == 15 && letters(number[:3]) && allDigits(number[3:])
}

// checkResidence checks the old number of a permanent residence card: the state
// (3 letters), the place of application (4 digits), the birthday (6), a digit of
// order, and a check digit.
func checkResidence(number string) error {
	switch {
	case !oldResidence(number):
		return errDocumentShape
	case !state(number[:3]):
		return errDocumentState
	case residenceCheck(number[:14]) != number[14]:
		return errDocumentCheck
	case residenceBirthday(number) == "":
		return errIDBirthday
	}
	return nil
}

// residenceCheck is the check digit of ICAO 9303: weights 7, 3, 1.
func residenceCheck(s string) byte {
	sum := 0
	for i := range len(s) {
		v := int(s[i] - '0')
		if s[i] >= 'A' {
			v = int(s[i]-'A') + 10
		}
		sum += v * [3]int{7, 3, 1}[i%3]
	}
	return byte('0' + sum%10)
}

// residenceBirthday is the date in an old number, in the later
// century that is possible: a child must never be taken for somebody of a hundred.
func residenceBirthday(number string) string {
	for _, century := range []string{"20", "19"} {
		day, err := time.Parse(bornForm, century+number[7:13])
		if err == nil && day.Year() <= lastOldResidence {
			return day.Format(bornForm)
		}
	}
	return ""
}

// foreignerNumber checks the state's three letters, the digit that is kept in
// reserve, and the passport's number.
func foreignerNumber(number string) error {
	if len(number) < 9 || len(number) > 18 || !lettersAndDigits(number) || !allDigits(number[3:4]) || letters(number[4:]) {
		return errDocumentShape
	}
	if !state(number[:3]) {
		return errDocumentState
	}
	return nil
}

// Document returns the type and the canonical number.
func (n IDNumber) Document() liuma.Document { return DocumentOf(n.Canonical()) }

// DocumentOf is the document of a canonical text, as stored in facts.
func DocumentOf(canonical string) liuma.Document {
	if canonical == "" {
		return liuma.Document{}
	}
	if d, ok := liuma.ParseDocumentText(canonical); ok {
		return d
	}
	return liuma.Document{Type: liuma.DocumentIDNumber, Number: canonical}
}

// Born is the birthday in the number itself, in bornForm, or "".
func (n IDNumber) Born() string { return bornIn(n.Canonical()) }

func bornIn(canonical string) string {
	switch d := DocumentOf(canonical); {
	case d.Type == liuma.DocumentIDNumber && len(d.Number) == 18:
		return d.Number[6:14]
	case d.Type == liuma.DocumentPermanentResidence && oldResidence(d.Number):
		return residenceBirthday(d.Number)
	}
	return ""
}

// MaskIDNumber is the part of a document's number that pages may show: for an
// 18-character one four characters at each end (3305**********1234), for others the
// state, one character and the last two.
func MaskIDNumber(canonical string) string {
	switch d := DocumentOf(canonical); d.Type {
	case liuma.DocumentPassport:
		code, number, ok := strings.Cut(d.Number, "-")
		if !ok {
			return maskMiddle(d.Number, 0, 0)
		}
		return fmt.Sprintf("%s-%s", code, maskMiddle(number, 1, 2))
	case liuma.DocumentPermanentResidence, liuma.DocumentForeignerNumber:
		return maskMiddle(d.Number, 3, 2)
	case liuma.DocumentHKMacaoPermit:
		return maskMiddle(d.Number, 1, 2)
	case liuma.DocumentTaiwanPermit:
		return maskMiddle(d.Number, 1, 2)
	default:
		return maskMiddle(d.Number, 4, 4)
	}
}

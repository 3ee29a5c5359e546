package registry

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/written"
)

const redacted = "[personal data]"

// maxTyped is the longest text that is normalised, in bytes.
const maxTyped = 256

// IDNumber is the number of the document that a person is known by, in its only
// canonical spelling. A citizen identity number (公民身份号码, GB 11643) is 17 ASCII
// digits and a check character, 0 to 9 or X; any other document is its type, a
// colon and its number, so that no two documents are spelled alike: the first has
// no colon, and a type has none. Only ParseIDNumber and ParseDocument make one. It prints redacted, also from unexported fields: fmt
// does not follow the pointer. Compare Canonical, not the value.
type IDNumber struct {
	_ [0]func() // not comparable with ==: that would compare pointers
	s *string
}

var (
	errIDShape    = errors.New("registry: ID number: want 17 digits and a check character")
	errDigits     = errors.New("registry: digits of another script: type them as 0 to 9")
	errIDCheck    = errors.New("registry: ID number: wrong check character")
	errIDBirthday = errors.New("registry: ID number: no such birthday")
)

// ParseIDNumber reads any spelling that a person or a system may send
// (written.Number): full width, with blanks, dashes or invisible characters,
// lower-case x. All of them give the same
// value, and so the same row (I-4). It refuses a wrong check character or an
// impossible birthday with CodeIDNumberInvalid, and the 15-digit numbers that
// ended in 2013 with CodeIDNumber15. It is pure: a birthday may lie between
// 1850 and 2100. The text of another document (liuma.Document.Text) goes to
// ParseDocument.
func ParseIDNumber(s string) (IDNumber, error) {
	if d, ok := liuma.ParseDocumentText(s); ok {
		return ParseDocument(d)
	}
	return parsePlain(s)
}

func parsePlain(s string) (IDNumber, error) {
	if len(s) > maxTyped {
		return IDNumber{}, liuma.Fail(liuma.CodeIDNumberInvalid, errIDShape)
	}
	c := written.Number(s)
	if len(c) == 15 && allDigits(c) {
		return IDNumber{}, liuma.Fail(liuma.CodeIDNumber15, nil)
	}
	if written.OtherDigits(c) {
		return IDNumber{}, liuma.Fail(liuma.CodeIDNumberInvalid, errDigits)
	}
	if err := checkIDNumber(c); err != nil {
		return IDNumber{}, liuma.Fail(liuma.CodeIDNumberInvalid, err)
	}
	return IDNumber{s: &c}, nil
}

func allDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

func checkIDNumber(c string) error {
	if len(c) != 18 || !allDigits(c[:17]) || c[0] == '0' {
		return errIDShape
	}
	if c[17] != 'X' && !allDigits(c[17:]) {
		return errIDShape
	}
	if checkCharacter(c[:17]) != c[17] {
		return errIDCheck
	}
	// time.Parse refuses 31 April and 29 February of other years.
	day, err := time.Parse("20060102", c[6:14])
	if err != nil || day.Year() < 1850 || day.Year() > 2100 {
		return errIDBirthday
	}
	return nil
}

// checkCharacter is ISO 7064 MOD 11-2 over 17 digits.
func checkCharacter(digits string) byte {
	p := 0
	for i := range len(digits) {
		p = (p + int(digits[i]-'0')) * 2 % 11
	}
	return "0123456789X"[(12-p)%11]
}

// Canonical returns the canonical spelling, or "" for the zero IDNumber.
func (n IDNumber) Canonical() string {
	if n.s == nil {
		return ""
	}
	return *n.s
}

// IsZero reports whether n was never parsed.
func (n IDNumber) IsZero() bool { return n.s == nil }

// Birthday returns the date of birth that the number tells, for example 1949, 12,
// 31, or zeros.
func (n IDNumber) Birthday() (year int, month time.Month, day int) {
	t, err := time.Parse(bornForm, n.Born())
	if err != nil {
		return 0, 0, 0
	}
	return t.Date()
}

// Region is where the number was first given out; its holder may live elsewhere. Abolished regions
// are returned as they are. A permanent residence card's number names the province after its 9;
// other documents have the nation.
func (n IDNumber) Region() liuma.Region {
	d := n.Document()
	if d.Type != liuma.DocumentIDNumber {
		return ""
	}
	at := d.Number[:6]
	if at[0] == '9' {
		at = at[1:3]
	}
	r, err := liuma.ParseRegion(at)
	if err != nil { // a residence card's province that begins with 0
		return ""
	}
	return r
}

// Masked returns the number as pages may show it: 3305**********1234.
func (n IDNumber) Masked() string { return MaskIDNumber(n.Canonical()) }

// Format prints a placeholder under every verb.
func (n IDNumber) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs the placeholder.
func (n IDNumber) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText writes the placeholder, for JSON and other encoders.
func (n IDNumber) MarshalText() ([]byte, error) { return []byte(redacted), nil }

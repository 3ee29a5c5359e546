package pin

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/liuma-pin/liuma/internal/written"
)

// Facts are a holder's name and numbers in their canonical spellings (package registry);
// empty ones are not checked. Facts print as ••••••, but fmt shows them in an
// unexported field of another type: pass Facts, do not keep them.
type Facts struct {
	Name     string // checked against passphrases only
	IDNumber string // of any document; digits 7 to 14 of the 18-character one are the birthday
	Birthday string // 20060102, if the number does not tell it
	Phone    string // 11 digits
	Bound    string // the bound phone's number, if it differs from the registry's
	CardNo   string // of the physical card; may begin with letters
}

// Format writes •••••• for every verb and flag.
func (f Facts) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue makes slog write ••••••.
func (f Facts) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText makes text encoders write ••••••.
func (f Facts) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON makes encoding/json write "••••••".
func (f Facts) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// holder is the holder's numbers in the form that the personal rules compare
// with, made from Facts for one Check. It is not wiped: the strings it comes
// from cannot be.
type holder struct {
	name                           string
	idNumber, phone, bound, cardNo number
	birthday                       [][]byte // six digits and more, every order
}

// number is a holder's number in digits, with any other character as '#'.
type number struct{ forward, backward []byte }

func newHolder(f Facts) *holder {
	return &holder{
		name:     f.Name,
		idNumber: newNumber(f.IDNumber),
		phone:    newNumber(f.Phone),
		bound:    newNumber(f.Bound),
		cardNo:   newNumber(f.CardNo),
		birthday: append(birthdays(f.IDNumber), dates([]byte(f.Birthday))...),
	}
}

// newNumber keeps digits, drops separators, and marks every other character.
// Facts should be canonical; but numbers in another spelling must be found as
// well.
func newNumber(s string) number {
	forward := make([]byte, 0, len(s))
	for _, r := range written.Number(s) {
		switch {
		case r >= '0' && r <= '9':
			forward = append(forward, byte(r))
		case r == '.' || r == '+':
		default:
			forward = append(forward, '#')
		}
	}
	backward := bytes.Clone(forward)
	slices.Reverse(backward)
	return number{forward, backward}
}

// shares reports whether digits and n have run digits in a row in common, forwards or
// backwards: a thief who knows a number tries it backwards too.
func (n number) shares(digits []byte, run int) bool {
	for i := 0; i+run <= len(digits); i++ {
		w := digits[i : i+run]
		if bytes.IndexByte(w, '#') >= 0 {
			continue
		}
		if bytes.Contains(n.forward, w) || bytes.Contains(n.backward, w) {
			return true
		}
	}
	return false
}

// birthdays spells the date in an ID number in every way that has six digits or more:
// year, month and day in every order, the year in two or four digits, month and day with
// and without a leading zero, and the year of four digits with only the month or only
// the day. If there is no valid date (in another kind of document), it returns none.
func birthdays(idNumber string) [][]byte {
	id := newNumber(idNumber).forward
	if len(id) != 18 || bytes.IndexByte(id[6:14], '#') >= 0 {
		return nil
	}
	return dates(id[6:14])
}

// dates spells a date of eight digits, year first.
func dates(date []byte) [][]byte {
	if len(date) != 8 {
		return nil
	}
	years := [][]byte{date[:4], date[2:4]}
	months, days := shortened(date[4:6]), shortened(date[6:])
	var all [][]byte
	add := func(parts ...[]byte) {
		if b := bytes.Join(parts, nil); len(b) >= Digits && !slices.ContainsFunc(all, func(a []byte) bool { return bytes.Equal(a, b) }) {
			all = append(all, b)
		}
	}
	for _, y := range years {
		for _, m := range months {
			add(y, m)
			add(m, y)
			for _, d := range days {
				add(y, m, d)
				add(y, d, m)
				add(m, y, d)
				add(d, y, m)
				add(m, d, y)
				add(d, m, y)
			}
		}
		for _, d := range days {
			add(y, d)
			add(d, y)
		}
	}
	return all
}

// shortened returns two digits as they are and, if the first is zero, also without it.
func shortened(two []byte) [][]byte {
	if two[0] == '0' {
		return [][]byte{two, two[1:]}
	}
	return [][]byte{two}
}

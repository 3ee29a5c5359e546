// Package registry holds the facts about people with physical cards: who has
// one, and how to reach them. It guarantees that each number and name has one
// canonical spelling, so that every spelling of an ID number finds the same row
// (I-4), that its data is stored sealed and found by blind index only, and that
// an import changes whole chunks or nothing and never undoes a registry
// client's report about a card. It trusts the file that an operator imports for
// names and numbers, the vault with its keys, and the store with durability.
//
// docs/OPERATIONS.md ("Importing the registry") shows an import.
//
// Start here: Registry, then Facts.
package registry

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/written"
)

// Facts are a holder's data, in canonical spellings. Phone may be empty. They
// print redacted, but fmt shows them in an unexported field of another type:
// pass Facts, do not keep them.
type Facts struct {
	Name     string
	IDNumber string
	Phone    string
	CardNo   string
	Region   liuma.Region // of the agency that issued the card
	// BirthDate is the registry's date of birth (20060102), or empty; Born decides
	// which birthday counts.
	BirthDate string
	// Household is the registry's name of the household that a person lives in, or
	// empty. Only whether two people have the same one matters.
	Household string
	// Address is the postal address on one line, and Postcode its six digits; each
	// may be empty. No page, clerk or channel sees them: they are read when a letter
	// is printed, and when a person's data is written out for them.
	Address, Postcode string
}

// factsVersion is the first byte of the stored form.
const factsVersion = 1

// The stored form is padded to a multiple of factsBlock, so that the length of
// the sealed value does not tell the length of the name: nearly all people need
// two blocks.
const factsBlock = 32

// maxMember is the longest member of stored facts, in bytes.
const maxMember = 255

// ErrFacts says that stored facts are not in the form that Marshal writes.
var ErrFacts = errors.New("registry: stored facts are damaged")

// Marshal returns the stored form, for the vault to seal; the caller wipes it. It is
// a version byte, each member in order as a length byte and UTF-8, and zeros up to a
// multiple of 32 bytes. Later members are at the end and are left out while they are
// empty, so that old and new rows have the same form.
func (f Facts) Marshal() ([]byte, error) {
	members := f.members()
	for len(members) > firstMembers && members[len(members)-1] == "" {
		members = members[:len(members)-1]
	}
	size := 1
	for _, m := range members {
		if len(m) > maxMember || !utf8.ValidString(m) {
			return nil, errors.New("registry: facts: member too long or not UTF-8")
		}
		size += 1 + len(m)
	}
	size = (size + factsBlock - 1) / factsBlock * factsBlock
	out := make([]byte, 1, size)
	out[0] = factsVersion
	for _, m := range members {
		out = append(out, byte(len(m)))
		out = append(out, m...)
	}
	return out[:size], nil
}

// firstMembers is how many members every stored form has.
const firstMembers = 5

func (f Facts) members() []string {
	return []string{f.Name, f.IDNumber, f.Phone, f.CardNo, string(f.Region), f.BirthDate, f.Household, f.Address, f.Postcode}
}

// ParseFacts reads the form that Marshal writes, and no other.
func ParseFacts(stored []byte) (Facts, error) {
	if len(stored) == 0 || len(stored)%factsBlock != 0 || stored[0] != factsVersion {
		return Facts{}, ErrFacts
	}
	rest := stored[1:]
	var members [9]string
	for i := range members {
		if i >= firstMembers && len(rest) == 0 {
			break // a row that fills its blocks
		}
		if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return Facts{}, ErrFacts
		}
		end := 1 + int(rest[0])
		members[i] = string(rest[1:end])
		if !utf8.ValidString(members[i]) {
			return Facts{}, ErrFacts
		}
		rest = rest[end:]
	}
	if len(rest) >= factsBlock || strings.Trim(string(rest), "\x00") != "" {
		return Facts{}, ErrFacts
	}
	region, err := liuma.ParseRegion(members[4])
	if err != nil || string(region) != members[4] {
		return Facts{}, ErrFacts
	}
	return Facts{Name: members[0], IDNumber: members[1], Phone: members[2], CardNo: members[3], Region: region,
		BirthDate: members[5], Household: members[6], Address: members[7], Postcode: members[8]}, nil
}

// Format prints a placeholder under every verb.
func (f Facts) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue logs the placeholder.
func (f Facts) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText writes the placeholder, for JSON and other encoders. Marshal is
// what stores facts.
func (f Facts) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MaskedName is the name as pages may show it; see MaskName.
func (f Facts) MaskedName() string { return MaskName(f.Name) }

// MaskedIDNumber is the ID number as pages may show it; see MaskIDNumber.
func (f Facts) MaskedIDNumber() string { return MaskIDNumber(f.IDNumber) }

// MaskedPhone is the phone as pages may show it; see MaskPhone.
func (f Facts) MaskedPhone() string { return MaskPhone(f.Phone) }

// MaskName keeps the first character, and of three or more the last: 王*,
// 王*奶. A variation selector is left out.
func MaskName(name string) string {
	letters := written.Letters(name)
	for i, l := range letters {
		letters[i] = written.Plain(l)
	}
	switch len(letters) {
	case 0:
		return ""
	case 1:
		return "*"
	case 2:
		return letters[0] + "*"
	}
	return letters[0] + strings.Repeat("*", len(letters)-2) + letters[len(letters)-1]
}

// MaskPhone keeps the first three and the last four digits: 138****5678.
func MaskPhone(phone string) string { return maskMiddle(phone, 3, 4) }

// MaskCardNo keeps the first character and the last three: A*****678.
func MaskCardNo(number string) string { return maskMiddle(number, 1, 3) }

// maskMiddle keeps head characters at the start and tail at the end. A string
// that is too short for that becomes stars.
func maskMiddle(s string, head, tail int) string {
	if len(s) <= head+tail {
		return strings.Repeat("*", len(s))
	}
	return s[:head] + strings.Repeat("*", len(s)-head-tail) + s[len(s)-tail:]
}

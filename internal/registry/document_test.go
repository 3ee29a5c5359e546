package registry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
)

// oldResidenceNumber completes 14 characters of a permanent residence number.
func oldResidenceNumber(s string) string { return s + string(residenceCheck(s)) }

func TestDocumentsHaveOneSpelling(t *testing.T) {
	residence, card := oldResidenceNumber("DEU31016402081"), withCheck("93127619640208123")
	for name, c := range map[string]struct {
		kind liuma.DocumentType
		want string
		as   []string
	}{
		"ID number":            {"id_number", goodID, []string{goodID, "１１０１０５１９４９１２３１００２ｘ", "110105-19491231-002x"}},
		"Hong Kong, residence": {"id_number", withCheck("81000019900101123"), []string{withCheck("81000019900101123")}},
		"residence card":       {"permanent_residence", card, []string{card, " " + card}},
		"old residence":        {"permanent_residence", "permanent_residence:" + residence, []string{residence, strings.ToLower(residence), residence[:3] + " " + residence[3:]}},
		"passport":             {"passport", "passport:DEU-C01X00T47", []string{"DEU-C01X00T47", "deu c01x00t47", "ＤＥＵ－Ｃ０１Ｘ００Ｔ４７", " DEU — C01X 00T47 "}},
		"Hong Kong, permit":    {"hk_macao_permit", "hk_macao_permit:H01234567", []string{"H01234567", "h01234567", "H0123456702", "H 0123 4567"}},
		"Taiwan, permit":       {"taiwan_permit", "taiwan_permit:01234567", []string{"01234567", "0123456703", "0123456703(B)", "0123456703（b）", "0123456703B", "0123456703(2)"}},
		"foreigner":            {"foreigner_number", "foreigner_number:DEU0C01X00T47", []string{"DEU0C01X00T47", "deu0 c01x00t47"}},
		"foreigner, resident":  {"foreigner_number", "permanent_residence:" + residence, []string{residence}},
	} {
		for _, s := range c.as {
			id, err := ParseDocument(liuma.Document{Type: c.kind, Number: s})
			if err != nil || id.Canonical() != c.want {
				t.Errorf("%s, %q: %q, %v", name, s, id.Canonical(), err)
				continue
			}
			again, err := ParseIDNumber(id.Canonical())
			if err != nil || again.Canonical() != c.want {
				t.Errorf("%s: read again: %q, %v", name, again.Canonical(), err)
			}
			if shown := id.Masked(); !strings.Contains(shown, "***") || strings.Contains(shown, id.Document().Number) {
				t.Errorf("%s: shown as %q", name, shown)
			}
			if printed := fmt.Sprintf("%v %+v %#v", id.Document(), id.Document(), id.Document()); strings.Contains(printed, "0") {
				t.Errorf("%s: printed as %q", name, printed)
			}
		}
	}
}

// Two documents of any types and states never reach one row.
func TestNoTwoDocumentsAreSpelledAlike(t *testing.T) {
	seen := map[string]string{}
	for _, d := range []liuma.Document{
		{Type: "passport", Number: "DEU-C01X00T47"}, {Type: "passport", Number: "AUT-C01X00T47"},
		{Type: "passport", Number: "DEU-0C01X00T47"}, {Type: "foreigner_number", Number: "DEU0C01X00T47"},
		{Type: "passport", Number: "DEU-01234567"}, {Type: "taiwan_permit", Number: "01234567"},
		{Type: "hk_macao_permit", Number: "H01234567"}, {Type: "hk_macao_permit", Number: "M01234567"},
		{Type: "id_number", Number: goodID}, {Type: "passport", Number: "CHN-" + goodID[4:]},
	} {
		id, err := ParseDocument(d)
		must(t, err)
		if other, twice := seen[id.Canonical()]; twice {
			t.Errorf("%s and %s are both %s", d.Text(), other, id.Canonical())
		}
		seen[id.Canonical()] = d.Text()
	}
}

func TestDocumentRefusals(t *testing.T) {
	residence := oldResidenceNumber("DEU31016402081")
	wrong := residence[:14] + string('0'+(residence[14]-'0'+1)%10)
	for name, c := range map[string]struct {
		kind   liuma.DocumentType
		number string
		code   liuma.Code
	}{
		"no type":                     {"", goodID, liuma.CodeDocumentInvalid},
		"unknown type":                {"library_card", goodID, liuma.CodeDocumentInvalid},
		"ID number, check":            {"id_number", "110105194912310021", liuma.CodeIDNumberInvalid},
		"ID number, another type":     {"id_number", "passport:DEU-C01X00T47", liuma.CodeIDNumberInvalid},
		"residence, citizen's number": {"permanent_residence", goodID, liuma.CodeDocumentInvalid},
		"residence, check":            {"permanent_residence", wrong, liuma.CodeDocumentInvalid},
		"residence, no such state":    {"permanent_residence", oldResidenceNumber("QQQ31016402081"), liuma.CodeDocumentInvalid},
		"residence, 31 February":      {"permanent_residence", oldResidenceNumber("DEU31016402311"), liuma.CodeDocumentInvalid},
		"passport, no state":          {"passport", "C01X00T47", liuma.CodeDocumentState},
		"passport, state not apart":   {"passport", "DEUC01X00T47", liuma.CodeDocumentState},
		"passport, state alone":       {"passport", "DEU-", liuma.CodeDocumentState},
		"passport, no such state":     {"passport", "QQQ-C01X00T47", liuma.CodeDocumentInvalid},
		"passport, letters alone":     {"passport", "DEU-ABCDEFG", liuma.CodeDocumentInvalid},
		"passport, short":             {"passport", "DEU-C01", liuma.CodeDocumentInvalid},
		"passport, punctuation":       {"passport", "DEU-C01/00T47", liuma.CodeDocumentInvalid},
		"Hong Kong, letter":           {"hk_macao_permit", "K01234567", liuma.CodeDocumentInvalid},
		"Hong Kong, nine digits":      {"hk_macao_permit", "H012345678", liuma.CodeDocumentInvalid},
		"Taiwan, nine digits":         {"taiwan_permit", "012345678", liuma.CodeDocumentInvalid},
		"foreigner, no digit":         {"foreigner_number", "DEUXC01X00T4", liuma.CodeDocumentInvalid},
		"foreigner, no such state":    {"foreigner_number", "QQQ0C01X00T47", liuma.CodeDocumentInvalid},
		"other digits":                {"taiwan_permit", "०१२३४५६७", liuma.CodeDocumentInvalid},
		"empty":                       {"taiwan_permit", "", liuma.CodeDocumentInvalid},
		"long":                        {"passport", "DEU-" + strings.Repeat(" ", 300) + "C01X00T47", liuma.CodeDocumentInvalid},
	} {
		id, err := ParseDocument(liuma.Document{Type: c.kind, Number: c.number})
		wantCode(t, name, err, c.code)
		if !id.IsZero() {
			t.Errorf("%s: a number beside the error", name)
		}
		if err != nil && c.number != "" && strings.Contains(err.Error(), c.number) {
			t.Errorf("%s: the error repeats the number", name)
		}
	}
}

func TestBirthdayOfADocument(t *testing.T) {
	for name, c := range map[string]struct {
		text, born string
		region     liuma.Region
	}{
		"citizen":                  {goodID, "19491231", "110105"},
		"residence card":           {withCheck("93127619640208123"), "19640208", "31"},
		"old residence":            {"permanent_residence:" + oldResidenceNumber("DEU31016402081"), "19640208", ""},
		"old residence, a child's": {"permanent_residence:" + oldResidenceNumber("DEU31011502081"), "20150208", ""},
		"passport":                 {"passport:DEU-C01X00T47", "", ""},
	} {
		id, err := ParseIDNumber(c.text)
		must(t, err)
		if id.Born() != c.born || id.Region() != c.region {
			t.Errorf("%s: born %q, region %q", name, id.Born(), id.Region())
		}
	}
}

// The specimen of ICAO 9303-3: a check digit of the weights 7, 3, 1.
func TestResidenceCheckDigit(t *testing.T) {
	for s, want := range map[string]byte{"520727": '3', "AB2134": '5', "L898902C3": '6'} {
		if got := residenceCheck(s); got != want {
			t.Errorf("%s: %c, want %c", s, got, want)
		}
	}
}

func FuzzParseDocument(f *testing.F) {
	f.Add("id_number", goodID)
	f.Add("permanent_residence", oldResidenceNumber("DEU31016402081"))
	f.Add("passport", "DEU-C01X00T47")
	f.Add("hk_macao_permit", "H0123456702")
	f.Add("taiwan_permit", "0123456703(B)")
	f.Add("foreigner_number", "DEU0C01X00T47")
	f.Fuzz(func(t *testing.T, kind, number string) {
		id, err := ParseDocument(liuma.Document{Type: liuma.DocumentType(kind), Number: number})
		if err != nil {
			switch c := liuma.CodeOf(err); c {
			case liuma.CodeDocumentInvalid, liuma.CodeDocumentState, liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15:
			default:
				t.Errorf("code %s", c)
			}
			return
		}
		again, err := ParseIDNumber(id.Canonical())
		if err != nil || again.Canonical() != id.Canonical() {
			t.Errorf("%q is not canonical: %q, %v", id.Canonical(), again.Canonical(), err)
		}
		if b := id.Born(); b != "" && len(b) != 8 {
			t.Errorf("%q: born %q", id.Canonical(), b)
		}
	})
}

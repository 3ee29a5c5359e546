package liuma_test

import (
	"testing"

	"github.com/liuma-pin/liuma"
)

// There is one way to say each thing: an ID number, or a document.
func TestHolderText(t *testing.T) {
	passport := liuma.Document{Type: "passport", Number: "DEU-C01X00T47"}
	for name, c := range map[string]struct {
		idNumber string
		document liuma.Document
		text     string
		code     liuma.Code
	}{
		"an ID number":            {"11010519491231002X", liuma.Document{}, "11010519491231002X", ""},
		"as it was sent":          {" 1101 05", liuma.Document{}, " 1101 05", ""},
		"a document":              {"", passport, "passport:DEU-C01X00T47", ""},
		"neither":                 {"", liuma.Document{}, "", ""},
		"both":                    {"11010519491231002X", passport, "", liuma.CodeBadRequest},
		"a text as ID number":     {"passport:DEU-C01X00T47", liuma.Document{}, "", liuma.CodeIDNumberInvalid},
		"a document without type": {"", liuma.Document{Number: "1"}, ":1", ""},
	} {
		text, err := liuma.HolderText(c.idNumber, c.document)
		if text != c.text || err == nil && c.code != "" || err != nil && liuma.CodeOf(err) != c.code {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

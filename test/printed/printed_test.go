package printed

import (
	"strings"
	"testing"
)

// TestHas finds a PIN wherever a program would put one, and not within an id.
func TestHas(t *testing.T) {
	t.Parallel()
	const pin, id = "274916", "3f0c274916ab91d0"
	for text, want := range map[string]bool{
		"":                      false,
		"pin=274917":            false,
		"274916":                true,
		"pin=274916 x":          true,
		`{"pin":"274916"}`:      true,
		"deadbeef274916":        true,
		"id=" + id:              false,
		"id=" + id + pin:        false,
		"id=" + id + " " + pin:  true,
		"id=" + id + "," + id:   false,
		strings.Repeat("9", 40): false,
	} {
		if got := Has(text, pin); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

package written_test

import (
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/written"
)

// TestFingerprintIsHeard: all 32 digits as they are read aloud, however they are typed.
func TestFingerprintIsHeard(t *testing.T) {
	f := written.Fingerprint{1, 2, 3}
	said := f.String()
	if got := len(strings.Split(said, " ")); got != 8 || len(said) != 39 {
		t.Errorf("%q is read aloud", said)
	}
	for typed, want := range map[string]bool{
		said:                                  true,
		strings.ReplaceAll(said, " ", ""):     true,
		strings.ReplaceAll(said, " ", "-"):    true,
		said[:34]:                             false,
		said + "0":                            false,
		"":                                    false,
		written.Fingerprint{3, 2, 1}.String(): false,
	} {
		if f.Heard(typed) != want {
			t.Errorf("%q: want %t", typed, want)
		}
	}
}

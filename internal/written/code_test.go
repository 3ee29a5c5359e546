package written_test

import (
	"testing"

	"github.com/liuma-pin/liuma/internal/written"
)

// TestADrawnCodeIsRead: what NewCode draws is what Code reads, however it is typed.
func TestADrawnCodeIsRead(t *testing.T) {
	for size := 1; size < 64; size++ {
		code := written.NewCode(size)
		if len(code) != size {
			t.Errorf("%d characters, want %d", len(code), size)
		}
		if read, formed := written.Code(code); read != code || !formed {
			t.Errorf("%q is read as %q, %t", code, read, formed)
		}
	}
	for typed, want := range map[string]string{"6w3 nkkv-s4ft": "6W3NKKVS4FT", "\u200bＡＢ２３": "AB23", "u2": "V2"} {
		if read, formed := written.Code(typed); read != want || !formed {
			t.Errorf("%q is read as %q, %t", typed, read, formed)
		}
	}
	for _, typed := range []string{"AB01", "I2", "Л2", "２號"} {
		if _, formed := written.Code(typed); formed {
			t.Errorf("%q is a code", typed)
		}
	}
}

// TestAFreezeCodeIsWrittenInGroups: as letters and texts show it, and as Code reads it again.
func TestAFreezeCodeIsWrittenInGroups(t *testing.T) {
	for code, want := range map[string]string{"6W3NKKVS4FT": "6W3 NKKV S4FT", "AB23": "AB23", "": ""} {
		if got := written.FreezeCode(code); got != want {
			t.Errorf("%q is written as %q", code, got)
		}
	}
}

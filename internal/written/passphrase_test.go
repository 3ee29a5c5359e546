package written_test

import (
	"testing"
	"unicode"

	"github.com/liuma-pin/liuma/internal/written"
)

// TestNothingUnseenIsInAPassphrase: of all characters, those that Unicode lets displays
// ignore are dropped by the spelling or refused, and so are some that look like nothing.
func TestNothingUnseenIsInAPassphrase(t *testing.T) {
	ignorable := []*unicode.RangeTable{unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Cf}
	dropped, refused := 0, 0
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if !unicode.In(r, ignorable...) {
			continue
		}
		one := written.Passphrase([]byte("a" + string(r) + "b"))
		switch {
		case string(one) == "ab":
			dropped++
		case written.Unreadable([]rune(string(one))[1]):
			refused++
		default:
			t.Errorf("%U is in the passphrase %q", r, one)
		}
	}
	if dropped != 16+240+4 || refused < 3000 {
		t.Errorf("%d dropped, %d refused", dropped, refused)
	}
	for _, r := range "\u3164\u115f\u1160\uffa0\u2800\ufffc\U00013441\U00016fe4\U0001d159\ue000\u0378\t\u2028" {
		if !written.Unreadable(r) {
			t.Errorf("%U is read", r)
		}
	}
	for _, r := range "a é春〇𠀀😀한ཀ་\u0301·" {
		if written.Unreadable(r) {
			t.Errorf("%U is not read", r)
		}
	}
}

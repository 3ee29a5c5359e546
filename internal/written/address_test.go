package written

import "testing"

// TestAddresses: one spelling, and nothing that a letter should not show.
func TestAddresses(t *testing.T) {
	for typed, want := range map[string]string{
		"":   "",
		"　 ": "",
		" 湖州市  吴兴区\u200b南街７号 ":  "湖州市 吴兴区南街7号",
		"Flat 3, 7 Nanjing Rd.": "Flat 3, 7 Nanjing Rd.",
		"南街7号（东门）3-2#室；转村委会":    "南街7号(东门)3-2#室;转村委会",
		"e\u0301cole 5":         "école 5",
	} {
		if got, ok := Address(typed); !ok || got != want {
			t.Errorf("%q: %q, %v, want %q", typed, got, ok, want)
		}
	}
	for _, typed := range []string{"<b>南街</b>", "南街\n7号", "南街\x007号", "123 456", "南街\ue7fe7号", "\u202e南街{code}", "南街=1"} {
		if got, ok := Address(typed); ok {
			t.Errorf("%q is taken as %q", typed, got)
		}
	}
}

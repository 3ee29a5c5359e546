package letter_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/locale"
)

// TestEveryNoticeIsDecided: of each notice in docs/NOTICES.md docs/LETTERS.md says that it
// goes on paper, as the program does, and then there are words for it in both languages; the
// rest are those of which a letter is of no use.
func TestEveryNoticeIsDecided(t *testing.T) {
	read := func(name string) string {
		raw, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	_, listed, _ := strings.Cut(read("LETTERS.md"), "These go on paper:")
	listed, _, _ = strings.Cut(listed, "Not:")
	never := []string{"every_use", "used_alone", "every_use_off", "rotation_reminder", "pin_locked", "strangers_locked", "phone_changed_old"}
	n := 0
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| at, ").FindAllStringSubmatch(read("NOTICES.md"), -1) {
		name := row[1]
		n++
		if on := letter.OnPaper(name); on == slices.Contains(never, name) || on != strings.Contains(listed, "`"+name+"`") {
			t.Errorf("%s: on paper is %v", name, on)
		}
		for _, lang := range []locale.Lang{locale.Chinese, locale.English} {
			if words := locale.In(lang).Word("letter", name); (words != "") != letter.OnPaper(name) {
				t.Errorf("%s in %s: %q", name, lang, words)
			}
		}
	}
	if n < 26 {
		t.Errorf("only %d notices were read", n)
	}
}

package liuma_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// foldsElsewhere are the files that may map characters of text, with the reason.
var foldsElsewhere = map[string]string{
	"internal/pin/genpassphrases/main.go": "folds a list as they are folded",
	"internal/notify/params.go":           "text that goes out, not text that was typed",
	"internal/registry/parse.go":          "takes brackets and dots out of phones, after written.Number",
	"internal/sheet/lines.go":             "hides digits in an error message, and takes marks out of headings",
	"internal/door/oidc/problem.go":       "characters of an error description",
	"internal/demo/script.go":             "how wide a character shows",
	"internal/visitor/markup.go":          "blanks of HTML",
	"internal/admin/client.go":            "refuses, and maps nothing",
	"internal/audit/reason.go":            "refuses, and maps nothing",
	"internal/policy/file.go":             "refuses, and maps nothing",
	"internal/door/api/wire.go":           "refuses, and maps nothing",
	"internal/directory/directory.go":     "refuses, and maps nothing",
	"internal/sheet/encoding.go":          "names of encodings",
}

var folding = regexp.MustCompile(`strings\.Map\(|norm\.NFK|width\.Fold|unicode\.(Zs|Cf|Pd|IsSpace|IsPrint)|'[０９Ａａ－　]'|strings\.NewReplacer`)

// TestTextIsFoldedInOnePlace looks for code that folds typed or imported text
// beside package written: two places would read one spelling as two people.
func TestTextIsFoldedInOnePlace(t *testing.T) {
	for dir, p := range parse(t) {
		if dir == "internal/written" || !strings.HasPrefix(dir, "internal") {
			continue
		}
		for name := range p.files {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if foldsElsewhere[filepath.ToSlash(name)] != "" {
				continue
			}
			if found := folding.FindAllString(string(raw), -1); len(found) > 0 {
				t.Errorf("%s folds text by itself (%s): call package written", name, strings.Join(slices.Compact(found), ", "))
			}
		}
	}
}

package registry

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
)

var (
	exampleRow  = regexp.MustCompile("(?m)^\\| `([a-z_]+)`[^|\n]* \\| ((?:`[^`|]+`(?:, |、)?)+) \\| [^|\n]+ \\|$")
	exampleSpan = regexp.MustCompile("`([^`]+)`")
)

// TestDocumentsHaveValidExamples: the documents that list the types of documents
// show an example of each, and the doors take it.
func TestDocumentsHaveValidExamples(t *testing.T) {
	for _, name := range []string{"API.md", "CHANNELS.md", "CHANNELS.zh-CN.md", "OPERATIONS.md", "OPERATIONS.zh-CN.md"} {
		raw, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		var shown []liuma.DocumentType
		for _, row := range exampleRow.FindAllStringSubmatch(string(raw), -1) {
			kind := liuma.DocumentType(row[1])
			if !slices.Contains(liuma.DocumentTypes(), kind) {
				continue
			}
			shown = append(shown, kind)
			for _, number := range exampleSpan.FindAllStringSubmatch(row[2], -1) {
				id, err := ParseDocument(liuma.Document{Type: kind, Number: number[1]})
				if err != nil || !strings.HasSuffix(id.Canonical(), number[1]) {
					t.Errorf("%s: %s %s: read as %q, %v", name, kind, number[1], id.Canonical(), err)
				}
			}
		}
		if !slices.Equal(shown, liuma.DocumentTypes()) {
			t.Errorf("%s has examples of %q, want one row for each of %q", name, shown, liuma.DocumentTypes())
		}
	}
}

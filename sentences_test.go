package liuma_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// noSentences have Chinese in their code that is no sentence of the program's.
var noSentences = map[string]string{
	"internal/directory/genregions/": "names of regions in the source's form",
	"internal/admin/admintest/":      "values of tests",
	"internal/agency/":               "words that imports read, readings of characters, names of regions that are none",
	"internal/bench/":                "made-up people",
	"internal/config/comments.go":    "a default, in a comment of the configuration file",
	"internal/door/api/apitest/":     "values of tests",
	"internal/door/api/endpoints.go": "titles of docs/openapi.json, in both languages",
	"internal/door/api/openapi.go":   "titles of docs/openapi.json, in both languages",
	"internal/door/api/purpose.go":   "an example of docs/openapi.json",
	"internal/door/api/wire.go":      "examples and terms of docs/openapi.json",
	"internal/notify/params.go":      "the widest characters, to measure with",
	"internal/registry/age.go":       "a form of dates that imports read",
	"internal/registry/header.go":    "names of columns that imports read",
	"internal/registry/names.go":     "made-up people",
	"internal/registry/row.go":       "words that imports read",
	"internal/rehearsal/":            "made-up people",
	"internal/staff/passkey.go":      "the program's name",
	"internal/store/storetest/":      "values of tests",
	"internal/testkit/":              "values of tests",
	"internal/written/":              "tables of characters",
	"test/gallery/":                  "values and expectations of tests",
}

// TestSentencesStandInTheCatalogue: no Chinese is in the code, Go or TypeScript or
// JavaScript or a page's template, outside package locale: what a person reads can be
// changed there, or in the sample channel's own pair of files, and is said in every
// language.
func TestSentencesStandInTheCatalogue(t *testing.T) {
	used := map[string]bool{}
	excused := func(path string) bool {
		for part := range noSentences {
			if path == part || strings.HasSuffix(part, "/") && strings.HasPrefix(path, part) {
				used[part] = true
				return true
			}
		}
		return false
	}
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); n == "node_modules" || n == "testdata" || n == "dist" || path == "web/test" || n != "." && strings.HasPrefix(n, ".") {
				return fs.SkipDir
			}
			return nil
		}
		ext := filepath.Ext(path)
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "locale/") || !slices.Contains([]string{".go", ".ts", ".js", ".html"}, ext) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if said := chinese(ext, text); said != "" && !excused(path) {
			t.Errorf("%s says %s; put it into the catalogue of its language", path, said)
		}
		return nil
	})
	if err != nil || files < 400 {
		t.Fatalf("%d files, %v", files, err)
	}
	for part := range noSentences {
		if !used[part] {
			t.Errorf("%s has no Chinese any more: take it off the list", part)
		}
	}
}

var (
	htmlComment = regexp.MustCompile(`(?s)\{\{/\*.*?\*/\}\}|<!--.*?-->`)
	tsComment   = regexp.MustCompile(`(?s)/\*.*?\*/|(?m)(^|\s)//.*$`)
)

// chinese returns the first text of a file, comments left out, that has an ideograph.
func chinese(ext string, text []byte) string {
	switch ext {
	case ".html":
		return ideographs(string(htmlComment.ReplaceAll(text, nil)))
	case ".ts", ".js":
		return ideographs(string(tsComment.ReplaceAll(text, nil)))
	}
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile("", -1, len(text)), text, nil, 0)
	for {
		_, tok, literal := s.Scan()
		if tok == token.EOF {
			return ""
		}
		if tok == token.STRING || tok == token.CHAR {
			if said := ideographs(literal); said != "" {
				return said
			}
		}
	}
}

// ideographs returns the first line of a text that has one.
func ideographs(text string) string {
	for line := range strings.Lines(text) {
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// TestChineseIsFound, so that the test above cannot pass for nothing.
func TestChineseIsFound(t *testing.T) {
	for _, tt := range []struct{ ext, text, want string }{
		{".go", "package p\n// 注释\nvar s = `a\n六码`\n", "六码`"}, {".go", "package p\n// 注释\n/* 注释 */\n", ""}, {".go", "package p\nvar r = '码'\n", "'码'"},
		{".ts", "// 注释\n/* 注\n释 */ const a = \"x\"; // 注释\n", ""}, {".ts", "const a = \"看\";\n", `const a = "看";`}, {".js", "const a = `看`; // 注释\n", "const a = `看`;"},
		{".html", "{{/* 注释 */}}<p>{{.T.Name}}</p><!-- 注释 -->", ""}, {".html", "<p>姓名</p>\n", "<p>姓名</p>"},
	} {
		if got := chinese(tt.ext, []byte(tt.text)); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}

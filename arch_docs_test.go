package liuma_test

import (
	"fmt"
	"go/ast"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// The documents and the comments are held against the tree: a link leads
// somewhere, a word that the glossary has is one that the program has, and the
// other way round.

// treeFiles lists the files below the module that people wrote, with slashes.
func treeFiles(t *testing.T, keep func(name string) bool) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		skip := []string{"testdata", "node_modules", "dist", "built"}
		if d.IsDir() && (slices.Contains(skip, d.Name()) || strings.HasPrefix(d.Name(), ".") && p != ".") {
			return fs.SkipDir
		}
		if !d.IsDir() && keep(filepath.ToSlash(p)) {
			found = append(found, filepath.ToSlash(p))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	fenced     = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	inlineCode = regexp.MustCompile("`[^`\n]*`")
	inlineLink = regexp.MustCompile(`\]\(([^)\s]+)(?: "[^"]*")?\)`)
	namedLink  = regexp.MustCompile(`(?m)^\[[^\]]+\]:\s+(\S+)`)
	htmlLink   = regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	heading    = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#*$`)
	linkText   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// headings lists the headings of a Markdown text as they are read.
func headings(text string) []string {
	var found []string
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		found = append(found, strings.NewReplacer("`", "", "*", "").Replace(linkText.ReplaceAllString(m[1], "$1")))
	}
	return found
}

// anchors lists the anchors that code hosts give to the headings of a text.
func anchors(text string) map[string]bool {
	found, times := map[string]bool{}, map[string]int{}
	for _, h := range headings(text) {
		a := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
				return unicode.ToLower(r)
			}
			return -1
		}, h)
		if n := times[a]; n > 0 {
			found[fmt.Sprintf("%s-%d", a, n)] = true
		} else {
			found[a] = true
		}
		times[a]++
	}
	return found
}

// links lists where a Markdown text leads to, but for other sites.
func links(text string) []string {
	text = inlineCode.ReplaceAllString(fenced.ReplaceAllString(text, ""), "")
	var found []string
	for _, re := range []*regexp.Regexp{inlineLink, namedLink, htmlLink} {
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			if u, err := url.Parse(m[1]); err != nil || u.Scheme == "" {
				found = append(found, m[1])
			}
		}
	}
	return found
}

// linkFault says what is wrong with a link of a document, or nothing.
func linkFault(t *testing.T, doc, link string) string {
	t.Helper()
	target, anchor, hasAnchor := strings.Cut(link, "#")
	target, err := url.PathUnescape(target)
	if err != nil {
		return "is no address"
	}
	file := doc
	if target != "" {
		file = path.Join(path.Dir(doc), target)
	}
	if strings.HasPrefix(file, "../") || path.IsAbs(target) {
		return "leads out of the repository"
	}
	if _, err := os.Stat(filepath.FromSlash(file)); err != nil {
		return "leads to no file"
	}
	if !hasAnchor {
		return ""
	}
	if anchor, err = url.PathUnescape(anchor); err != nil || !strings.HasSuffix(file, ".md") || !anchors(readFile(t, file))[anchor] {
		return "leads to no heading"
	}
	return ""
}

// TestLinksLeadSomewhere follows every link of every document to a file, and
// to a heading where it names one.
func TestLinksLeadSomewhere(t *testing.T) {
	docs := treeFiles(t, func(name string) bool { return strings.HasSuffix(name, ".md") })
	seen := 0
	for _, doc := range docs {
		for _, link := range links(readFile(t, doc)) {
			seen++
			if fault := linkFault(t, doc, link); fault != "" {
				t.Errorf("%s: the link %s %s", doc, link, fault)
			}
		}
	}
	if len(docs) < 15 || seen < 100 {
		t.Errorf("found %d links in %d documents: the search is broken", seen, len(docs))
	}
}

// TestDanglingLinksAreSeen shows that the check above notices what it is for.
func TestDanglingLinksAreSeen(t *testing.T) {
	text := "# A `b` c, d\n## A b c d\n[x](docs/none.md) ![y](docs/PINS.md#none) <img src=\"no.png\"> [z](#a-b-c-d-1)\n" +
		"```\n[not](one.md)\n# nor this\n```\n`[nor](this.md)` [web](https://example.org/x#y) [w](docs/PINS.md)\n[n]: gone.md\n"
	want := []string{"docs/none.md", "docs/PINS.md#none", "#a-b-c-d-1", "docs/PINS.md", "gone.md", "no.png"}
	if got := links(text); !slices.Equal(got, want) {
		t.Errorf("links are %q, want %q", got, want)
	}
	if got := slices.Sorted(maps.Keys(anchors(text))); !slices.Equal(got, []string{"a-b-c-d", "a-b-c-d-1"}) {
		t.Errorf("anchors are %q", got)
	}
	for link, want := range map[string]string{
		"docs/none.md":                             "leads to no file",
		"docs/PINS.md#none":                        "leads to no heading",
		"docs/PINS.md#what-a-pin-is":               "",
		"go.mod#module":                            "leads to no heading",
		"../elsewhere.md":                          "leads out of the repository",
		"docs/API.md#problems--%E9%94%99%E8%AF%AF": "",
	} {
		if got := linkFault(t, "README.md", link); got != want {
			t.Errorf("%s: %q, want %q", link, got, want)
		}
	}
}

// reference is a document named in a comment, perhaps with a heading of it:
// docs/NAME.md, docs/NAME.md#anchor, docs/NAME.md, "Heading" or
// docs/NAME.md ("Heading").
var reference = regexp.MustCompile(`docs/([\w/-]+\.(?:md|json))(?:#([\p{L}\p{N}_-]+))?(?:,? \(?"([^"]+)")?`)

// referenceFaults says which documents and headings that a comment names are
// not there.
func referenceFaults(t *testing.T, comment string) []string {
	t.Helper()
	var faults []string
	for _, m := range reference.FindAllStringSubmatch(strings.Join(strings.Fields(comment), " "), -1) {
		file := "docs/" + m[1]
		if _, err := os.Stat(filepath.FromSlash(file)); err != nil {
			faults = append(faults, file+" does not exist")
			continue
		}
		if m[2] != "" && !anchors(readFile(t, file))[m[2]] {
			faults = append(faults, file+" has no anchor #"+m[2])
		}
		if m[3] != "" && !slices.Contains(headings(readFile(t, file)), m[3]) {
			faults = append(faults, fmt.Sprintf("%s has no heading %q", file, m[3]))
		}
	}
	return faults
}

// TestCommentsNameDocumentsThatExist reads every comment of every Go file, and
// every line of the pages' sources.
func TestCommentsNameDocumentsThatExist(t *testing.T) {
	for _, p := range parse(t) {
		for _, files := range []map[string]*ast.File{p.files, p.tests} {
			for name, f := range files {
				if name == "arch_docs_test.go" {
					continue
				}
				for _, group := range f.Comments {
					for _, fault := range referenceFaults(t, group.Text()) {
						t.Errorf("%s: %s", p.fset.Position(group.Pos()), fault)
					}
				}
			}
		}
	}
	sources := treeFiles(t, func(name string) bool {
		return strings.HasPrefix(name, "web/") && slices.Contains([]string{".ts", ".mjs", ".css", ".js"}, path.Ext(name))
	})
	for _, name := range sources {
		for _, fault := range referenceFaults(t, readFile(t, name)) {
			t.Errorf("%s: %s", name, fault)
		}
	}
	for comment, want := range map[string]int{
		"see docs/PINS.md.": 0, "docs/NONE.md": 1, "docs/PINS.md#none": 1, "docs/PINS.md#what-a-pin-is": 0,
		"docs/PINS.md, \"What a\nPIN is\"": 0, "docs/PINS.md (\"What it is\")": 1, "docs/openapi.json": 0,
	} {
		if got := referenceFaults(t, comment); len(got) != want {
			t.Errorf("%q: %q", comment, got)
		}
	}
}

// TestNothingCitesThePlan refuses references to a plan that readers of the
// repository do not have. They were written as its name in capitals.
func TestNothingCitesThePlan(t *testing.T) {
	plan := regexp.MustCompile(`\bDES` + `IGN\b`)
	texts := []string{".go", ".md", ".ts", ".mjs", ".js", ".css", ".html", ".patch", ".txtar", ".sql", ".yaml", ".yml", ".json"}
	for _, name := range treeFiles(t, func(name string) bool { return slices.Contains(texts, path.Ext(name)) }) {
		if plan.MatchString(readFile(t, name)) {
			t.Errorf("%s cites a plan that is not in the repository: say it, or name a document of docs", name)
		}
	}
}

var startLine = regexp.MustCompile(`(?m)^Start here: (.+)`)

// startFault says what is wrong with a package comment's line "Start here:".
// It must name a file of the package, or something that the package declares.
func startFault(p *pkg, doc string) string {
	m := startLine.FindStringSubmatch(doc)
	if m == nil {
		return `has no line that begins "Start here:"`
	}
	names := declared(p.files)
	maps.Copy(names, declared(p.tests))
	for _, word := range strings.FieldsFunc(m[1], func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;()[]", r) }) {
		word = strings.TrimRight(strings.TrimPrefix(word, "*"), ".:")
		if names[word] {
			return ""
		}
		if _, err := os.Stat(filepath.Join(filepath.FromSlash(p.dir), word)); err == nil && word != "" {
			return ""
		}
	}
	return `names nothing in "Start here:" that is there`
}

// TestEveryPackageSaysWhereToStart wants a line "Start here:" in every package
// comment, which names a file or a symbol of the package.
func TestEveryPackageSaysWhereToStart(t *testing.T) {
	pkgs := parse(t)
	for dir, p := range pkgs {
		var doc string
		for _, files := range []map[string]*ast.File{p.files, p.tests} {
			for _, f := range files {
				if f.Doc != nil && len(f.Doc.Text()) > len(doc) {
					doc = f.Doc.Text()
				}
			}
		}
		if fault := startFault(p, doc); fault != "" {
			t.Errorf("the comment of package %q %s", dir, fault)
		}
	}
	root := pkgs[""]
	for doc, ok := range map[string]bool{
		"Package x.\n\nStart here: Verdict and Standing.": true, "Package x.\nStart here: error.go.": true,
		"Package x. Start here: Verdict.": false, "Start here: Nothing.": false, "Start here: none.go": false, "Package x.": false,
	} {
		if got := startFault(root, doc); (got == "") != ok {
			t.Errorf("%q: %q", doc, got)
		}
	}
}

// glossaryRows lists the code spans that open the rows of a section.
func glossaryRows(t *testing.T, section string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(readFile(t, "docs/GLOSSARY.md"), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("docs/GLOSSARY.md has no section %q", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`[^|]*\\|([^|]*)\\|([^|]*)\\|").FindAllStringSubmatch(rest, -1) {
		if strings.TrimSpace(m[2]) == "" || strings.TrimSpace(m[3]) == "" {
			t.Errorf("docs/GLOSSARY.md: the row of %s has an empty cell", m[1])
		}
		if slices.Contains(rows, m[1]) {
			t.Errorf("docs/GLOSSARY.md has two rows for %s", m[1])
		}
		rows = append(rows, m[1])
	}
	return rows
}

// TestGlossaryHasEveryPackage holds the glossary's packages against the tree.
func TestGlossaryHasEveryPackage(t *testing.T) {
	rows, pkgs := glossaryRows(t, "Packages"), parse(t)
	for dir := range pkgs {
		name := dir
		if dir == "" {
			name = "liuma"
		}
		if !slices.Contains(rows, name) {
			t.Errorf("docs/GLOSSARY.md has no row for package %s", name)
		}
	}
	for _, row := range rows {
		if row != "liuma" && pkgs[row] == nil {
			t.Errorf("docs/GLOSSARY.md has a row for package %s, which does not exist", row)
		}
	}
}

// TestGlossaryHasEveryTypeOfTheDomain holds the glossary against the exported
// types of the root package.
func TestGlossaryHasEveryTypeOfTheDomain(t *testing.T) {
	rows, types := glossaryRows(t, "Types of the root package"), []string{}
	for _, f := range parse(t)[""].files {
		for _, d := range f.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range gen.Specs {
				if spec, ok := s.(*ast.TypeSpec); ok && spec.Name.IsExported() {
					types = append(types, "liuma."+spec.Name.Name)
				}
			}
		}
	}
	for _, name := range types {
		if !slices.Contains(rows, name) {
			t.Errorf("docs/GLOSSARY.md has no row for %s", name)
		}
	}
	for _, row := range rows {
		if !slices.Contains(types, row) {
			t.Errorf("docs/GLOSSARY.md has a row for %s, which the root package does not declare", row)
		}
	}
}

// TestExampleIDNumbers: an ID number in a document is one that the doors take, so
// that what is copied from it works. A number that is meant to be wrong is not put
// into a document.
func TestExampleIDNumbers(t *testing.T) {
	number := regexp.MustCompile(`(?:^|[^0-9A-Za-z])([1-9][0-9]{16}[0-9Xx])(?:[^0-9A-Za-z]|$)`)
	files := treeFiles(t, func(name string) bool {
		kind := path.Ext(name)
		return kind == ".md" || (kind == ".json" || kind == ".csv") && (strings.HasPrefix(name, "docs/") || strings.HasPrefix(name, "examples/") || strings.HasPrefix(name, "locale/"))
	})
	found := 0
	for _, name := range files {
		for _, m := range number.FindAllStringSubmatch(readFile(t, name), -1) {
			if found++; checkDigit(m[1][:17]) != strings.ToUpper(m[1])[17] {
				t.Errorf("%s: the check digit of %s is %c", name, m[1], checkDigit(m[1][:17]))
			}
		}
	}
	if found < 10 {
		t.Errorf("found %d ID numbers", found)
	}
}

// checkDigit is GB 11643's, of 17 digits.
func checkDigit(digits string) byte {
	sum := 0
	for i, weight := range [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(digits[i]-'0') * weight
	}
	return "10X98765432"[sum%11]
}

// TestIndexHasEveryPage: docs/README.md leads to every page of docs.
func TestIndexHasEveryPage(t *testing.T) {
	index := map[string]bool{}
	for _, link := range links(readFile(t, "docs/README.md")) {
		file, _, _ := strings.Cut(link, "#")
		index[file] = true
	}
	for _, name := range treeFiles(t, func(name string) bool {
		return strings.HasPrefix(name, "docs/") && strings.Count(name, "/") == 1 && strings.HasSuffix(name, ".md") && name != "docs/README.md"
	}) {
		if page := strings.TrimPrefix(name, "docs/"); !index[page] {
			t.Errorf("docs/README.md does not lead to %s", page)
		}
	}
}

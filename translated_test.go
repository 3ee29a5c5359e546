package liuma_test

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A document that stands in two languages says the same in both. What a reader
// copies (commands, JSON, names of members and codes) is compared here, section by
// section; the sentences are not.

// docSection is what a section of a document has, whatever its language.
type docSection struct {
	level  int             // of its heading
	title  string          // for messages
	code   []string        // lines of code without their comments
	spans  map[string]bool // code within sentences
	files  map[string]bool // where its links lead to
	tables [][]string      // of each row of each table its cells: a number, -, or x for what is translated
}

var (
	codeFence    = regexp.MustCompile("^ *```")
	headingLine  = regexp.MustCompile(`^(#{1,6}) +(.*)$`)
	codeComment  = regexp.MustCompile(`(^|\s+)(#|//)\s.*$`)
	spanOverEnds = regexp.MustCompile("`([^`]+)`")
	numberCell   = regexp.MustCompile(`^[0-9]+[a-z]*$`)
	escapedBar   = strings.NewReplacer(`\|`, "")
)

// docSections takes a Markdown text apart at its headings.
func docSections(text string) []docSection {
	var found []docSection
	var prose strings.Builder
	end := func() {
		if len(found) == 0 {
			return
		}
		s := &found[len(found)-1]
		for _, m := range spanOverEnds.FindAllStringSubmatch(prose.String(), -1) {
			s.spans[strings.Join(strings.Fields(m[1]), " ")] = true
		}
		for _, link := range links(prose.String()) {
			file, _, _ := strings.Cut(link, "#")
			s.files[strings.Replace(file, ".zh-CN.md", ".md", 1)] = true
		}
		prose.Reset()
	}
	fence, indented, table, before := false, false, false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		m := headingLine.FindStringSubmatch(line)
		isCode := strings.HasPrefix(line, "    ") && (indented || before == "")
		isFence := codeFence.MatchString(line)
		switch {
		case isFence || fence:
			found[len(found)-1].addCode(line)
			fence = fence != isFence
		case isCode:
			found[len(found)-1].addCode(line)
		case m != nil:
			end()
			found = append(found, docSection{level: len(m[1]), title: m[2], spans: map[string]bool{}, files: map[string]bool{}})
			prose.WriteString(m[2] + "\n")
		default:
			prose.WriteString(line + "\n")
			if strings.HasPrefix(line, "|") && len(found) > 0 {
				found[len(found)-1].addRow(line, !table)
			}
		}
		indented, table, before = isCode, strings.HasPrefix(line, "|") && !fence, line
	}
	end()
	return found
}

// addCode takes a line of code. Comments may be translated.
func (s *docSection) addCode(line string) {
	if line = strings.TrimRight(codeComment.ReplaceAllString(line, ""), " "); line != "" {
		s.code = append(s.code, line)
	}
}

func (s *docSection) addRow(line string, first bool) {
	if first {
		s.tables = append(s.tables, nil)
	}
	cells := strings.Split(escapedBar.Replace(inlineCode.ReplaceAllString(line, "x")), "|")
	row := ""
	for _, cell := range cells[1 : len(cells)-1] {
		switch cell = strings.TrimSpace(cell); {
		case cell == "":
			row += " -"
		case numberCell.MatchString(cell):
			row += " " + cell
		default:
			row += " x"
		}
	}
	s.tables[len(s.tables)-1] = append(s.tables[len(s.tables)-1], row)
}

// apart says what one set has and the other lacks.
func apart(a, b map[string]bool) string {
	var all []string
	for _, of := range []struct {
		in, from map[string]bool
		says     string
	}{{a, b, "only there"}, {b, a, "only in the translation"}} {
		for _, name := range slices.Sorted(maps.Keys(of.in)) {
			if !of.from[name] {
				all = append(all, fmt.Sprintf("%s: %s", of.says, name))
			}
		}
	}
	return strings.Join(all, "; ")
}

// translationFaults compares a document with its translation.
func translationFaults(original, translated string) []string {
	a, b := docSections(original), docSections(translated)
	if len(a) != len(b) {
		return []string{fmt.Sprintf("%d headings, and %d in the translation", len(a), len(b))}
	}
	var faults []string
	for i, s := range a {
		says := func(format string, args ...any) {
			faults = append(faults, fmt.Sprintf("%q (%s): ", s.title, b[i].title)+fmt.Sprintf(format, args...))
		}
		if s.level != b[i].level {
			says("heading of level %d, want %d", b[i].level, s.level)
		}
		for n := range max(len(s.code), len(b[i].code)) {
			if n >= len(s.code) || n >= len(b[i].code) || s.code[n] != b[i].code[n] {
				says("code differs at line %d of %d and %d: %q", n+1, len(s.code), len(b[i].code), slices.Concat(s.code[min(n, len(s.code)):], []string{""})[0])
				break
			}
		}
		if names := apart(s.spans, b[i].spans); names != "" {
			says("code in sentences: %s", names)
		}
		if names := apart(s.files, b[i].files); names != "" {
			says("links: %s", names)
		}
		if !slices.EqualFunc(s.tables, b[i].tables, slices.Equal) {
			says("rows of tables: %v, want %v", b[i].tables, s.tables)
		}
	}
	return faults
}

// otherWords are Chinese words that stand for a thing which the glossary has
// another word for.
var otherWords = map[string]string{
	"解除冻结": "解冻", "代称": "代号", "关联标识": "代号", "办事窗口": "柜台", "经办窗口": "柜台", "到窗口": "到柜台", "业务号": "业务流水号",
	"电子卡": "电子社保卡", "口令": "密码", "用户": "持卡人",
}

// guides are Chinese texts of their own, for whom the English one beside them is not
// written, or that a program writes: no translations. TestChineseDocument of package config
// holds the members of the configuration against the program.
func guides() []string { return []string{"docs/COUNTER.zh-CN.md", "docs/CONFIGURATION.zh-CN.md"} }

// TestTranslationsAgree: what stands in two languages has the same sections, code,
// names, links and tables in both, and each leads to the other.
func TestTranslationsAgree(t *testing.T) {
	found := 0
	for _, name := range treeFiles(t, func(name string) bool {
		return strings.HasPrefix(name, "docs/") && strings.HasSuffix(name, ".zh-CN.md") && !slices.Contains(guides(), name)
	}) {
		found++
		original := strings.Replace(name, ".zh-CN.md", ".md", 1)
		en, zh := readFile(t, original), readFile(t, name)
		for _, fault := range translationFaults(en, zh) {
			t.Errorf("%s: %s", name, fault)
		}
		if !strings.Contains(en, "\n\n[中文]("+path.Base(name)+")\n\n") {
			t.Errorf("%s does not lead to its translation", original)
		}
		if !strings.Contains(zh, "\n\n[English]("+path.Base(original)+")\n\n") {
			t.Errorf("%s does not lead to its original", name)
		}
		for word, want := range otherWords {
			if strings.Contains(zh, word) {
				t.Errorf("%s says %s, and the word is %s", name, word, want)
			}
		}
	}
	if found < 2 {
		t.Errorf("found %d translations", found)
	}
}

// TestTranslationsApartAreSeen shows that the check above notices what it is for.
func TestTranslationsApartAreSeen(t *testing.T) {
	const text = "# A\n\n[b](b.md) and `liuma\nserve`\n\n    liuma serve  # runs\n\n## B\n\n```json\n{\"a\": 1}\n```\n\n| a | b |\n|---|---|\n| a | 6 |\n| `x|y` | c |\n"
	for name, c := range map[string]struct {
		old, new string
		faults   int
	}{
		"the same":         {"", "", 0},
		"comment":          {"# runs", "# 运行", 0},
		"heading":          {"## B", "## 乙", 0},
		"sentence":         {" and ", "和", 0},
		"translated link":  {"(b.md)", "(b.zh-CN.md)", 0},
		"level":            {"## B", "### B", 1},
		"no heading":       {"## B\n", "", 1},
		"command":          {"    liuma serve", "    liuma start", 1},
		"JSON":             {": 1}", ": 2}", 1},
		"no code":          {"    liuma serve  # runs\n", "", 1},
		"name in sentence": {"liuma\nserve", "liuma start", 1},
		"link":             {"(b.md)", "(c.md)", 1},
		"no row":           {"| `x|y` | c |\n", "", 2},
		"cell":             {" | c |", " | c | d |", 1},
		"empty cell":       {" | c |", " | |", 1},
		"number in a cell": {"| a | 6 |", "| a | 5 |", 1},
	} {
		if got := translationFaults(text, strings.Replace(text, c.old, c.new, 1)); len(got) != c.faults {
			t.Errorf("%s: %q", name, got)
		}
	}
}

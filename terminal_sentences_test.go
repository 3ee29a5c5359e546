package liuma_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// notYetSpoken are the files of the command line whose sentences still stand in the
// code, each with why. Nothing is added to it but for a part that another change
// moves.
var notYetSpoken = map[string]string{}

// notYetTold are the packages whose errors a person at the terminal may meet inside a
// refusal, and which have no sentences in the catalogue but for those that
// cmd/liuma/known.go knows. A package that makes its errors by locale.Refuse leaves
// this list.
var notYetTold = map[string]string{
	"internal/audit":     "what is wrong with an entry of the record",
	"internal/backup":    "what is wrong with a backup",
	"internal/bench":     "the measurements and their Markdown",
	"internal/directory": "lines of a list of regions",
	"internal/keeper":    "files of a keeper",
	"internal/notify":    "wordings of messages",
	"internal/policy":    "lines of a layer",
	"internal/record":    "archives and shipped digests",
	"internal/registry":  "the first line of an import",
	"internal/rehearsal": "the cases of 'liuma channel check'",
	"internal/server":    "files that a server starts with",
	"internal/vault":     "the key file",
}

// TestWhatIsNotToldYet: the list above is of packages that are not moved.
func TestWhatIsNotToldYet(t *testing.T) {
	for dir := range notYetTold {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %d files, %v", dir, len(files), err)
		}
		speaks := false
		for _, path := range files {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			speaks = speaks || len(terminalSentences(t, source)) > 0
			if strings.Contains(string(source), "locale.Refuse") {
				t.Errorf("%s makes errors by the catalogue: take %s off the list once all of it does", path, dir)
			}
		}
		if !speaks {
			t.Errorf("%s has no sentence any more: take it off the list", dir)
		}
	}
}

// noTerminalSentences are texts in the code of the command line that are no sentence:
// by file, the beginning of each.
var noTerminalSentences = map[string][]string{
	"backup.go":        {"%[2]s\n  liuma --data"},                                                       // commands to copy
	"benchshown.go":    {"bcrypt, cost 10"},                                                             // the name of a hash
	"completion.go":    {"_liuma() {", "complete -c liuma"},                                             // scripts of shells
	"help.go":          {`Run "liuma <command> --help"`, "Usage:", "Arguments:", "Flags:", "Commands:"}, // the parser's line, which is replaced
	"init.go":          {" config check", " registry import", " evidence provider add", " channel add", " staff begin", " keeper "},
	"policypropose.go": {"%s\n  liuma policy approve"},       // a command to copy
	"parse.go":         {"^"},                                // what the parser says, to be recognised
	"standin.go":       {"allow_stand_in_evidence: true"},    // a line of the configuration
	"staff.go":         {`eval "$(liuma staff sign-in)"`},    // a command to copy
	"token.go":         {"%s\n%s\ncurl -sS", "%s\ncurl -sS"}, // commands to copy
}

// twoWords are two words of a sentence, one after the other.
// A single word with a capital and a mark is one too.
var twoWords = regexp.MustCompile(`[A-Za-z]{2,}[,;:]? [a-z]{2,}|^[A-Z][a-z]{2,}[.:]\s*$|^[A-Z]{4,}: `)

// spokenText reports whether a text of the code looks like a sentence for a person. The
// name of a command is none.
func spokenText(text string) bool {
	return twoWords.MatchString(text) && !strings.HasPrefix(text, "liuma ")
}

// TestTerminalSpeaksFromTheCatalogue: no English sentence is in the code of the
// command line either, be it help, a result, a warning or an error: the language of
// the terminal chooses it. What is logged stays English.
func TestTerminalSpeaksFromTheCatalogue(t *testing.T) {
	files, err := filepath.Glob("cmd/liuma*/*.go")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	used := map[string]bool{}
	for _, path := range files {
		name := filepath.Base(path)
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range terminalSentences(t, source) {
			if notYetSpoken[name] != "" {
				used[name] = true
				continue
			}
			excused := false
			for _, begin := range noTerminalSentences[name] {
				if strings.HasPrefix(said, begin) {
					excused, used[name+begin] = true, true
				}
			}
			if !excused {
				t.Errorf("%s says %q; put it into locale/zh-CN.json and locale/en.json, as shown.… or refused.…, or as flag.… if it is help", path, said)
			}
		}
	}
	for name := range notYetSpoken {
		if !used[name] {
			t.Errorf("%s has no sentence any more: take it off the list", name)
		}
	}
	for name, begins := range noTerminalSentences {
		for _, begin := range begins {
			if !used[name+begin] {
				t.Errorf("%s has no %q any more: take it off the list", name, begin)
			}
		}
	}
}

// terminalSentences are the texts of a file that look like sentences; those of a tag
// only where they are help, and none that a logger gets.
func terminalSentences(t *testing.T, source []byte) (found []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			if n.Tag != nil && strings.Contains(n.Tag.Value, `help:"`) {
				found = append(found, n.Tag.Value)
			}
			return false
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok {
				if on, ok := s.X.(*ast.Ident); ok && on.Name == "logger" {
					return false
				}
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				if text, err := strconv.Unquote(n.Value); err == nil && spokenText(text) {
					found = append(found, text)
				}
			}
		}
		return true
	})
	return found
}

// TestTerminalSentencesAreFound, so that the test above cannot pass for nothing.
func TestTerminalSentencesAreFound(t *testing.T) {
	for code, want := range map[string]int{
		`fmt.Fprintln(w, "No such entries.")`:                                        1,
		`fmt.Errorf("%s does not open: %w", dir, err)`:                               1,
		`errors.New("the key file is full")`:                                         1,
		`badUsage("liuma channel add", "say where")`:                                 1,
		`fmt.Fprintln(w, "Stopped.")`:                                                1,
		`fmt.Fprintf(w, "%s  %s\n", a, b)`:                                           0,
		`logger.Warn("not ready yet", "err", err)`:                                   0,
		`func() { type c struct { A string ` + "`name:\"a\" help:\"A.\"`" + ` } }()`: 1,
		`func() { type c struct { A string ` + "`name:\"a\"`" + ` } }()`:             0,
	} {
		if got := terminalSentences(t, []byte("package p\nfunc f() { "+code+" }\n")); len(got) != want {
			t.Errorf("%s: %q, want %d", code, got, want)
		}
	}
}

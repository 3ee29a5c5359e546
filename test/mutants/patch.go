package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Mutant is one kept patch that breaks an invariant, and the tests that must
// notice.
type Mutant struct {
	Name      string // file name
	Invariant string // I-1 … I-12, or R-1 … for the rules beside them
	Breaks    string // the fault, in one sentence
	CaughtBy  []Catch
	Files     []FilePatch
}

// Catch names a test: its package, as a directory of the module, and its
// name, with subtests after slashes.
type Catch struct{ Dir, Test string }

func (c Catch) String() string { return c.Dir + " " + c.Test }

// run is the pattern for go test that runs this test and no other.
func (c Catch) run() string {
	parts := strings.Split(c.Test, "/")
	for i, p := range parts {
		parts[i] = "^" + p + "$"
	}
	return strings.Join(parts, "/")
}

// FilePatch is the part of a patch that changes one file.
type FilePatch struct {
	Path  string // slash-separated, below the module
	Hunks []Hunk
}

// Hunk replaces some whole lines by other lines.
type Hunk struct{ Old, New string }

var (
	invariantPattern = regexp.MustCompile(`^[IR]-[1-9][0-9]?$`)
	catchPattern     = regexp.MustCompile(`^(\S+) (Test\w+(?:/\S+)*)$`)
	namePattern      = regexp.MustCompile(`^([ir])([0-9]{2})-[a-z0-9-]+\.patch$`)
)

// ReadMutants reads every patch of a directory, in order of names.
func ReadMutants(dir string) ([]Mutant, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	var all []Mutant
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m, err := ParseMutant(filepath.Base(name), string(b))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
		all = append(all, m)
	}
	return all, nil
}

// ParseMutant reads header lines ("Invariant:", "Breaks:", "Caught-by:") and
// the unified diff after them.
func ParseMutant(name, text string) (Mutant, error) {
	m := Mutant{Name: name}
	header, diff, found := strings.Cut(text, "\n--- ")
	if !found {
		return m, errors.New("no diff")
	}
	for line := range strings.Lines(header) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Invariant":
			m.Invariant = value
		case "Breaks":
			m.Breaks = value
		case "Caught-by":
			c := catchPattern.FindStringSubmatch(value)
			if c == nil {
				return m, fmt.Errorf("want a package and a test, not %q", value)
			}
			m.CaughtBy = append(m.CaughtBy, Catch{Dir: c[1], Test: c[2]})
		case "":
		default:
			return m, fmt.Errorf("unknown header line %q", strings.TrimSpace(line))
		}
	}
	if err := m.checkHeader(); err != nil {
		return m, err
	}
	var err error
	m.Files, err = parseDiff("--- " + diff)
	return m, err
}

func (m Mutant) checkHeader() error {
	if !invariantPattern.MatchString(m.Invariant) || m.Breaks == "" || len(m.CaughtBy) == 0 {
		return errors.New("want the header lines Invariant, Breaks and Caught-by")
	}
	n := namePattern.FindStringSubmatch(m.Name)
	if n == nil || strings.ToUpper(n[1])+"-"+strings.TrimPrefix(n[2], "0") != m.Invariant {
		return fmt.Errorf("a patch against %s is named after it", m.Invariant)
	}
	return nil
}

// parseDiff reads a unified diff as git and diff write it.
func parseDiff(diff string) ([]FilePatch, error) {
	var files []FilePatch
	var hunk *Hunk
	for line := range strings.Lines(diff) {
		switch {
		case strings.HasPrefix(line, "--- "):
			hunk = nil
		case strings.HasPrefix(line, "+++ "):
			p, ok := strings.CutPrefix(strings.TrimSpace(line), "+++ b/")
			if !ok || strings.HasSuffix(p, "_test.go") {
				return nil, fmt.Errorf("want a file below b/ that is no test, not %q", strings.TrimSpace(line))
			}
			files = append(files, FilePatch{Path: p})
		case strings.HasPrefix(line, "@@ "):
			if len(files) == 0 {
				return nil, errors.New("a hunk before its file")
			}
			f := &files[len(files)-1]
			f.Hunks = append(f.Hunks, Hunk{})
			hunk = &f.Hunks[len(f.Hunks)-1]
		case hunk == nil:
			return nil, fmt.Errorf("unexpected line %q", strings.TrimSpace(line))
		case line[0] == ' ':
			hunk.Old += line[1:]
			hunk.New += line[1:]
		case line[0] == '-':
			hunk.Old += line[1:]
		case line[0] == '+':
			hunk.New += line[1:]
		default:
			return nil, fmt.Errorf("unexpected line %q", strings.TrimSpace(line))
		}
	}
	if len(files) == 0 || slices.ContainsFunc(files, func(f FilePatch) bool { return len(f.Hunks) == 0 }) {
		return nil, errors.New("a file without a change")
	}
	return files, nil
}

// Apply changes a file's text. Line numbers are ignored, so that a patch still
// fits after changes elsewhere in its file; instead the lines that it replaces,
// with their context, must be there exactly once.
func (f FilePatch) Apply(text string) (string, error) {
	for i, h := range f.Hunks {
		if h.Old == h.New {
			return "", fmt.Errorf("%s: hunk %d changes nothing", f.Path, i+1)
		}
		at, n := -1, 0
		for from := 0; from <= len(text); {
			next := strings.Index(text[from:], h.Old)
			if next < 0 {
				break
			}
			if from += next; from == 0 || text[from-1] == '\n' {
				at = from
				n++
			}
			from++
		}
		if n != 1 {
			return "", fmt.Errorf("%s: the lines of hunk %d are there %d times; adapt the patch to the code", f.Path, i+1, n)
		}
		text = text[:at] + h.New + text[at+len(h.Old):]
	}
	return text, nil
}

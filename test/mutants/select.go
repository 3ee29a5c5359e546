package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/fnv"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// selection says which mutants to run.
type selection struct {
	only    *regexp.Regexp // by name
	changed []string       // only mutants that one of these files concerns; nil: all mutants
	seed    string         // decides the order if changed is not nil
}

// readFiles reads a list of files as .ci/changed prints it.
func readFiles(r io.Reader) ([]string, error) {
	files := []string{} // not nil: an empty list means that no file changed
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if f := strings.TrimSpace(lines.Text()); f != "" {
			files = append(files, filepath.ToSlash(f))
		}
	}
	return files, lines.Err()
}

// of selects from all mutants. Mutants selected by changed files are in this
// order: first those whose own patch changed, then those whose tests changed,
// then those of patched files. Within these groups the seed decides, so that
// short runs do not always try the same ones.
func (s selection) of(all []Mutant, root string) ([]Mutant, error) {
	weight := map[string]int{}
	picked := slices.DeleteFunc(slices.Clone(all), func(m Mutant) bool { return !s.only.MatchString(m.Name) })
	if s.changed == nil {
		return picked, nil
	}
	files := map[string]bool{}
	for _, f := range s.changed {
		files[f] = true
	}
	var kept []Mutant
	for _, m := range picked {
		w, err := concern(m, files, root)
		if err != nil {
			return nil, err
		}
		if w > 0 {
			weight[m.Name] = w
			kept = append(kept, m)
		}
	}
	slices.SortStableFunc(kept, func(a, b Mutant) int {
		return cmp.Or(cmp.Compare(weight[b.Name], weight[a.Name]), cmp.Compare(s.place(a), s.place(b)))
	})
	return kept, nil
}

func (s selection) place(m Mutant) uint64 {
	h := fnv.New64a()
	io.WriteString(h, s.seed+"\x00"+m.Name)
	return h.Sum64()
}

// concern says how closely a mutant is related to changed files. It is 3 if its
// patch changed, 2 if the file of a test that must catch it did, 1 if a file
// that it patches did, else 0.
func concern(m Mutant, changed map[string]bool, root string) (int, error) {
	if changed[path.Join(patchDir, m.Name)] {
		return 3, nil
	}
	for _, c := range m.CaughtBy {
		file, err := c.file(root)
		if err != nil {
			return 0, err
		}
		if changed[file] {
			return 2, nil
		}
	}
	for _, f := range m.Files {
		if changed[f.Path] {
			return 1, nil
		}
	}
	return 0, nil
}

// file is the file that declares the test, slash-separated, below the module.
func (c Catch) file(root string) (string, error) {
	test, _, _ := strings.Cut(c.Test, "/")
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(c.Dir), "*_test.go"))
	if err != nil {
		return "", err
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if !bytes.Contains(b, []byte("func "+test+"(")) {
			continue // parsing every test of every patch takes seconds
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, b, parser.SkipObjectResolution)
		if err != nil {
			return "", err
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == test {
				return path.Join(c.Dir, filepath.Base(name)), nil
			}
		}
	}
	return "", fmt.Errorf("there is no test %s", c)
}

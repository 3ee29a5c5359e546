// Command changed names the packages that changed files concern, so that
// make quick tests these and no more. It reads the files from standard input,
// one a line and relative to the module, as .ci/changed prints them. It
// guarantees that a package is named if one of its files changed, if its code
// or tests import a package whose code changed, or if its tests mention the
// changed file by its path; and that all are named if go.mod changed. It trusts
// go list. The suites below test/, which are tests alone and start browsers,
// servers and whole systems, are left to make test; it says so on standard error.
//
// Start here: concerned.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "changed:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, r io.Reader, w, aside io.Writer) error {
	var files []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if f := strings.TrimSpace(lines.Text()); f != "" {
			files = append(files, filepath.ToSlash(f))
		}
	}
	if err := lines.Err(); err != nil || len(files) == 0 {
		return err
	}
	packages, err := list(ctx)
	if err != nil {
		return err
	}
	named, err := concerned(packages, files)
	if err != nil {
		return err
	}
	for _, p := range named {
		if p.suite() {
			fmt.Fprintf(aside, "changed, and left to make test: %s\n", p.ImportPath)
			continue
		}
		fmt.Fprintln(w, p.ImportPath)
	}
	return nil
}

// pkg is a package as go list prints it.
type pkg struct {
	ImportPath                         string
	Dir                                string // relative to the module, "." for the module itself
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string

	tests string // the source of its tests
}

// suite reports whether a package is one of the suites below test/.
func (p *pkg) suite() bool { return strings.HasPrefix(p.Dir, "test/") && len(p.GoFiles) == 0 }

func list(ctx context.Context) ([]*pkg, error) {
	module, err := output(ctx, "", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return nil, err
	}
	module = strings.TrimSpace(module)
	out, err := output(ctx, module, "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports,TestGoFiles,XTestGoFiles", "./...")
	if err != nil {
		return nil, err
	}
	var all []*pkg
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		p := &pkg{}
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			b, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			p.tests += string(b)
		}
		if p.Dir, err = filepath.Rel(module, p.Dir); err != nil {
			return nil, err
		}
		p.Dir = filepath.ToSlash(p.Dir)
		all = append(all, p)
	}
}

// output runs the go command in a directory, the working one if it is empty.
func output(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, stderr.String())
	}
	return string(out), nil
}

// concerned returns the packages that the files concern, by import path.
func concerned(packages []*pkg, files []string) ([]*pkg, error) {
	byDir := map[string]*pkg{}
	for _, p := range packages {
		byDir[p.Dir] = p
	}
	code, named := map[string]bool{}, map[*pkg]bool{} // code by import path
	for _, file := range files {
		owner := ownerOf(byDir, file)
		if owner == nil {
			return nil, fmt.Errorf("%s is in no package of the module", file)
		}
		named[owner] = true
		if isCode(owner, file) {
			code[owner.ImportPath] = true
		}
		for _, p := range packages {
			if file == "go.mod" || !strings.HasSuffix(file, ".go") && strings.Contains(p.tests, file) {
				named[p] = true
			}
		}
	}
	for _, p := range packages {
		imports := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
		if slices.ContainsFunc(imports, func(in string) bool { return code[in] }) {
			named[p] = true
		}
	}
	return slices.SortedFunc(maps.Keys(named), func(a, b *pkg) int { return cmp.Compare(a.ImportPath, b.ImportPath) }), nil
}

// isCode says whether a file decides how its package behaves: Go but no test,
// or a file beside it, which may be embedded. Documents are no code, and stand
// nearest to the package of the module itself.
func isCode(owner *pkg, file string) bool {
	if strings.HasSuffix(file, ".go") {
		return path.Dir(file) == owner.Dir && !strings.HasSuffix(file, "_test.go")
	}
	return owner.Dir != "." && !strings.Contains(file, "/testdata/")
}

// ownerOf is the package in whose directory a file is, or the nearest above:
// embedded files, test data and migrations lie below their package.
func ownerOf(byDir map[string]*pkg, file string) *pkg {
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		if p := byDir[dir]; p != nil || dir == "." || dir == "/" {
			return p
		}
	}
}

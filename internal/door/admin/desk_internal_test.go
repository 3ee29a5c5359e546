package admin

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryErrorOfTheCounterHasACode: an error that the counter returns and that no row
// names would reach a terminal as an internal one, without a next step.
func TestEveryErrorOfTheCounterHasACode(t *testing.T) {
	raw, err := os.ReadFile("desk.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../counter/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for _, id := range v.Names {
				if strings.HasPrefix(id.Name, "Err") {
					if found++; !strings.Contains(string(raw), "{counter."+id.Name+", ") {
						t.Errorf("counter.%s has no code", id.Name)
					}
				}
			}
			return true
		})
	}
	if found < 30 {
		t.Errorf("%d errors", found)
	}
}

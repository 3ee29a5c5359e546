package oidc

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"strconv"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// constants reads the string constants of a type from a file, so that none can
// be added without a row.
func constants(t *testing.T, path, kind string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	must(t, err)
	var all []string
	for _, decl := range file.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			if of, ok := v.Type.(*ast.Ident); !ok || of.Name != kind {
				continue
			}
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			must(t, err)
			all = append(all, text)
		}
	}
	if len(all) < 30 {
		t.Fatalf("found %d constants of type %s", len(all), kind)
	}
	return all
}

// registered are the error codes that OAuth (RFC 6749, RFC 9126, RFC 9396) and
// OpenID Connect know.
func registered(name string) bool {
	switch name {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
		"access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable",
		"invalid_authorization_details", "invalid_token", "request_not_supported", "interaction_required":
		return true
	}
	return false
}

func TestEveryCodeHasAnOAuthError(t *testing.T) {
	for _, text := range constants(t, "../../../error.go", "Code") {
		c := liuma.Code(text)
		row, ok := oauthOf(c)
		if !ok || !registered(row.par) || !registered(row.token) || http.StatusText(row.status) == "" || row.status < 400 {
			t.Errorf("%s: %+v", c, row)
		}
		if x := locale.Explain(c, "").What.EN; descriptive(x) != x {
			t.Errorf("%s: %q is no error_description", c, x)
		}
	}
	if row, ok := oauthOf("no_such_code"); ok || row.par != "server_error" || row.token != "server_error" || row.status != 500 {
		t.Errorf("an unknown code: %+v", row)
	}
}

func TestEveryReasonIsExplained(t *testing.T) {
	seen := map[reason]bool{}
	for _, x := range reasons() {
		if x.Text.ZH == "" || x.Text.EN == "" || descriptive(x.Text.EN) != x.Text.EN || seen[x.Reason] {
			t.Errorf("%s: %+v", x.Reason, x)
		}
		if name := nameOf(refuse(x.Reason, ""), PARPath); !registered(name) {
			t.Errorf("%s: %s", x.Reason, name)
		}
		seen[x.Reason] = true
	}
	// Each constant has a row: constants of this package, and aliases of
	// another package's.
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	must(t, err)
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			declared++
			if lit, ok := v.Values[0].(*ast.BasicLit); ok {
				text, err := strconv.Unquote(lit.Value)
				must(t, err)
				if !seen[reason(text)] {
					t.Errorf("reason %s has no row", text)
				}
			}
		}
		return true
	})
	if len(seen) != declared || declared < 30 {
		t.Errorf("%d rows, %d reasons", len(seen), declared)
	}
}

func TestWhatIsUnknownIsNotShown(t *testing.T) {
	if reasons().Has("") {
		t.Error("an empty reason is explained")
	}
	if got := descriptive("a\"b\\c\n中d"); got != "a?b?c??d" {
		t.Errorf("%q", got)
	}
}

package console_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/locale"
)

// sources are the files of a package, without tests.
func sources(t *testing.T, dir string) []*ast.File {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*.go"))
	must(t, err)
	var out []*ast.File
	for _, name := range all {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		must(t, err)
		out = append(out, f)
	}
	if len(out) == 0 {
		t.Fatalf("no source in %s", dir)
	}
	return out
}

// declared are the errors that packages have for their callers, as the console would write
// them.
func declared(t *testing.T, dirs ...string) (out []string) {
	for _, dir := range dirs {
		for _, f := range sources(t, dir) {
			for _, d := range f.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.VAR {
					continue
				}
				for _, s := range g.Specs {
					for _, n := range s.(*ast.ValueSpec).Names {
						if strings.HasPrefix(n.Name, "Err") {
							out = append(out, path.Base(dir)+"."+n.Name)
						}
					}
				}
			}
		}
	}
	return out
}

// listed are the errors that stand first in values of a type.
func listed(t *testing.T, dir, of string) (out []string) {
	name := func(e ast.Expr) {
		if s, ok := e.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				out = append(out, x.Name+"."+s.Sel.Name)
			}
		}
	}
	for _, f := range sources(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			all, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if list, ok := all.Type.(*ast.ArrayType); !ok || !isIdent(list.Elt, of) {
				return true
			}
			for _, e := range all.Elts {
				if one, ok := e.(*ast.CompositeLit); ok && len(one.Elts) > 0 {
					name(one.Elts[0])
				}
			}
			return true
		})
	}
	return out
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// called are the methods of the administration that pages call.
func called(t *testing.T) map[string]bool {
	out := map[string]bool{}
	for _, f := range sources(t, ".") {
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok {
				if s, ok := c.Fun.(*ast.SelectorExpr); ok {
					out[s.Sel.Name] = true
				}
			}
			return true
		})
	}
	return out
}

// TestEveryErrorOfTheAdministrationHasAReason: each error that the administration has for
// its callers is explained by the console, or is of acts that no page has. So none is
// shown as a fault of the program.
func TestEveryErrorOfTheAdministrationHasAReason(t *testing.T) {
	// The acts that give each of these. Where a page gets one of them, the test wants a
	// reason.
	elsewhere := map[string][]string{
		"admin.ErrNoInbox": {"Inbox"}, "admin.ErrImporting": {"ImportRegistry"}, "admin.ErrFile": {"ImportRegistry"}, "admin.ErrFileChanged": {"ImportRegistry"},
		"admin.ErrKeyInUse": {"DropSigningKey"}, "admin.ErrLastDigestKey": {"DropSigningKey"}, "vault.ErrKeySigns": {"DropSigningKey"}, "vault.ErrNoSuchKey": {"DropSigningKey"},
		"vault.ErrRootKeys": {"RotateRootKey"}, "vault.ErrRootSeals": {"DropRootKey"}, "vault.ErrNoRootKey": {"DropRootKey"}, "admin.ErrResealing": {"DropRootKey"}, "keyring.ErrUnconfirmed": {"RotateRootKey", "RotateSigningKey"}, "keyring.ErrUnderWay": {"RotateRootKey", "RotateSigningKey"}, "keyring.ErrMember": {"ConfirmAuthority", "DismissAuthority"}, "keyring.ErrGone": {"ConfirmAuthority"}, "keyring.ErrLately": {"DropSigningKey"}, "vault.ErrNoIdentity": {"ConfirmAuthority", "DismissAuthority"},
		"clock.ErrBehind": {"AcceptClock"}, "clock.ErrNotAhead": {"AcceptClock"}, "admin.ErrArchive": {"KeepArchive"}, "admin.ErrNothingToArchive": {"PlanArchive"},
		"admin.ErrNoKeeper": {"RepairKeeper"}, "admin.ErrRepairing": {"RepairKeeper"}, "admin.ErrPeers": {"RepairKeeper"}, "admin.ErrElsewhere": {"RepairKeeper"}, "admin.ErrPrivateKey": {"ParsePrivateKey"},
		"registry.ErrDigits": {"Minors"}, "registry.ErrPlace": {"Minors"},
		"authority.ErrLive": {"ErasePerson"}, "authority.ErrFrozen": {"ErasePerson"}, "authority.ErrReported": {"ErasePerson"}, "authority.ErrUnderway": {"ErasePerson"},
		"authority.ErrKept": {"ErasePerson"}, "authority.ErrRetire": {"ErasePerson"},
		"admin.ErrAtDesk": {"Letters", "PrintLetters", "LettersPrinted", "PostLetters", "LetterBack"}, "letter.ErrNone": {"PrintLetters", "PostLetters", "LetterBack"},
		"letter.ErrPrinted": {"PrintLetters"}, "letter.ErrNotPrinted": {"PostLetters", "LetterBack"}, "letter.ErrEnded": {"PrintLetters", "PostLetters", "LetterBack"}, "letter.ErrBatch": {"LetterBack"},
		"staff.ErrBegun": {"BeginStaff", "Begin"}, "staff.ErrContest": {"BeginStaff", "Begin"},
	}
	// These are answered otherwise: by the page of signing in; there is no console then;
	// the code of another error in the chain has the words.
	// A call from here is of pages. A policy that is late is "unavailable", by its code.
	otherwise := []string{"admin.ErrOnlyPages", "staff.ErrNobody", "staff.ErrSession", "staff.ErrNoConsole", "admin.ErrCorrection", "edition.ErrLate"}

	all := append(declared(t, "../../admin", "../../staff", "../../proposal", "../../edition", "../../counter"), listed(t, "../admin", "knownError")...)
	if len(all) < 100 {
		t.Fatalf("only %d errors were found", len(all))
	}
	explained, pages := listed(t, ".", "reason"), called(t)
	for _, e := range all {
		switch acts, ok := elsewhere[e]; {
		case slices.Contains(explained, e), slices.Contains(otherwise, e):
		case !ok:
			t.Errorf("%s has no reason on the console", e)
		default:
			for _, act := range acts {
				if pages[act] {
					t.Errorf("%s has no reason on the console, and a page calls %s", e, act)
				}
			}
		}
	}
}

// TestEveryValueOfThePolicyHasAName in every language, so that pages say what a key is.
func TestEveryValueOfThePolicyHasAName(t *testing.T) {
	layers, err := policy.NewLayers(policy.National())
	must(t, err)
	all := layers.Explain("", "")
	if len(all) < 60 {
		t.Fatalf("only %d values", len(all))
	}
	for _, l := range locale.Own().Languages() {
		seen := map[string]string{}
		for _, v := range all {
			name := locale.In(l).Word("policy", v.Value)
			if name == "" {
				t.Errorf("%s: word.policy.%s", l, v.Value)
			}
			if seen[name] != "" {
				t.Errorf("%s: %s and %s are both %q", l, seen[name], v.Value, name)
			}
			seen[name] = v.Value
		}
	}
}

package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/strictjson"
	"github.com/liuma-pin/liuma/locale"
)

// declaredCodes reads the error codes from the root package's source, so that
// none can be added without a status.
func declaredCodes(t *testing.T) []liuma.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []liuma.Code
	for _, decl := range file.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			if kind, ok := v.Type.(*ast.Ident); !ok || kind.Name != "Code" {
				continue
			}
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, liuma.Code(text))
		}
	}
	if len(codes) < 30 {
		t.Fatalf("found %d codes", len(codes))
	}
	return codes
}

func TestEveryCodeHasAStatus(t *testing.T) {
	for _, c := range declaredCodes(t) {
		status, ok := statusOf(c)
		if !ok || http.StatusText(status) == "" || status < 400 {
			t.Errorf("%s: %d", c, status)
		}
		if x := locale.Explain(c, ""); c != liuma.CodeInternal && x == locale.Explain(liuma.CodeInternal, "") {
			t.Errorf("%s is not explained", c)
		}
	}
	if status, ok := statusOf("no_such_code"); ok || status != http.StatusInternalServerError {
		t.Errorf("an unknown code: %d", status)
	}
}

func TestEveryReasonIsExplained(t *testing.T) {
	seen := map[reason]bool{}
	for _, x := range reasons() {
		if x.Text.ZH == "" || x.Text.EN == "" || seen[x.Reason] {
			t.Errorf("%s: %+v", x.Reason, x)
		}
		seen[x.Reason] = true
	}
	// Each reason that the door or its reader can give has a row.
	for _, path := range []string{"reason.go", "../../strictjson/strictjson.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
				if lit, ok := v.Values[0].(*ast.BasicLit); ok {
					if text, _ := strconv.Unquote(lit.Value); !seen[reason(text)] && text != string(strictjson.Deep) { // a shape is as deep as it is
						t.Errorf("reason %s is not listed", text)
					}
				}
			}
			return true
		})
	}
	for _, r := range []reason{door.ReasonMethod, door.ReasonContentType, door.ReasonContentEncoding, door.ReasonQuery, door.ReasonBody, door.ReasonClientStopped} {
		if !seen[r] {
			t.Errorf("shared reason %s is not listed", r)
		}
	}
}

func isKnown(c liuma.Code) bool {
	_, ok := statusOf(c)
	return ok
}

func TestOneRefusalFoldsTheRest(t *testing.T) {
	for _, c := range []liuma.Code{liuma.CodeWrong, liuma.CodeLocked, liuma.CodeBlocked, liuma.CodeFrozen, liuma.CodeCancelled,
		liuma.CodeNotInRegistry, liuma.CodeNotFound, liuma.CodeAlreadyEnrolled, liuma.CodeEvidenceRequired, liuma.CodeChangeUnderWay, liuma.CodeRefused} {
		left := 3
		e := door.Shown(httptest.NewRequest("GET", "/", nil), oneRefusal(&liuma.Error{Code: c, TriesLeft: &left, Until: time.Now(), Field: "f", Reason: "r"}), isKnown)
		if *e != (liuma.Error{Code: liuma.CodeRefused}) {
			t.Errorf("%s shows %+v", c, e)
		}
	}
}

// TestAHotlineLearnsNoMore: for every error about a card or its holder, a
// hotline gets the answer that there is nothing to freeze.
func TestAHotlineLearnsNoMore(t *testing.T) {
	for _, c := range []liuma.Code{liuma.CodeNotInRegistry, liuma.CodeCancelled, liuma.CodeFrozen, liuma.CodeLocked, liuma.CodeNotFound, liuma.CodeRefused} {
		left := 3
		e := door.Shown(httptest.NewRequest("GET", "/", nil), nothingToFreeze("", &liuma.Error{Code: c, TriesLeft: &left, Until: time.Now(), Field: "f", Reason: "r"}), isKnown)
		e.Cause = nil
		if *e != (liuma.Error{Code: liuma.CodeNotFound, Field: "id_number"}) {
			t.Errorf("%s shows %+v", c, e)
		}
	}
	got := viewHotlineFreeze(authority.Verification{BusinessNo: "b", Action: liuma.ActionFreeze, State: authority.StateDecided, Card: "handle", Verdict: liuma.Right})
	if got != (hotlineFreezeView{BusinessNo: "b", Action: "freeze", State: "decided"}) {
		t.Errorf("%+v", got)
	}
}

func TestTokenCache(t *testing.T) {
	c := newTokenCache(2)
	key := func(b byte) [32]byte { return [32]byte{b} }
	for i := range byte(3) {
		c.put(key(i), checkedToken{keyID: string('a' + rune(i))})
		c.get(key(0)) // stays in use
	}
	for i, want := range []bool{true, false, true} {
		if _, ok := c.get(key(byte(i))); ok != want {
			t.Errorf("token %d: kept %t", i, ok)
		}
	}
	c.put(key(2), checkedToken{keyID: "again"})
	if got, _ := c.get(key(2)); got.keyID != "again" || c.len() != 2 {
		t.Errorf("%+v, %d kept", got, c.len())
	}
}

func TestDigestTellsPartsApart(t *testing.T) {
	seen := map[[32]byte]string{}
	for _, q := range [][3]string{{"POST", "/a", "b"}, {"POST", "/ab", ""}, {"POS", "T/a", "b"}, {"POST", "/a", "b "}, {"GET", "/a", "b"}, {"POST", "", "/ab"}} {
		sum := digest(q[0], q[1], []byte(q[2]))
		if other, twice := seen[sum]; twice {
			t.Errorf("%q and %s have one digest", q, other)
		}
		seen[sum] = q[0] + q[1] + q[2]
	}
	if again := digest("POST", "/a", []byte("b")); seen[again] != "POST/ab" {
		t.Error("one request has two digests")
	}
}

// TestPendingIsNotUndecided: the explanation of a request that is under way
// must not say that it will never have a verdict.
func TestPendingIsNotUndecided(t *testing.T) {
	pending := viewVerification(authority.Verification{BusinessNo: "b", Action: liuma.ActionVerify, State: authority.StatePending, Code: liuma.CodeUndecided}, "")
	if pending.State != "pending" || pending.Code != "" || pending.TitleZH != "" {
		t.Errorf("%+v", pending)
	}
	final := viewVerification(authority.Verification{BusinessNo: "b", Action: liuma.ActionVerify, State: authority.StateUndecided, Code: liuma.CodeUndecided}, "")
	if final.State != "undecided" || final.Code != "undecided" || final.NextStepEN == "" {
		t.Errorf("%+v", final)
	}
}

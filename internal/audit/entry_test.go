package audit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
)

func whole() audit.Entry {
	return audit.Entry{At: time.UnixMilli(1), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"}
}

func TestValidate(t *testing.T) {
	if err := whole().Validate(); err != nil {
		t.Errorf("a whole entry: %v", err)
	}
	for missing, take := range map[string]func(*audit.Entry){
		"no time":    func(e *audit.Entry) { e.At = time.Time{} },
		"no actor":   func(e *audit.Entry) { e.Actor = "" },
		"no event":   func(e *audit.Entry) { e.Event = "" },
		"no outcome": func(e *audit.Entry) { e.Outcome = "" },
	} {
		e := whole()
		take(&e)
		if err := e.Validate(); err == nil || !strings.HasSuffix(err.Error(), missing) {
			t.Errorf("%s: error %v", missing, err)
		}
	}
	err := audit.Entry{}.Validate()
	if err == nil || strings.Count(err.Error(), "no ") != 4 {
		t.Errorf("an empty entry: %v, want all four", err)
	}
}

// TestEvents reads the list of events from the source: each is noun.verb, and
// no two are the same.
func TestEvents(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "entry.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^[a-z]+\.[a-z]+$`)
	seen := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if typ, isEvent := spec.Type.(*ast.Ident); !ok || !isEvent || typ.Name != "Event" {
			return true
		}
		value, err := strconv.Unquote(lit.Value)
		if err != nil || !form.MatchString(value) {
			t.Errorf("event %s is %s, want noun.verb", spec.Names[0].Name, lit.Value)
		}
		if other, twice := seen[value]; twice {
			t.Errorf("%s and %s are both %q", other, spec.Names[0].Name, value)
		}
		seen[value] = spec.Names[0].Name
		return true
	})
	if len(seen) < 20 {
		t.Errorf("found %d events, so the search is broken", len(seen))
	}
}

// TestEntryHasNoRoomForPersonalData checks that all members of Entry are
// identifiers or words: whoever adds a member must decide here that it is one.
func TestEntryHasNoRoomForPersonalData(t *testing.T) {
	allowed := map[string]reflect.Type{
		"At": reflect.TypeFor[time.Time](), "Actor": reflect.TypeFor[string](),
		"Event": reflect.TypeFor[audit.Event](), "Card": reflect.TypeFor[liuma.CardID](),
		"BusinessNo": reflect.TypeFor[liuma.BusinessNo](), "Outcome": reflect.TypeFor[string](),
		"Note": reflect.TypeFor[string](),
	}
	placed := map[string]reflect.Type{
		"Entry": reflect.TypeFor[audit.Entry](), "Place": reflect.TypeFor[audit.Place](), "ID": reflect.TypeFor[audit.EntryID](),
		"Previous": reflect.TypeFor[audit.Hash](), "After": reflect.TypeFor[audit.Place](),
		"Stream": reflect.TypeFor[audit.Stream](), "Number": reflect.TypeFor[uint64](),
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[audit.Recorded]()) {
		if placed[f.Name] == f.Type {
			continue
		}
		if allowed[f.Name] != f.Type {
			t.Errorf("member %s of type %v is not on the list", f.Name, f.Type)
		}
	}
}

package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

func shapeOf[B any](t testing.TB) *strictjson.Shape {
	t.Helper()
	s, err := compile(reflect.TypeFor[B](), huma.NewMapRegistry("#/", huma.DefaultSchemaNamer))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCompileRefuses: a body type that the decoder would not hold to its
// published schema must not come up.
func TestCompileRefuses(t *testing.T) {
	registry := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	type number struct {
		N int `json:"n"`
	}
	type unbounded struct {
		S string `json:"s"`
	}
	type list struct {
		L []string `json:"l" maxLength:"3"`
	}
	for _, v := range []any{number{}, unbounded{}, list{}} {
		if _, err := compile(reflect.TypeOf(v), registry); err == nil {
			t.Errorf("%T: accepted", v)
		}
	}
}

// TestSchemaIsEnforced drives every limit of every published body from the
// schema itself.
func TestSchemaIsEnforced(t *testing.T) {
	registry := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	members, err := membersOf(reflect.TypeFor[verifyRequest](), registry)
	if err != nil {
		t.Fatal(err)
	}
	published := registry.Schema(reflect.TypeFor[verifyRequest](), false, "").Properties
	for _, m := range members {
		if m.Object != nil {
			continue
		}
		longest, shortest := *published[m.Name].MaxLength, 0
		if published[m.Name].MinLength != nil {
			shortest = *published[m.Name].MinLength
		}
		if got := m.Text.Check(strings.Repeat("x", longest+1)); got != strictjson.Long {
			t.Errorf("%s of %d characters: %q", m.Name, longest+1, got)
		}
		if got := m.Text.Check(strings.Repeat("中", longest+1)); got != strictjson.Long {
			t.Errorf("%s of %d wide characters: %q", m.Name, longest+1, got)
		}
		if shortest > 0 {
			if got := m.Text.Check(strings.Repeat("x", shortest-1)); got != strictjson.Short {
				t.Errorf("%s of %d characters: %q", m.Name, shortest-1, got)
			}
		}
	}
}

func TestShowable(t *testing.T) {
	for text, want := range map[string]bool{
		"查询社保缴费年限": true, "Contribution years": true, "A　B": true,
		" a": false, "a ": false, "a\u00a0b": false, "a\u200bb": false, "a\u202eb": false, "a\u2066b": false, "a\nb": false, "a\ue000": false, "　a": false, "\ufeffa": false,
	} {
		if text != "" && (liuma.Purpose(text).Check() == nil) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}

func BenchmarkStrict(b *testing.B) {
	s := shapeOf[verifyRequest](b)
	body, err := json.Marshal(verifyRequest{BusinessNo: "ZJ20260401-000019", Subject: anySubject{Card: "0123456789abcdef0123456789abcdef"}, Region: "3305",
		Purpose: purposeBody{ZH: "查询社保缴费年限", EN: "See your years of contribution"}, Challenge: strings.Repeat("c", 54), PIN: sealedPIN{KID: "k1", Enc: strings.Repeat("e", 87), CT: strings.Repeat("c", 363)}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var into verifyRequest
		if err := s.Decode(body, &into); err != nil {
			b.Fatal(err)
		}
	}
}

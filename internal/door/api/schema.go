package api

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/liuma-pin/liuma/internal/strictjson"
)

// compile makes the shape of a body type from its schema in the registry. The
// published schema and the enforced rules cannot differ, because both come from the
// same huma.Schema. A schema keyword that the reader does not enforce is refused
// here. Bodies hold strings and objects only.
func compile(t reflect.Type, registry huma.Registry) (*strictjson.Shape, error) {
	members, err := membersOf(t, registry)
	if err != nil {
		return nil, err
	}
	shape, err := strictjson.NewShape(members)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", t.Name(), err)
	}
	return shape, nil
}

func membersOf(t reflect.Type, registry huma.Registry) ([]strictjson.Member, error) {
	schema := registry.Schema(t, false, "")
	required := map[string]bool{}
	for _, name := range schema.Required {
		required[name] = true
	}
	if extra, ok := schema.AdditionalProperties.(bool); !ok || extra {
		return nil, fmt.Errorf("schema of %s allows unknown members", t.Name())
	}
	var members []strictjson.Member
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" { // the one text of a purpose
			continue
		}
		m := strictjson.Member{Name: name, Field: i, Required: required[name]}
		var err error
		switch p := schema.Properties[name]; {
		case p == nil:
			err = errors.New("not published")
		case f.Type == reflect.TypeFor[purposeBody]():
			m, err = eitherOf(m, p, registry)
		case f.Type.Kind() == reflect.Struct:
			m.Object, err = compile(f.Type, registry)
		case f.Type.Kind() != reflect.String || p.MaxLength == nil:
			err = errors.New("want a string with a maxLength")
		default:
			m.Text, err = textOf(p)
		}
		if err != nil {
			return nil, fmt.Errorf("schema of %s: member %q: %w", t.Name(), name, err)
		}
		members = append(members, m)
	}
	return members, nil
}

func textOf(p *huma.Schema) (strictjson.Text, error) {
	shortest := 0
	if p.MinLength != nil {
		shortest = *p.MinLength
	}
	var choices []string
	for _, e := range p.Enum {
		choices = append(choices, fmt.Sprint(e))
	}
	return strictjson.NewText(shortest, *p.MaxLength, p.Pattern, choices)
}

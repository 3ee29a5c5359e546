package oidc

import (
	"bytes"
	_ "embed"
	"errors"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

// schemaSource is the published schema of authorization_details, which is also
// the schema that is enforced. A test checks that docs/liuma_pin.schema.json is
// the same file.
//
//go:embed liuma_pin.schema.json
var schemaSource []byte

const (
	detailsName = "authorization_details"
	detailsType = "liuma_pin"
	// deepest is the deepest nesting of the JSON: array, object, holder, and its
	// document or a wrong member.
	deepest = 4
)

func compileDetails() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaSource))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	const url = "urn:liuma:schema:liuma_pin:1"
	if err := c.AddResource(url, doc); err != nil {
		return nil, err
	}
	return c.Compile(url)
}

// noLoader keeps the compiler from reading files or the network.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errors.New("the schema refers to another") }

// parseDetails reads the authorization_details parameter: strict JSON in which no
// member comes twice, and that fits the schema.
func (d *Door) parseDetails(raw string) (ceremony.Push, error) {
	value, fault := strictjson.Parse([]byte(raw), deepest)
	if fault != nil {
		why := reason(fault.Kind)
		if fault.Kind == strictjson.UTF8 {
			why = reasonUTF8 // the name of this fault in parameters, too
		}
		return ceremony.Push{}, refuse(why, detailsName)
	}
	if err := d.details.Validate(value); err != nil {
		return ceremony.Push{}, misfit(err)
	}
	return readDetails(value)
}

// readDetails takes the members out of a value that fits the schema.
func readDetails(value any) (ceremony.Push, error) {
	list, ok := value.([]any)
	if !ok || len(list) != 1 {
		return ceremony.Push{}, refuse(reasonCount, detailsName)
	}
	object := members(list[0])
	holder := members(object["holder"])
	document := members(holder["document"])
	number, err := liuma.HolderText(text(holder["id_number"]), liuma.Document{Type: liuma.DocumentType(text(document["type"])), Number: text(document["number"])})
	if err != nil { // the schema refuses both at once, so a document's text is in id_number
		return ceremony.Push{}, liuma.AtField(err, detailsName+".holder.id_number")
	}
	action, err := liuma.ParseAction(text(object["action"]))
	if err != nil || action == liuma.ActionFreeze { // a freeze has no page
		return ceremony.Push{}, refuse(reasonChoice, detailsName+".action")
	}
	businessNo, err := liuma.ParseBusinessNo(text(object["business_no"]))
	if err != nil {
		return ceremony.Push{}, refuse(reasonForm, detailsName+".business_no")
	}
	region, err := liuma.ParseRegion(text(object["region"]))
	if err != nil {
		return ceremony.Push{}, refuse(reasonForm, detailsName+".region")
	}
	return ceremony.Push{
		BusinessNo: businessNo, Action: action, Region: region,
		Subject: envelope.Subject{
			Card: text(holder["card"]), IDNumber: number,
			Name: text(holder["name"]), Phone: text(holder["phone"]),
		},
		Purpose: purposeOf(object["purpose"]), Replaces: store.Handle(text(object["replaces"])), Alone: text(object["proof"]) == "evidence", Challenge: text(object["challenge"]), Evidence: text(object["evidence"]),
	}, nil
}

// purposeOf reads one text, or an object with a text for each language.
func purposeOf(v any) liuma.Purpose {
	if one, ok := v.(string); ok {
		return liuma.Purpose(one)
	}
	texts := members(v)
	return liuma.PurposeIn(text(texts["zh-CN"]), text(texts["en"]))
}

func members(v any) map[string]any { m, _ := v.(map[string]any); return m }

func text(v any) string { s, _ := v.(string); return s }

// misfit names the first thing that does not fit the schema. The validator's
// own error is dropped: it quotes the request.
func misfit(err error) error {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return errors.New("schema: validation failed")
	}
	faults := leaves(invalid, nil)
	if len(faults) == 0 {
		return errors.New("schema: a validation error without a cause")
	}
	// The validator goes through members in no particular order.
	slices.SortFunc(faults, func(a, b fault) int {
		if a.rank() != b.rank() {
			return a.rank() - b.rank()
		}
		return strings.Compare(a.field+"\x00"+string(a.why), b.field+"\x00"+string(b.why))
	})
	return refuse(faults[0].why, faults[0].field)
}

// fault is one thing that does not fit the schema.
type fault struct {
	why   reason
	field string
}

// rank puts first the faults that explain the others: the number of objects,
// their type, and a value that is too short to have any form.
func (f fault) rank() int {
	switch {
	case f.why == reasonCount:
		return 0
	case f.field == detailsName+".type":
		return 1
	case f.field == detailsName+".action":
		return 2
	case f.why != reasonForm:
		return 3
	}
	return 4
}

func leaves(e *jsonschema.ValidationError, into []fault) []fault {
	for _, cause := range e.Causes {
		into = leaves(cause, into)
	}
	if len(e.Causes) > 0 {
		return into
	}
	at := detailsName
	for i, step := range e.InstanceLocation {
		if i > 0 || step != "0" { // there is one object, so its place says nothing
			at += "." + strictjson.SafeName(step)
		}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return each(into, reasonMemberMissing, at, k.Missing)
	case *kind.DependentRequired:
		return each(into, reasonMemberMissing, at, k.Missing)
	case *kind.AdditionalProperties:
		return each(into, reasonMemberUnknown, at, k.Properties)
	}
	why := reasonOf(e.ErrorKind)
	switch {
	case len(e.InstanceLocation) == 0:
		why = reasonCount // for example an object without the array: the sentence explains the form
	case why == reasonMemberUnknown && strings.HasSuffix(at, ".holder.id_number"):
		why = reasonDocument // the schema forbids it beside a document
	}
	return append(into, fault{why: why, field: at})
}

func each(into []fault, why reason, at string, names []string) []fault {
	for _, name := range names {
		into = append(into, fault{why: why, field: at + "." + strictjson.SafeName(name)})
	}
	return into
}

// reasonOf maps a schema keyword to a reason. A keyword that the schema does
// not use yet gives value_form.
func reasonOf(k jsonschema.ErrorKind) reason {
	switch k.(type) {
	case *kind.Type:
		return reasonMemberType
	case *kind.Enum, *kind.Const:
		return reasonChoice
	case *kind.MinLength:
		return reasonShort
	case *kind.MaxLength:
		return reasonLong
	case *kind.MinItems, *kind.MaxItems:
		return reasonCount
	case *kind.FalseSchema: // a member that this request cannot have
		return reasonMemberUnknown
	}
	return reasonForm
}

package api

import (
	"errors"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

// purposeBody is a purpose in a request: one text (Plain), or an object like
// purposeTexts.
type purposeBody purposeTexts

type purposeTexts struct {
	Plain string `json:"-"`
	ZH    string `json:"zh-CN" minLength:"1" maxLength:"60" doc:"In Chinese, which is also shown to readers of a language that is not here" example:"查询社保缴费年限"`
	EN    string `json:"en,omitempty" minLength:"1" maxLength:"60" doc:"In English" example:"See your years of contribution"`
}

// Schema is the schema of a string or an object.
func (purposeBody) Schema(r huma.Registry) *huma.Schema {
	shortest, longest := 1, liuma.MostPurpose
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeString, MinLength: &shortest, MaxLength: &longest, Examples: []any{"查询社保缴费年限"}},
		r.Schema(reflect.TypeFor[purposeTexts](), true, ""),
	}}
}

// eitherOf makes the shape of a member that is a string or an object.
func eitherOf(m strictjson.Member, p *huma.Schema, registry huma.Registry) (strictjson.Member, error) {
	if len(p.OneOf) != 2 || p.OneOf[0].MaxLength == nil {
		return m, errors.New("want a string with a maxLength, or an object")
	}
	var err1, err2 error
	m.Text, err1 = textOf(p.OneOf[0])
	m.Object, err2 = compile(reflect.TypeFor[purposeTexts](), registry)
	m.Plain = 0 // purposeTexts.Plain
	return m, errors.Join(err1, err2)
}

// read returns the purpose, or the member of the request that cannot be shown. A
// purpose without a text is empty; where one is required the reader has refused it
// before.
func (p purposeBody) read() (out liuma.Purpose, fault string) {
	if p.ZH == "" {
		if out = liuma.Purpose(p.Plain); out != "" && out.Check() != nil {
			return "", "purpose"
		}
		return out, ""
	}
	if liuma.Purpose(p.ZH).Check() != nil {
		return "", "purpose.zh-CN"
	}
	if p.EN != "" && liuma.Purpose(p.EN).Check() != nil {
		return "", "purpose.en"
	}
	return liuma.PurposeIn(p.ZH, p.EN), ""
}

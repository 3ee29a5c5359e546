package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

const tokenScheme = "client_token"

// newSpec is the document before any endpoint is registered.
func newSpec() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:   "Liuma: native channel door (六码：原生渠道接口)",
			Version: "1",
			Description: "The PIN authority for electronic social-security cards, as channels call it. " +
				"PINs are sealed on the holder's device (docs/SEALING.md); a verdict other than right is an answer, " +
				"and everything else that fails is an RFC 9457 problem document with a stable code.",
			Contact: &huma.Contact{Name: "Liuma", URL: "https://github.com/liuma-pin/liuma"},
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		// Every authority has an address of its own, and serves this document there.
		Servers: []*huma.Server{{URL: "/", Description: "The channel door that serves this document (本文档所在的地址)"}},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				tokenScheme: {
					Type: "http", Scheme: "bearer", BearerFormat: "JWT",
					Description: "A JWT that the client signs itself: ES256 with a kid of its registered keys and typ liuma-native+jwt; " +
						"iss and sub are the client's id, aud is the issuer with /v1 after it, alone, exp at most five minutes after iat.",
				},
			},
		},
		Tags: []*huma.Tag{
			{Name: tagChannel, Description: "For channels (渠道)"},
			{Name: tagRegistry, Description: "For the physical-card registry (实体卡登记机构)"},
			{Name: tagHotline, Description: "For hotlines (热线，如 12333), which may freeze and nothing else"},
			{Name: tagService, Description: "For anybody"},
		},
	}
}

const (
	tagChannel  = "channel"
	tagRegistry = "registry"
	tagHotline  = "hotline"
	tagService  = "service"
)

// describe adds an endpoint to the document. body is nil if the endpoint takes none.
func describe(spec *huma.OpenAPI, e endpoint, body reflect.Type) *huma.Operation {
	schemas := spec.Components.Schemas
	op := &huma.Operation{
		OperationID: e.id,
		Method:      e.method,
		Path:        e.path,
		Summary:     e.summary,
		Description: e.detail,
		Tags:        []string{tagOf(e.kind)},
		Responses:   map[string]*huma.Response{},
		Parameters:  pathParameters(e.path),
	}
	op.Security = []map[string][]string{{}} // no authentication
	if e.kind != "" {
		op.Security = []map[string][]string{{tokenScheme: {}}}
	}
	if body != nil {
		op.RequestBody = &huma.RequestBody{
			Required: true,
			Content:  map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(body, true, "")}},
		}
	}
	if e.answer != nil {
		op.Responses["200"] = &huma.Response{
			Description: "The answer",
			Content: map[string]*huma.MediaType{
				"application/json": {Schema: schemas.Schema(reflect.TypeOf(e.answer), true, "")}},
		}
	}
	describeProblems(op, e, body != nil, schemas.Schema(reflect.TypeFor[problem](), true, ""))
	spec.AddOperation(op)
	return op
}

func tagOf(k store.ClientKind) string {
	switch k {
	case store.ClientChannel:
		return tagChannel
	case store.ClientRegistry:
		return tagRegistry
	case store.ClientHotline:
		return tagHotline
	}
	return tagService
}

// describeProblems lists the error codes of an endpoint by status.
func describeProblems(op *huma.Operation, e endpoint, body bool, schema *huma.Schema) {
	codes := append(slices.Clone(e.codes), liuma.CodeTooManyRequests)
	if e.kind != "" {
		codes = append(codes, liuma.CodeUnauthenticated, liuma.CodeForbidden, liuma.CodeBadRequest,
			liuma.CodeInternal, liuma.CodeUnavailable)
	}
	if body {
		codes = append(codes, liuma.CodeTooLarge)
	}
	byStatus := map[int][]string{}
	for _, c := range codes {
		status, _ := statusOf(c)
		byStatus[status] = append(byStatus[status], string(c))
	}
	if body {
		byStatus[http.StatusUnsupportedMediaType] = []string{string(liuma.CodeBadRequest)}
	}
	for status, names := range byStatus {
		slices.Sort(names)
		r := &huma.Response{
			Description: "Problem with code " + strings.Join(slices.Compact(names), ", "),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			r.Headers = map[string]*huma.Param{"Retry-After": {
				Description: "Seconds until the same request may succeed; not there where waiting does not help",
				Schema:      &huma.Schema{Type: huma.TypeInteger},
			}}
		}
		op.Responses[strconv.Itoa(status)] = r
	}
}

func pathParameters(path string) []*huma.Param {
	var params []*huma.Param
	switch {
	case strings.Contains(path, "{region}"):
		params = append(params, &huma.Param{Name: "region", In: "path", Required: true,
			Description: "GB/T 2260, of two, four or six digits; 0 is the nation",
			Schema:      &huma.Schema{Type: huma.TypeString, Pattern: "^(0|[1-9][0-9]([0-9]{2}){0,2})$"}})
	case strings.Contains(path, "{business_no}"):
		params = append(params, &huma.Param{Name: "business_no", In: "path", Required: true,
			Description: "The channel's number of the request",
			Schema:      &huma.Schema{Type: huma.TypeString, Pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}})
	case strings.Contains(path, "{handle}"):
		params = append(params, &huma.Param{Name: "handle", In: "path", Required: true,
			Description: "Handle of the link, which names the card in this channel",
			Schema:      &huma.Schema{Type: huma.TypeString, Pattern: "^[a-z0-9]{32}$"}})
	case strings.Contains(path, "{card}"):
		params = append(params, &huma.Param{Name: "card", In: "path", Required: true,
			Description: "Handle of the card in this channel",
			Schema:      &huma.Schema{Type: huma.TypeString, Pattern: "^[a-z0-9]{32}$"}})
	}
	return params
}

// openAnswers lets answers gain members later without breaking a client that
// validates them; requests stay closed.
func openAnswers(spec *huma.OpenAPI) {
	for name, schema := range spec.Components.Schemas.Map() {
		if strings.HasSuffix(name, "View") || name == "Problem" {
			schema.AdditionalProperties = nil
		}
	}
}

// description is the document of the door, as it is served.
type description struct{ json, yaml []byte }

// renderSpec writes the document once; it never changes afterwards.
func renderSpec(spec *huma.OpenAPI) (description, error) {
	compact, err := json.Marshal(spec)
	if err != nil {
		return description{}, fmt.Errorf("openapi: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return description{}, fmt.Errorf("openapi: %w", err)
	}
	out.WriteByte('\n')
	asYAML, err := spec.YAML()
	if err != nil {
		return description{}, fmt.Errorf("openapi: %w", err)
	}
	return description{out.Bytes(), asYAML}, nil
}

// specRoutes serves the document. It is not part of itself.
func (d *Door) specRoutes(h huma.API) {
	serve := func(path, kind string, body func(description) []byte) {
		h.Adapter().Handle(&huma.Operation{Method: http.MethodGet, Path: path}, func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			written, err := d.description()
			if err != nil {
				d.calls.Fail(visitOf(r), r, err)
				return
			}
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(body(written)) // the client has disconnected
		})
	}
	serve("/openapi.json", "application/openapi+json", func(doc description) []byte { return doc.json })
	serve("/openapi.yaml", "application/openapi+yaml", func(doc description) []byte { return doc.yaml })
}

// keysRoute serves the public keys for checking receipts. They are public and
// change rarely, so they may be kept for five minutes.
func (d *Door) keysRoute(h huma.API) {
	op := describe(h.OpenAPI(), endpoint{
		method: http.MethodGet, path: "/.well-known/jwks.json", id: "receipt-keys",
		summary: "Keys that receipts are checked with (回执公钥)",
		detail:  "A JWK set (RFC 7517). Receipts are JWS with ES256 and typ liuma-receipt+jwt. Fetch it again when a receipt names a kid that is not in it.",
	}, nil)
	op.Responses["200"] = &huma.Response{
		Description: "The key set",
		Content: map[string]*huma.MediaType{
			"application/jwk-set+json": {Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{"keys"}, AdditionalProperties: true,
				Properties: map[string]*huma.Schema{"keys": {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}}}},
		},
	}
	h.Adapter().Handle(op, func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		body, err := json.Marshal(d.authority.ReceiptKeys())
		if err != nil {
			d.calls.Fail(visitOf(r), r, err)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		_, _ = w.Write(body) // the client has disconnected
	})
}

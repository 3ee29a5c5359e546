package api_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/door/api"
)

func openAPI(t *testing.T, d *api.Door) []byte {
	t.Helper()
	raw, err := d.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestCommittedDocument keeps docs/openapi.json equal to the document that the
// door serves. After a change: go test ./internal/door/api -update
func TestCommittedDocument(t *testing.T) {
	const path = "../../../docs/openapi.json"
	served := openAPI(t, newSetup(t).door)
	if *api.Update {
		if err := os.WriteFile(path, served, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, served) {
		t.Error("docs/openapi.json is not what is served; run go test ./internal/door/api -update")
	}
}

// TestDocument checks that the document has everything that an integrator
// needs.
func TestDocument(t *testing.T) {
	type operation struct {
		OperationID string
		Security    []map[string][]string
		Responses   map[string]any
		RequestBody any
	}
	var doc struct {
		OpenAPI    string
		Servers    []struct{ URL string }
		Paths      map[string]map[string]operation
		Components struct {
			Schemas map[string]struct{ AdditionalProperties any }
		}
	}
	raw := openAPI(t, newSetup(t).door)
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %s", doc.OpenAPI)
	}
	if len(doc.Servers) != 1 || doc.Servers[0].URL != "/" { // relative to where it was read
		t.Errorf("servers %v", doc.Servers)
	}
	for path, method := range map[string]string{"/v1/challenges": "post", "/v1/cards": "post", "/v1/links": "post", "/v1/verifications": "post",
		"/v1/pin-changes": "post", "/v1/freezes": "post", "/v1/hotline-freezes": "post", "/v1/hotline-loss-reports": "post", "/v1/physical-card-status": "post", "/v1/registry/corrections": "post", "/v1/redemptions": "post",
		"/v1/verifications/{business_no}": "get", "/v1/cards/{card}": "get", "/v1/links/{handle}": "delete", "/v1/consent": "get", "/v1/agencies/{region}": "get", "/.well-known/jwks.json": "get", "/healthz": "get", "/readyz": "get"} {
		op, ok := doc.Paths[path][method]
		if !ok || op.OperationID == "" || op.Responses["200"] == nil {
			t.Errorf("%s %s is not described", method, path)
		}
		if len(op.Security) != 1 {
			t.Errorf("%s: security %v", path, op.Security)
		}
		if _, secured := op.Security[0]["client_token"]; secured != strings.HasPrefix(path, "/v1/") {
			t.Errorf("%s: security %v", path, op.Security)
		}
		if (op.RequestBody != nil) != (method == "post") {
			t.Errorf("%s: body %v", path, op.RequestBody)
		}
		delete(doc.Paths, path)
	}
	if len(doc.Paths) != 0 {
		t.Errorf("described, and not expected: %v", doc.Paths)
	}
	for name, s := range doc.Components.Schemas {
		answer := strings.HasSuffix(name, "View") || name == "Problem"
		if closed := s.AdditionalProperties == false; closed == answer {
			t.Errorf("schema %s: additionalProperties %v", name, s.AdditionalProperties)
		}
	}
	if bytes.Contains(raw, []byte("$schema")) {
		t.Error("a $schema member crept in")
	}
}

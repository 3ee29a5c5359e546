package api

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/locale"
)

// Update rewrites the generated parts of docs/ instead of comparing them.
var Update = flag.Bool("update", false, "rewrite docs/openapi.json and the tables of docs/API.md")

const guidePath = "../../../docs/API.md"

// TestGuideTables keeps the tables of docs/API.md equal to the code.
func TestGuideTables(t *testing.T) {
	raw, err := os.ReadFile(guidePath)
	if err != nil {
		t.Fatal(err)
	}
	guide := string(raw)
	want := replaceTable(t, guide, "codes", codeTable(t))
	want = replaceTable(t, want, "reasons", reasonTable(t))
	if *Update {
		if err := os.WriteFile(guidePath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if guide != want {
		t.Error("the tables of docs/API.md are not what the code says; run go test ./internal/door/api -update")
	}
}

func replaceTable(t *testing.T, guide, name, table string) string {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	head, rest, ok := strings.Cut(guide, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("docs/API.md has no place for %s", name)
	}
	return head + begin + table + end + tail
}

func codeTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| code | status | 含义 | meaning | next step |\n|---|---|---|---|---|\n")
	for _, c := range declaredCodes(t) {
		status, _ := statusOf(c)
		x := locale.Explain(c, "the hotline") // each region has its own
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s |\n", c, status, x.What.ZH, x.What.EN, x.Next.EN)
	}
	return b.String()
}

func reasonTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| code | reason | 含义 | meaning |\n|---|---|---|---|\n")
	for _, x := range reasons() {
		code := liuma.CodeBadRequest
		if tokenReasons().Has(x.Reason) {
			code = liuma.CodeUnauthenticated
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", code, x.Reason, x.Text.ZH, x.Text.EN)
	}
	for _, r := range pinReasons() {
		x := pin.FormatSentence(r)
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", liuma.CodePINFormat, r, x.ZH, x.EN)
	}
	return b.String()
}

// pinReasons are of pin_format.
func pinReasons() []string {
	return []string{pin.ReasonNotSixDigits, pin.ReasonTooShort, pin.ReasonTooLong, pin.ReasonTooWide, pin.ReasonCharacter, pin.ReasonEncoding}
}

// TestGuideExamples: every example of a body in docs/API.md is one that the
// door reads.
func TestGuideExamples(t *testing.T) {
	raw, err := os.ReadFile(guidePath)
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]reflect.Type{
		"/v1/challenges": reflect.TypeFor[challengeRequest](), "/v1/cards": reflect.TypeFor[enrollRequest](),
		"/v1/links": reflect.TypeFor[linkRequest](), "/v1/verifications": reflect.TypeFor[verifyRequest](),
		"/v1/pin-changes": reflect.TypeFor[changeRequest](), "/v1/freezes": reflect.TypeFor[freezeRequest](),
		"/v1/hotline-freezes": reflect.TypeFor[hotlineFreezeRequest](), "/v1/hotline-loss-reports": reflect.TypeFor[hotlineFreezeRequest](), "/v1/redemptions": reflect.TypeFor[redemptionRequest](), "/v1/physical-card-status": reflect.TypeFor[physicalRequest](), "/v1/registry/corrections": reflect.TypeFor[correctionRequest](),
	}
	registry := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	example := regexp.MustCompile("(?s)```http\nPOST (\\S+)\n\n(.*?)```")
	for _, m := range example.FindAllStringSubmatch(string(raw), -1) {
		body, ok := bodies[m[1]]
		if !ok {
			t.Errorf("an example for %s, twice or unknown", m[1])
			continue
		}
		delete(bodies, m[1])
		s, err := compile(body, registry)
		if err != nil {
			t.Fatal(err)
		}
		// An envelope is too long to print; the guide writes "…" for the rest.
		text := regexp.MustCompile(`"enc": "[^"]*…"`).ReplaceAllString(m[2], `"enc": "`+strings.Repeat("A", 87)+`"`)
		text = regexp.MustCompile(`"ct": "[^"]*…"`).ReplaceAllString(text, `"ct": "`+strings.Repeat("A", 363)+`"`)
		text = strings.ReplaceAll(text, "…", "")
		if fault := s.Decode([]byte(text), reflect.New(body).Interface()); fault != nil {
			t.Errorf("the example for %s: %v", m[1], fault)
		}
	}
	for path := range bodies {
		t.Errorf("no example for %s", path)
	}
}

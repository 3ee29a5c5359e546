package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/csv"
	"encoding/pem"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/examples/channel/miniapp"
)

func none(string) string { return "" }

// TestSettings: flags win over the environment, which wins over the file.
func TestSettings(t *testing.T) {
	env := func(name string) string {
		return map[string]string{"LIUMA_CHANNEL_CONFIG": "channel.json", "LIUMA_CHANNEL_CLIENT_ID": "from-env", "LIUMA_CHANNEL_THEME": "azure"}[name]
	}
	s, err := read([]string{"-client-id", "from-flag", "-region", ""}, env, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if s.ClientID != "from-flag" || s.Theme != "azure" || s.Issuer != "https://pin.example.cn" || s.Region != "" || s.Name != "浙里社保·虚构" {
		t.Errorf("%+v", s)
	}
	if s, err := read(nil, none, &bytes.Buffer{}); err != nil || s.Listen == "" || s.Theme != "jade" {
		t.Errorf("defaults: %+v, %v", s, err)
	}
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`{"isuer":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read([]string{"-config", bad}, none, &bytes.Buffer{}); err == nil {
		t.Error("a misspelt member passes")
	}
}

// TestRun builds the app from its sample settings, and stops when told to.
func TestRun(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-config", "channel.json", "-key-file", file, "-listen", "127.0.0.1:0"}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out bytes.Buffer
	if err := run(ctx, args, none, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "http://127.0.0.1:8090/callback") {
		t.Errorf("says %q", out.String())
	}
	if err := run(ctx, append(args, "-key-file", "main.go"), none, &out); err == nil {
		t.Error("a key file without a key passes")
	}
	if err := run(ctx, append(args, "-people", "missing.json"), none, &out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no people: %v", err)
	}
	if _, err := build(settings{KeyFile: file}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("empty settings pass")
	}
}

// TestItListensWhereItsOriginIs: whoever names another port in -origin gets it, and a
// public origin leaves the port to -listen.
func TestItListensWhereItsOriginIs(t *testing.T) {
	for want, args := range map[string][]string{
		"127.0.0.1:8090":  {"-config", "channel.json"},
		"127.0.0.1:9191":  {"-config", "channel.json", "-origin", "http://127.0.0.1:9191"},
		"localhost:9292":  {"-origin", "http://localhost:9292"},
		"127.0.0.1:9393":  {"-config", "channel.json", "-origin", "http://127.0.0.1:9191", "-listen", "127.0.0.1:9393"},
		"127.0.0.1:8090 ": {"-origin", "https://app.example.cn"},
	} {
		s, err := read(args, none, io.Discard)
		if err != nil || s.Listen != strings.TrimSpace(want) {
			t.Errorf("%v: listens at %s, %v", args, s.Listen, err)
		}
	}
	s, err := read([]string{"-config", "channel.json"}, func(name string) string {
		return map[string]string{"LIUMA_CHANNEL_ORIGIN": "http://127.0.0.1:9494"}[name]
	}, io.Discard)
	if err != nil || s.Listen != "127.0.0.1:9494" {
		t.Errorf("by the environment: %s, %v", s.Listen, err)
	}
}

var codePattern = regexp.MustCompile("(?s)```go\n(.*?)```")

// TestGuideShowsThisCode: every piece of Go in docs/CHANNELS.md stands in the
// sources just so, but for indentation.
func TestGuideShowsThisCode(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "CHANNELS.md"))
	if err != nil {
		t.Fatal(err)
	}
	sources := ""
	for _, pattern := range []string{"miniapp/*.go", "../../client/example_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources += flat(string(raw))
		}
	}
	pieces := codePattern.FindAllStringSubmatch(string(guide), -1)
	if len(pieces) < 5 {
		t.Fatalf("%d pieces of code", len(pieces))
	}
	for _, p := range pieces {
		for part := range strings.SplitSeq(p[1], "// …\n") {
			if !strings.Contains(sources, strings.TrimSpace(flat(part))) {
				t.Errorf("not in the sources:\n%s", part)
			}
		}
	}
}

// flat drops indentation.
func flat(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.TrimLeft(line, " \t"))
	}
	return b.String()
}

// TestNothingInternal: a copy of the sample builds outside this repository.
func TestNothingInternal(t *testing.T) {
	for _, dir := range []string{".", "miniapp"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range parsed.Imports {
				if strings.Contains(i.Path.Value, "/internal/") {
					t.Errorf("%s imports %s", file, i.Path.Value)
				}
			}
		}
	}
}

// TestPeopleAreInTheRegistryFile: people.csv has everybody whom a visitor can be,
// but the thief, as the app knows them.
func TestPeopleAreInTheRegistryFile(t *testing.T) {
	f, err := os.Open("people.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var inFile, known []string
	for _, row := range rows[1:] {
		inFile = append(inFile, strings.Join(row[:6], ","))
	}
	people, err := miniapp.SamplePeople()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		if p.Account == "" {
			known = append(known, strings.Join([]string{p.IDNumber, string(p.Document.Type), p.Document.Number, p.Born, p.Name, p.Phone}, ","))
		}
	}
	if strings.Join(inFile, "\n") != strings.Join(known, "\n") {
		t.Errorf("people.csv has\n%s\nthe app knows\n%s", strings.Join(inFile, "\n"), strings.Join(known, "\n"))
	}
}

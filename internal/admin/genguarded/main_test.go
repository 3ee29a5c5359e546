package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCodeIsCurrent: the methods in the tree are those that Administration wants.
func TestCodeIsCurrent(t *testing.T) {
	want, err := generate("..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", out))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the package gives: run go generate ./internal/admin", out)
	}
}

// pkg writes a package of one file, and returns its directory.
func pkg(t *testing.T, code string) string {
	t.Helper()
	dir := t.TempDir()
	head := "package admin\nimport (\n\"context\"\n\"github.com/go-jose/go-jose/v4\"\n)\ntype Admin struct{}\ntype Guarded struct{}\n"
	if err := os.WriteFile(filepath.Join(dir, "admin.go"), []byte(head+code), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMethods(t *testing.T) {
	code, err := generate(pkg(t, `
type Administration interface { Stop(context.Context) error; Desk }
type Desk interface { Key(ctx context.Context, a, b string) (jose.JSONWebKey, error); ByHand(context.Context) error }
func (a *Admin) Stop(context.Context) error { return nil }
func (a *Admin) Key(ctx context.Context, a, b string) (k jose.JSONWebKey, err error) { return }
func (g *Guarded) ByHand(context.Context) error { return nil }
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\t_, err := allowed(ctx, g, \"Stop\", done(func(ctx context.Context) error { return g.admin.Stop(ctx) }))\n",
		"func (g *Guarded) Key(ctx context.Context, a string, b string) (jose.JSONWebKey, error) {\n",
		"allowed(ctx, g, \"Key\", func(ctx context.Context) (jose.JSONWebKey, error) { return g.admin.Key(ctx, a, b) })\n",
		"\"context\"\n\n\t\"github.com/go-jose/go-jose/v4\"\n",
	} {
		if !strings.Contains(string(code), want) {
			t.Errorf("no %q in\n%s", want, code)
		}
	}
	if strings.Contains(string(code), "ByHand") {
		t.Error("a method that stands there by hand was written")
	}
}

// TestRefuses: what cannot be written as a question and a call is left to a person.
func TestRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ code, want string }{
		"no interface":     {``, "no interface Administration"},
		"embedded unknown": {`type Administration interface { Desk }`, "no interface Desk"},
		"no method":        {`type Administration interface { Stop(context.Context) error }`, "no method Admin.Stop"},
		"no context": {`type Administration interface { Stop(n int) error }
			func (a *Admin) Stop(n int) error { return nil }`, "Stop: its parameters"},
		"no name": {`type Administration interface { Stop(context.Context, int) error }
			func (a *Admin) Stop(_ context.Context, _ int) error { return nil }`, "Stop: its parameters"},
		"no error": {`type Administration interface { Stop(context.Context) }
			func (a *Admin) Stop(ctx context.Context) {}`, "by hand"},
		"two results": {`type Administration interface { Stop(context.Context) (int, int, error) }
			func (a *Admin) Stop(ctx context.Context) (int, int, error) { return 0, 0, nil }`, "by hand"},
	} {
		if code, err := generate(pkg(t, tt.code)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v\n%s", name, err, code)
		}
	}
}

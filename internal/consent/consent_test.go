package consent

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, raw string) (Text, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "consent.json")
	if err := os.WriteFile(path, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

// TestTheBuiltInText is version 1, in both languages.
func TestTheBuiltInText(t *testing.T) {
	text, err := Load("")
	if err != nil || text.Version != "1" || len(text.Short.ZH) != len(text.Short.EN) || len(text.Whole.ZH) != len(text.Whole.EN) {
		t.Fatalf("%+v, %v", text, err)
	}
}

// TestLoad takes a file in the same form, and refuses one that lacks something.
func TestLoad(t *testing.T) {
	text, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	text.Version = "2026-12"
	raw, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := load(t, string(raw))
	if err != nil || got.Hash() != text.Hash() {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, bad := range map[string]string{
		"empty": "", "no JSON": "version: 2", "no version": strings.Replace(string(raw), `"2026-12"`, `""`, 1),
		"an odd version": strings.Replace(string(raw), `"2026-12"`, `"2 <b>"`, 1),
		"one language":   strings.Replace(string(raw), `"short":{"zh-CN"`, `"short":{"de"`, 1),
		"more":           strings.Replace(string(raw), `"version"`, `"extra":1,"version"`, 1),
		"an empty part":  strings.Replace(string(raw), text.Short.EN[0], " ", 1),
		"too long":       strings.Replace(string(raw), text.Short.ZH[0], strings.Repeat("长", 251), 1),
		"too large":      string(raw) + strings.Repeat(" ", maxFile),
	} {
		if got, err := load(t, bad); !errors.Is(err, ErrText) {
			t.Errorf("%s: %+v, %v", name, got.Version, err)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestHash differs with every part of the text.
func TestHash(t *testing.T) {
	text, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[32]byte]bool{text.Hash(): true}
	for i, change := range []func(*Text){
		func(x *Text) { x.Version = "2" },
		func(x *Text) { x.Short.ZH = append([]string{"一"}, x.Short.ZH...) },
		func(x *Text) { x.Short.EN = x.Short.EN[1:] },
		func(x *Text) { x.Whole.ZH = append(x.Whole.ZH, "一") },
		func(x *Text) { x.Whole.EN = append([]string{x.Whole.EN[0] + x.Whole.EN[1]}, x.Whole.EN[2:]...) },
	} {
		changed := text
		change(&changed)
		if h := changed.Hash(); seen[h] {
			t.Errorf("change %d has a hash of another", i)
		} else {
			seen[h] = true
		}
	}
}

package audit_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/audit"
)

func committedKeys(t *testing.T) *jose.JSONWebKeySet {
	t.Helper()
	raw, err := os.ReadFile("testdata/keys.json")
	if err != nil {
		t.Fatal(err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &keys); err != nil {
		t.Fatal(err)
	}
	return &keys
}

// TestSum: the order does not count, taking out undoes putting in, and every
// member of a head counts.
func TestSum(t *testing.T) {
	_, one := chain(3)
	_, two := processChain(2, audit.Head{})
	var a, b, none audit.Sum
	a.Add(one)
	a.Add(two)
	b.Add(two)
	b.Add(one)
	if a != b || a == none {
		t.Error("the order counts, or nothing does")
	}
	for name, change := range map[string]func(*audit.Head){
		"hash": func(h *audit.Head) { h.Hash[31]++ }, "number": func(h *audit.Head) { h.Number++ },
		"stream": func(h *audit.Head) { h.Stream.ID[0]++ }, "kind": func(h *audit.Head) { h.Stream.Kind = audit.OfProcess },
	} {
		other := one
		change(&other)
		var c audit.Sum
		c.Add(other)
		c.Add(two)
		if c == a || audit.ChangesHash([]audit.Head{other}) == audit.ChangesHash([]audit.Head{one}) {
			t.Errorf("another %s is not seen", name)
		}
	}
	a.Remove(one)
	a.Remove(two)
	if a != none {
		t.Error("taking out does not undo putting in")
	}
	text, err := b.MarshalText()
	var c audit.Sum
	if err != nil || c.UnmarshalText(text) != nil || c != b {
		t.Error("a sum does not come back from its text")
	}
	if c.UnmarshalText(text[1:]) == nil || c.UnmarshalText([]byte("?")) == nil {
		t.Error("half a sum was taken")
	}
}

// TestPayload: a digest with a member missing is not written.
func TestPayload(t *testing.T) {
	good := audit.Digest{Issuer: "i", Number: 2, At: time.UnixMilli(1), Previous: audit.Hash{1}}
	if _, err := good.Payload(); err != nil {
		t.Fatal(err)
	}
	for name, take := range map[string]func(*audit.Digest){
		"issuer": func(d *audit.Digest) { d.Issuer = "" }, "number": func(d *audit.Digest) { d.Number = 0 },
		"time": func(d *audit.Digest) { d.At = time.Time{} }, "predecessor": func(d *audit.Digest) { d.Previous = audit.Hash{} },
		"none before the first": func(d *audit.Digest) { d.Number = 1 },
	} {
		d := good
		take(&d)
		if _, err := d.Payload(); err == nil {
			t.Errorf("written without %s", name)
		}
	}
}

// TestParseDigestRefuses what is no digest, or another key's.
func TestParseDigestRefuses(t *testing.T) {
	keys := committedKeys(t)
	token := ""
	f, err := os.Open("testdata/export.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := audit.ReadLines(f, func(l audit.Line) error {
		if l.Digest != nil {
			token = l.Digest.Token
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if d, err := audit.ParseDigest(token, keys); err != nil || d.Number != 2 {
		t.Fatalf("%+v: %v", d.Digest, err)
	}
	parts := strings.Split(token, ".")
	for name, c := range map[string]struct {
		token string
		keys  *jose.JSONWebKeySet
	}{
		"no token":        {"", keys},
		"too long":        {token + strings.Repeat("A", 9000), keys},
		"another key":     {token, &jose.JSONWebKeySet{}},
		"another payload": {parts[0] + ".e30." + parts[2], keys},
		"not a digest":    {parts[0] + ".e30." + parts[2], nil},
		"another type":    {"eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9." + parts[1] + "." + parts[2], nil},
		"no signature":    {"eyJhbGciOiJub25lIiwidHlwIjoibGl1bWEtZGlnZXN0K2p3cyJ9." + parts[1] + ".", nil},
	} {
		if _, err := audit.ParseDigest(c.token, c.keys); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

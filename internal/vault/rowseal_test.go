package vault

import (
	"errors"
	"testing"
)

func TestRowSealSeesTableFieldsAndTheirEdges(t *testing.T) {
	path := newFile(t)
	v, again, other := open(t, path), open(t, path), newTestVault(t)
	b := func(s string) []byte { return []byte(s) }
	seal, err := v.SealRow("card", b("ab"), b("c"))
	must(t, err)
	if seal.Key != 1 {
		t.Errorf("the first key has the id %d", seal.Key)
	}
	must(t, again.CheckRow(seal, "card", b("ab"), b("c")))
	if err := other.CheckRow(seal, "card", b("ab"), b("c")); !errors.Is(err, ErrRowSeal) {
		t.Errorf("another vault: %v, want %v", err, ErrRowSeal)
	}
	for name, row := range map[string]struct {
		table  string
		fields [][]byte
	}{
		"other table":  {"intent", [][]byte{b("ab"), b("c")}},
		"moved edge":   {"card", [][]byte{b("a"), b("bc")}},
		"swapped":      {"card", [][]byte{b("c"), b("ab")}},
		"field more":   {"card", [][]byte{b("ab"), b("c"), nil}},
		"field less":   {"card", [][]byte{b("ab")}},
		"one field":    {"card", [][]byte{b("abc")}},
		"table eats":   {"cardab", [][]byte{b("c")}},
		"no field":     {"card", nil},
		"changed byte": {"card", [][]byte{b("ab"), b("d")}},
	} {
		if err := v.CheckRow(seal, row.table, row.fields...); !errors.Is(err, ErrRowSeal) {
			t.Errorf("%s: %v, want %v", name, err, ErrRowSeal)
		}
	}
}

func TestRowSealItselfAltered(t *testing.T) {
	v := newTestVault(t)
	seal, err := v.SealRow("card", []byte("row"))
	must(t, err)
	for i := range seal.MAC {
		damaged := seal
		damaged.MAC[i] ^= 1
		if err := v.CheckRow(damaged, "card", []byte("row")); !errors.Is(err, ErrRowSeal) {
			t.Errorf("byte %d: %v, want %v", i, err, ErrRowSeal)
		}
	}
	for _, key := range []uint32{2, 1 << 31} {
		if err := v.CheckRow(RowSeal{Key: key, MAC: seal.MAC}, "card", []byte("row")); !errors.Is(err, ErrRowKey) {
			t.Errorf("key %d: %v, want %v", key, err, ErrRowKey)
		}
	}
	if err := v.CheckRow(RowSeal{MAC: seal.MAC}, "card", []byte("row")); !errors.Is(err, ErrRowSeal) {
		t.Errorf("as a steady one: %v, want %v", err, ErrRowSeal)
	}
	// Nor is the keyed hash of a value that is looked up a seal of a row.
	if err := v.CheckRow(RowSeal{Key: 1, MAC: v.RowMAC("card", []byte("row"))}, "card", []byte("row")); !errors.Is(err, ErrRowSeal) {
		t.Errorf("RowMAC: %v, want %v", err, ErrRowSeal)
	}
}

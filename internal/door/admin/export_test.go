package admin

import (
	"bytes"
	"encoding/json"
	"testing"
)

// OverTheWire is v as the other end reads it.
func OverTheWire[T any](t *testing.T, v T) T {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode[T](bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

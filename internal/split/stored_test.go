package split

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
)

// A storedCheck is a whole check with fixed randomness, as Liuma computed it
// when the group operations and the hash to the curve were circl's. Verifiers
// in databases came out of that code, so every later one must give the same.
type storedCheck struct {
	Secret    string // a name of storedSecrets
	Shape     Shape
	Blind     hexBytes
	ShareKeys []hexBytes // one per subset, in rising order
	KeySet    uint32
	Card      hexBytes
	Version   uint32
	Blinded   hexBytes
	Shares    []hexBytes // one per subset
	Verifier  hexBytes
}

// storedSecrets has each length at which the hash input of the map or of the
// output gets another block, besides PINs and passphrases.
func storedSecrets() map[string][]byte {
	secrets := map[string][]byte{
		"pin":        []byte("314159"),
		"zeros":      []byte("000000"),
		"passphrase": []byte("correct horse battery st"),
		"chinese":    []byte("春眠不觉晓处处闻啼鸟"),
		"binary":     {0, 0xff, 0, 0x80},
		"longest":    bytes.Repeat([]byte("7"), 1<<16-1),
	}
	for _, n := range []int{1, 18, 19, 20, 27, 28, 29, 46, 47, 48, 55, 56, 63, 64, 65, 82, 83, 84, 127, 128} {
		secrets[fmt.Sprintf("%d bytes", n)] = []byte(strings.Repeat("x", n))
	}
	return secrets
}

func readStored(t *testing.T) []storedCheck {
	t.Helper()
	b, err := os.ReadFile("testdata/stored-checks.json")
	if err != nil {
		t.Fatal(err)
	}
	var checks []storedCheck
	if err := json.Unmarshal(b, &checks); err != nil {
		t.Fatal(err)
	}
	if want := len(storedSecrets()) * len(shapes()); len(checks) != want {
		t.Fatalf("%d stored checks, want %d", len(checks), want)
	}
	return checks
}

// compute runs a stored check anew and returns it with what came out.
func (c storedCheck) compute(t *testing.T) storedCheck {
	t.Helper()
	g, err := Blind(storedSecrets()[c.Secret], bytes.NewReader(c.Blind))
	if err != nil {
		t.Fatalf("%s: blind: %v", c.Secret, err)
	}
	defer g.Wipe()
	c.Blinded, c.Shares = g.Blinded().Bytes(), nil
	var shares []Share
	for i, m := range c.Shape.Subsets() {
		key, err := ParseShareKey(c.ShareKeys[i])
		if err != nil {
			t.Fatalf("%s: share key: %v", c.Secret, err)
		}
		k, err := Derive(key, Scope{KeySet: c.KeySet, Subset: m, Card: liuma.CardID(c.Card), Version: liuma.Version(c.Version)})
		if err != nil {
			t.Fatalf("%s: derive: %v", c.Secret, err)
		}
		s, err := k.Evaluate(g.Blinded())
		if err != nil {
			t.Fatalf("%s: evaluate: %v", c.Secret, err)
		}
		shares = append(shares, s)
		c.Shares = append(c.Shares, s.Point.Bytes())
	}
	key, err := g.Finalize(c.Shape, shares)
	if err != nil {
		t.Fatalf("%s: finalize: %v", c.Secret, err)
	}
	v := key.Verifier()
	c.Verifier = slices.Clone(v[:])
	return c
}

// TestStoredChecks: blinded points, shares and verifiers are those that were
// stored with the code before this one.
func TestStoredChecks(t *testing.T) {
	for _, c := range readStored(t) {
		got := c.compute(t)
		if !bytes.Equal(got.Blinded, c.Blinded) {
			t.Errorf("%s: blinded %x, want %x", c.Secret, got.Blinded, c.Blinded)
		}
		for i := range c.Shares {
			if !bytes.Equal(got.Shares[i], c.Shares[i]) {
				t.Errorf("%s: share %d is %x, want %x", c.Secret, i, got.Shares[i], c.Shares[i])
			}
		}
		if !bytes.Equal(got.Verifier, c.Verifier) {
			t.Errorf("%s: verifier %x, want %x", c.Secret, got.Verifier, c.Verifier)
		}
	}
}

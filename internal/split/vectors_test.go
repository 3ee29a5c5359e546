package split

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"testing"

	"github.com/liuma-pin/liuma/internal/split/p256"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(s []byte) (err error) {
	*h, err = hex.DecodeString(string(s))
	return err
}

type vectorFile struct {
	Source, Suite, Mode string
	SkSm                hexBytes
	Vectors             []struct {
		Input, Blind, BlindedElement, EvaluationElement, Output hexBytes
	}
}

func readVectors(t *testing.T) vectorFile {
	t.Helper()
	b, err := os.ReadFile("testdata/rfc9497-p256-sha256-oprf.json")
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Vectors) != 2 {
		t.Fatalf("%d vectors, want the 2 of the RFC", len(f.Vectors))
	}
	return f
}

// splitKey makes random scalars, one per subset, that add up to key.
func splitKey(t *testing.T, key *big.Int, subsets []Subset) []*Scalar {
	t.Helper()
	order := elliptic.P256().Params().N
	last := new(big.Int).Set(key)
	var out []*Scalar
	for _, m := range subsets[1:] {
		k, err := rand.Int(rand.Reader, order)
		if err != nil {
			t.Fatal(err)
		}
		last.Sub(last, k).Mod(last, order)
		out = append(out, scalarOf(t, m, k))
	}
	return append(out, scalarOf(t, subsets[0], last))
}

func scalarOf(t *testing.T, m Subset, n *big.Int) *Scalar {
	t.Helper()
	k := &Scalar{subset: m}
	if err := k.k.SetBytes(n.FillBytes(make([]byte, p256.ScalarSize))); err != nil {
		t.Fatal(err)
	}
	return k
}

// TestRFC9497Vectors: the published vectors are reproduced with the whole key,
// and with the k_S of each shape adding up to it.
func TestRFC9497Vectors(t *testing.T) {
	f := readVectors(t)
	key := new(big.Int).SetBytes(f.SkSm)
	for _, shape := range shapes() {
		for i, v := range f.Vectors {
			g, err := Blind(v.Input, bytes.NewReader(v.Blind))
			if err != nil {
				t.Fatal(err)
			}
			if got := g.Blinded().Bytes(); !bytes.Equal(got, v.BlindedElement) {
				t.Errorf("%s, vector %d: blinded %x, want %x", shape, i+1, got, v.BlindedElement)
			}
			var shares []Share
			for _, k := range splitKey(t, key, shape.Subsets()) {
				e, err := k.Evaluate(g.Blinded())
				if err != nil {
					t.Fatal(err)
				}
				shares = append(shares, e)
			}
			sum, err := add(shape, shares)
			if err != nil {
				t.Fatal(err)
			}
			p, err := fromElement(sum)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Bytes(); !bytes.Equal(got, v.EvaluationElement) {
				t.Errorf("%s, vector %d: evaluated %x, want %x", shape, i+1, got, v.EvaluationElement)
			}
			y, err := g.output(shape, shares)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(y, v.Output) {
				t.Errorf("%s, vector %d: output %x, want %x", shape, i+1, y, v.Output)
			}
		}
	}
}

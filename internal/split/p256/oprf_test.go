package p256

import (
	"bytes"
	"crypto/rand"
	"errors"
	"math/big"
	mathrand "math/rand/v2"
	"testing"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
)

// scalarOf reads a number below the order.
func scalarOf(t testing.TB, n *big.Int) Scalar {
	t.Helper()
	var s Scalar
	if err := s.SetBytes(n.FillBytes(make([]byte, ScalarSize))); err != nil {
		t.Fatal(err)
	}
	return s
}

func drawScalar(t testing.TB, r *mathrand.ChaCha8) Scalar {
	t.Helper()
	for {
		var b [ScalarSize]byte
		r.Read(b[:])
		var s Scalar
		if s.SetBytes(b[:]) == nil && !s.IsZero() {
			return s
		}
	}
}

func circlScalar(t testing.TB, s Scalar) group.Scalar {
	t.Helper()
	k := group.P256.NewScalar()
	if err := k.UnmarshalBinary(s.b[:]); err != nil {
		t.Fatal(err)
	}
	return k
}

// TestEqualToCircl: blinded point, evaluation, output and derived scalar are
// those of circl, for random inputs of random lengths.
func TestEqualToCircl(t *testing.T) {
	r := newSource(t)
	client := oprf.NewClient(oprf.SuiteP256)
	for range trials(500, 1_000_000) {
		input := make([]byte, 1+r.Uint64()%160)
		r.Read(input)
		blind, key := drawScalar(t, r), drawScalar(t, r)

		data, request, err := client.DeterministicBlind([][]byte{input}, []oprf.Blind{circlScalar(t, blind)})
		if err != nil {
			t.Fatal(err)
		}
		blinded, err := Blind(input, &blind)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "blinded", input, blinded, request.Elements[0])

		evaluated := NewPoint().Mult(blinded, &key)
		theirs := group.P256.NewElement().Mul(request.Elements[0], circlScalar(t, key))
		mustEqual(t, "evaluated", input, evaluated, theirs)

		got, err := Finalize(input, &blind, evaluated)
		if err != nil {
			t.Fatal(err)
		}
		want, err := client.Finalize(data, &oprf.Evaluation{Elements: []oprf.Evaluated{theirs}})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want[0]) {
			t.Fatalf("output for %x: %x, want %x", input, got, want[0])
		}

		var scalar Scalar
		if err := scalar.Hash(input, "some tag"); err != nil {
			t.Fatal(err)
		}
		wantScalar, err := group.P256.HashToScalar(input, []byte("some tag")).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(scalar.b[:], wantScalar) {
			t.Fatalf("scalar for %x: %x, want %x", input, scalar.b, wantScalar)
		}
	}
}

func mustEqual(t *testing.T, what string, input []byte, got *Point, want group.Element) {
	t.Helper()
	b, err := want.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if a, err := got.Uncompressed(); err != nil || !bytes.Equal(a[:], b) {
		t.Fatalf("%s for %x: %x, %v, want %x", what, input, a, err, b)
	}
}

func TestBlindAndFinalizeRefuse(t *testing.T) {
	one := scalarOf(t, big.NewInt(1))
	point, err := Blind([]byte("314159"), &one)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		input []byte
		blind Scalar
		point *Point
		want  error
	}{
		"empty":        {nil, one, point, ErrInput},
		"too long":     {make([]byte, 1<<16), one, point, ErrInput},
		"zero blind":   {[]byte("314159"), Scalar{}, point, ErrZero},
		"the identity": {[]byte("314159"), one, NewPoint(), ErrIdentity},
	} {
		if out, err := Finalize(c.input, &c.blind, c.point); !errors.Is(err, c.want) || out != nil {
			t.Errorf("finalize, %s: %x, %v, want %v", name, out, err, c.want)
		}
		if c.point.IsIdentity() {
			continue
		}
		if out, err := Blind(c.input, &c.blind); !errors.Is(err, c.want) || out != nil {
			t.Errorf("blind, %s: %v, want %v", name, err, c.want)
		}
	}
}

func TestScalarTakesOneEncoding(t *testing.T) {
	n := order()
	last, above := n, n
	last[ScalarSize-1]--
	above[ScalarSize-1]++
	s := scalarOf(t, big.NewInt(7))
	before := s
	for name, b := range map[string][]byte{
		"the order": n[:],
		"above":     above[:],
		"all ones":  bytes.Repeat([]byte{0xff}, ScalarSize),
		"short":     make([]byte, ScalarSize-1),
		"long":      make([]byte, ScalarSize+1),
		"empty":     nil,
	} {
		if err := s.SetBytes(b); !errors.Is(err, ErrScalar) || s != before {
			t.Errorf("%s: %v, want ErrScalar and the scalar as it was", name, err)
		}
	}
	if err := s.SetBytes(last[:]); err != nil || s.b != last {
		t.Errorf("the order less one: %v", err)
	}
	if err := s.SetBytes(make([]byte, ScalarSize)); err != nil || !s.IsZero() {
		t.Errorf("zero: %v", err)
	}
}

func TestInverse(t *testing.T) {
	s, r := newSlow(), newSource(t)
	numbers := []*big.Int{big.NewInt(1), big.NewInt(2), new(big.Int).Sub(s.n, big.NewInt(1)), new(big.Int).Sub(s.n, big.NewInt(2))}
	for range trials(300, 100_000) {
		k := drawScalar(t, r)
		numbers = append(numbers, new(big.Int).SetBytes(k.b[:]))
	}
	for _, n := range numbers {
		a := scalarOf(t, n)
		var z Scalar
		if err := z.Invert(&a); err != nil {
			t.Fatal(err)
		}
		if got, want := new(big.Int).SetBytes(z.b[:]), new(big.Int).ModInverse(n, s.n); got.Cmp(want) != 0 {
			t.Fatalf("inverse of %x: %x, want %x", n, got, want)
		}
	}
	var zero, z Scalar
	if err := z.Invert(&zero); !errors.Is(err, ErrZero) {
		t.Errorf("inverse of zero: %v, want ErrZero", err)
	}
}

func TestPoints(t *testing.T) {
	one, minusOne := scalarOf(t, big.NewInt(1)), scalarOf(t, new(big.Int).Sub(newSlow().n, big.NewInt(1)))
	p, err := Blind([]byte("314159"), &one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParsePoint(b[:])
	if err != nil {
		t.Fatal(err)
	}
	if c, err := again.Uncompressed(); err != nil || c != b {
		t.Errorf("read and written: %x, %v, want %x", c, err, b)
	}
	if sum := NewPoint().Add(p, NewPoint().Mult(p, &minusOne)); !sum.IsIdentity() {
		t.Error("a point and its negative are not the identity")
	}
	if !NewPoint().Mult(p, &Scalar{}).IsIdentity() {
		t.Error("zero times a point is not the identity")
	}
	if _, err := NewPoint().Uncompressed(); !errors.Is(err, ErrIdentity) {
		t.Errorf("encoding the identity: %v, want ErrIdentity", err)
	}
	p.Wipe()
	if !p.IsIdentity() {
		t.Error("a wiped point is still one")
	}
	off := b
	off[64] ^= 1
	for name, bad := range map[string][]byte{
		"identity":         {0},
		"padded identity":  make([]byte, CompressedSize),
		"off the curve":    off[:],
		"hybrid":           append([]byte{6 | b[64]&1}, b[1:]...),
		"short":            b[:64],
		"x is the prime":   append([]byte{2}, newSlow().p.Bytes()...),
		"coordinates of 1": append([]byte{4}, bytes.Repeat([]byte{0xff}, 64)...),
	} {
		if p, err := ParsePoint(bad); !errors.Is(err, ErrPoint) || p != nil {
			t.Errorf("%s: %v, want ErrPoint", name, err)
		}
	}
}

// BenchmarkBesideCircl measures each step in this package and in circl, in one
// run, so that the two see the same machine.
func BenchmarkBesideCircl(b *testing.B) {
	input := []byte("314159")
	var blind Scalar
	blind.b = [ScalarSize]byte{1}
	theirBlind := circlScalar(b, blind)
	blinded, err := Blind(input, &blind)
	if err != nil {
		b.Fatal(err)
	}
	client := oprf.NewClient(oprf.SuiteP256)
	data, request, err := client.DeterministicBlind([][]byte{input}, []oprf.Blind{theirBlind})
	if err != nil {
		b.Fatal(err)
	}
	evaluation := &oprf.Evaluation{Elements: []oprf.Evaluated{request.Elements[0]}}
	key := make([]byte, 32)
	rand.Read(key)
	for _, step := range []struct {
		name         string
		ours, theirs func()
	}{
		{"HashToCurve",
			func() { must(HashToCurve(input, hashToGroupDST)) },
			func() { group.P256.HashToElement(input, []byte(hashToGroupDST)) }},
		{"Blind",
			func() { must(Blind(input, &blind)) },
			func() { must2(client.DeterministicBlind([][]byte{input}, []oprf.Blind{theirBlind})) }},
		{"HashToScalar",
			func() { must(0, new(Scalar).Hash(key, "tag")) },
			func() { group.P256.HashToScalar(key, []byte("tag")) }},
		{"Evaluate",
			func() { NewPoint().Mult(blinded, &blind) },
			func() { group.P256.NewElement().Mul(request.Elements[0], theirBlind) }},
		{"Finalize",
			func() { must(Finalize(input, &blind, blinded)) },
			func() { must(client.Finalize(data, evaluation)) }},
	} {
		b.Run(step.name+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				step.ours()
			}
		})
		b.Run(step.name+"/circl", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				step.theirs()
			}
		})
	}
}

func must[T any](_ T, err error) {
	if err != nil {
		panic(err)
	}
}

func must2[T, U any](_ T, _ U, err error) {
	if err != nil {
		panic(err)
	}
}

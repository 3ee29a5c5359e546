package p256

import (
	"bytes"
	"math/big"
	"slices"
	"testing"
)

// rawResidue is the number that the limbs spell, and toLimbs sets them.
func rawResidue(x *residue) *big.Int { e := element(*x); return e.raw() }

func toLimbs(x *big.Int) residue { return residue(fromRaw(x)) }

// orderEdges are numbers below the order at which carries and comparisons change.
func orderEdges(n *big.Int) []*big.Int {
	out := []*big.Int{new(big.Int)}
	for _, x := range edges(n) {
		out = append(out, x.Mod(x, n))
	}
	return out
}

// TestOrderConstants computes every constant of the arithmetic modulo the order anew.
func TestOrderConstants(t *testing.T) {
	n := newSlow().n
	if limbs := (residue{n0, n1, n2, n3}); rawResidue(&limbs).Cmp(n) != 0 {
		t.Errorf("the order is %x", rawResidue(&limbs))
	}
	limb := new(big.Int).Lsh(big.NewInt(1), 64)
	if got := new(big.Int).ModInverse(new(big.Int).Neg(n), limb); got.Uint64() != minusN0 {
		t.Errorf("-1/n modulo 2^64 is %x", got)
	}
	to := toResidue()
	if want := new(big.Int).Exp(big.NewInt(2), big.NewInt(512), n); rawResidue(&to).Cmp(want) != 0 {
		t.Errorf("2^512 modulo the order is %x, want %x", rawResidue(&to), want)
	}
}

// checkResidues holds a product and a square against math/big, also in place.
func checkResidues(t testing.TB, n, unshift, a, b *big.Int) {
	t.Helper()
	want := func(a, b *big.Int) *big.Int {
		x := new(big.Int).Mul(a, b)
		return x.Mod(x.Mul(x, unshift), n)
	}
	x, y := toLimbs(a), toLimbs(b)
	var z residue
	if z.mul(&x, &y); rawResidue(&z).Cmp(want(a, b)) != 0 {
		t.Fatalf("%x times %x: %x, want %x", a, b, rawResidue(&z), want(a, b))
	}
	if x.mul(&x, &x); rawResidue(&x).Cmp(want(a, a)) != 0 {
		t.Fatalf("square of %x: %x, want %x", a, rawResidue(&x), want(a, a))
	}
}

// TestResidues: products at the edges, each with each, and of random numbers, many of them
// with limbs at an edge.
func TestResidues(t *testing.T) {
	n, r := newSlow().n, newSource(t)
	unshift := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 256), n)
	for _, a := range orderEdges(n) {
		for _, b := range orderEdges(n) {
			checkResidues(t, n, unshift, a, b)
		}
	}
	for range trials(50_000, 5_000_000) {
		x, y := drawLimbs(r, n), drawLimbs(r, n)
		a, b := x.raw(), y.raw()
		checkResidues(t, n, unshift, a.Mod(a, n), b.Mod(b, n))
	}
}

// TestReducesWideNumbers: numbers of 48 bytes modulo the order are math/big's, at the edges of
// both parts and of random ones.
func TestReducesWideNumbers(t *testing.T) {
	n, r := newSlow().n, newSource(t)
	whole, zeros := bytes.Repeat([]byte{0xff}, wideSize), make([]byte, wideSize)
	wide := [][]byte{whole, zeros, append(slices.Clone(whole[:wideSize-ScalarSize]), zeros[:ScalarSize]...)}
	for _, x := range edges(n) { // also the order itself, and what is above it
		low := make([]byte, ScalarSize)
		new(big.Int).And(x, new(big.Int).SetBytes(whole[:ScalarSize])).FillBytes(low)
		wide = append(wide, append(slices.Clone(zeros[:wideSize-ScalarSize]), low...), append(slices.Clone(whole[:wideSize-ScalarSize]), low...))
	}
	for range trials(20_000, 2_000_000) {
		b := make([]byte, wideSize)
		if _, err := r.Read(b); err != nil {
			t.Fatal(err)
		}
		wide = append(wide, b)
	}
	for _, b := range wide {
		var s Scalar
		s.setWide((*[wideSize]byte)(b))
		want := new(big.Int).SetBytes(b)
		if want.Mod(want, n); new(big.Int).SetBytes(s.b[:]).Cmp(want) != 0 {
			t.Fatalf("%x modulo the order: %x, want %x", b, s.b, want)
		}
	}
}

// BenchmarkScalarHash is what deriving a keeper's factor takes beside its HMAC.
func BenchmarkScalarHash(b *testing.B) {
	var s Scalar
	message := make([]byte, 32)
	for b.Loop() {
		if err := s.Hash(message, "some tag"); err != nil {
			b.Fatal(err)
		}
	}
}

// TestInverses: those of the edges and of random numbers are math/big's.
func TestInverses(t *testing.T) {
	n, r := newSlow().n, newSource(t)
	numbers := orderEdges(n)
	for range trials(2_000, 200_000) {
		x := drawLimbs(r, n)
		numbers = append(numbers, new(big.Int).Mod(x.raw(), n))
	}
	for _, x := range numbers {
		var s, inverse Scalar
		x.FillBytes(s.b[:])
		if err := inverse.Invert(&s); (err != nil) != (x.Sign() == 0) {
			t.Fatalf("inverse of %x: %v", x, err)
		}
		want := new(big.Int)
		if x.Sign() != 0 {
			want.ModInverse(x, n)
		}
		if got := new(big.Int).SetBytes(inverse.b[:]); got.Cmp(want) != 0 {
			t.Fatalf("inverse of %x: %x, want %x", x, got, want)
		}
		if err := s.Invert(&s); err == nil && s != inverse {
			t.Fatalf("inverse of %x in place: %x, want %x", x, s.b, inverse.b)
		}
	}
}

func BenchmarkInvert(b *testing.B) {
	s := Scalar{b: [ScalarSize]byte{1, 2, 3}}
	for b.Loop() {
		if err := s.Invert(&s); err != nil {
			b.Fatal(err)
		}
	}
}

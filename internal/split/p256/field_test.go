package p256

import (
	"math/big"
	"testing"
)

// edges are numbers at which carries and comparisons change.
func edges(p *big.Int) []*big.Int {
	var out []*big.Int
	one := big.NewInt(1)
	for _, e := range []uint{0, 1, 31, 32, 63, 64, 95, 96, 127, 128, 191, 192, 223, 224, 254, 255} {
		power := new(big.Int).Lsh(one, e)
		out = append(out, power, new(big.Int).Sub(power, one), new(big.Int).Add(power, one))
	}
	for _, d := range []int64{1, 2, 3, 10, 1 << 32} {
		out = append(out, new(big.Int).Sub(p, big.NewInt(d)))
	}
	half := new(big.Int).Rsh(p, 1)
	wrap := new(big.Int).Sub(new(big.Int).Lsh(one, 256), p)
	return append(out, half, new(big.Int).Add(half, one), wrap, new(big.Int).Sub(wrap, one))
}

// checkOperations holds one pair of elements, given by their limbs, against
// math/big. Montgomery form makes a*b out to be the product over 2^256.
func checkOperations(t testing.TB, s slow, shift *big.Int, x, y element) {
	t.Helper()
	a, b := x.raw(), y.raw()
	var z element
	check := func(name string, want *big.Int) {
		t.Helper()
		if got := z.raw(); got.Cmp(want) != 0 {
			t.Fatalf("%s of %x and %x: %x, want %x", name, a, b, got, want)
		}
	}
	z.add(&x, &y)
	check("sum", s.add(a, b))
	z.sub(&x, &y)
	check("difference", s.sub(a, b))
	z.mul(&x, &y)
	check("product", s.mul(s.mul(a, b), shift))
	z.square(&x)
	check("square", s.mul(s.mul(a, a), shift))
	z.negate(&x)
	check("negative", s.sub(new(big.Int), a))
	z.plain(&x)
	check("plain", s.mul(a, shift))
	if got, want := x.sign(), uint64(z.raw().Bit(0)); got != want {
		t.Fatalf("sign of %x: %d, want %d", a, got, want)
	}
	if got, want := x.differs(&y) != 0, a.Cmp(b) != 0; got != want || x.differs(&x) != 0 {
		t.Fatalf("%x differs from %x: %v", a, b, got)
	}
	if mask := x.nonZero(); mask != 0 && mask != 1<<64-1 || (mask != 0) != (a.Sign() != 0) {
		t.Fatalf("%x is not zero: %x", a, mask)
	}
	// In place, as the map uses them.
	u, v := x, y
	u.mul(&u, &v)
	v.square(&v)
	u.add(&u, &v)
	v.sub(&u, &v)
	z.mul(&x, &y)
	if v != z {
		t.Fatalf("in place, %x and %x: %x, want %x", a, b, v.raw(), z.raw())
	}
}

// unshift is the inverse of 2^256.
func unshift(s slow) *big.Int { return s.inverse(new(big.Int).Lsh(big.NewInt(1), 256)) }

// TestFieldAtEdges: each operation on each pair of edges.
func TestFieldAtEdges(t *testing.T) {
	s := newSlow()
	shift := unshift(s)
	for _, a := range edges(s.p) {
		for _, b := range edges(s.p) {
			checkOperations(t, s, shift, fromRaw(a), fromRaw(b))
		}
	}
}

// TestFieldAtRandom: each operation on random elements, many of them with limbs
// at an edge.
func TestFieldAtRandom(t *testing.T) {
	s, r := newSlow(), newSource(t)
	shift := unshift(s)
	for range trials(200_000, 10_000_000) {
		checkOperations(t, s, shift, drawLimbs(r, s.p), drawLimbs(r, s.p))
	}
}

// TestProductWithAnyNumber: mul takes one factor that is not below the prime.
func TestProductWithAnyNumber(t *testing.T) {
	s, r := newSlow(), newSource(t)
	shift := unshift(s)
	factors := []element{{1<<64 - 1, 1<<64 - 1, 1<<64 - 1, 1<<64 - 1}, {p0, p1, p2, p3}}
	for range trials(20_000, 1_000_000) {
		factors = append(factors[:2], element{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()})
		for _, x := range factors {
			y := drawLimbs(r, s.p)
			want := s.mul(s.mul(x.raw(), y.raw()), shift)
			var left, right element
			left.mul(&x, &y)
			right.mul(&y, &x)
			if left.raw().Cmp(want) != 0 || right != left {
				t.Fatalf("%x times %x: %x and %x, want %x", x.raw(), y.raw(), left.raw(), right.raw(), want)
			}
		}
	}
}

// TestEncoding: 48 bytes are reduced, and come back as the number's 32.
func TestEncoding(t *testing.T) {
	s, r := newSlow(), newSource(t)
	top := new(big.Int).Lsh(big.NewInt(1), 8*wideSize)
	numbers := append(edges(s.p), s.p, new(big.Int).Sub(top, big.NewInt(1)), new(big.Int))
	for range trials(20_000, 1_000_000) {
		var b [wideSize]byte
		r.Read(b[:])
		numbers = append(numbers, new(big.Int).SetBytes(b[:]))
	}
	for _, x := range numbers {
		e := elementOf(x)
		if got, want := plainOf(&e), new(big.Int).Mod(x, s.p); got.Cmp(want) != 0 {
			t.Fatalf("%x is read as %x, want %x", x, got, want)
		}
	}
}

// TestPowers: the chains of squares compute the exponents that they say.
func TestPowers(t *testing.T) {
	s, r := newSlow(), newSource(t)
	numbers := append(edges(s.p), new(big.Int))
	for range trials(2_000, 200_000) {
		x := drawLimbs(r, s.p)
		numbers = append(numbers, x.raw())
	}
	quarter := s.quarter()
	for _, n := range numbers {
		x := elementOf(n)
		var z element
		var p powers
		z.quarter(&x, &p)
		if got, want := plainOf(&z), s.power(n, quarter); got.Cmp(want) != 0 {
			t.Fatalf("%x to the (p-3)/4: %x, want %x", n, got, want)
		}
		z.invert(&x, &p)
		if got, want := plainOf(&z), s.inverse(n); got.Cmp(want) != 0 {
			t.Fatalf("inverse of %x: %x, want %x", n, got, want)
		}
	}
}

func TestChoose(t *testing.T) {
	x, y := element{1, 2, 3, 4}, element{5, 6, 7, 8}
	var z element
	if z.choose(&x, &y, 1<<64-1); z != x {
		t.Errorf("all ones choose %v", z)
	}
	if z.choose(&x, &y, 0); z != y {
		t.Errorf("zero chooses %v", z)
	}
	if x.choose(&x, &y, 0); x != y {
		t.Errorf("in place, zero chooses %v", x)
	}
}

// TestConstants computes every constant of the field and the curve anew.
func TestConstants(t *testing.T) {
	s := newSlow()
	one := big.NewInt(1)
	r := new(big.Int).Lsh(one, 256)
	montgomery := func(x *big.Int) *big.Int { return s.mul(x, r) }
	if limbs := (element{p0, p1, p2, p3}); limbs.raw().Cmp(s.p) != 0 {
		t.Errorf("the prime is %x", limbs.raw())
	}
	root := rootOfMinusZ()
	if got := plainOf(&root); s.mul(got, got).Cmp(big.NewInt(10)) != 0 {
		t.Errorf("the root of 10 squares to %v", s.mul(got, got))
	}
	for name, c := range map[string]struct {
		got  element
		want *big.Int
	}{
		"one":             {fieldOne(), montgomery(one)},
		"A":               {curveA(), montgomery(s.a)},
		"B":               {curveB(), montgomery(s.b)},
		"Z":               {curveZ(), montgomery(s.z)},
		"toMontgomery":    {toMontgomery(), s.power(r, big.NewInt(2))},
		"twiceMontgomery": {twiceMontgomery(), s.power(r, big.NewInt(3))},
	} {
		if c.got.raw().Cmp(c.want) != 0 {
			t.Errorf("%s is %x, want %x", name, c.got.raw(), c.want)
		}
	}
	n := order()
	if got := new(big.Int).SetBytes(n[:]); got.Cmp(s.n) != 0 {
		t.Errorf("the order is %x", got)
	}
}

// FuzzField holds every operation against math/big.
func FuzzField(f *testing.F) {
	s := newSlow()
	shift := unshift(s)
	for _, e := range edges(s.p) {
		var b [2 * fieldSize]byte
		e.FillBytes(b[:fieldSize])
		new(big.Int).Sub(s.p, e).FillBytes(b[fieldSize:])
		f.Add(b[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2*fieldSize {
			return
		}
		x := new(big.Int).SetBytes(b[:fieldSize])
		y := new(big.Int).SetBytes(b[fieldSize : 2*fieldSize])
		checkOperations(t, s, shift, fromRaw(s.mod(x)), fromRaw(s.mod(y)))
	})
}

package p256

import (
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"flag"
	"math/big"
	mathrand "math/rand/v2"
	"testing"
)

// thorough makes the comparisons long: ten million field elements and a million
// hashes to the curve. make nightly sets it.
var thorough = flag.Bool("thorough", false, "compare ten million field elements and a million inputs")

// trials is how many random values a test takes.
func trials(ordinary, long int) int {
	if *thorough {
		return long
	}
	return ordinary
}

// slow is the field, the curve and the map in math/big, written from the texts
// of the RFCs and nothing else. It is what the fast ones are held against.
type slow struct{ p, n, a, b, z *big.Int }

func newSlow() slow {
	c := elliptic.P256().Params()
	return slow{p: c.P, n: c.N, a: new(big.Int).Sub(c.P, big.NewInt(3)), b: c.B, z: new(big.Int).Sub(c.P, big.NewInt(10))}
}

func (s slow) mod(x *big.Int) *big.Int { return x.Mod(x, s.p) }

func (s slow) add(x, y *big.Int) *big.Int { return s.mod(new(big.Int).Add(x, y)) }
func (s slow) sub(x, y *big.Int) *big.Int { return s.mod(new(big.Int).Sub(x, y)) }
func (s slow) mul(x, y *big.Int) *big.Int { return s.mod(new(big.Int).Mul(x, y)) }

func (s slow) power(x, e *big.Int) *big.Int { return new(big.Int).Exp(x, e, s.p) }

// inverse is inv0 of RFC 9380: zero for zero.
func (s slow) inverse(x *big.Int) *big.Int {
	return s.power(x, new(big.Int).Sub(s.p, big.NewInt(2)))
}

// quarter is the exponent (p-3)/4.
func (s slow) quarter() *big.Int {
	e := new(big.Int).Sub(s.p, big.NewInt(3))
	return e.Rsh(e, 2)
}

// g is the curve's right side.
func (s slow) g(x *big.Int) *big.Int {
	return s.add(s.add(s.mul(s.mul(x, x), x), s.mul(s.a, x)), s.b)
}

// swu is the map as RFC 9380 states it in section 6.6.2, with branches.
func (s slow) swu(u *big.Int) (x, y *big.Int) {
	zu2 := s.mul(s.z, s.mul(u, u))
	tv1 := s.inverse(s.add(s.mul(zu2, zu2), zu2))
	x1 := s.mul(s.mul(s.sub(new(big.Int), s.b), s.inverse(s.a)), s.add(big.NewInt(1), tv1))
	if tv1.Sign() == 0 {
		x1 = s.mul(s.b, s.inverse(s.mul(s.z, s.a)))
	}
	x = x1
	if big.Jacobi(s.g(x1), s.p) < 0 {
		x = s.mul(zu2, x1)
	}
	y = new(big.Int).ModSqrt(s.g(x), s.p)
	if u.Bit(0) != y.Bit(0) {
		y = s.sub(new(big.Int), y)
	}
	return x, y
}

// plainOf reads the number that e stands for.
func plainOf(e *element) *big.Int {
	var b [fieldSize]byte
	e.put(b[:])
	return new(big.Int).SetBytes(b[:])
}

// elementOf brings a number below 2^384 into the field.
func elementOf(x *big.Int) (e element) {
	var b [wideSize]byte
	x.FillBytes(b[:])
	e.setWide(&b)
	return e
}

// raw is the number that the limbs spell.
func (x *element) raw() *big.Int {
	n := new(big.Int)
	for i := range x {
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(x[len(x)-1-i]))
	}
	return n
}

// fromRaw sets limbs.
func fromRaw(n *big.Int) (x element) {
	var b [fieldSize]byte
	n.FillBytes(b[:])
	for i := range x {
		x[i] = binary.BigEndian.Uint64(b[fieldSize-8*(i+1):])
	}
	return x
}

// newSource draws a seed and logs it, so that a failure can be played again.
func newSource(t testing.TB) *mathrand.ChaCha8 {
	t.Helper()
	var seed [32]byte
	rand.Read(seed[:])
	t.Logf("seed %x", seed)
	return mathrand.NewChaCha8(seed)
}

// drawLimbs gives elements of which a good part lies at the edges: limbs of all
// zeros, all ones, one bit, and those of the prime and beside them.
func drawLimbs(r *mathrand.ChaCha8, p *big.Int) element {
	var x element
	for i := range x {
		kind := r.Uint64()
		x[i] = r.Uint64()
		switch kind % 12 {
		case 0:
			x[i] = 0
		case 1:
			x[i] = 1<<64 - 1
		case 2:
			x[i] = 1 << (kind >> 32 % 64)
		case 3:
			x[i] = [4]uint64{p0, p1, p2, p3}[i]
		case 4:
			x[i] = [4]uint64{p0, p1, p2, p3}[i] - 1
		case 5:
			x[i] = 1<<32 - 1
		}
	}
	if x[3] > p3 || x.raw().Cmp(p) >= 0 {
		x[3] = r.Uint64() >> 1
	}
	return x
}

package p256

import (
	"encoding/binary"
	"math/bits"
)

// residue is a number modulo the group's order n, in four limbs, the least first, and in
// Montgomery form: x is kept as x times 2^256 modulo n, always below n. Results may be the
// same residue as arguments. Every operation takes the same steps whatever the numbers are.
type residue [4]uint64

// The limbs of n, and the number that makes the lowest limb zero: -1/n modulo 2^64.
// TestOrderConstants computes each of them anew.
const (
	n0      = 0xf3b9cac2fc632551
	n1      = 0xbce6faada7179e84
	n2      = 0xffffffffffffffff
	n3      = 0xffffffff00000000
	minusN0 = 0xccd1c8aaee00bc4f
)

// toResidue is 2^512 modulo n, not in Montgomery form: multiplying by it brings a plain
// number into Montgomery form.
func toResidue() residue {
	return residue{0x83244c95be79eea2, 0x4699799c49bd6fa6, 0x2845b2392b6bec59, 0x66e12d94f3d95620}
}

// add sets z = x + y.
func (z *residue) add(x, y *residue) {
	r0, carry := bits.Add64(x[0], y[0], 0)
	r1, carry := bits.Add64(x[1], y[1], carry)
	r2, carry := bits.Add64(x[2], y[2], carry)
	r3, carry := bits.Add64(x[3], y[3], carry)
	z.reduceOnce(r0, r1, r2, r3, carry)
}

// mul sets z = x * y: four rounds of one limb of y each, whose sum ends below 2n. Of the two
// x may be any number of four limbs, which is reduced thereby: with y below n the sum is below
// 2^256 + n after each round, and below (2^256 n + 2^256 n) / 2^256 after the last.
func (z *residue) mul(x, y *residue) {
	var t0, t1, t2, t3, t4 uint64
	for _, limb := range y {
		a0, a1, a2, a3, a4 := (*element)(x).times(limb)
		var c uint64
		t0, c = bits.Add64(t0, a0, 0)
		t1, c = bits.Add64(t1, a1, c)
		t2, c = bits.Add64(t2, a2, c)
		t3, c = bits.Add64(t3, a3, c)
		t4, c = bits.Add64(t4, a4, c)
		t5 := c

		// Adding m times n makes the lowest limb zero, and it is left out.
		order := element{n0, n1, n2, n3}
		a0, a1, a2, a3, a4 = order.times(t0 * minusN0)
		_, c = bits.Add64(t0, a0, 0)
		t0, c = bits.Add64(t1, a1, c)
		t1, c = bits.Add64(t2, a2, c)
		t2, c = bits.Add64(t3, a3, c)
		t3, c = bits.Add64(t4, a4, c)
		t4 = t5 + c
	}
	z.reduceOnce(t0, t1, t2, t3, t4)
}

// reduceOnce takes a number below 2n, whose bit 256 is carry, and subtracts n if the
// number is not below it.
func (z *residue) reduceOnce(r0, r1, r2, r3, carry uint64) {
	s0, borrow := bits.Sub64(r0, n0, 0)
	s1, borrow := bits.Sub64(r1, n1, borrow)
	s2, borrow := bits.Sub64(r2, n2, borrow)
	s3, borrow := bits.Sub64(r3, n3, borrow)
	_, borrow = bits.Sub64(carry, 0, borrow)
	keep := -borrow // all ones if the number was below n
	z[0] = s0 ^ keep&(s0^r0)
	z[1] = s1 ^ keep&(s1^r1)
	z[2] = s2 ^ keep&(s2^r2)
	z[3] = s3 ^ keep&(s3^r3)
}

// reduction holds all values of reducing a wide number. They are on the heap, and wiped at
// the end.
type reduction struct{ high, low residue }

// newReduction is not inlined, for the reason of newInversion.
//
//go:noinline
func newReduction() *reduction { return &reduction{} }

// setWide sets s to a big-endian number of wideSize bytes modulo n: the upper 16 of them times
// 2^256, which bringing a number into Montgomery form does, and the lower 32.
func (s *Scalar) setWide(b *[wideSize]byte) {
	w, to := newReduction(), toResidue()
	defer func() { *w = reduction{} }()
	for i := range 2 {
		w.high[i] = binary.BigEndian.Uint64(b[8*(1-i):])
	}
	for i := range w.low {
		w.low[i] = binary.BigEndian.Uint64(b[wideSize-8*(i+1):])
	}
	w.high.mul(&w.high, &to)
	w.low.mul(&w.low, &to)
	w.low.mul(&w.low, &residue{1}) // out of Montgomery form
	w.low.add(&w.low, &w.high)
	s.put(&w.low)
}

// put sets s to a residue that is not in Montgomery form.
func (s *Scalar) put(z *residue) {
	for i, limb := range z {
		binary.BigEndian.PutUint64(s.b[ScalarSize-8*(i+1):], limb)
	}
}

// inversion holds all values of computing one inverse. They are on the heap, and wiped at
// the end.
type inversion struct {
	power [16]residue // power[i] is the number to the power i, from 1 on
	z     residue
}

// newInversion is not inlined, so that what it returns is on the heap, where it stays in
// place until it is wiped: a stack that grows leaves a copy behind.
//
//go:noinline
func newInversion() *inversion { return &inversion{} }

// Invert sets s to the inverse of a, as its power n-2 (Fermat), and refuses zero. Its
// branches and indexes depend only on the digits of n-2, which are public.
func (s *Scalar) Invert(a *Scalar) error {
	if a.IsZero() {
		return ErrZero
	}
	w := newInversion()
	defer func() { *w = inversion{} }()
	first, to := &w.power[1], toResidue()
	for i := range first {
		first[i] = binary.BigEndian.Uint64(a.b[ScalarSize-8*(i+1):])
	}
	first.mul(first, &to)
	for i := 2; i < len(w.power); i++ {
		w.power[i].mul(&w.power[i-1], first)
	}
	exponent := order()
	exponent[ScalarSize-1] -= 2
	w.z = w.power[exponent[0]>>4]
	for i := 1; i < 2*ScalarSize; i++ { // a digit of four bits each, the most significant first
		for range 4 {
			w.z.mul(&w.z, &w.z)
		}
		if digit := exponent[i/2] >> (4 - i%2*4) & 15; digit != 0 {
			w.z.mul(&w.z, &w.power[digit])
		}
	}
	w.z.mul(&w.z, &residue{1}) // out of Montgomery form
	s.put(&w.z)
	return nil
}

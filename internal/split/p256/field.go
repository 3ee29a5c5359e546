package p256

import (
	"encoding/binary"
	"math/bits"
)

// fieldSize is the length of an element's encoding in bytes.
const fieldSize = 32

// element is a number modulo the field's prime
//
//	p = 2^256 - 2^224 + 2^192 + 2^96 - 1
//
// in four limbs, the least first, and in Montgomery form: x is kept as x times
// 2^256 modulo p, always below p. Results may be the same element as arguments.
// Every operation takes the same steps whatever the numbers are.
type element [4]uint64

// The limbs of p. The third is zero.
const (
	p0 = 0xffffffffffffffff
	p1 = 0x00000000ffffffff
	p2 = 0
	p3 = 0xffffffff00000001
)

// Constants, in Montgomery form. TestConstants computes each of them anew.
func fieldOne() element {
	return element{0x0000000000000001, 0xffffffff00000000, 0xffffffffffffffff, 0x00000000fffffffe}
}

// toMontgomery is 2^512 and twiceMontgomery 2^768, modulo p and not in
// Montgomery form: Montgomery multiplication by them brings a plain number, or
// a plain number times 2^256, into Montgomery form.
func toMontgomery() element {
	return element{0x0000000000000003, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd}
}

func twiceMontgomery() element {
	return element{0xfffffffd0000000a, 0xffffffedfffffff7, 0x00000005fffffffc, 0x0000001800000001}
}

// add sets z = x + y.
func (z *element) add(x, y *element) {
	var r element
	var carry uint64
	r[0], carry = bits.Add64(x[0], y[0], 0)
	r[1], carry = bits.Add64(x[1], y[1], carry)
	r[2], carry = bits.Add64(x[2], y[2], carry)
	r[3], carry = bits.Add64(x[3], y[3], carry)
	z.reduceOnce(r[0], r[1], r[2], r[3], carry)
}

// sub sets z = x - y.
func (z *element) sub(x, y *element) {
	r0, borrow := bits.Sub64(x[0], y[0], 0)
	r1, borrow := bits.Sub64(x[1], y[1], borrow)
	r2, borrow := bits.Sub64(x[2], y[2], borrow)
	r3, borrow := bits.Sub64(x[3], y[3], borrow)
	below := -borrow // all ones if y was greater
	var carry uint64
	z[0], carry = bits.Add64(r0, p0&below, 0)
	z[1], carry = bits.Add64(r1, p1&below, carry)
	z[2], carry = bits.Add64(r2, p2, carry)
	z[3], _ = bits.Add64(r3, p3&below, carry)
}

// negate sets z = -x.
func (z *element) negate(x *element) {
	var zero element
	z.sub(&zero, x)
}

// reduceOnce takes a number below 2p, whose bit 256 is carry, and subtracts p
// if the number is not below it.
func (z *element) reduceOnce(r0, r1, r2, r3, carry uint64) {
	s0, borrow := bits.Sub64(r0, p0, 0)
	s1, borrow := bits.Sub64(r1, p1, borrow)
	s2, borrow := bits.Sub64(r2, p2, borrow)
	s3, borrow := bits.Sub64(r3, p3, borrow)
	_, borrow = bits.Sub64(carry, 0, borrow)
	keep := -borrow // all ones if the number was below p
	z[0] = s0 ^ keep&(s0^r0)
	z[1] = s1 ^ keep&(s1^r1)
	z[2] = s2 ^ keep&(s2^r2)
	z[3] = s3 ^ keep&(s3^r3)
}

// times returns x times one limb, in five limbs.
func (x *element) times(y uint64) (r0, r1, r2, r3, r4 uint64) {
	h0, r0 := bits.Mul64(x[0], y)
	h1, l1 := bits.Mul64(x[1], y)
	h2, l2 := bits.Mul64(x[2], y)
	h3, l3 := bits.Mul64(x[3], y)
	r1, c := bits.Add64(l1, h0, 0)
	r2, c = bits.Add64(l2, h1, c)
	r3, c = bits.Add64(l3, h2, c)
	return r0, r1, r2, r3, h3 + c
}

// mul sets z = x * y; one of the two may be any number of 256 bits.
func (z *element) mul(x, y *element) {
	t0, t1, t2, t3, t4 := x.times(y[0])

	a0, a1, a2, a3, t5 := x.times(y[1])
	t1, c := bits.Add64(t1, a0, 0)
	t2, c = bits.Add64(t2, a1, c)
	t3, c = bits.Add64(t3, a2, c)
	t4, c = bits.Add64(t4, a3, c)
	t5 += c

	a0, a1, a2, a3, t6 := x.times(y[2])
	t2, c = bits.Add64(t2, a0, 0)
	t3, c = bits.Add64(t3, a1, c)
	t4, c = bits.Add64(t4, a2, c)
	t5, c = bits.Add64(t5, a3, c)
	t6 += c

	a0, a1, a2, a3, t7 := x.times(y[3])
	t3, c = bits.Add64(t3, a0, 0)
	t4, c = bits.Add64(t4, a1, c)
	t5, c = bits.Add64(t5, a2, c)
	t6, c = bits.Add64(t6, a3, c)
	t7 += c

	z.montgomery(t0, t1, t2, t3, t4, t5, t6, t7)
}

// square sets z = x * x, with each product of two different limbs once.
func (z *element) square(x *element) {
	h01, l01 := bits.Mul64(x[0], x[1])
	h02, l02 := bits.Mul64(x[0], x[2])
	h03, l03 := bits.Mul64(x[0], x[3])
	h12, l12 := bits.Mul64(x[1], x[2])
	h13, l13 := bits.Mul64(x[1], x[3])
	h23, l23 := bits.Mul64(x[2], x[3])

	t1 := l01
	t2, c := bits.Add64(h01, l02, 0)
	t3, c := bits.Add64(h02, l03, c)
	t4, c := bits.Add64(h03, l13, c)
	t5, c := bits.Add64(h13, l23, c)
	t6 := h23 + c
	t3, c = bits.Add64(t3, l12, 0)
	t4, c = bits.Add64(t4, h12, c)
	t5, c = bits.Add64(t5, 0, c)
	t6 += c

	// Double that sum,
	t7 := t6 >> 63
	t6 = t6<<1 | t5>>63
	t5 = t5<<1 | t4>>63
	t4 = t4<<1 | t3>>63
	t3 = t3<<1 | t2>>63
	t2 = t2<<1 | t1>>63
	t1 <<= 1

	// and add the squares of the limbs.
	h, t0 := bits.Mul64(x[0], x[0])
	t1, c = bits.Add64(t1, h, 0)
	h, l := bits.Mul64(x[1], x[1])
	t2, c = bits.Add64(t2, l, c)
	t3, c = bits.Add64(t3, h, c)
	h, l = bits.Mul64(x[2], x[2])
	t4, c = bits.Add64(t4, l, c)
	t5, c = bits.Add64(t5, h, c)
	h, l = bits.Mul64(x[3], x[3])
	t6, c = bits.Add64(t6, l, c)
	t7, _ = bits.Add64(t7, h, c)

	z.montgomery(t0, t1, t2, t3, t4, t5, t6, t7)
}

// montgomery sets z to t divided by 2^256, for t below 2^256 times p.
//
// Each of four rounds adds m times p, where m is the lowest limb left, and so
// makes that limb zero: p is -1 modulo 2^64. With p's limbs put in, the limb
// itself carries m to the next; that and m times p1 is m times 2^32; p2 is zero.
func (z *element) montgomery(t0, t1, t2, t3, t4, t5, t6, t7 uint64) {
	h, l := bits.Mul64(t0, p3)
	t1, c := bits.Add64(t1, t0<<32, 0)
	t2, c = bits.Add64(t2, t0>>32, c)
	t3, c = bits.Add64(t3, l, c)
	t4, top := bits.Add64(t4, h, c)

	// top is the carry of the round before. h is below p3, so h+top fits.
	h, l = bits.Mul64(t1, p3)
	t2, c = bits.Add64(t2, t1<<32, 0)
	t3, c = bits.Add64(t3, t1>>32, c)
	t4, c = bits.Add64(t4, l, c)
	t5, top = bits.Add64(t5, h+top, c)

	h, l = bits.Mul64(t2, p3)
	t3, c = bits.Add64(t3, t2<<32, 0)
	t4, c = bits.Add64(t4, t2>>32, c)
	t5, c = bits.Add64(t5, l, c)
	t6, top = bits.Add64(t6, h+top, c)

	h, l = bits.Mul64(t3, p3)
	t4, c = bits.Add64(t4, t3<<32, 0)
	t5, c = bits.Add64(t5, t3>>32, c)
	t6, c = bits.Add64(t6, l, c)
	t7, top = bits.Add64(t7, h+top, c)

	z.reduceOnce(t4, t5, t6, t7, top)
}

// squareTimes sets z to x squared n times, n at least 1.
func (z *element) squareTimes(x *element, n int) {
	z.square(x)
	for range n - 1 {
		z.square(z)
	}
}

// nonZero returns all ones if x is not zero, and zero if it is.
func (x *element) nonZero() uint64 {
	all := x[0] | x[1] | x[2] | x[3]
	return -((all | -all) >> 63)
}

// differs returns all ones if x is not y, and zero if it is.
func (x *element) differs(y *element) uint64 {
	d := element{x[0] ^ y[0], x[1] ^ y[1], x[2] ^ y[2], x[3] ^ y[3]}
	return d.nonZero()
}

// choose sets z to x if mask is all ones, and to y if mask is zero.
func (z *element) choose(x, y *element, mask uint64) {
	for i := range z {
		z[i] = y[i] ^ mask&(x[i]^y[i])
	}
}

// plain sets z to the number that x stands for, out of Montgomery form.
func (z *element) plain(x *element) { z.montgomery(x[0], x[1], x[2], x[3], 0, 0, 0, 0) }

// sign is RFC 9380's sgn0: the lowest bit of the number.
func (x *element) sign() uint64 {
	var n element
	n.plain(x)
	return n[0] & 1
}

// put writes the 32 bytes of the number, the most significant first.
func (x *element) put(out []byte) {
	var n element
	n.plain(x)
	for i, limb := range n {
		binary.BigEndian.PutUint64(out[fieldSize-8*(i+1):], limb)
	}
	clear(n[:])
}

// setWide sets z to 48 bytes, the most significant first, modulo p.
func (z *element) setWide(b *[wideSize]byte) {
	var high, low element
	for i := range low {
		low[i] = binary.BigEndian.Uint64(b[wideSize-8*(i+1):])
	}
	high[0] = binary.BigEndian.Uint64(b[8:])
	high[1] = binary.BigEndian.Uint64(b[:])
	one, two := toMontgomery(), twiceMontgomery()
	low.mul(&low, &one)
	high.mul(&high, &two)
	z.add(&low, &high)
	clear(low[:])
	clear(high[:])
}

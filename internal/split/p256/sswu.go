package p256

// Constants of the curve y^2 = x^3 + Ax + B and of the map to it (RFC 9380,
// section 8.2), in Montgomery form: A is -3 and Z is -10. TestConstants
// computes each of them anew.
func curveA() element {
	return element{0xfffffffffffffffc, 0x00000003ffffffff, 0x0000000000000000, 0xfffffffc00000004}
}

func curveB() element {
	return element{0xd89cdf6229c4bddf, 0xacf005cd78843090, 0xe5a220abf7212ed6, 0xdc30061d04874834}
}

func curveZ() element {
	return element{0xfffffffffffffff5, 0x0000000affffffff, 0x0000000000000000, 0xfffffff50000000b}
}

// rootOfMinusZ is a square root of 10.
func rootOfMinusZ() element {
	return element{0x5e02c711675e6a02, 0x87bff529bdc2308f, 0x96ec377061572011, 0x6fae2d90ed570cfc}
}

// mapping holds all values of one hash to the curve: two field elements are
// mapped, and share one inversion. They are on the heap, and wiped at the end.
type mapping struct {
	half [2]struct {
		u    element // the element to map
		x, d element // the point's first coordinate is x/d
		y    element
	}
	t       temporaries
	c       constants
	encoded [UncompressedSize]byte
	point   *Point
}

// constants are the values of the functions above, stored so that they can be
// pointed at.
type constants struct{ one, a, b, z, root element }

// temporaries are the intermediate values of the map and of one power.
type temporaries struct {
	zu2, w, x1, d2, d3, u, v, y, check element
	power                              powers
}

// newMapping is not inlined, so that what it returns is on the heap, where it
// stays in place until it is wiped: a stack that grows leaves a copy behind.
//
//go:noinline
func newMapping() *mapping {
	return &mapping{
		point: NewPoint(),
		c:     constants{fieldOne(), curveA(), curveB(), curveZ(), rootOfMinusZ()},
	}
}

func (m *mapping) wipe() {
	m.point.Wipe()
	*m = mapping{point: m.point}
}

// run maps both elements, then divides the first coordinates by their
// denominators: the inverse of the two denominators' product, times the one,
// is the inverse of the other. Denominators are never zero.
func (m *mapping) run() {
	for i := range m.half {
		m.swu(i)
	}
	a, b, t := &m.half[0], &m.half[1], &m.t
	t.u.mul(&a.d, &b.d)
	t.v.invert(&t.u, &t.power)
	t.u.mul(&t.v, &b.d)
	a.x.mul(&a.x, &t.u)
	t.u.mul(&t.v, &a.d)
	b.x.mul(&b.x, &t.u)
}

// swu is the simplified map of Shallue, van de Woestijne and Ulas (RFC 9380,
// section 6.6.2), with the first coordinate as a fraction x/d.
//
// With w = Z^2 u^4 + Z u^2, the first candidate is x1 = -B/A (1 + 1/w), or
// B/(ZA) where w is zero; the second is Z u^2 x1. Exactly one of the two has
// a second coordinate, or both have the same one; y gets the sign of u.
func (m *mapping) swu(i int) {
	h, t, c := &m.half[i], &m.t, &m.c
	t.zu2.square(&h.u)
	t.zu2.mul(&t.zu2, &c.z)
	t.w.square(&t.zu2)
	t.w.add(&t.w, &t.zu2)

	// x1/d: the numerator is B(w+1), the denominator -Aw, or AZ where w is zero.
	t.x1.add(&t.w, &c.one)
	t.x1.mul(&t.x1, &c.b)
	nonZero := t.w.nonZero()
	h.d.negate(&t.w)
	h.d.choose(&h.d, &c.z, nonZero)
	h.d.mul(&h.d, &c.a)

	// g(x1/d) = u/v: the numerator is x1^3 + A x1 d^2 + B d^3, the denominator d^3.
	t.d2.square(&h.d)
	t.d3.mul(&t.d2, &h.d)
	t.u.square(&t.x1)
	t.y.mul(&t.d2, &c.a)
	t.u.add(&t.u, &t.y)
	t.u.mul(&t.u, &t.x1)
	t.y.mul(&t.d3, &c.b)
	t.u.add(&t.u, &t.y)

	// t.y becomes the root of g(x1) or, if g(x1) has none, of Z g(x1).
	isSquare := m.rootOfRatio(&t.y, &t.u, &t.d3)
	h.x.mul(&t.zu2, &t.x1)
	h.y.mul(&t.zu2, &h.u)
	h.y.mul(&h.y, &t.y)
	h.x.choose(&t.x1, &h.x, isSquare)
	h.y.choose(&t.y, &h.y, isSquare)

	t.y.negate(&h.y)
	h.y.choose(&t.y, &h.y, -(h.u.sign() ^ h.y.sign()))
}

// rootOfRatio is RFC 9380's sqrt_ratio (appendix F.2.1.2) for a prime that is 3
// modulo 4. It sets root to the square root of u/v and returns all ones or, if
// u/v is no square, sets root to the square root of Z u/v and returns zero.
func (m *mapping) rootOfRatio(root, u, v *element) uint64 {
	t := &m.t
	t.v.mul(u, v)
	t.check.square(v)
	t.check.mul(&t.check, &t.v) // u v^3
	root.quarter(&t.check, &t.power)
	root.mul(root, &t.v)
	t.v.mul(root, &m.c.root)
	t.check.square(root)
	t.check.mul(&t.check, v)
	isSquare := ^t.check.differs(u)
	root.choose(root, &t.v, isSquare)
	return isSquare
}

// encode writes point i, uncompressed.
func (m *mapping) encode(i int) {
	m.encoded[0] = 4
	m.half[i].x.put(m.encoded[1:])
	m.half[i].y.put(m.encoded[1+fieldSize:])
}

// powers are the intermediate values of quarter: xN is x to the 2^N - 1.
type powers struct{ x2, x3, x6, x12, x15, x30, x32 element }

// quarter sets z to x to the power (p-3)/4. That exponent is
//
//	2^254 - 2^222 + 2^190 + 2^94 - 1
//
// or in binary: 32 ones, 31 zeros and a one, 96 zeros, 94 ones. z is not x.
func (z *element) quarter(x *element, t *powers) {
	t.x2.square(x)
	t.x2.mul(&t.x2, x)
	t.x3.square(&t.x2)
	t.x3.mul(&t.x3, x)
	t.x6.squareTimes(&t.x3, 3)
	t.x6.mul(&t.x6, &t.x3)
	t.x12.squareTimes(&t.x6, 6)
	t.x12.mul(&t.x12, &t.x6)
	t.x15.squareTimes(&t.x12, 3)
	t.x15.mul(&t.x15, &t.x3)
	t.x30.squareTimes(&t.x15, 15)
	t.x30.mul(&t.x30, &t.x15)
	t.x32.squareTimes(&t.x30, 2)
	t.x32.mul(&t.x32, &t.x2)

	z.squareTimes(&t.x32, 32)
	z.mul(z, x)
	z.squareTimes(z, 96+32)
	z.mul(z, &t.x32)
	z.squareTimes(z, 32)
	z.mul(z, &t.x32)
	z.squareTimes(z, 30)
	z.mul(z, &t.x30)
}

// invert sets z to the inverse of x: x to the power p-2, which is four times
// (p-3)/4 and one more. The inverse of zero is zero. z is not x.
func (z *element) invert(x *element, t *powers) {
	z.quarter(x, t)
	z.squareTimes(z, 2)
	z.mul(z, x)
}

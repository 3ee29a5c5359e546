package p256

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"strings"
	"testing"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(s []byte) (err error) {
	*h, err = hex.DecodeString(string(s))
	return err
}

func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// TestHashed: whole blocks give the library's own sum, at every length at which
// the padding changes. It fails first if crypto/sha256 changes its state's layout.
func TestHashed(t *testing.T) {
	message := bytes.Repeat([]byte("0123456789"), 40)
	for n := range message {
		want := sha256.Sum256(message[:n])
		if got := hashed(message[:n/3], nil, message[n/3:n]); !bytes.Equal(got, want[:]) {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
	}
	long := make([]byte, 1<<17+5)
	want := sha256.Sum256(long)
	if got := hashed(long); !bytes.Equal(got, want[:]) {
		t.Fatalf("%d bytes: %x, want %x", len(long), got, want)
	}
}

// TestExpandVectors reproduces expand_message_xmd of RFC 9380, appendix K.1.
func TestExpandVectors(t *testing.T) {
	var f struct {
		DST     string
		Vectors []struct {
			Message string
			Size    int
			Uniform hexBytes
		}
	}
	readVectors(t, "rfc9380-expand-sha256.json", &f)
	if len(f.Vectors) != 10 {
		t.Fatalf("%d vectors, want the 10 of the RFC", len(f.Vectors))
	}
	for _, v := range f.Vectors {
		got, err := expand([]byte(v.Message), f.DST, v.Size)
		if err != nil || !bytes.Equal(got, v.Uniform) {
			t.Errorf("%q to %d bytes: %x, %v, want %x", v.Message, v.Size, got, err, v.Uniform)
		}
	}
}

func TestExpandRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		dst  string
		size int
	}{
		"no tag":        {"", 32},
		"long tag":      {strings.Repeat("x", 256), 32},
		"no bytes":      {"tag", 0},
		"too many":      {"tag", 255*sha256.Size + 1},
		"negative size": {"tag", -1},
	} {
		if b, err := expand([]byte("message"), c.dst, c.size); err == nil || b != nil {
			t.Errorf("%s: %x, %v", name, b, err)
		}
	}
	if p, err := HashToCurve([]byte("message"), ""); err == nil || p != nil {
		t.Errorf("a point without a tag: %v", err)
	}
	var s Scalar
	if err := s.Hash([]byte("message"), ""); err == nil || !s.IsZero() {
		t.Errorf("a scalar without a tag: %v", err)
	}
}

// TestCurveVectors reproduces RFC 9380, appendix J.1.1: the field elements, the
// points that they map to, and the sum.
func TestCurveVectors(t *testing.T) {
	var f struct {
		DST     string
		Vectors []struct {
			Message   string
			U         []hexBytes
			Q0, Q1, P hexBytes
		}
	}
	readVectors(t, "rfc9380-p256-sswu-ro.json", &f)
	if len(f.Vectors) != 5 {
		t.Fatalf("%d vectors, want the 5 of the RFC", len(f.Vectors))
	}
	for _, v := range f.Vectors {
		uniform, err := expand([]byte(v.Message), f.DST, 2*wideSize)
		if err != nil {
			t.Fatal(err)
		}
		m := newMapping()
		for i := range m.half {
			m.half[i].u.setWide((*[wideSize]byte)(uniform[i*wideSize:]))
			if got := plainOf(&m.half[i].u).FillBytes(make([]byte, fieldSize)); !bytes.Equal(got, v.U[i]) {
				t.Errorf("%.20q: u%d is %x, want %x", v.Message, i, got, v.U[i])
			}
		}
		m.run()
		for i, want := range []hexBytes{v.Q0, v.Q1} {
			if m.encode(i); !bytes.Equal(m.encoded[1:], want) {
				t.Errorf("%.20q: Q%d is %x, want %x", v.Message, i, m.encoded[1:], want)
			}
		}
		p, err := HashToCurve([]byte(v.Message), f.DST)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Uncompressed(); err != nil || !bytes.Equal(got[1:], v.P) {
			t.Errorf("%.20q: P is %x, %v, want %x", v.Message, got[1:], err, v.P)
		}
	}
}

// checkMap holds the map of two numbers against the slow one.
func checkMap(t testing.TB, s slow, numbers [2]*big.Int) {
	t.Helper()
	m := newMapping()
	defer m.wipe()
	for i, u := range numbers {
		m.half[i].u = elementOf(u)
	}
	m.run()
	for i, u := range numbers {
		x, y := s.swu(u)
		if got := plainOf(&m.half[i].x); got.Cmp(x) != 0 {
			t.Fatalf("%x maps to x %x, want %x", u, got, x)
		}
		if got := plainOf(&m.half[i].y); got.Cmp(y) != 0 {
			t.Fatalf("%x maps to y %x, want %x", u, got, y)
		}
	}
}

// exceptional are the numbers whose w = Z^2 u^4 + Z u^2 is zero. Zero is one;
// the others would be the roots of -1/Z = 1/10.
func exceptional(t testing.TB, s slow) []*big.Int {
	t.Helper()
	root := new(big.Int).ModSqrt(s.inverse(big.NewInt(10)), s.p)
	if root == nil {
		t.Fatal("10 has a root modulo the prime")
	}
	return []*big.Int{new(big.Int), root, s.sub(new(big.Int), root)}
}

// TestMapAtEdges: the exceptional numbers among them, each beside each.
func TestMapAtEdges(t *testing.T) {
	s := newSlow()
	numbers := append(exceptional(t, s), edges(s.p)...)
	for i, u := range numbers {
		checkMap(t, s, [2]*big.Int{u, numbers[(i+1)%len(numbers)]})
		checkMap(t, s, [2]*big.Int{u, u})
	}
	for _, u := range exceptional(t, s) {
		for _, v := range exceptional(t, s) {
			checkMap(t, s, [2]*big.Int{u, v})
		}
	}
}

func TestMapAtRandom(t *testing.T) {
	s, r := newSlow(), newSource(t)
	for range trials(500, 50_000) {
		x, y := drawLimbs(r, s.p), drawLimbs(r, s.p)
		checkMap(t, s, [2]*big.Int{x.raw(), y.raw()})
	}
}

// FuzzMap holds the map against the slow one.
func FuzzMap(f *testing.F) {
	s := newSlow()
	for _, e := range append(exceptional(f, s), edges(s.p)...) {
		var b [2 * fieldSize]byte
		e.FillBytes(b[:fieldSize])
		s.mod(new(big.Int).Add(e, big.NewInt(1))).FillBytes(b[fieldSize:])
		f.Add(b[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2*fieldSize {
			return
		}
		x := new(big.Int).SetBytes(b[:fieldSize])
		y := new(big.Int).SetBytes(b[fieldSize : 2*fieldSize])
		checkMap(t, s, [2]*big.Int{s.mod(x), s.mod(y)})
	})
}

// TestMappingIsWiped: nothing of what was mapped stays in the work's memory.
func TestMappingIsWiped(t *testing.T) {
	m := newMapping()
	m.half[0].u, m.half[1].u = element{1}, element{2}
	m.run()
	m.encode(1)
	if _, err := m.point.p.SetBytes(m.encoded[:]); err != nil {
		t.Fatal(err)
	}
	point := m.point
	m.wipe()
	if *m != (mapping{point: point}) || !point.IsIdentity() {
		t.Error("a mapping keeps its numbers after wipe")
	}
}

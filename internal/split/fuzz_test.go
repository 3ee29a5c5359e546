package split

import (
	"bytes"
	"testing"
)

// FuzzParsePoint: every point that is accepted is 33 bytes, encodes to the same
// bytes again, and can be evaluated; nothing panics.
func FuzzParsePoint(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0})
	f.Add(make([]byte, PointSize))
	k, err := Derive(NewShareKey(), Scope{Subset: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePoint(b)
		if err != nil {
			if !p.IsZero() {
				t.Fatal("an error and a point")
			}
			return
		}
		if len(b) != PointSize || !bytes.Equal(p.Bytes(), b) {
			t.Fatalf("%x is read as %x", b, p.Bytes())
		}
		s, err := k.Evaluate(p)
		if err != nil || s.Point.IsZero() {
			t.Fatalf("%x: evaluated to %x, %v", b, s.Point.Bytes(), err)
		}
	})
}

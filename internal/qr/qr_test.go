package qr_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/qr"
)

// TestQR: the terminal's drawing and the page's are the same QR code, with its
// three corners; no other tool reads it here, so the test checks the frame.
func TestQR(t *testing.T) {
	code, err := qr.New("https://192.168.1.23:8443")
	if err != nil {
		t.Fatal(err)
	}
	lines := code.Lines()
	size := len([]rune(lines[0]))
	if size < 21+8 || (size-8-17)%4 != 0 || len(lines) != (size+1)/2 {
		t.Fatalf("%d by %d", size, len(lines))
	}
	dark := func(x, y int) bool {
		r := []rune(lines[y/2])[x]
		return r == ' ' || r == '▀' && y%2 == 1 || r == '▄' && y%2 == 0
	}
	const quiet = 4
	for _, corner := range [][2]int{{quiet, quiet}, {size - quiet - 7, quiet}, {quiet, size - quiet - 7}} {
		for y := range 7 {
			for x := range 7 {
				ring := max(abs(x-3), abs(y-3))
				if want := ring != 2; dark(corner[0]+x, corner[1]+y) != want {
					t.Fatalf("corner %v: (%d, %d) dark: %t", corner, x, y, !want)
				}
			}
		}
	}
	for i := range size {
		if dark(i, 0) || dark(0, i) || dark(i, size-1) || dark(size-1, i) {
			t.Fatal("no quiet zone")
		}
	}
	svg := code.SVG(`"><script>`)
	n := 0
	for y := range size {
		for x := range size {
			if dark(x, y) {
				n++
			}
		}
	}
	if got := bytes.Count(svg, []byte("h1v1h-1z")); got != n {
		t.Errorf("%d dark squares in the SVG, %d on the terminal", got, n)
	}
	if bytes.Contains(svg, []byte("<script")) || bytes.Contains(code.SVG(""), []byte("aria-label")) {
		t.Errorf("%s", svg[:200])
	}
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := qr.New(strings.Repeat("x", 4000)); err == nil {
		t.Error("an address without end was drawn")
	}
}

func abs(n int) int { return max(n, -n) }

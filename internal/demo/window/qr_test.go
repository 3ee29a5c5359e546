package window_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/demo/window"
)

// TestQR: the terminal's drawing and the page's are the same QR code, with its
// three corners; no other tool reads it here, so the test checks the frame.
func TestQR(t *testing.T) {
	code, err := window.NewQR("https://192.168.1.23:8443")
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
	svg := code.SVG()
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
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := window.NewQR(strings.Repeat("x", 4000)); err == nil {
		t.Error("an address without end was drawn")
	}
}

func abs(n int) int { return max(n, -n) }

// TestScan: the QR code is in the page only where Config asks for it.
func TestScan(t *testing.T) {
	for _, scan := range []bool{true, false} {
		h, err := window.New(window.Config{Hub: window.NewHub(at), Origin: "https://192.168.1.23:8443", Scan: scan, Official: "https://192.168.1.23:8444/",
			Phones: []window.Phone{{Name: liuma.Text{ZH: "浙"}, URL: "https://192.168.1.23:8445"}}})
		if err != nil {
			t.Fatal(err)
		}
		status := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[scan]
		if got := get(h, "192.168.1.23:8443", "/qr.svg"); got.Code != status {
			t.Errorf("scan %t: %d", scan, got.Code)
		}
		page := get(h, "192.168.1.23:8443", "/").Body.String()
		if strings.Contains(page, "/qr.svg") != scan || !strings.Contains(page, `href="https://192.168.1.23:8444/"`) {
			t.Errorf("scan %t: %s", scan, page)
		}
	}
}

// Package qr draws addresses as QR codes, for a phone's camera: on a page as SVG, and on a
// terminal. It guarantees that a page's drawing holds nothing but squares, so that it may
// stand in HTML, and that nothing leaves the process to make it. It trusts
// github.com/skip2/go-qrcode for the squares.
//
// Start here: New.
package qr

import (
	"fmt"
	"html"
	"strings"

	"github.com/skip2/go-qrcode"
)

// Code is an address as a QR code.
type Code struct{ dark [][]bool } // rows, with a quiet zone

// New makes a QR code. Only an address that is far too long fails.
func New(address string) (Code, error) {
	code, err := qrcode.New(address, qrcode.Medium)
	if err != nil {
		return Code{}, fmt.Errorf("qr: %w", err)
	}
	return Code{dark: code.Bitmap()}, nil
}

// SVG draws it for a page. label is what a screen reader says of it; without one it is a
// picture of its own, whose page names it.
func (q Code) SVG(label string) []byte {
	var b strings.Builder
	n := len(q.dark)
	named := ""
	if label != "" {
		named = ` role="img" class="qr" aria-label="` + html.EscapeString(label) + `"`
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"%s><rect width="%d" height="%d" fill="#fff"/><path d="`, n, n, named, n, n)
	for y, row := range q.dark {
		for x, dark := range row {
			if dark {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	b.WriteString(`" fill="#000"/></svg>`)
	return []byte(b.String())
}

// Lines draws the QR code for a terminal, two rows in each line. Most terminals
// are dark, so the light modules are drawn and the dark ones left out. On a
// light terminal the code is inverted, which today's readers accept too.
func (q Code) Lines() []string {
	var lines []string
	for y := 0; y < len(q.dark); y += 2 {
		var b strings.Builder
		for x := range q.dark[y] {
			upper, lower := !q.dark[y][x], y+1 < len(q.dark) && !q.dark[y+1][x]
			switch {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		lines = append(lines, b.String())
	}
	return lines
}

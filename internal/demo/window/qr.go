package window

import (
	"fmt"
	"strings"

	"github.com/skip2/go-qrcode"
)

// QR is an address as a QR code, for a phone's camera.
type QR struct{ dark [][]bool } // rows, with a quiet zone

// NewQR makes a QR code. Only an address that is far too long fails.
func NewQR(address string) (QR, error) {
	code, err := qrcode.New(address, qrcode.Medium)
	if err != nil {
		return QR{}, fmt.Errorf("window: QR code: %w", err)
	}
	return QR{dark: code.Bitmap()}, nil
}

// SVG draws it for a page.
func (q QR) SVG() []byte {
	var b strings.Builder
	n := len(q.dark)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><rect width="%d" height="%d" fill="#fff"/><path d="`, n, n, n, n)
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
func (q QR) Lines() []string {
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

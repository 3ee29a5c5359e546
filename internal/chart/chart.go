// Package chart draws plain charts as SVG on the server, for pages that work without
// script. It guarantees that what it draws can be told apart in black and white, by
// pattern, dash and mark, never by colour alone; that a screen reader finds a title and
// a description in it, and nothing else (a page puts a table of the same numbers beside
// it); that all text is escaped, and nothing in it needs a style that a strict content
// policy forbids; and that the same chart is the same bytes. It trusts its caller for
// the words and for identifiers that no other chart of the page has.
//
// Start here: Chart, then Chart.Bars.
package chart

import (
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Chart is what to draw.
type Chart struct {
	ID          string // prefix of the identifiers in the drawing: a-z, 0-9
	Title, Desc string // for readers who cannot see it
	Caption     string // text above the drawing; empty if the page has a heading
	Labels      []string
	Series      []Series // at most MaxSeries; each has a value for each label
}

// Series is one row of values.
type Series struct {
	Name   string
	Values []Value
}

// Value is one value. One that is too small to be told exactly is drawn at its likely
// height, with a dashed line.
type Value struct {
	N   float64
	Few bool
}

// MaxSeries is how many series have a pattern, a dash and a mark of their own.
const MaxSeries = 4

// The drawing's measures.
const (
	width, height   = 920.0, 280.0
	left, right     = 64.0, 12.0
	top, bottom     = 40.0, 34.0
	plotW, plotH    = width - left - right, height - top - bottom
	wide, narrow    = 13.0, 7.2 // about how wide a character is
	leastLabelSpace = 10.0
	caption         = 24.0 // its height
)

const black = "#000"

// drawing collects the elements.
type drawing struct {
	b   strings.Builder
	c   Chart
	max float64
}

// Bars draws the series on top of one another, a bar for each label.
func (c Chart) Bars() string {
	d := &drawing{c: c}
	for i := range c.Labels {
		sum := 0.0
		for _, s := range c.Series {
			sum += at(s, i).N
		}
		d.max = math.Max(d.max, sum)
	}
	d.begin()
	d.patterns()
	step := plotW / math.Max(1, float64(len(c.Labels)))
	for i := range c.Labels {
		base := 0.0
		for k, s := range c.Series {
			v := at(s, i)
			if v.N <= 0 {
				continue
			}
			y, h := d.y(base+v.N), v.N/d.top()*plotH
			dash, fill := "", d.fill(k)
			if v.Few {
				dash = ` stroke-dasharray="2 2"`
			}
			if v.Few && fill == black {
				fill = "#fff" // on which the dashes show
			}
			fmt.Fprintf(&d.b, `<rect x="%s" y="%s" width="%s" height="%s" fill="%s" stroke="#000"%s/>`,
				px(left+step*(float64(i)+.15)), px(y), px(step*.7), px(h), fill, dash)
			base += v.N
		}
	}
	d.legend(func(k int, x, y float64) {
		fmt.Fprintf(&d.b, `<rect x="%s" y="%s" width="14" height="12" fill="%s" stroke="#000"/>`, px(x), px(y-11), d.fill(k))
	})
	return d.end(step)
}

// Lines draws each series as a line of its own.
func (c Chart) Lines() string {
	d := &drawing{c: c}
	for _, s := range c.Series {
		for i := range c.Labels {
			d.max = math.Max(d.max, at(s, i).N)
		}
	}
	d.begin()
	step := plotW / math.Max(1, float64(len(c.Labels)))
	for k, s := range c.Series {
		var points []string
		for i := range c.Labels {
			points = append(points, px(left+step*(float64(i)+.5))+","+px(d.y(at(s, i).N)))
		}
		fmt.Fprintf(&d.b, `<polyline points="%s" fill="none" stroke="#000" stroke-width="1.5"%s/>`, strings.Join(points, " "), dashOf(k))
		for i := range c.Labels {
			d.mark(k, left+step*(float64(i)+.5), d.y(at(s, i).N))
		}
	}
	d.legend(func(k int, x, y float64) {
		fmt.Fprintf(&d.b, `<path d="M%s %sh14" fill="none" stroke="#000" stroke-width="1.5"%s/>`, px(x), px(y-5), dashOf(k))
		d.mark(k, x+7, y-5)
	})
	return d.end(step)
}

// at is a value of a series; one that is missing, or is not a number, counts as none.
func at(s Series, i int) Value {
	if i >= len(s.Values) || math.IsNaN(s.Values[i].N) || math.IsInf(s.Values[i].N, 0) || s.Values[i].N < 0 {
		return Value{}
	}
	return s.Values[i]
}

func dashOf(k int) string {
	return []string{"", ` stroke-dasharray="7 4"`, ` stroke-dasharray="2 3"`, ` stroke-dasharray="9 3 2 3"`}[k%MaxSeries]
}

// mark draws a point of a series.
func (d *drawing) mark(k int, x, y float64) {
	switch k % MaxSeries {
	case 0:
		fmt.Fprintf(&d.b, `<circle cx="%s" cy="%s" r="2.5" fill="#000"/>`, px(x), px(y))
	case 1:
		fmt.Fprintf(&d.b, `<rect x="%s" y="%s" width="5" height="5" fill="#fff" stroke="#000"/>`, px(x-2.5), px(y-2.5))
	case 2:
		fmt.Fprintf(&d.b, `<path d="M%s %sl3 5h-6z" fill="#000"/>`, px(x), px(y-3))
	default:
		fmt.Fprintf(&d.b, `<path d="M%s %sl5 5m0 -5l-5 5" stroke="#000"/>`, px(x-2.5), px(y-2.5))
	}
}

// begin writes the head, the white ground and the axis.
func (d *drawing) begin() {
	id := d.c.ID
	above := 0.0
	if d.c.Caption != "" {
		above = caption
	}
	fmt.Fprintf(&d.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 %s %s %s" width="100%%" role="img" aria-labelledby="%s-t %s-d" direction="ltr" font-size="12">`,
		px(0-above), px(width), px(height+above), id, id)
	fmt.Fprintf(&d.b, `<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`, id, escaped(d.c.Title), id, escaped(d.c.Desc))
	fmt.Fprintf(&d.b, `<rect y="%s" width="%s" height="%s" fill="#fff"/>`, px(0-above), px(width), px(height+above))
	if d.c.Caption != "" {
		d.text(left, -6, "start", d.c.Caption)
	}
	for _, n := range ticks(d.max) {
		y := d.y(n)
		fmt.Fprintf(&d.b, `<path d="M%s %sH%s" stroke="#bbb"/>`, px(left), px(y), px(width-right))
		d.text(left-6, y+4, "end", strconv.FormatFloat(n, 'f', -1, 64))
	}
}

// patterns defines how the bars of each series are filled.
func (d *drawing) patterns() {
	inside := []string{"", `<path d="M0 6L6 0" stroke="#000"/>`, `<circle cx="3" cy="3" r="1.3"/>`, `<path d="M0 3H6M3 0V6" stroke="#000"/>`}
	d.b.WriteString("<defs>")
	for k := 1; k < MaxSeries; k++ {
		fmt.Fprintf(&d.b, `<pattern id="%s-p%d" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="#fff"/>%s</pattern>`, d.c.ID, k, inside[k])
	}
	d.b.WriteString("</defs>")
}

func (d *drawing) fill(k int) string {
	if k%MaxSeries == 0 {
		return black
	}
	return fmt.Sprintf("url(#%s-p%d)", d.c.ID, k%MaxSeries)
}

// legend names the series, each behind a sample of its pattern.
func (d *drawing) legend(swatch func(k int, x, y float64)) {
	x, y := left, 22.0
	for k, s := range d.c.Series {
		swatch(k, x, y)
		d.text(x+20, y, "start", s.Name)
		x += 20 + wideness(s.Name) + 22
	}
}

// end writes the labels, as many as have room, the line below and the foot.
func (d *drawing) end(step float64) string {
	longest := 0.0
	for _, l := range d.c.Labels {
		longest = math.Max(longest, wideness(l))
	}
	every := int(math.Max(1, math.Ceil((longest+leastLabelSpace)/step)))
	for i, l := range d.c.Labels {
		if i%every == 0 {
			d.text(left+step*(float64(i)+.5), height-bottom+18, "middle", l)
		}
	}
	fmt.Fprintf(&d.b, `<path d="M%s %sH%s" stroke="#000"/></svg>`, px(left), px(top+plotH), px(width-right))
	return d.b.String()
}

func (d *drawing) text(x, y float64, anchor, s string) {
	fmt.Fprintf(&d.b, `<text x="%s" y="%s" text-anchor="%s" fill="#000">%s</text>`, px(x), px(y), anchor, escaped(s))
}

// top is the value at the upper edge.
func (d *drawing) top() float64 { t := ticks(d.max); return t[len(t)-1] }

func (d *drawing) y(n float64) float64 { return top + plotH*(1-n/d.top()) }

// ticks are whole numbers from zero up to at least the highest value, at most six.
func ticks(highest float64) []float64 {
	for scale := 1.0; ; scale *= 10 {
		for _, s := range []float64{1, 2, 5} {
			if step := s * scale; highest <= step*5 {
				var out []float64
				for n := 0.0; ; n += step {
					if out = append(out, n); n >= highest && n > 0 {
						return out
					}
				}
			}
		}
	}
}

// wideness is about how wide a text is drawn.
func wideness(s string) (w float64) {
	for _, r := range s {
		if r < 0x2E80 {
			w += narrow
		} else {
			w += wide
		}
	}
	return w
}

// px writes a measure, to a tenth.
func px(n float64) string { return strconv.FormatFloat(math.Round(n*10)/10, 'f', -1, 64) }

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

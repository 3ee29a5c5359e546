package chart_test

import (
	"encoding/xml"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/chart"
)

func sample() chart.Chart {
	return chart.Chart{ID: "c1", Title: "Checks <of> PINs", Desc: `12 & "more"`, Labels: []string{"1", "2", "3"}, Series: []chart.Series{
		{Name: "right", Values: []chart.Value{{N: 10}, {N: 20}, {}}},
		{Name: "密码错误", Values: []chart.Value{{N: 2, Few: true}, {N: 5}, {N: 1}}},
	}}
}

// elements reads a drawing as XML and returns its elements.
func elements(t *testing.T, svg string) (all []xml.StartElement, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return all, text
		}
		if err != nil {
			t.Fatalf("not well formed: %v\n%s", err, svg)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			all = append(all, x.Copy())
		case xml.CharData:
			text += string(x) + "\n"
		}
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// TestReadWithoutSeeing: a title and a description are named by the drawing, and text is
// escaped.
func TestReadWithoutSeeing(t *testing.T) {
	for name, svg := range map[string]string{"bars": sample().Bars(), "lines": sample().Lines()} {
		all, text := elements(t, svg)
		root := all[0]
		if attr(root, "role") != "img" || attr(root, "aria-labelledby") != "c1-t c1-d" {
			t.Errorf("%s: %+v", name, root)
		}
		for _, want := range []string{"Checks <of> PINs", `12 & "more"`, "right", "密码错误"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %s", name, want)
			}
		}
	}
}

// TestNothingThatAPolicyForbids: no style, no script, no address.
func TestNothingThatAPolicyForbids(t *testing.T) {
	for name, svg := range map[string]string{"bars": sample().Bars(), "lines": sample().Lines()} {
		all, _ := elements(t, svg)
		for _, e := range all {
			if e.Name.Local == "style" || e.Name.Local == "script" || e.Name.Local == "image" || e.Name.Local == "a" {
				t.Errorf("%s has a %s", name, e.Name.Local)
			}
			for _, a := range e.Attr {
				if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" {
					t.Errorf("%s has %s", name, a.Name.Local)
				}
			}
		}
	}
}

// TestToldApartWithoutColour: each series has a fill, or a dash and a mark, of its own,
// and no colour but black, white and the grey of the grid is used.
func TestToldApartWithoutColour(t *testing.T) {
	c := chart.Chart{ID: "c", Labels: []string{"1"}}
	for range chart.MaxSeries {
		c.Series = append(c.Series, chart.Series{Name: "x", Values: []chart.Value{{N: 5}}})
	}
	fills := map[string]bool{}
	all, _ := elements(t, c.Bars())
	for _, e := range all {
		if e.Name.Local == "rect" && attr(e, "stroke") == "#000" && attr(e, "width") != "14" {
			fills[attr(e, "fill")] = true
		}
	}
	if len(fills) != chart.MaxSeries {
		t.Errorf("%d series have the fills %v", chart.MaxSeries, fills)
	}
	dashes := map[string]bool{}
	all, _ = elements(t, c.Lines())
	for _, e := range all {
		if e.Name.Local == "polyline" {
			dashes[attr(e, "stroke-dasharray")] = true
		}
	}
	if len(dashes) != chart.MaxSeries {
		t.Errorf("%d series have the dashes %v", chart.MaxSeries, dashes)
	}
	for _, colour := range regexp.MustCompile(`"#[0-9a-f]+"`).FindAllString(c.Bars()+c.Lines(), -1) {
		if colour != `"#000"` && colour != `"#fff"` && colour != `"#bbb"` {
			t.Errorf("the colour %s", colour)
		}
	}
}

// TestFewIsDashed: a value that is too small to be told does not look like one that is
// known.
func TestFewIsDashed(t *testing.T) {
	all, _ := elements(t, sample().Bars())
	n := 0
	for _, e := range all {
		if e.Name.Local == "rect" && attr(e, "stroke-dasharray") != "" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d bars are dashed, want 1", n)
	}
	c := chart.Chart{ID: "c", Labels: []string{"1"}, Series: []chart.Series{{Name: "x", Values: []chart.Value{{N: 2, Few: true}}}}}
	all, _ = elements(t, c.Bars())
	for _, e := range all {
		if e.Name.Local == "rect" && attr(e, "stroke-dasharray") != "" && attr(e, "fill") == "#000" {
			t.Error("black dashes around black")
		}
	}
}

// TestBarsStayInside: whatever the values, missing, empty or absurd, no bar leaves the
// drawing, and the highest reaches no further than the uppermost line.
func TestBarsStayInside(t *testing.T) {
	number := regexp.MustCompile(`<rect x="([0-9.e+-]+)" y="([0-9.e+-]+)" width="([0-9.e+-]+)" height="([0-9.e+-]+)"`)
	for _, values := range [][]float64{nil, {0}, {1}, {5}, {6}, {11, 3}, {999_999_999, 1}, {math.NaN(), -3, math.Inf(1), 4}} {
		c := chart.Chart{ID: "c", Labels: []string{"a", "b", "c", "d"}, Series: []chart.Series{{Name: "x"}, {Name: "y"}}}
		for _, v := range values {
			c.Series[0].Values = append(c.Series[0].Values, chart.Value{N: v})
			c.Series[1].Values = append(c.Series[1].Values, chart.Value{N: v})
		}
		elements(t, c.Lines())
		svg := c.Bars()
		elements(t, svg)
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%v: %s", values, svg)
		}
		for _, m := range number.FindAllStringSubmatch(svg, -1) {
			var x, y, w, h float64
			for i, into := range []*float64{&x, &y, &w, &h} {
				*into = parse(t, m[i+1])
			}
			if w == 14 {
				continue // of the legend
			}
			if x < 64 || y < 39.9 || x+w > 908.1 || y+h > 246.2 || h < 0 {
				t.Errorf("%v: a bar at %s", values, m[0])
			}
		}
	}
}

// TestLabelsDoNotRunIntoOneAnother: of many labels only some are written.
func TestLabelsDoNotRunIntoOneAnother(t *testing.T) {
	c := chart.Chart{ID: "c", Series: []chart.Series{{Name: "x"}}}
	for range 60 {
		c.Labels = append(c.Labels, "2026-03-04")
	}
	if n := strings.Count(c.Bars(), "2026-03-04"); n < 5 || n > 11 {
		t.Errorf("%d labels are written", n)
	}
	if first, again := c.Bars(), c.Bars(); first != again {
		t.Error("the same chart is not the same bytes")
	}
}

func parse(t *testing.T, s string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCaption: a drawing that stands alone says what it shows, above everything else.
func TestCaption(t *testing.T) {
	c := chart.Chart{ID: "c", Labels: []string{"a"}, Series: []chart.Series{{Name: "x", Values: []chart.Value{{N: 1}}}}}
	if svg := c.Lines(); !strings.Contains(svg, `viewBox="0 0 920 280"`) {
		t.Errorf("without a caption: %s", svg)
	}
	c.Caption = "Share <of> cards"
	if svg := c.Lines(); !strings.Contains(svg, `viewBox="0 -24 920 304"`) || !strings.Contains(svg, `y="-6"`) || !strings.Contains(svg, "Share &lt;of&gt; cards") {
		t.Errorf("with one: %s", svg)
	}
}

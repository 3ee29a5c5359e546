package visitor

import (
	"iter"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// parse reads a page as a browser without script does. Like a browser it makes
// something of anything; only a page that nests deeper than the parser follows
// says and offers nothing.
func parse(page string) *html.Node {
	root, err := html.ParseWithOptions(strings.NewReader(page), html.ParseOptionEnableScripting(false))
	if err != nil {
		return empty()
	}
	return root
}

// empty is a page without anything.
func empty() *html.Node { return &html.Node{Type: html.DocumentNode} }

// attr is an attribute's value, or empty.
func attr(n *html.Node, name string) string {
	value, _ := lookup(n, name)
	return value
}

func has(n *html.Node, name string) bool {
	_, ok := lookup(n, name)
	return ok
}

// lookup takes the first of two attributes alike, as browsers do.
func lookup(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Namespace == "" && a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// elements lists every element below n in the order of the page. The content of
// a template element is not part of the page.
func elements(n *html.Node) iter.Seq[*html.Node] {
	return func(yield func(*html.Node) bool) { walk(n, yield) }
}

func walk(n *html.Node, yield func(*html.Node) bool) bool {
	for c := range n.ChildNodes() {
		if c.Type != html.ElementNode {
			continue
		}
		if !yield(c) || c.DataAtom != atom.Template && !walk(c, yield) {
			return false
		}
	}
	return true
}

// find is the first element below n that is wanted, or nil.
func find(n *html.Node, wanted func(*html.Node) bool) *html.Node {
	for e := range elements(n) {
		if wanted(e) {
			return e
		}
	}
	return nil
}

func named(name atom.Atom) func(*html.Node) bool {
	return func(e *html.Node) bool { return e.DataAtom == name }
}

// shown reports whether a browser shows an element at all. The pad's markup
// counts as hidden, because the pad's script replaces it.
func shown(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Head, atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Svg:
		return false
	}
	return !has(n, "hidden") && !has(n, "data-pad")
}

// inline elements run on in their line.
func inline(n *html.Node) bool {
	switch n.DataAtom {
	case atom.A, atom.Abbr, atom.B, atom.Code, atom.Em, atom.I, atom.Span, atom.Strong, atom.Time, atom.Label, atom.Small:
		return true
	}
	return false
}

// words is the visible text: a line for each block.
func words(n *html.Node) string {
	var out strings.Builder
	write(&out, n)
	var lines []string
	for line := range strings.SplitSeq(out.String(), "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

var noBreaks = strings.NewReplacer("\n", " ", "\r", " ")

func write(out *strings.Builder, n *html.Node) {
	for c := range n.ChildNodes() {
		switch {
		case c.Type == html.TextNode:
			_, _ = noBreaks.WriteString(out, c.Data) // a Builder takes everything
		case c.Type != html.ElementNode || !shown(c):
		case inline(c):
			write(out, c)
		default:
			out.WriteByte('\n')
			write(out, c)
			out.WriteByte('\n')
		}
	}
}

package visitor

import (
	"html"
	"strings"
)

// deepest is how deep elements nest before they are taken for siblings.
const deepest = 200

// node is an element, or text where it has no name.
type node struct {
	name     string
	attr     map[string]string // by lower-case name; of two alike the first counts
	text     string
	parent   *node
	children []*node
}

// void elements have no content and no end.
func void(name string) bool {
	switch name {
	case "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr":
		return true
	}
	return false
}

// rawText elements hold text up to their own end tag, whatever is in it.
func rawText(name string) (raw, escaped bool) {
	switch name {
	case "script", "style":
		return true, false
	case "title", "textarea":
		return true, true
	}
	return false, false
}

// parse reads a page. Like a browser it makes something of anything: what does
// not look like a tag is text, and an end without a beginning is dropped.
func parse(page string) *node {
	root := &node{}
	open := root
	for page != "" {
		lt := strings.IndexByte(page, '<')
		if lt < 0 {
			open.say(page)
			break
		}
		open.say(page[:lt])
		page = page[lt:]
		switch {
		case strings.HasPrefix(page, "<!--"):
			_, page, _ = strings.Cut(page[4:], "-->")
		case strings.HasPrefix(page, "<!"), strings.HasPrefix(page, "<?"):
			_, page, _ = strings.Cut(page, ">")
		case len(page) > 2 && page[1] == '/' && letter(page[2]):
			var name string
			name, page, _ = strings.Cut(page[2:], ">")
			open = open.close(strings.ToLower(strings.TrimRight(name, " \t\r\n")))
		case len(page) > 1 && letter(page[1]):
			open, page = open.start(page[1:])
		default:
			open.say("<")
			page = page[1:]
		}
	}
	return root
}

func letter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func blank(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' || b == '\f' }

func (n *node) say(text string) {
	if text != "" {
		n.children = append(n.children, &node{text: html.UnescapeString(text), parent: n})
	}
}

// close ends the nearest open element of a name.
func (n *node) close(name string) *node {
	for at := n; at.parent != nil; at = at.parent {
		if at.name == name {
			return at.parent
		}
	}
	return n
}

// start reads a start tag behind its "<", and says where what follows belongs.
func (n *node) start(page string) (open *node, rest string) {
	end := strings.IndexAny(page, " \t\r\n\f/>")
	if end < 0 {
		return n, ""
	}
	e := &node{name: strings.ToLower(page[:end]), attr: map[string]string{}, parent: n}
	page, closed := e.attributes(page[end:])
	n.children = append(n.children, e)
	if raw, escaped := rawText(e.name); raw {
		text, rest := untilEnd(page, e.name)
		if escaped {
			text = html.UnescapeString(text)
		}
		if text != "" {
			e.children = append(e.children, &node{text: text, parent: e})
		}
		return n, rest
	}
	if void(e.name) || closed && e.inside("svg") || n.depth() >= deepest {
		return n, page
	}
	return e, page
}

// untilEnd cuts a page at the end tag of a name.
func untilEnd(page, name string) (text, rest string) {
	for at := 0; ; {
		lt := strings.Index(page[at:], "</")
		if lt < 0 {
			return page, ""
		}
		at += lt
		tag := page[at+2:]
		if len(tag) > len(name) && strings.EqualFold(tag[:len(name)], name) && (tag[len(name)] == '>' || blank(tag[len(name)])) {
			_, rest, _ = strings.Cut(tag, ">")
			return page[:at], rest
		}
		at += 2
	}
}

// attributes reads up to the end of a start tag.
func (n *node) attributes(page string) (rest string, closed bool) {
	for {
		page = strings.TrimLeft(page, " \t\r\n\f")
		switch {
		case page == "":
			return "", false
		case page[0] == '>':
			return page[1:], false
		case strings.HasPrefix(page, "/>"):
			return page[2:], true
		case page[0] == '/':
			page = page[1:]
			continue
		}
		end := strings.IndexAny(page[1:], "= \t\r\n\f/>") + 1
		if end == 0 {
			return "", false
		}
		name := strings.ToLower(page[:end])
		page = page[end:]
		value := ""
		if after, ok := strings.CutPrefix(strings.TrimLeft(page, " \t\r\n\f"), "="); ok {
			value, page = quoted(strings.TrimLeft(after, " \t\r\n\f"))
		}
		if _, twice := n.attr[name]; !twice {
			n.attr[name] = html.UnescapeString(value)
		}
	}
}

func quoted(page string) (value, rest string) {
	if page != "" && (page[0] == '"' || page[0] == '\'') {
		value, rest, _ = strings.Cut(page[1:], page[:1])
		return value, rest
	}
	end := strings.IndexAny(page, " \t\r\n\f>")
	if end < 0 {
		return page, ""
	}
	return page[:end], page[end:]
}

func (n *node) depth() (d int) {
	for ; n.parent != nil; n = n.parent {
		d++
	}
	return d
}

func (n *node) inside(name string) bool {
	for ; n != nil; n = n.parent {
		if n.name == name {
			return true
		}
	}
	return false
}

// each calls f with every element, in the order of the page, until f says no.
func (n *node) each(f func(*node) bool) bool {
	for _, c := range n.children {
		if c.name != "" && !f(c) || !c.each(f) {
			return false
		}
	}
	return true
}

// find is the first element that f wants.
func (n *node) find(f func(*node) bool) (found *node) {
	n.each(func(e *node) bool {
		if f(e) {
			found = e
		}
		return found == nil
	})
	return found
}

func (n *node) has(attr string) bool { _, ok := n.attr[attr]; return ok }

// shown reports whether a browser shows an element at all. The pad's markup is
// what the pad's script replaces.
func (n *node) shown() bool {
	switch n.name {
	case "head", "script", "style", "template", "noscript", "svg":
		return false
	}
	return !n.has("hidden") && !n.has("data-pad")
}

func block(name string) bool {
	switch name {
	case "a", "abbr", "b", "code", "em", "i", "span", "strong", "time", "label", "small":
		return false
	}
	return true
}

// words is the text that is shown: a line for each block.
func (n *node) words() string {
	var out strings.Builder
	n.write(&out)
	var lines []string
	for line := range strings.SplitSeq(out.String(), "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func (n *node) write(out *strings.Builder) {
	for _, c := range n.children {
		switch {
		case c.name == "":
			out.WriteString(strings.Map(func(r rune) rune {
				if r == '\n' || r == '\r' {
					return ' '
				}
				return r
			}, c.text))
		case !c.shown():
		case block(c.name):
			out.WriteByte('\n')
			c.write(out)
			out.WriteByte('\n')
		default:
			c.write(out)
		}
	}
}

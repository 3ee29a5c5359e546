package visitor

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Page is what the browser shows. It does not change; what comes of a press is
// another Page.
type Page struct {
	visitor *Visitor
	address *url.URL
	status  int
	root    *node
	raw     string
}

// Form is a form of a page, or a link that looks like one button.
type Form struct {
	Verb   string // last part of the address that it goes to
	Method string
	Action *url.URL
	Fields url.Values // as they stand, hidden ones too
	Names  []string   // of all that can be filled in or pressed
	pad    *node
}

// URL is the address bar's.
func (p *Page) URL() *url.URL { u := *p.address; return &u }

// Status is that of the answer, or 0 where an app was opened instead.
func (p *Page) Status() int { return p.status }

// Body is the answer as it came.
func (p *Page) Body() string { return p.raw }

// Title is the page's heading, or else its name.
func (p *Page) Title() string {
	for _, name := range []string{"h1", "title"} {
		if e := p.root.find(func(e *node) bool { return e.name == name }); e != nil {
			return strings.Join(strings.Fields(e.words()), " ")
		}
	}
	return ""
}

// Text is what the page says, a line for each block, without header and footer
// where it has a main part.
func (p *Page) Text() string {
	if main := p.root.find(func(e *node) bool { return e.name == "main" }); main != nil {
		return main.words()
	}
	return p.root.words()
}

// Code is the stable code with which the browser came back to a channel, or
// empty.
func (p *Page) Code() string { return p.address.Query().Get("error_description") }

// Attr is the first value of an attribute anywhere on the page, or empty.
func (p *Page) Attr(name string) string {
	if e := p.root.find(func(e *node) bool { return e.has(name) }); e != nil {
		return e.attr[name]
	}
	return ""
}

// refresh is where the page goes on to by itself.
func (p *Page) refresh() string {
	e := p.root.find(func(e *node) bool { return e.name == "meta" && strings.EqualFold(e.attr["http-equiv"], "refresh") })
	if e == nil {
		return ""
	}
	wait, to, ok := strings.Cut(e.attr["content"], ";")
	if n, err := strconv.Atoi(strings.TrimSpace(wait)); err != nil || n > 1 || !ok {
		return ""
	}
	to = strings.TrimSpace(to)
	if len(to) < 4 || !strings.EqualFold(to[:4], "url=") {
		return ""
	}
	return strings.Trim(to[4:], `'" `)
}

// Forms lists what can be pressed: forms, and links that are buttons.
func (p *Page) Forms() []Form {
	var out []Form
	p.root.each(func(e *node) bool {
		switch {
		case e.name == "form":
			if f, ok := p.form(e); ok {
				out = append(out, f)
			}
		case e.name == "a" && e.has("href"):
			to, err := p.address.Parse(e.attr["href"])
			if err == nil && (to.Scheme == "http" || to.Scheme == "https") && e.attr["href"] != "" && !strings.HasPrefix(e.attr["href"], "#") {
				out = append(out, Form{Verb: path.Base(to.Path), Method: http.MethodGet, Action: to, Fields: to.Query()})
			}
		}
		return true
	})
	return out
}

func (p *Page) form(e *node) (Form, bool) {
	to, err := p.address.Parse(e.attr["action"])
	if err != nil {
		return Form{}, false
	}
	f := Form{Verb: path.Base(to.Path), Method: http.MethodGet, Action: to, Fields: url.Values{}}
	if strings.EqualFold(e.attr["method"], "post") {
		f.Method = http.MethodPost
	}
	p.root.each(func(c *node) bool {
		if !c.belongs(e) {
			return true
		}
		if c.has("data-pad") && f.pad == nil {
			f.pad = c
		}
		f.field(c)
		return true
	})
	return f, true
}

// belongs reports whether an element is of a form: within it, or by its form
// attribute.
func (n *node) belongs(form *node) bool {
	if n.has("form") {
		return form.attr["id"] != "" && n.attr["form"] == form.attr["id"]
	}
	for at := n.parent; at != nil; at = at.parent {
		if at.name == "form" {
			return at == form
		}
	}
	return false
}

// field takes a field as it stands; a button counts only when it is pressed.
func (f *Form) field(e *node) {
	name := e.attr["name"]
	if name == "" || e.has("disabled") {
		return
	}
	switch e.name {
	case "button":
	case "input":
		switch strings.ToLower(e.attr["type"]) {
		case "submit", "button", "reset", "image", "file":
		case "checkbox", "radio":
			if e.has("checked") {
				value := "on"
				if e.has("value") {
					value = e.attr["value"]
				}
				f.Fields.Add(name, value)
			}
		default:
			f.Fields.Add(name, e.attr["value"])
		}
	case "textarea":
		f.Fields.Add(name, e.plain())
	case "select":
		f.Fields.Add(name, e.chosen())
	default:
		return
	}
	if !slices.Contains(f.Names, name) {
		f.Names = append(f.Names, name)
	}
}

func (n *node) plain() string {
	if len(n.children) == 1 {
		return n.children[0].text
	}
	return ""
}

func (n *node) chosen() string {
	option := n.find(func(e *node) bool { return e.name == "option" && e.has("selected") })
	if option == nil {
		option = n.find(func(e *node) bool { return e.name == "option" })
	}
	switch {
	case option == nil:
		return ""
	case option.has("value"):
		return option.attr["value"]
	}
	return option.words()
}

// Form finds the first form of a verb, before a link of that verb.
func (p *Page) Form(verb string) (Form, bool) {
	var link *Form
	for _, f := range p.Forms() {
		switch {
		case f.Verb != verb:
		case f.Names != nil || f.Method == http.MethodPost:
			return f, true
		case link == nil:
			link = &f
		}
	}
	if link != nil {
		return *link, true
	}
	return Form{}, false
}

// Has reports whether the page offers a verb.
func (p *Page) Has(verb string) bool { _, ok := p.Form(verb); return ok }

// Follow goes where the first link leads whose address has a part in it.
func (p *Page) Follow(ctx context.Context, part string) (*Page, error) {
	for _, f := range p.Forms() {
		if f.Method == http.MethodGet && f.Names == nil && strings.Contains(f.Action.String(), part) {
			return p.submit(ctx, f, nil)
		}
	}
	return nil, fmt.Errorf("%w: a link to %s", ErrNotOffered, part)
}

// Press fills in a form's fields and submits it, or follows the link.
func (p *Page) Press(ctx context.Context, verb string, values url.Values) (*Page, error) {
	f, ok := p.Form(verb)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNotOffered, verb)
	}
	if err := f.takes(values); err != nil {
		return nil, err
	}
	return p.submit(ctx, f, values)
}

func (f Form) takes(values url.Values) error {
	for name := range values {
		if !slices.Contains(f.Names, name) {
			return fmt.Errorf("%w: %s with %s", ErrNotOffered, f.Verb, name)
		}
	}
	return nil
}

func (p *Page) submit(ctx context.Context, f Form, values url.Values) (*Page, error) {
	fields := maps.Clone(f.Fields)
	maps.Copy(fields, values)
	to := *f.Action
	at := visit{method: f.Method, to: &to, from: p.address}
	switch {
	case f.Method == http.MethodPost:
		at.form = fields
	case f.Names != nil:
		to.RawQuery = fields.Encode()
	}
	return p.visitor.visit(ctx, at)
}

// Again asks for the page's address once more, as a reload does.
func (p *Page) Again(ctx context.Context) (*Page, error) {
	return p.visitor.Open(ctx, p.address.String())
}

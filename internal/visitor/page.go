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

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Page is the page that the browser shows. It is immutable; pressing a button
// returns another Page.
type Page struct {
	visitor *Visitor
	address *url.URL
	status  int
	root    *html.Node
	raw     string
}

// Form is a form of a page, or a link that looks like one button.
type Form struct {
	Verb   string // last part of the address that it goes to
	Method string
	Action *url.URL
	Fields url.Values // as they stand, hidden ones too
	Names  []string   // of all that can be filled in or pressed
	pad    *html.Node
}

// URL is the address bar's.
func (p *Page) URL() *url.URL { u := *p.address; return &u }

// Status is the status of the answer, or 0 if an app was opened instead.
func (p *Page) Status() int { return p.status }

// Body is the answer as it came.
func (p *Page) Body() string { return p.raw }

// Title is the page's heading, or else its name.
func (p *Page) Title() string {
	for _, name := range []atom.Atom{atom.H1, atom.Title} {
		if e := find(p.root, named(name)); e != nil {
			return strings.Join(strings.Fields(words(e)), " ")
		}
	}
	return ""
}

// Text is the page's visible text, a line for each block, without header and
// footer if it has a main part.
func (p *Page) Text() string {
	if main := find(p.root, named(atom.Main)); main != nil {
		return words(main)
	}
	return words(p.root)
}

// Code is the error code with which the browser came back to a channel, or
// empty.
func (p *Page) Code() string { return p.address.Query().Get("error_description") }

// Attr is the first value of an attribute anywhere on the page, or empty.
func (p *Page) Attr(name string) string {
	if e := find(p.root, func(e *html.Node) bool { return has(e, name) }); e != nil {
		return attr(e, name)
	}
	return ""
}

// refresh is where the page goes on to by itself.
func (p *Page) refresh() string {
	e := find(p.root, func(e *html.Node) bool {
		return e.DataAtom == atom.Meta && strings.EqualFold(attr(e, "http-equiv"), "refresh")
	})
	if e == nil {
		return ""
	}
	wait, to, ok := strings.Cut(attr(e, "content"), ";")
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
	var out []*Form
	of := map[*html.Node]*Form{} // forms by their element
	byID := map[string]*html.Node{}
	for e := range elements(p.root) {
		var f *Form
		switch e.DataAtom {
		case atom.Form:
			f = p.form(e)
			of[e] = f
			if id := attr(e, "id"); id != "" && byID[id] == nil {
				byID[id] = e
			}
		case atom.A:
			f = p.link(attr(e, "href"))
		}
		if f != nil {
			out = append(out, f)
		}
	}
	for e := range elements(p.root) {
		if f := of[owner(e, byID)]; f != nil {
			f.take(e)
		}
	}
	forms := make([]Form, len(out))
	for i, f := range out {
		forms[i] = *f
	}
	return forms
}

// form is a form without its fields yet; nil where it leads nowhere.
func (p *Page) form(e *html.Node) *Form {
	to, err := p.address.Parse(attr(e, "action"))
	if err != nil {
		return nil
	}
	f := &Form{Verb: path.Base(to.Path), Method: http.MethodGet, Action: to, Fields: url.Values{}}
	if strings.EqualFold(attr(e, "method"), "post") {
		f.Method = http.MethodPost
	}
	return f
}

// link is a link that leads to another page; nil where it does not.
func (p *Page) link(href string) *Form {
	to, err := p.address.Parse(href)
	if err != nil || to.Scheme != "http" && to.Scheme != "https" || href == "" || strings.HasPrefix(href, "#") {
		return nil
	}
	return &Form{Verb: path.Base(to.Path), Method: http.MethodGet, Action: to, Fields: to.Query()}
}

// owner is the form that an element belongs to: the form that its form
// attribute names, or else the form around it; nil for none.
func owner(n *html.Node, byID map[string]*html.Node) *html.Node {
	if id, ok := lookup(n, "form"); ok {
		return byID[id]
	}
	for at := range n.Ancestors() {
		if at.DataAtom == atom.Form {
			return at
		}
	}
	return nil
}

// take adds a control to its form.
func (f *Form) take(e *html.Node) {
	if has(e, "data-pad") && f.pad == nil {
		f.pad = e
	}
	f.field(e)
}

// field takes a field as it stands; a button counts only when it is pressed.
func (f *Form) field(e *html.Node) {
	name := attr(e, "name")
	if name == "" || has(e, "disabled") {
		return
	}
	switch e.DataAtom {
	case atom.Button:
	case atom.Input:
		switch strings.ToLower(attr(e, "type")) {
		case "submit", "button", "reset", "image", "file":
		case "checkbox", "radio":
			if has(e, "checked") {
				value := "on"
				if has(e, "value") {
					value = attr(e, "value")
				}
				f.Fields.Add(name, value)
			}
		default:
			f.Fields.Add(name, attr(e, "value"))
		}
	case atom.Textarea:
		f.Fields.Add(name, plain(e))
	case atom.Select:
		f.Fields.Add(name, chosen(e))
	default:
		return
	}
	if !slices.Contains(f.Names, name) {
		f.Names = append(f.Names, name)
	}
}

// plain is the content of a textarea, which is text only.
func plain(n *html.Node) string {
	if n.FirstChild == nil {
		return ""
	}
	return n.FirstChild.Data
}

// chosen is the value of a select element: the selected option, or else the
// first.
func chosen(n *html.Node) string {
	option := find(n, func(e *html.Node) bool { return e.DataAtom == atom.Option && has(e, "selected") })
	if option == nil {
		option = find(n, named(atom.Option))
	}
	switch {
	case option == nil:
		return ""
	case has(option, "value"):
		return attr(option, "value")
	}
	return words(option)
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

// Press fills in a form's fields and submits it, or follows the link. Of several
// forms of a verb, it takes the one in which the values stand already, such as
// the way of a code.
func (p *Page) Press(ctx context.Context, verb string, values url.Values) (*Page, error) {
	f, ok := p.preset(verb, values)
	if !ok {
		f, ok = p.Form(verb)
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNotOffered, verb)
	}
	if err := f.takes(values); err != nil {
		return nil, err
	}
	return p.submit(ctx, f, values)
}

// preset finds a form of a verb in which all values stand already.
func (p *Page) preset(verb string, values url.Values) (Form, bool) {
	for _, f := range p.Forms() {
		if f.Verb != verb || len(values) == 0 {
			continue
		}
		same := true
		for name := range values {
			same = same && slices.Equal(f.Fields[name], values[name])
		}
		if same {
			return f, true
		}
	}
	return Form{}, false
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

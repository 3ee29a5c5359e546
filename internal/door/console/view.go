package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/web"
)

// embedded is read only; the compiler fills it.
//
//go:embed pages/*.html
var embedded embed.FS

// pages is the one template of all pages, and the values that every page needs. Immutable.
type pages struct {
	layout    *template.Template
	wordings  map[door.Lang]*wordings
	languages []language
	style     web.Asset
	script    web.Asset
}

// language is a language of the pages, with its own name for itself.
type language struct {
	Tag  door.Lang
	Name string
	Dir  locale.Dir
}

func newPages(assets *web.Assets, words *locale.Catalogue, hotline string, place func(*locale.Words, liuma.Region) string) (*pages, error) {
	p := &pages{wordings: map[door.Lang]*wordings{}}
	for _, l := range words.Languages() {
		p.wordings[l] = &wordings{Console: words.In(l).Console, all: words.In(l), hotline: hotline, place: place}
		p.languages = append(p.languages, language{Tag: l, Name: words.In(l).Name(), Dir: words.In(l).Dir()})
	}
	var err error
	if p.style, err = assets.Asset(web.ConsoleStyle); err != nil {
		return nil, err
	}
	if p.script, err = assets.Asset(web.Console); err != nil {
		return nil, err
	}
	p.layout, err = template.New("layout.html").Funcs(template.FuncMap{"icon": assets.Icon}).Option("missingkey=error").
		ParseFS(embedded, "pages/*.html")
	return p, err
}

// view is one page. Empty members are not drawn. A page is made of blocks, drawn one below
// the other. Each page of the console makes its blocks in Go, so that all look alike, and
// the content is beside the code that fetches it.
type view struct {
	Title   string
	Lead    string
	Refusal *notice // why something was not done; takes the focus
	Done    string  // what was done, by its name in the address
	Blocks  []block
	// Watch is the address at which a script asks for the page's state, and Is the state
	// that the page was drawn for. With script the page is redrawn when the state changes;
	// without, every few seconds. Next is the page that is drawn then.
	Watch, Is, Next string
	Refresh         bool // redraw without script too: the page does not stay valid for long

	// Members of every page; dressed fills them in.
	T         *wordings
	Lang      door.Lang
	Languages []language
	Style     web.Asset
	Script    web.Asset
	Who       *signed // nil: nobody is signed in
	Nav       []entry
	Back      string // the page to which the language form returns
	RequestID string
}

// signed is the member who is signed in, for the page's header.
type signed struct{ Name, Roles string }

// entry is an entry of the navigation.
type entry struct {
	Text, Path string
	Current    bool
	Count      string // number of things that wait there; empty: none
}

// block is one part of a page: a heading, and its content.
type block struct {
	Title, Text string
	Notice      *notice
	Facts       []fact
	Table       *table
	Form        *form
	Tabs        []tab
	Links       []link
	Chart       template.HTML // an SVG that the server drew; never text that a person typed
	Steps       []step
	Pre         string // lines as they are, such as a difference
	Code        string // large, to be written down
	Folded      bool   // the title opens it
}

type notice struct {
	Kind        string // "", warn or refuse
	Title, Text string
	Detail      string // lines as they are: the faults of a file
}

// fact is a name and a value; Class is a class of the stylesheet.
type fact struct {
	Key   string
	Value cell
}

// table is a list, with a heading for each column.
type table struct {
	Caption string
	Head    []string
	Rows    [][]cell
	None    string // shown if there are no rows
	Wide    bool   // may be wider than the page: can be scrolled with keys
}

// cell is one value. Link and Tag change how it is drawn; Class is a class of the
// stylesheet: num, mono, nowrap.
type cell struct {
	Text, Link, Class string
	Under             string // the program's name for it, below the words
	Tag               string // good, warn, bad or plain: a state
	Form              *form  // a button in the row
}

// text makes a cell.
func text(s string) cell { return cell{Text: s} }

type link struct{ Text, Path string }

type tab struct {
	Text, Path string
	Current    bool
}

// step is one stage of a process in which several people act; Is says whether it is done,
// under way or comes later.
type step struct {
	Text, Note string
	Is         string // done, now, stopped or later
	Said       string // filled in by finish: the same in words
}

// form is a form that is posted. With a Passkey the browser asks for a passkey first.
type form struct {
	Post, Button string
	Kind         string // primary (default), plain or danger
	Fields       []field
	Passkey      *passkey
	Upload       bool // there is a file among the fields
	Get          bool // a question that changes nothing
}

// passkey says what the browser asks for: to create a passkey, or to use one. The options
// are in the page, or fetched when the button is pressed, since they are valid for five
// minutes.
type passkey struct {
	Way, Options, Offer string
	Failed, Noscript    string // filled in by finish
}

// field is a field of a form.
type field struct {
	Name, Label, Hint, Value string
	Type                     string // text (default), hidden, area, choice, choices, one, tick, file
	Options                  []option
	Class                    string
	Required                 bool
	Mode                     string // inputmode
	Most                     int    // maxlength
	ID                       string // filled in by finish
}

type option struct {
	Value, Text string
	Hint        string // below a field that is read as one of several questions
	On          bool
}

// show writes a page, whole: a template that fails leaves no half page.
func (h *console) show(w http.ResponseWriter, r *http.Request, status int, v *view) {
	v.finish()
	var out bytes.Buffer
	if err := h.pages.layout.Execute(&out, v); err != nil {
		h.c.Logger.ErrorContext(r.Context(), "page not drawn", "route", r.Pattern, "request", door.RequestID(r.Context()), "err", err)
		http.Error(w, "500", http.StatusInternalServerError)
		return
	}
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Language", string(v.Lang))
	head.Set("Vary", "Cookie, Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the browser may have gone
}

// finish gives every field of the page an identifier of its own, and fills in the sentences
// of forms that ask for a passkey.
func (v *view) finish() {
	n := 0
	number := func(f *form) {
		if f == nil {
			return
		}
		if f.Passkey != nil {
			f.Passkey.Failed, f.Passkey.Noscript = v.T.PasskeyFailed(), v.T.PasskeyNoscript()
		}
		for i := range f.Fields {
			n++
			f.Fields[i].ID = fmt.Sprintf("f%d", n)
		}
	}
	for _, b := range v.Blocks {
		number(b.Form)
		for i := range b.Steps {
			b.Steps[i].Said = map[string]string{"done": v.T.StepDone(), "now": v.T.StepNow(), "stopped": v.T.StepStopped()}[b.Steps[i].Is]
		}
		if b.Table == nil {
			continue
		}
		for _, row := range b.Table.Rows {
			for _, c := range row {
				number(c.Form)
			}
		}
	}
}

// with adds blocks; blocks without content are not drawn.
func (v *view) with(more ...block) *view {
	v.Blocks = append(v.Blocks, more...)
	return v
}

// outside begins a page for a reader who is not signed in.
func (h *console) outside(r *http.Request, title string) *view {
	lang := h.door.Preferences(r).Lang
	v := &view{Title: title, T: h.pages.wordings[lang], Lang: lang, Style: h.pages.style, Script: h.pages.script}
	for _, l := range h.pages.languages {
		if l.Tag != lang {
			v.Languages = append(v.Languages, l)
		}
	}
	if r.Method == http.MethodGet {
		v.Back = r.URL.RequestURI()
	}
	return v
}

// dressed adds to a page the parts that every page has for a signed-in member.
func (v *visit) dressed(p *view) *view {
	around := v.h.outside(v.r, p.Title)
	p.T, p.Lang, p.Languages, p.Style, p.Script, p.Back = around.T, around.Lang, around.Languages, around.Style, around.Script, around.Back
	p.Who = &signed{Name: v.who.Name, Roles: v.t.roles(v.who.Roles)}
	path := v.r.URL.Path
	for _, at := range places() {
		if v.may(at.method) {
			current := path == at.path || at.path != "/" && len(path) > len(at.path) && path[:len(at.path)+1] == at.path+"/"
			p.Nav = append(p.Nav, entry{Text: at.name(v.t), Path: at.path, Current: current, Count: v.counted(at)})
		}
	}
	if p.Done == "" && v.r.Method == http.MethodGet {
		p.Done = v.t.done(v.r.URL.Query().Get("said"))
	}
	return p
}

// counted is how many things wait for the member at a place, up to the length of a list
// page. If they cannot be counted, the page is drawn without the number.
func (v *visit) counted(at place) string {
	if at.waits == nil {
		return ""
	}
	n, err := at.waits(v)
	if err != nil {
		v.h.c.Logger.Warn("not counted for the navigation", "place", at.path, "err", err)
		return ""
	}
	switch {
	case n == 0:
		return ""
	case n >= counter.MaxTickets:
		return fmt.Sprintf("%d+", counter.MaxTickets)
	}
	return strconv.Itoa(n)
}

// Tab is the title of the document, which a screen reader reads first: after a refusal it
// is the refusal.
func (v *view) Tab() string {
	if v.Refusal != nil {
		return v.Refusal.Title
	}
	return v.Title
}

// clock writes a time of today: hours and minutes.
func (v *visit) clock(at time.Time) string { return at.In(v.h.c.Zone).Format("15:04") }

// moment writes a time for a table: in digits, in the console's zone.
func (v *visit) moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.In(v.h.c.Zone).Format("2006-01-02 15:04")
}

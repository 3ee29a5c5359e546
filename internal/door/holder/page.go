package holder

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/web"
)

// embedded is read only; the compiler fills it.
//
//go:embed pages/*.html
var embedded embed.FS

// The pages, each a template of its own over the same layout.
const (
	pageLanding = "landing"
	pageConfirm = "confirm"
	pagePIN     = "pin"
	pageResult  = "result"
	pageStep    = "step"
	pageNoCode  = "nocode"
	pageDesk    = "desk"
	pageGuide   = "guide"
	pageGenuine = "genuine"
	pageWhere   = "where"
)

// pages are the parsed templates and the addresses of their assets. Immutable.
type pages struct {
	templates map[string]*template.Template
	wordings  map[door.Lang]*wordings
	languages []language
	pad       web.Asset
	ceremony  web.Asset
	desk      web.Asset
	guide     web.Asset
	style     web.Asset
	lists     web.Asset
}

func newPages(assets *web.Assets, words *locale.Catalogue, hotline string) (*pages, error) {
	p := &pages{templates: map[string]*template.Template{}, wordings: map[door.Lang]*wordings{}}
	for _, l := range words.Languages() {
		p.wordings[l] = newWordings(words.In(l), hotline)
		p.languages = append(p.languages, language{Tag: l, Name: words.In(l).Name(), Dir: words.In(l).Dir()})
	}
	for name, asset := range map[string]*web.Asset{web.Pad: &p.pad, web.Ceremony: &p.ceremony, web.DeskPad: &p.desk, web.Guide: &p.guide, web.Style: &p.style, web.Lists: &p.lists} {
		var err error
		if *asset, err = assets.Asset(name); err != nil {
			return nil, err
		}
	}
	funcs := template.FuncMap{"icon": assets.Icon}
	for _, name := range []string{pageLanding, pageConfirm, pagePIN, pageResult, pageStep, pageNoCode, pageDesk, pageGuide, pageGenuine, pageWhere} {
		t, err := template.New("layout.html").Funcs(funcs).Option("missingkey=error").
			ParseFS(embedded, "pages/layout.html", "pages/parts.html", "pages/"+name+".html")
		if err != nil {
			return nil, err
		}
		p.templates[name] = t
	}
	return p, nil
}

// render draws a page whole, so that a template that fails leaves no half page.
func (p *pages) render(v *view) ([]byte, error) {
	t, ok := p.templates[v.Page]
	if !ok {
		return nil, fmt.Errorf("no page %q", v.Page)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, v); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// show writes a page.
func (h *handler) show(w http.ResponseWriter, r *http.Request, status int, v *view) {
	v.calledOnce()
	html, err := h.pages.render(v)
	if err != nil {
		h.log.ErrorContext(r.Context(), "page not drawn", "page", v.Page, "request", door.RequestID(r.Context()), "err", err)
		http.Error(w, "500", http.StatusInternalServerError)
		return
	}
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Language", string(v.Lang))
	head.Set("Vary", "Cookie, Accept-Language")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(html) // the client has disconnected
}

// view is all that a template may use. Empty members are not drawn.
type view struct {
	Page      string
	T, O      *wordings // in the page's language, and in the other one, for a helper
	Lang      door.Lang
	OtherLang door.Lang
	Languages []language // the other languages of the page
	Care      bool
	Hotline   string
	Real      string // on paper: the address of the genuine pages
	Named     bool   // the page names the help line, so its foot need not
	Style     web.Asset
	Pad       web.Asset
	Ceremony  web.Asset // the script of the ceremony's pages
	Desk      web.Asset // the script of a desk pad
	Guide     web.Asset // the script of the guide
	Lists     web.Asset // the PINs that may not be set
	OnPad     bool      // the browser is a desk pad's
	Clear     *clearing // how the pad's screen is cleared; nil off a pad

	Title, TitleOther string
	Lead              string // a sentence beneath the title
	Asker             string
	Clerk             string // the clerk of a ticket
	Steps             []stage
	CellsTitle        string
	Cells             []cell
	Folded            bool    // on the pad's page: the details are folded away with the channel's name
	TopLast           bool    // the header is beneath the page
	Refusal           *notice // on top of the page, takes the focus
	Notice            *notice
	Agreed            *agreed
	Result            *result
	Card              *face
	Keypad            *keypad
	Until             *until
	Ways              []way
	WaysTitle         string
	First             []way  // the best way to go on, above all others
	Links             []way  // small, beneath everything
	Say               string // a sentence with the next step
	Shown             *shown // the number of a ticket that waits
	Field             *field
	Other             *field // another way to go on, folded
	OtherTitle        string
	OtherText         string
	Ticket            *field // the code of a ticket in place of evidence, folded away
	Send              *send
	Call              *send // a code by phone call; nil if no calls are placed
	NoCode            *way  // to the page for holders who got no code
	Counter           *inPerson
	Help              *notice // instead of Counter, on a page of a ticket
	Below             *notice // beneath the form and its ways
	Tips              []string
	TipsTitle         string
	Settings          *settings
	Reopen            bool   // offer to let strangers try again
	More              bool   // the pad's own settings
	Forgot            string // advice about a forgotten PIN
	BusinessNo        string
	Expiry            *expiry
	Forward           string // address that the page goes on to by itself
	Back              string // address to which the form of language and care mode returns; without it there is no such form
	RequestID         string
	Developers        *developers
	Chapters          []chapter // of the guide
	Asked             *asked    // what somebody looked up
	Search            *search   // on the page of agencies: its form
	Offices           []office  // and what was found
	Lines             []office  // hotlines
	Regions           []way     // below the one that is shown
	region            liuma.Region

	ID         string
	Hand       string // the browser's secret, hidden in every form where cookies are blocked
	RequestURI string // the pushed request, hidden in the landing page's form
}

// language is a language of the pages, with its own name for itself.
type language struct {
	Tag  door.Lang
	Name string
	Dir  locale.Dir
}

// developers is a folded hint for the channel's developer.
type developers struct{ Title, Text string }

type stage struct {
	Name          string
	Done, Current bool
}

type cell struct{ Key, Value, Class, ID string }

type notice struct {
	Kind, Title, Text, More string
	Weak                    bool // the fault is in the last new PIN, and goes when the next one is typed
	Also                    []string
}

type result struct{ Kind, Icon, Text, Next string }

type face struct{ Region, Name, Number, Note string }

// keypad is the pad's part of the markup contract in web/README.md.
type keypad struct {
	Mode, KeyID, Key, Current, Old, New, Check, List, Refusals, DescribedBy, Note, Resume string
	Words                                                                                 string // wordsOf
	Chosen                                                                                bool   // the new PIN may be a passphrase
	Shared                                                                                bool   // the device belongs to the counter
	Try                                                                                   int
}

// field is a form with one field.
type field struct {
	Post, Name, Label, Hint, Type, Mode, Autocomplete, Button, Class, Most string
	Capital, Wrong                                                         bool
	Form                                                                   string // ceremony.Page.Form
	Fragment                                                               bool   // a script fills it from the address's fragment
}

// send is the button that sends a one-time code. The ceremony's script disables
// it until Ready, and says Wait. If Later is set, it stands in place of the
// button.
type send struct {
	Way, Text, Class, Ready, Now, Wait, Later string
	until                                     time.Time // with Later
	Form                                      string    // ceremony.Page.Form
}

// inPerson says how to go on in person, at an agency. Ticket leads to the page for people
// who are there already; empty if the page itself takes the code. Own is the region's own
// text about it. Offices are the nearest ones, and Find leads to all.
type inPerson struct {
	Title, Where, Ticket, Own, Find string
	Offices                         []office
	Ask                             bool // it has the page's only link to the help line
}

// shown is the number of a ticket, digit by digit, and the address at which its page asks
// whether it still waits.
type shown struct{ Number, Watch string }

// clearing says when a pad's screen is cleared: Seconds after the last touch or, if that
// is zero, when the ticket ends. After Idle seconds without a touch the page asks whether
// anybody is there, and is cleared More seconds later.
type clearing struct{ Seconds, Idle, More int }

// cleared has a pad's screen cleared. While the ceremony goes on, that is when the ticket
// ends, or after a long time without a touch; otherwise some seconds after the last touch.
func (v *view) cleared(goesOn bool) {
	switch {
	case !v.OnPad:
	case goesOn:
		v.Clear = &clearing{Idle: int(idleAfter / time.Second), More: int(idleMore / time.Second)}
	default:
		v.Clear = &clearing{Seconds: int(clearAfter / time.Second)}
	}
}

// settings are the settings that a holder may change after a ceremony
// succeeded.
type settings struct {
	Phone        string // to be confirmed by the view's Field and Send
	Open         bool   // show that unfolded
	EveryUse, On bool   // whether notices after every use can be set, and whether they are on
}

// until is a moment with a countdown.
type until struct{ Title, Text, Over, RFC3339, Now string }

type expiry struct{ RFC3339, Now string }

// way is a button or link that leads on or out. One of its addresses is set.
type way struct {
	Class, Text string
	Link        string // same-origin address
	See         string // address on a ceremony's page; posted to where the hand travels in forms
	Tel         string
	Post        string       // last element of the ceremony's address
	Consent     string       // for a post that agrees to a text: the text's hash
	Out         template.URL // the channel's address, checked by wayURL
}

// shownWay is a way with the members of the page that its template needs.
type shownWay struct {
	way
	ID, Hand string
}

// CallText is the wording of the link to the hotline.
func (v *view) CallText() string { return v.T.Call(v.Hotline) }

// Show gives a way to the template that draws it.
func (v *view) Show(w way) shownWay { return shownWay{w, v.ID, v.Hand} }

// shownOffice is an office with the wording that its template needs.
type shownOffice struct {
	office
	T *wordings
}

// Office gives an office to the template that draws it.
func (v *view) Office(o office) shownOffice { return shownOffice{o, v.T} }

// sending is a send with the members of the page that its template needs.
type sending struct {
	Send     *send
	ID, Hand string
}

// Sending gives a send to the template that draws it.
func (v *view) Sending(s *send) sending { return sending{s, v.ID, v.Hand} }

// Mark is the first character of the channel's name, as its sign.
func (v *view) Mark() string {
	for _, r := range v.Asker {
		return string(r)
	}
	return ""
}

// Tab is the document's title. A screen reader says it first, so after a refusal
// it is the refusal and not the heading.
func (v *view) Tab() string {
	if v.Refusal != nil {
		return v.Refusal.Title
	}
	return v.Title
}

// newView fills in the members that all pages have.
func (h *handler) newView(r *http.Request, page string) *view {
	want := h.door.Preferences(r)
	other := door.Chinese // a helper may read it, whatever the page's language
	if want.Lang == door.Chinese {
		other = door.English
	}
	var languages []language
	for _, l := range h.pages.languages {
		if l.Tag != want.Lang {
			languages = append(languages, l)
		}
	}
	v := &view{
		Page: page, T: h.pages.wordings[want.Lang], O: h.pages.wordings[other], Lang: want.Lang, OtherLang: other, Languages: languages,
		Care: want.Care, Hotline: h.hotline, Style: h.pages.style, Pad: h.pages.pad, Ceremony: h.pages.ceremony, Desk: h.pages.desk, Guide: h.pages.guide, Lists: h.pages.lists,
	}
	v.OnPad = h.cookies.Get(r, padCookie) != ""
	return v
}

// say picks the page's language.
func (v *view) say(t liuma.Text) string { return v.T.of(t) }

// heading sets the title in both languages.
func (v *view) heading(pick func(*wordings) string) {
	v.Title, v.TitleOther = pick(v.T), pick(v.O)
}

// counterOf says where the counter is, for a holder who cannot go on here.
func (h *handler) counterOf(v *view, title string, region liuma.Region) *inPerson {
	if v.Clerk != "" {
		v.Help = v.askClerk() // the holder stands there
		return nil
	}
	c := &inPerson{Title: title, Where: v.T.agencies(v.T.all.Region(region)), Ticket: counterPath, Offices: h.nearest(v, region)}
	for _, w := range h.whereWay(v, region) {
		c.Find = w.Link
	}
	return c
}

// helpedBy replaces the configured hotline by the hotline of a region's policy, also in
// the page's sentences; an empty number changes nothing.
func (v *view) helpedBy(hotline string) {
	if hotline == "" {
		return
	}
	v.Hotline, v.T = hotline, newWordings(v.T.all, hotline)
}

// calledOnce leaves one link to the help line on a page: a button; if there is none,
// beside the counter; and otherwise in the foot.
func (v *view) calledOnce() {
	calls := func(w way) bool { return w.Tel != "" && w.Tel == v.Hotline }
	button := slices.ContainsFunc(v.Ways, calls) || slices.ContainsFunc(v.First, calls)
	if v.Counter != nil {
		v.Counter.Ask = !button
	}
	v.Named = v.Named || button || v.Counter != nil
}

// call leads to the hotline, which anybody may call.
func (h *handler) call(v *view) way {
	return way{Class: "btn-plain", Text: v.T.Call(v.Hotline), Tel: v.Hotline}
}

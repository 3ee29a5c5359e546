package holder

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
)

// view is all that a template may use. What is empty is not drawn.
type view struct {
	Page       string
	T, O       *texts // the page's language; the other one, for whoever helps
	Lang       door.Lang
	OtherLang  door.Lang
	Care       bool
	Hotline    string
	Style      string // file names
	Pad        string
	Script     string
	StyleCheck string // integrity
	PadCheck   string

	Title, TitleOther string
	Lead              string // a sentence beneath the title
	Asker             string
	Steps             []stage
	CellsTitle        string
	Cells             []cell
	Refusal           *notice // on top of the page, takes the focus
	Notice            *notice
	Result            *result
	Card              *face
	Keypad            *keypad
	Until             *until
	Ways              []way
	First             []way  // before what else can be done
	Links             []way  // small, beneath everything
	Say               string // what is to be done, in a sentence
	Field             *field
	Other             *field // folded away: another way to go on
	OtherTitle        string
	OtherText         string
	Send              *send
	Help              []string // why no code may have come
	Counter           *counter
	Below             *notice // beneath what can be done here
	Tips              []string
	TipsTitle         string
	Settings          *settings
	Reopen            bool   // offer to let unknown devices try again
	More              bool   // the pad's own settings
	Forgot            string // what to do about a forgotten PIN
	BusinessNo        string
	Expiry            *expiry
	Forward           string // address that the page goes on to by itself
	Back              string // of the preferences' form; empty leaves it out
	RequestID         string

	ID         string
	Hand       string // hidden in every form, where cookies are blocked
	RequestURI string // hidden in the landing page's form
}

type stage struct {
	Name          string
	Done, Current bool
}

type cell struct{ Key, Value, Class, ID string }

type notice struct{ Kind, Title, Text, More string }

type result struct{ Kind, Icon, Text, Next string }

type face struct{ Region, Name, Number, Note string }

// keypad is the pad's part of the markup contract in web/README.md.
type keypad struct {
	Mode, KeyID, Key, Current, Old, New, DescribedBy, Note, Resume string
	Passphrase                                                     bool
	Try                                                            int
}

// field is a form with one field in it.
type field struct {
	Post, Name, Label, Hint, Type, Mode, Autocomplete, Button, Class, Most string
	Capital, Wrong                                                         bool
}

// send is the button that has a code sent. Until Ready it waits, where there
// is a script to count.
type send struct{ Text, Class, Ready, Now, Later string }

// counter is the way in person.
type counter struct{ Title, Where string }

// settings are what can be set once a ceremony succeeded.
type settings struct {
	Phone               string // to be confirmed by the view's Field and Send
	Open                bool   // unfold that
	EveryUse, On        bool   // whether it can be set, and how it is
	Device, DeviceKnown bool
}

// until is a moment with a countdown.
type until struct{ Title, Text, Over, RFC3339, Now string }

type expiry struct{ RFC3339, Now string }

// way is a way on or out: a link, a form of the ceremony, or a plain address
// that was vouched for.
type way struct {
	Class, Text string
	Link        string // same-origin address
	See         string // address of the ceremony's own that a hand may be needed for
	Tel         string
	Post        string       // last element of the ceremony's address
	Out         template.URL // the channel's own
}

// shownWay is a way on the page that it is on.
type shownWay struct {
	way
	ID, Hand string
}

// CallText is what the link to the hotline says.
func (v *view) CallText() string { return v.T.call(v.Hotline) }

// Show is for templates.
func (v *view) Show(w way) shownWay { return shownWay{w, v.ID, v.Hand} }

// Mark is the first character of the channel's name, as its sign.
func (v *view) Mark() string {
	for _, r := range v.Asker {
		return string(r)
	}
	return ""
}

// Tab is the document's title: what a screen reader says first, so the news
// and not the heading.
func (v *view) Tab() string {
	if v.Refusal != nil {
		return v.Refusal.Title
	}
	return v.Title
}

// newView fills in what all pages have.
func (h *handler) newView(r *http.Request, page string) *view {
	want := h.door.Preferences(r)
	other := door.English
	if want.Lang == door.English {
		other = door.Chinese
	}
	return &view{
		Page: page, T: h.pages.texts[want.Lang], O: h.pages.texts[other], Lang: want.Lang, OtherLang: other,
		Care: want.Care, Hotline: h.hotline, Script: h.pages.script.file,
		Style: h.pages.style.File, StyleCheck: h.pages.style.Integrity,
		Pad: h.pages.pad.File, PadCheck: h.pages.pad.Integrity,
	}
}

// say picks the page's language.
func (v *view) say(t liuma.Text) string { return v.T.of(t) }

// heading sets the title in both languages.
func (v *view) heading(pick func(*texts) string) {
	v.Title, v.TitleOther = pick(v.T), pick(v.O)
}

// fault answers with an error page: what happened, and what to do now.
func (h *handler) fault(w http.ResponseWriter, r *http.Request, status int, code liuma.Code) {
	v := h.newView(r, pageResult)
	look := faultLook(code)
	v.heading(look.title)
	e := liuma.Explain(code)
	if code == liuma.CodeNotFound {
		e = liuma.Explain(liuma.CodeRequestURIInvalid)
	}
	v.Result = &result{Kind: look.kind, Icon: look.icon, Text: v.say(e.What), Next: v.say(e.Next)}
	if id := r.PathValue("id"); look.again && idPattern.MatchString(id) {
		v.Ways = append(v.Ways, way{Class: "btn-primary", Text: v.T.LookAgain, Link: address(id)})
	}
	v.Ways = append(v.Ways, h.call(v))
	if status >= http.StatusInternalServerError {
		v.RequestID = door.RequestID(r.Context())
	}
	ours := r.URL.Path == "/authorize" || r.URL.Path == freezePath || strings.HasPrefix(r.URL.Path, "/c/")
	if r.Method == http.MethodGet && ours && len(r.URL.RawQuery) <= longestAddress {
		v.Back = r.URL.RequestURI()
	}
	h.show(w, r, status, v)
}

// counterOf says where the counter is, for whoever cannot go on here.
func (v *view) counterOf(title string, region liuma.Region) *counter {
	return &counter{Title: title, Where: v.T.agencies(regionName(region))}
}

// call is the way out that is always open.
func (h *handler) call(v *view) way {
	return way{Class: "btn-plain", Text: v.T.call(h.hotline), Tel: h.hotline}
}

// look is the face of a kind of refusal.
type look struct {
	title      func(*texts) string
	kind, icon string
	again      bool // the ceremony may be looked at again
}

func faultLook(c liuma.Code) look {
	switch c {
	case liuma.CodeCeremonyExpired, liuma.CodeRequestURIInvalid, liuma.CodeNotFound:
		return look{title: func(t *texts) string { return t.ExpiredTitle }, kind: "info", icon: "expired"}
	case liuma.CodeCeremonyElsewhere, liuma.CodeCeremonyMoved:
		return look{title: func(t *texts) string { return t.ElsewhereTitle }, kind: "info", icon: "unavailable"}
	case liuma.CodeRefused, liuma.CodePhoneNone, liuma.CodeOnlineOff, liuma.CodeNotInRegistry, liuma.CodeCancelled,
		liuma.CodeFrozen, liuma.CodeAlreadyEnrolled:
		l := refusedLook(c)
		l.again = true
		return l
	case liuma.CodeTooLarge, liuma.CodeBadRequest:
		return look{title: func(t *texts) string { return t.NotSentTitle }, kind: "warn", icon: "unavailable", again: true}
	}
	return look{title: func(t *texts) string { return t.UnavailableTitle }, kind: "warn", icon: "unavailable", again: true}
}

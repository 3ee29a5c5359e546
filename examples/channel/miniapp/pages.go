package miniapp

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// files is read only; the compiler fills it.
//
//go:embed pages
var files embed.FS

// pages are the templates, by name.
type pages struct {
	byName map[string]*template.Template
	style  []byte
	script []byte // of the e-credential's page
}

func loadPages(words *catalogue) (*pages, error) {
	p := &pages{byName: map[string]*template.Template{}}
	helpers := template.FuncMap{
		"first":  func(s string) string { return string([]rune(s)[:1]) },
		"masked": masked,
		"clock":  words.clock,
		"second": func(t time.Time) string { return t.In(beijing()).Format("15:04:05") },
		"say":    words.say,
		"as":     func(name string, value any) put { return with(name, fmt.Sprint(value)) },
		"put":    func(name string, value text) put { return put{name: name, value: value} },
		"of":     func(p client.Purpose) text { return text{ZH: p.In("zh-CN"), EN: p.In("en")} },
	}
	for _, name := range []string{"choose", "home", "evidence", "result", "years", "medical", "card", "freeze", "counter"} {
		t, err := template.New(name).Funcs(helpers).ParseFS(files, "pages/layout.html", "pages/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("miniapp: page %s: %w", name, err)
		}
		p.byName[name] = t
	}
	var err error
	if p.style, err = files.ReadFile("pages/style.css"); err != nil {
		return nil, err
	}
	p.script, err = files.ReadFile("pages/medical.js")
	return p, err
}

const standingLasts = 3 * time.Second

func beijing() *time.Location { return time.FixedZone("CST", 8*60*60) }

// view is the data of a page.
type view struct {
	Name, NameEN, Theme string
	Title               text
	Person              *Person // at the browser
	Holder              *Person // whose account it is: the same, but for a thief
	Age                 int
	People              []Person
	Card                string // handle
	Frozen              bool
	Flow                *flow
	Open                *flow // a request without an answer
	Outcome             *outcome
	Insurances          []insurance
	Medical             medical
	Offices             []office
	Where               string // the authority's page about agencies
	BusinessNo          string
	Received            string
}

func (a *App) render(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Name, v.NameEN, v.Theme = a.c.Name, a.c.NameEN, a.c.Theme
	if v.Person == nil {
		v.Person = a.who(r)
	}
	if v.Holder = a.holder(v.Person); v.Holder != nil {
		v.Age = age(*v.Holder, a.c.Now())
	}
	var page bytes.Buffer
	if err := a.pages.byName[name].ExecuteTemplate(&page, "layout", v); err != nil {
		a.c.Logger.ErrorContext(r.Context(), "page", "name", name, "err", err)
		http.Error(w, a.words.say("page.failed").ZH+" / "+a.words.say("page.failed").EN, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // the client has disconnected
}

func (a *App) lost(w http.ResponseWriter, r *http.Request, status int) {
	o := outcome{Code: "lost", Title: a.words.say("page.lost_title"), Next: a.words.say("page.lost_next")}
	a.render(w, r, status, "result", view{Outcome: &o})
}

func (a *App) showStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(a.pages.style)
}

func (a *App) showScript(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(a.pages.script)
}

func (a *App) showHome(w http.ResponseWriter, r *http.Request) {
	p := a.who(r)
	if p == nil {
		a.render(w, r, http.StatusOK, "choose", view{Title: a.words.say("choose.page"), People: a.c.People})
		return
	}
	v := view{Title: a.words.say("home.page"), Person: p, Card: a.memory.card(a.holder(p).Key)}
	v.Frozen = a.frozen(r.Context(), v.Card)
	if f, ok := a.memory.flowBy(a.session(r), func(f *flow) bool { return f.Pushed && (f.Outcome == nil || f.Outcome.Open) }); ok {
		v.Open = &f
	}
	a.render(w, r, http.StatusOK, "home", v)
}

// frozen asks how the card stands, so that the first page can offer the way
// back. Nothing hangs on it: without an answer in time the page does without.
func (a *App) frozen(ctx context.Context, card string) bool {
	if card == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, standingLasts)
	defer cancel()
	c, err := a.door.Card(ctx, card)
	return err == nil && (c.Standing == "frozen" || c.Standing == "loss_reported")
}

func (a *App) showFreeze(w http.ResponseWriter, r *http.Request) {
	if p := a.who(r); p == nil || a.memory.card(a.holder(p).Key) == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	a.render(w, r, http.StatusOK, "freeze", view{Title: a.words.say("freeze.page")})
}

func (a *App) showCounter(w http.ResponseWriter, r *http.Request) {
	a.render(w, r, http.StatusOK, "counter", view{Title: a.words.say("counter.title"), Offices: a.nearest(r.Context()), Where: a.where()})
}

func (a *App) showEvidence(w http.ResponseWriter, r *http.Request) {
	f, ok := a.flowOf(r)
	if !ok {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	a.render(w, r, http.StatusOK, "evidence", view{Title: a.words.say("evidence.page"), Flow: &f})
}

func (a *App) showResult(w http.ResponseWriter, r *http.Request) {
	f, ok := a.flowOf(r)
	if !ok || f.Outcome == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	a.render(w, r, http.StatusOK, "result", view{
		Title: f.Outcome.Title, Flow: &f, Outcome: f.Outcome, BusinessNo: f.BusinessNo, Received: f.Outcome.Received,
		Card: a.memory.card(f.Person),
	})
}

// showYears shows the contribution years behind the PIN, for a few minutes
// after a verdict and only to the person whose PIN it was.
func (a *App) showYears(w http.ResponseWriter, r *http.Request) {
	at, open := a.opened(r, func(s *session) access { return s.years })
	if !open {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	p := a.who(r)
	a.render(w, r, http.StatusOK, "years", view{
		Title: a.words.say("years.page"), Person: p, Insurances: contributions(*a.holder(p), a.c.Now()),
		BusinessNo: at.no, Received: a.receivedFor(r, at.no),
	})
}

// receivedFor is, for developers, the answer that opened a service.
func (a *App) receivedFor(r *http.Request, no string) string {
	if f, ok := a.memory.flowBy(a.session(r), func(f *flow) bool { return f.BusinessNo == no }); ok && f.Outcome != nil {
		return f.Outcome.Received
	}
	return ""
}

func (a *App) showCard(w http.ResponseWriter, r *http.Request) {
	p := a.who(r)
	if p == nil || a.memory.card(a.holder(p).Key) == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	a.render(w, r, http.StatusOK, "card", view{Title: a.words.say("card.title"), Person: p, Card: a.memory.card(a.holder(p).Key)})
}

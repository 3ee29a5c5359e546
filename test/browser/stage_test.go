package browser

import (
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/examples/channel/miniapp"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// stage is the whole system, over HTTP: the assembled server with its hosted
// and its channel door, two of the sample channel's servers in front of it, a
// stand-in provider of evidence, and the phones that get the messages.
type stage struct {
	*site
	env  *testkit.Env
	apps []string // the channels' origins: the province's, the nation's
}

const (
	provincial = 0
	national   = 1
)

func newStage(t *testing.T) *stage { t.Helper(); return stageOf(t, testkit.Options{}) }

// stageOf is newStage with rules of its own.
func stageOf(t *testing.T, o testkit.Options) *stage {
	t.Helper()
	s := &stage{site: &site{t: t, logs: &lines{}}}
	t.Cleanup(func() { // when all is closed
		for line := range strings.Lines(s.logs.String()) {
			if strings.Contains(line, "level=ERROR") {
				t.Errorf("the server logged %s", line)
			}
		}
	})
	o.Clock, o.Inbox, o.Listen, o.Logger = testkit.RunningClock(0), true, true, slog.New(slog.NewTextHandler(s.logs, nil))
	s.env = testkit.New(t, o)
	s.env.Serve()
	show, err := window.OnLoopback(t.Context(), window.Parts{World: s.env.World, Hub: window.NewHub(s.env.Clock.Now), Channels: []window.Cast{
		{ID: "zj-app", Name: liuma.Text{ZH: "浙里社保·虚构", EN: "Zhejiang (invented)"}, Theme: "jade", Mark: "浙", Region: "33"},
		{ID: "gov-app", Name: liuma.Text{ZH: "国家社保平台·虚构", EN: "National platform (invented)"}, Theme: "azure", Mark: "国"},
	}})
	s.must(err)
	t.Cleanup(func() { s.must(show.Close()) })
	s.url = s.env.Issuer()
	s.apps = []string{show.ChannelOrigin(provincial), show.ChannelOrigin(national)}
	s.channelURL, s.others = s.apps[0], s.apps[1:]
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// wait lets time pass for everybody but the browsers.
func (s *stage) wait(d time.Duration) { s.env.Clock.Advance(d) }

// person is one of the sample's people.
func (s *stage) person(key string) miniapp.Person {
	s.t.Helper()
	people, err := miniapp.SamplePeople()
	s.must(err)
	for _, p := range people {
		if p.Key == key {
			return p
		}
	}
	s.t.Fatalf("nobody is %q", key)
	return miniapp.Person{}
}

// text waits for the n-th text to a phone (from one) and returns it.
func (s *stage) text(phone string, n int) notify.Text {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		if got := s.env.Inbox.Texts(phone); len(got) >= n {
			return got[n-1].Text
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no text %d to %s; there are %d\n%s", n, phone, len(s.env.Inbox.Texts(phone)), s.logs)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// told waits for a notice of this kind to a phone and returns its freeze code.
func (s *stage) told(phone string, kind notify.Template) string {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		for _, r := range s.env.Inbox.Texts(phone) {
			if r.Template == kind {
				if strings.Contains(r.Body, "http") {
					s.t.Errorf("a notice with a link: %s", r.Body)
				}
				return r.Params["freeze"]
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no notice %s to %s", kind, phone)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// actor is a person at a phone, with a browser of their own.
type actor struct {
	*tab
	s     *stage
	me    miniapp.Person
	codes []string // one-time codes by text, none of which may be in an address
}

// actor opens a browser for one of the sample's people and logs in at a
// channel.
func (s *stage) actor(key string, app int, sc screen, language string) *actor {
	s.t.Helper()
	a := &actor{tab: newTab(s.t, sc, language), s: s, me: s.person(key)}
	a.goTo(app)
	return a
}

// goTo logs in at a channel and shows its first page.
func (a *actor) goTo(app int) {
	a.t.Helper()
	a.open(a.s.apps[app])
	if evaluate[bool](a.tab, `!!document.querySelector("form.people")`) {
		a.click(fmt.Sprintf(`//button[@name="person" and @value=%q]`, a.me.Key))
		a.waits(`!document.querySelector("form.people")`)
	}
}

// starts presses one of the first page's services.
func (a *actor) starts(action string) {
	a.t.Helper()
	a.click(fmt.Sprintf(`//form[input[@name="action" and @value=%q]]//button`, action))
}

// looks looks into the provider's camera, to which the channel leads at once or
// by a button.
func (a *actor) looks() {
	a.t.Helper()
	a.waits(`document.readyState === "complete" && !!document.querySelector("form[action='/evidence'], a[href^='/evidence']")`)
	if !evaluate[bool](a.tab, `!!document.querySelector("form[action='/evidence']")`) {
		a.click(`//a[starts-with(@href, "/evidence")]`)
	}
	a.sees("STAND-IN")
	a.click(`//form[@action="/evidence"]//button`)
}

// presses presses the button that posts to this last element of the
// ceremony's address, whatever the language.
func (a *actor) presses(verb string) {
	a.t.Helper()
	a.click(formTo(verb) + `//button`)
}

// formTo finds the form whose address ends so.
func formTo(verb string) string {
	return fmt.Sprintf(`//form[contains(concat(@action, "|"), "/%s|")]`, verb)
}

// asks asks for a one-time code and waits for the text.
func (a *actor) asks(phone string) string {
	a.t.Helper()
	before := len(a.s.env.Inbox.Texts(phone))
	// The page that is left may have the same field.
	evaluate[chromedp.Void](a.tab, `window.left = true`)
	a.presses("send-code")
	for n := before + 1; ; n++ {
		if text := a.s.text(phone, n); text.Params["code"] != "" {
			a.codes = append(a.codes, text.Params["code"])
			a.waits(`!window.left && !!document.querySelector("form[action$='/code'] [name=code]")`)
			return text.Params["code"]
		}
	}
}

// gives types into the step's field and sends it.
func (a *actor) gives(name, value string) {
	a.t.Helper()
	verb := map[string]string{"code": "code", "phone": "phone", "card_no": "card-number"}[name]
	a.fills(fmt.Sprintf(`form[action$="/%s"] [name=%s]`, verb, name), value)
	a.presses(verb)
}

// fills types into a field, once the page's script has set the focus: a refusal
// takes the focus, and digits typed meanwhile would be lost.
func (b *tab) fills(field, value string) {
	b.t.Helper()
	b.waits(fmt.Sprintf(`document.readyState === "complete" && !!document.querySelector(%q)`, field))
	b.do(chromedp.Focus(chromedp.CSS(field)))
	evaluate[chromedp.Void](b, fmt.Sprintf(`document.querySelector(%q).value = ""`, field))
	b.typed(value)
}

// proves asks for a one-time code and submits it.
func (a *actor) proves(phone string) {
	a.t.Helper()
	a.gives("code", a.asks(phone))
}

// chooses sets a new PIN on the pad.
func (a *actor) chooses(pin string) {
	a.t.Helper()
	a.keypad(pin)
	a.waits(`document.querySelector(".pad-ready[aria-busy=false]") && !document.querySelector(".box-full")`)
	a.keypad(pin)
	a.click(`//div[contains(@class, "pad-final") and not(@hidden)]//button[contains(@class, "btn-primary")]`)
}

// applies walks through the whole application for a card, at a channel.
func (a *actor) applies(pin string) {
	a.t.Helper()
	a.starts("enroll")
	a.looks()
	a.presses("agree")
	a.proves(a.me.Phone)
	a.chooses(pin)
	a.returns()
}

// appliesInBoth applies at this channel, and links the card in the national one.
func (a *actor) appliesInBoth(pin string) {
	a.t.Helper()
	a.applies(pin)
	a.goTo(national)
	a.starts("link")
	a.presses("agree")
	a.keypad(pin)
	a.sees("关联成功")
	a.returns()
}

// returns goes back to the channel from a page that is done or refused.
func (a *actor) returns() {
	a.t.Helper()
	a.waits(`location.origin !== ` + fmt.Sprintf("%q", a.s.url) + ` || !!document.querySelector("a[href$='/return']")`)
	if !a.at(a.s.url) {
		return
	}
	a.click(`//a[contains(concat(@href, "|"), "/return|")]`)
	a.waits(`location.origin !== ` + fmt.Sprintf("%q", a.s.url))
}

// at says whether the browser is at this origin.
func (b *tab) at(origin string) bool { return strings.HasPrefix(b.address(), origin+"/") }

// leaks checks the whole network traffic at the end: no PIN in the clear, no
// one-time code outside its own form, and no requests except to channels and
// authority.
func (a *actor) leaks(pins ...string) {
	a.t.Helper()
	a.clean(a.s.site, append(pins, a.me.IDNumber)...)
	a.mu.Lock()
	defer a.mu.Unlock()
	form := regexp.MustCompile(`/c/[^/]+/code$|/freeze$`)
	for _, r := range a.requests {
		u, err := url.Parse(r.url)
		if err != nil {
			a.t.Errorf("asked %s", r.url)
			continue
		}
		for _, code := range a.codes {
			if strings.Contains(r.url, code) || strings.Contains(r.body, code) && !form.MatchString(u.Path) {
				a.t.Errorf("a code went to %s %s", r.method, r.url)
			}
		}
	}
}

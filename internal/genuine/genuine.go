// Package genuine answers whether an app, an address or a text belongs to the service. It
// guarantees that only registered things count: the service's own origin, the channels in the store
// with the addresses to which they may send a holder back, the numbers of the configuration and the
// policy, and those of the directory of agencies; that an address counts by its whole host and
// never by a part of it; that a name must match in every letter, and one that looks like an address
// in every mark too; that a stopped channel, or one below a stopped channel, is never called
// genuine; and that nothing that people look up is kept. If it cannot find out, it says so (Away).
// It trusts the store's sealed rows and the configuration.
//
// Start here: Desk.Ask.
package genuine

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/written"
)

// Kind is the kind of an answer. Each has sentences in the catalogue.
type Kind string

// The kinds of answers.
const (
	Own      Kind = "own"       // the service's own address
	App      Kind = "app"       // the name of a registered app
	Similar  Kind = "similar"   // a part of the names of registered apps
	NoApp    Kind = "no_app"    // no registered app has that name
	AppPage  Kind = "app_page"  // an address of a registered app
	Stopped  Kind = "stopped"   // of an app that was stopped
	NoPage   Kind = "no_page"   // an address that is not registered
	Plain    Kind = "plain"     // an address of ours or of an app's without https
	Sender   Kind = "sender"    // a number that texts come from
	Line     Kind = "line"      // an official hotline, or the telephone of an agency
	NoSender Kind = "no_sender" // a number that is neither
	NoList   Kind = "no_list"   // no numbers are configured, so it cannot be said
	Code     Kind = "code"      // it looks like a PIN or a one-time code
	Short    Kind = "short"     // too little to look for
	Away     Kind = "away"      // the answer could not be found out
)

// Kinds lists all kinds of answers.
func Kinds() []Kind {
	return []Kind{Own, App, Similar, NoApp, AppPage, Stopped, NoPage, Plain, Sender, Line, NoSender, NoList, Code, Short, Away}
}

// Answer is the answer to a question.
type Answer struct {
	Kind Kind
	Apps []Listed
	More bool // there are more apps than these
}

// Listed is a registered app, as anybody may see it.
type Listed struct {
	Name, Under liuma.Text // Under is the name of the app above it, or empty
	Regions     []liuma.Region
	Origins     []string // of its pages, such as https://app.example.cn
	Stopped     bool
}

const (
	longest = 200 // characters that are looked up; nobody types a longer name or address
	most    = 10  // apps of an answer
	fresh   = 15 * time.Second
	patient = 5 * time.Second
)

// Config holds the store and the service's own addresses and numbers.
type Config struct {
	Store  store.Store
	Origin string // of the holder's pages, scheme://host[:port]
	// Senders are the numbers that send texts. If there are none, no number is called false.
	Senders []string
	// Lines returns the present hotlines. Nil: none.
	Lines func() []string
	// Listed reports whether the directory of agencies has a number, in digits alone. Nil: there is
	// no directory.
	Listed func(number string) bool
	Now    func() time.Time
}

// Desk answers questions. Safe for concurrent use.
type Desk struct {
	c     Config
	own   string // its origin, folded
	mu    sync.Mutex
	known []Listed  // guarded by mu; never changed in place
	until time.Time // guarded by mu
	fault error     // of the last read; guarded by mu
	reads atomic.Int64
}

// New checks the Config.
func New(c Config) (*Desk, error) {
	if c.Store == nil || c.Now == nil {
		return nil, errors.New("genuine: no store, or no clock")
	}
	own, ok := originOf(c.Origin)
	if !ok {
		return nil, fmt.Errorf("genuine: origin %q", c.Origin)
	}
	return &Desk{c: c, own: own}, nil
}

// Ask answers a typed question. It never fails: if it cannot find out, the answer is Away.
func (d *Desk) Ask(ctx context.Context, typed string) Answer {
	typed, hidden := written.PageAddress(typed)
	if n := len([]rune(typed)); n < 2 || n > longest {
		return Answer{Kind: Short}
	}
	if number, ok := written.Dialled(typed); ok {
		return Answer{Kind: d.number(number)}
	}
	apps, err := d.apps(ctx)
	if err != nil {
		return Answer{Kind: Away}
	}
	if !address(typed) {
		return named(typed, apps)
	}
	if byName := spelt(typed, apps); byName.Kind != NoApp {
		return byName
	}
	if hidden {
		return Answer{Kind: NoPage} // nobody types such an address, and browsers read it in different ways
	}
	return d.page(typed, apps)
}

// number judges a row of digits.
func (d *Desk) number(number string) Kind {
	same := func(list []string) bool {
		for _, s := range list {
			if n, ok := written.Dialled(s); ok && n == number {
				return true
			}
		}
		return false
	}
	switch {
	case same(d.c.Senders):
		return Sender
	case d.c.Lines != nil && same(d.c.Lines()), d.c.Listed != nil && d.c.Listed(number):
		return Line
	case len(number) == 6: // also for an unknown hotline of six digits, which does no harm
		return Code
	case len(d.c.Senders) == 0:
		return NoList
	}
	return NoSender
}

// page judges an address.
func (d *Desk) page(typed string, apps []Listed) Answer {
	origin, ok := originOf(typed)
	if !ok {
		return Answer{Kind: NoPage}
	}
	plain := strings.HasPrefix(origin, "http://")
	if origin == d.own {
		return Answer{Kind: Own}
	}
	secure := "https://" + strings.TrimPrefix(origin, "http://")
	if plain && secure == d.own {
		return Answer{Kind: Plain}
	}
	var found []Listed
	exact := false // whether some app has exactly the typed address
	for _, a := range apps {
		here := slices.Contains(a.Origins, origin)
		if here || plain && slices.Contains(a.Origins, secure) {
			found, exact = append(found, a), exact || here
		}
	}
	switch {
	case len(found) == 0:
		return Answer{Kind: NoPage}
	case allStopped(found):
		return list(Stopped, found)
	case plain && !exact:
		return Answer{Kind: Plain}
	}
	return list(AppPage, found)
}

// named judges a name. A name that is longer than a registered one is a different name, whatever
// part of it is registered.
func named(typed string, apps []Listed) Answer {
	key := written.NameKey(typed)
	if len([]rune(key)) < 2 {
		return Answer{Kind: Short}
	}
	var same, similar []Listed
	for _, a := range apps {
		zh, en := written.NameKey(a.Name.ZH), written.NameKey(a.Name.EN)
		switch {
		case key == zh || key == en:
			same = append(same, a)
		case strings.Contains(zh, key) || strings.Contains(en, key):
			similar = append(similar, a)
		}
	}
	if len(same) == 0 && len(similar) > 0 {
		return list(Similar, similar)
	}
	return called(same)
}

// spelt is named for a name that looks like an address: it counts only if its marks are the same as
// the registered one's. huzhou-card.online is an address that anybody may buy, and not the app
// Huzhou Card Online.
func spelt(typed string, apps []Listed) Answer {
	var same []Listed
	for _, a := range apps {
		if strings.EqualFold(typed, a.Name.ZH) || strings.EqualFold(typed, a.Name.EN) {
			same = append(same, a)
		}
	}
	return called(same)
}

// called is the answer about apps with exactly the typed name.
func called(same []Listed) Answer {
	switch {
	case len(same) == 0:
		return Answer{Kind: NoApp}
	case allStopped(same):
		return list(Stopped, same)
	}
	return list(App, same)
}

func allStopped(apps []Listed) bool {
	return !slices.ContainsFunc(apps, func(a Listed) bool { return !a.Stopped })
}

func list(k Kind, apps []Listed) Answer {
	a := Answer{Kind: k, Apps: apps}
	if len(apps) > most {
		a.Apps, a.More = apps[:most], true
	}
	return a
}

// apps are the registered channels, read again when they are older than fresh; so a stopped channel
// is called genuine for no longer than that. While one caller reads, others wait and share its
// error: if the store hangs, none waits for more than two reads.
func (d *Desk) apps(ctx context.Context) ([]Listed, error) {
	before := d.reads.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.c.Now()
	if now.Before(d.until) && now.After(d.until.Add(-2*fresh)) {
		return d.known, nil
	}
	if d.fault != nil && d.reads.Load() > before {
		return nil, d.fault
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patient) // others wait for it
	defer cancel()
	var clients []store.Client
	err := d.c.Store.View(ctx, func(r store.Reader) (err error) {
		clients, err = r.Clients()
		return err
	})
	d.reads.Add(1)
	if d.fault = err; err != nil {
		return nil, fmt.Errorf("genuine: channels: %w", err)
	}
	d.known, d.until = channels(clients), now.Add(fresh)
	return d.known, nil
}

// channels lists the clients that holders meet.
func channels(clients []store.Client) []Listed {
	byID := map[string]store.Client{}
	for _, c := range clients {
		byID[c.ID] = c
	}
	var out []Listed
	for _, c := range clients {
		if c.Kind != store.ClientChannel {
			continue
		}
		l := Listed{Name: c.Name, Regions: c.Regions, Stopped: c.Stopped}
		if c.Parent != "" {
			up, ok := byID[c.Parent]
			l.Under, l.Stopped = up.Name, c.Stopped || up.Stopped || !ok
		}
		seen := map[string]bool{}
		for _, uri := range c.RedirectURIs {
			if o, ok := originOf(uri); ok && !seen[o] {
				seen[o] = true
				l.Origins = append(l.Origins, o)
			}
		}
		out = append(out, l)
	}
	return out
}

// originOf is the origin of an address: scheme and host, and the port if it is not the scheme's
// own. An address without a scheme counts as https. ok is false for everything that browsers and
// people could read in different ways.
func originOf(s string) (origin string, ok bool) {
	if strings.ContainsAny(s, "\\@ \t\r\n") {
		return "", false
	}
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return "", false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if strings.ContainsFunc(host, func(r rune) bool { return r > '~' || r <= ' ' }) {
		return "", false // registered ones are ASCII; letters that look like those are the usual trick
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	port := u.Port()
	if port != "" && (u.Scheme != "https" || port != "443") && (u.Scheme != "http" || port != "80") {
		host += ":" + port
	}
	return u.Scheme + "://" + host, true
}

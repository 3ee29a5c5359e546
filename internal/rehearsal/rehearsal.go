// Package rehearsal plays a channel that is being developed through the cases of
// docs/CHANNELS.md: it is the authority, the people and the holders' browsers, and
// looks at what the channel pushed, redeemed, asked for and showed. It guarantees
// that the authority is the real one, on made-up people, and that every refusal
// and forgery that a channel may meet comes from it or from a browser, as it would
// in life. It changes only what the authority's answers carry on the way to the
// channel, where a case says so. It trusts the developer who describes the channel,
// and is for a developer's machine: its evidence proves nothing.
//
// Start here: Description and Run, then cases.go.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/evidence/standin"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/world"
)

// Config holds the listeners and the channel of a rehearsal. All members except
// Provider and Report are required.
type Config struct {
	Dir            string // new or empty, for the authority's data
	Native, Hosted net.Listener
	Provider       net.Listener // of the stand-in for an evidence provider; nil for none
	Channel        Description
	Key            jose.JSONWebKey // public half of the channel's key
	// Only, if set, limits the rehearsal to the named cases.
	Only func(id string) bool
	// Report, if set, is called with each case when it is over.
	Report func(Result)
}

// Result is the result of a case.
type Result struct {
	Case
	Fault string // the channel's wrong behaviour; empty if it passed
	// Lacks is the missing member of the description because of which the case was
	// not played.
	Lacks string
}

// Run plays all cases, and returns their results. An error means that the rehearsal
// itself could not begin.
func Run(ctx context.Context, c Config) (_ []Result, err error) {
	s, err := set(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var out []Result
	for _, one := range Cases() {
		if c.Only != nil && one.ID != "link" && !c.Only(one.ID) {
			continue
		}
		r := s.play(ctx, one)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		out = append(out, r)
		if c.Report != nil {
			c.Report(r)
		}
		if one.ID == "link" && r.Fault != "" {
			break // without linked cards nothing else can be played
		}
	}
	return out, nil
}

// play plays one case, if the description has what it needs.
func (s *stage) play(ctx context.Context, one Case) Result {
	r := Result{Case: one}
	if one.needs != nil {
		if r.Lacks = one.needs(s.c.Channel); r.Lacks != "" {
			return r
		}
	}
	s.front.calm()
	s.before = s.front.count()
	if err := one.play(ctx, s); err != nil {
		r.Fault = err.Error()
	}
	s.tidy(ctx)
	return r
}

// stage is a rehearsal under way.
type stage struct {
	c        Config
	world    *world.World
	front    *front
	other    *client.Client // another channel, in which the cards were made
	cards    []string       // handles there, by account
	handles  []string       // handles in the channel, by account, once it linked them
	pins     []string       // by account
	phones   []string       // that the cards are bound to, by account
	before   int            // pushes before the case that is played
	freezes  int            // that the other channel made
	provider *http.Server
	loose    []loose // what the case that is played may leave open
}

// set makes the authority, its people with their cards, and the channel's
// registration.
func set(ctx context.Context, c Config) (_ *stage, err error) {
	if err := c.Channel.check(); err != nil {
		return nil, errors.Join(err, c.Native.Close(), c.Hosted.Close())
	}
	s := &stage{c: c}
	s.world, err = world.New(ctx, world.Config{Dir: c.Dir, Clock: world.Running(-issuedBefore), Native: c.Native, Hosted: c.Hosted, Phones: true})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if _, err := s.world.Import(ctx, strings.NewReader(c.Channel.registry()), nil); err != nil {
		return nil, fmt.Errorf("the accounts' people: %w", err)
	}
	if err := s.register(ctx); err != nil {
		return nil, err
	}
	s.front = &front{world: s.world, handles: map[string]string{}}
	s.world.System.Hosted.Handler = s.front.watch(s.world.System.Hosted.Handler)
	s.world.System.Door.Handler = s.front.watch(s.world.System.Door.Handler)
	if err := s.world.Serve(); err != nil {
		return nil, err
	}
	if err := s.serveProvider(); err != nil {
		return nil, err
	}
	if err := s.issueCards(ctx); err != nil {
		return nil, err
	}
	s.world.Clock.CatchUp()
	s.front.forget()
	return s, nil
}

// issuedBefore is how long before the rehearsal the cards are made, because a number
// gets only one code a minute.
const issuedBefore = 2 * time.Minute

func (s *stage) register(ctx context.Context) error {
	d := s.c.Channel
	var regions []liuma.Region
	for _, code := range d.Regions {
		r, err := liuma.ParseRegion(code)
		if err != nil {
			return fmt.Errorf("region %q: %w", code, err)
		}
		regions = append(regions, r)
	}
	if len(regions) == 0 {
		regions = []liuma.Region{""}
	}
	err := s.world.System.Admin.AddClient(ctx, admin.Client{ID: d.ClientID, Kind: store.ClientChannel, Key: s.c.Key,
		Name: liuma.Text{ZH: "被检渠道", EN: "Channel under check"}, Regions: regions, Actions: liuma.Actions(), RedirectURIs: []string{d.RedirectURI}})
	if err != nil {
		return fmt.Errorf("register the channel: %w", err)
	}
	party, err := s.world.Register(ctx, world.NationalChannel("liuma-check", otherBack))
	if err != nil {
		return err
	}
	s.other, err = party.Connect(s.world.API(), nil)
	return err
}

func (s *stage) serveProvider() error {
	if s.c.Provider == nil {
		return nil
	}
	h, err := standin.New(standin.Config{Signer: s.world.Provider, Audience: s.world.Issuer(),
		Origin: "http://" + s.c.Provider.Addr().String(), Now: s.world.Clock.Now})
	if err != nil {
		return err
	}
	s.provider = &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second}
	go func() { _ = s.provider.Serve(s.c.Provider) }() // ends with close
	return nil
}

// otherBack is the other channel's redirect URI. No browser goes there.
const otherBack = "https://check.liuma.invalid/back"

// issueCards makes a card for each account's person, in the other channel, on the
// authority's pages, so that it is bound to the person's phone.
func (s *stage) issueCards(ctx context.Context) error {
	for i, a := range s.c.Channel.Accounts {
		card, pin, err := s.issue(ctx, a, fmt.Sprintf("CHECK-%d", i))
		if err != nil {
			return fmt.Errorf("a card for account %q: %w", a.Name, err)
		}
		s.cards, s.pins, s.phones = append(s.cards, card), append(s.pins, pin), append(s.phones, a.Phone)
	}
	return nil
}

func (s *stage) issue(ctx context.Context, a Account, no string) (card, pin string, err error) {
	challenge, err := s.other.Challenge(ctx)
	if err != nil {
		return "", "", err
	}
	evidence, err := s.world.Evidence(registry.Facts{IDNumber: a.IDNumber, Name: a.Holder}, challenge.Value)
	if err != nil {
		return "", "", err
	}
	ask := client.HostedRequest{Action: client.Enroll, BusinessNo: no, Purpose: "申领电子社保卡", RedirectURI: otherBack, Challenge: challenge.Value, Evidence: evidence,
		Holder: client.Subject{IDNumber: a.IDNumber, Name: a.Holder, Phone: a.Phone}}
	l := ask.LogIn("session", a.Name)
	to, err := s.other.Push(ctx, l, ask)
	if err != nil {
		return "", "", err
	}
	b, err := s.newBrowser()
	if err != nil {
		return "", "", err
	}
	b.home = otherBack
	p, err := b.visitor.Open(ctx, to.URL)
	if err == nil {
		p, err = enter(ctx, p)
	}
	if err == nil {
		p, err = b.code(ctx, p, a.Phone)
	}
	if err == nil {
		p, pin, err = b.sets(ctx, p, "")
	}
	if err != nil {
		return "", "", err
	}
	back, err := b.leaves(ctx, p)
	if err != nil || back == nil {
		return "", "", errors.Join(err, fmt.Errorf("the authority's page did not lead back: %q", p.Title()))
	}
	proof, err := s.other.Return(ctx, l, "session", a.Name, back.Query())
	if err != nil {
		return "", "", err
	}
	return proof.Card, pin, nil
}

// account is one of the channel's log-ins; the newcomer comes after the others.
func (s *stage) account(i int) Account { return s.c.Channel.people()[i] }

func (s *stage) close() error {
	var err error
	if s.provider != nil {
		err = s.provider.Close()
	}
	return errors.Join(err, s.world.Close())
}

// Places are the addresses for the channel's configuration.
func (c Config) Places() (issuer, api, provider string) {
	if c.Provider != nil {
		provider = "http://" + c.Provider.Addr().String() + standin.ChecksPath
	}
	return "http://" + c.Hosted.Addr().String(), "http://" + c.Native.Addr().String(), provider
}

func sameAddress(u *url.URL, address string) bool {
	bare := *u
	bare.RawQuery, bare.Fragment = "", ""
	return bare.String() == address
}

package window

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/examples/channel/miniapp"
	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/internal/evidence/standin"
	"github.com/liuma-pin/liuma/internal/testkit/world"
	"github.com/liuma-pin/liuma/locale"
)

// Cast is one of the sample channels.
type Cast struct {
	ID     string
	Name   liuma.Text // as in its own header
	Theme  string     // "jade" or "azure"
	Mark   string     // one character, for its icon
	Region liuma.Region
}

// Parts are the parts of a Show. World, Hub and Channels are required.
type Parts struct {
	World    *world.World // with listeners, and with phones if the window shows messages
	Hub      *Hub
	Channels []Cast // as many as addresses
	// People to act as, and the number of the first person's physical card; the
	// other cards have the numbers after it. Default: the sample's.
	People    []miniapp.Person
	FirstCard int
	// Lang comes first on the window, with the other language beside it; default:
	// Chinese.
	Lang locale.Lang
	CA   []byte // PEM; the window offers it for download; nil for none
	// Pass moves the world's clock, when a visitor of the window asks for it.
	Pass bool
	// Base sends the channels' calls; default: http.DefaultTransport. It must
	// trust the authority's certificate.
	Base   http.RoundTripper
	Logger *slog.Logger // default: discard
	// Keepers, if set, are those of the world; the window shows them, and lets visitors
	// kill, cut off and heal them.
	Keepers *posts.House
}

func (p *Parts) fill(addresses int) (err error) {
	if p.World == nil || p.World.Provider == nil || p.Hub == nil || len(p.Channels) != addresses {
		return errors.New("demo window: want a world with a provider, a hub, and a channel for each address")
	}
	if p.Base == nil {
		p.Base = http.DefaultTransport
	}
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	if p.People == nil {
		p.FirstCard = sampleCard
		p.People, err = miniapp.SamplePeople()
	}
	return err
}

const callLasts = 15 * time.Second

// Build has the people imported and the channels registered, and makes the
// servers.
func (s *Show) Build(ctx context.Context, p Parts) error {
	if err := p.fill(len(s.channels)); err != nil {
		return err
	}
	if _, err := p.World.Import(ctx, strings.NewReader(registryOf(p.People, p.FirstCard)), nil); err != nil {
		return err
	}
	c := Config{Hub: p.Hub, Origin: s.Origin(), Official: p.World.Issuer() + "/", Lang: p.Lang, Now: p.World.Clock.Now, Scan: s.scheme == "https", CA: p.CA}
	if p.Keepers != nil {
		c.Keepers, c.Conditions = p.Keepers, p.World.System.Quorum.Conditions
	}
	if p.Pass {
		c.Pass = p.World.Clock.Advance
	}
	if p.World.Inbox != nil {
		var err error
		if c.SMS, err = Messages(p.World.Inbox, p.World.Clock.Now()); err != nil {
			return err
		}
	}
	var apps []http.Handler
	for i, cast := range p.Channels {
		app, err := s.channel(ctx, p, cast, s.ChannelOrigin(i))
		if err != nil {
			return err
		}
		apps = append(apps, app)
		c.Phones = append(c.Phones, Phone{Name: cast.Name, URL: s.ChannelOrigin(i), Theme: cast.Theme, Mark: cast.Mark})
	}
	page, err := New(c)
	if err != nil {
		return err
	}
	provider, err := standin.New(standin.Config{
		Signer: p.World.Provider, Audience: p.World.Issuer(), Origin: "http://" + s.provider.Addr().String(), Now: p.World.Clock.Now,
	})
	if err != nil {
		return err
	}
	for _, h := range append([]http.Handler{page, provider}, apps...) {
		s.servers = append(s.servers, &http.Server{
			Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 45 * time.Second,
			IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
			ErrorLog: slog.NewLogLogger(p.Logger.Handler(), slog.LevelWarn),
		})
	}
	return nil
}

// channel registers a sample channel and makes its handler, which the hub
// watches.
func (s *Show) channel(ctx context.Context, p Parts, c Cast, origin string) (http.Handler, error) {
	row := world.NationalChannel(c.ID, miniapp.RedirectURI(origin))
	row.Name, row.Regions = c.Name, []liuma.Region{c.Region}
	party, err := p.World.Register(ctx, row)
	if err != nil {
		return nil, err
	}
	app, err := miniapp.New(miniapp.Config{
		Issuer: p.World.Issuer(), API: p.World.API(), ClientID: c.ID, KeyID: party.KeyID, Key: party.Key, Origin: origin,
		Name: c.Name.ZH, NameEN: c.Name.EN, Theme: c.Theme, Region: string(c.Region), Hotline: p.World.System.Config.Hotline,
		Evidence: s.EvidenceURL(), People: p.People,
		HTTP: &http.Client{Transport: p.Hub.Transport(c.ID, p.Base), Timeout: callLasts}, Now: p.World.Clock.Now, Logger: p.Logger,
	})
	if err != nil {
		return nil, err
	}
	return p.Hub.Channel(c.ID, app), nil
}

const sampleCard = 90417300 // number of the first sample person's card

// workplace is the region of people whose document names none.
const workplace = "330502"

// registryOf makes the import file of the people to act as. Each has a physical
// card, and one card is reported lost. first is the number of the first
// person's card; the others have the numbers after it.
func registryOf(people []miniapp.Person, first int) string {
	var b strings.Builder
	b.WriteString("id_number,document_type,document_number,birth_date,name,phone,card_no,region,status\n")
	for i, p := range people {
		if p.Account != "" {
			continue // a thief of the play has no card to steal
		}
		status := liuma.PhysicalNormal
		if p.Key == "zhao" {
			status = liuma.PhysicalLost
		}
		region := workplace
		if p.IDNumber != "" && p.IDNumber[0] != '8' { // 81 to 83: residents of Hong Kong, Macao and Taiwan
			region = p.IDNumber[:6]
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s,%s,%s,A%08d,%s,%s\n", p.IDNumber, p.Document.Type, p.Document.Number, p.Born, p.Name, p.Phone, first+i*37, region, status)
	}
	return b.String()
}

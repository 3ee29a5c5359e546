package window

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/examples/channel/miniapp"
	"github.com/liuma-pin/liuma/internal/testkit/world"
)

// Addresses say where a Show listens, as host:port; port 0 takes any free one.
// The stand-in provider is always on loopback.
type Addresses struct {
	Window   string
	Channels []string
	// TLS, if set, serves window and channels with it. Host then replaces the
	// host in their origins.
	TLS  *tls.Config
	Host string
}

// Show is the demo's browser side, listening. Listen comes first: the redirect
// URIs must be known to register the channels. Then Build, then Serve, and
// Close at any point. It is for one goroutine.
type Show struct {
	scheme   string
	host     string
	window   net.Listener
	provider net.Listener
	channels []net.Listener
	servers  []*http.Server // as the listeners in all()
	stop     context.CancelFunc
	ended    chan error // what serving came to, once; nil before Serve
}

// Listen opens the listeners.
func Listen(a Addresses) (_ *Show, err error) {
	s := &Show{scheme: "http", host: a.Host}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	open := func(address string) (net.Listener, error) {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("demo window: %w", err)
		}
		if a.TLS != nil {
			ln = tls.NewListener(ln, a.TLS)
		}
		return ln, nil
	}
	if a.TLS != nil {
		s.scheme = "https"
	}
	if s.window, err = open(a.Window); err != nil {
		return nil, err
	}
	for _, address := range a.Channels {
		ln, err := open(address)
		if err != nil {
			return nil, err
		}
		s.channels = append(s.channels, ln)
	}
	if s.provider, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("demo window: %w", err)
	}
	return s, nil
}

func (s *Show) all() []net.Listener {
	var all []net.Listener
	for _, ln := range append([]net.Listener{s.window, s.provider}, s.channels...) {
		if ln != nil {
			all = append(all, ln)
		}
	}
	return all
}

// Close stops serving, or closes the listeners of a Show that does not serve.
func (s *Show) Close() error {
	if s.ended != nil {
		s.stop()
		err := <-s.ended
		s.ended <- nil // it can be closed again
		return err
	}
	var errs []error
	for _, ln := range s.all() {
		errs = append(errs, ln.Close())
	}
	s.window, s.provider, s.channels = nil, nil, nil
	return errors.Join(errs...)
}

func (s *Show) origin(ln net.Listener) string {
	host, port, _ := net.SplitHostPort(ln.Addr().String()) // an address of our own
	if s.host != "" {
		host = s.host
	}
	return s.scheme + "://" + net.JoinHostPort(host, port)
}

// Origin is the address to open in a browser.
func (s *Show) Origin() string { return s.origin(s.window) }

// ChannelOrigin is the address of the i-th channel.
func (s *Show) ChannelOrigin(i int) string { return s.origin(s.channels[i]) }

// EvidenceURL is where a channel asks the stand-in provider for evidence: the
// sample channels do, and any that somebody registers to try things out.
func (s *Show) EvidenceURL() string { return "http://" + s.provider.Addr().String() + EvidencePath }

// Cast is one of the sample channels.
type Cast struct {
	ID     string
	Name   liuma.Text // as in its own header
	Theme  string     // "jade" or "azure"
	Mark   string     // one character, for its icon
	Region liuma.Region
}

// Parts are what a Show is built from. World, Hub and Channels are required.
type Parts struct {
	World    *world.World // with listeners, and with phones where the window shows texts
	Hub      *Hub
	Channels []Cast // as many as addresses
	// People to be, and the number of the first one's physical card; those of
	// the others follow. Default: the sample's.
	People    []miniapp.Person
	FirstCard int
	CA        []byte // PEM, to be fetched from the window; nil for none
	// Pass lets the world's time go by, at the window.
	Pass bool
	// Base sends the channels' calls; default: http.DefaultTransport. With a
	// certificate of one's own, it is what trusts it.
	Base   http.RoundTripper
	Logger *slog.Logger // default: discard
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
	c := Config{Hub: p.Hub, Origin: s.Origin(), Official: p.World.Issuer() + "/", Now: p.World.Clock.Now, Scan: s.scheme == "https", CA: p.CA}
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
	for _, h := range append([]http.Handler{page, standIn(p.World.Provider, p.World.Clock.Now)}, apps...) {
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
		Name: c.Name.ZH, NameEN: c.Name.EN, Theme: c.Theme, Region: string(c.Region),
		Evidence: s.EvidenceURL(), People: p.People,
		HTTP: &http.Client{Transport: p.Hub.Transport(c.ID, p.Base), Timeout: callLasts}, Now: p.World.Clock.Now, Logger: p.Logger,
	})
	if err != nil {
		return nil, err
	}
	return p.Hub.Channel(c.ID, app), nil
}

// Serve answers until Close.
func (s *Show) Serve() error {
	if len(s.servers) != len(s.all()) {
		return errors.New("demo window: not built")
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.ended = stop, make(chan error, 1)
	go func() { s.ended <- s.serve(ctx) }()
	return nil
}

// serve answers until ctx ends or a server fails, and then stops.
func (s *Show) serve(ctx context.Context) error {
	all := s.all()
	failed := make(chan error, len(all))
	for i, ln := range all {
		go func() { failed <- s.servers[i].Serve(ln) }()
	}
	var errs []error
	left := len(all)
	select {
	case err := <-failed:
		errs = append(errs, err)
		left--
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, server := range s.servers {
		if err := server.Shutdown(drain); err != nil {
			errs = append(errs, err, server.Close())
		}
	}
	for range left {
		if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// OnLoopback is a Show on free ports of this machine that serves.
func OnLoopback(ctx context.Context, p Parts) (_ *Show, err error) {
	a := Addresses{Window: "127.0.0.1:0"}
	for range p.Channels {
		a.Channels = append(a.Channels, "127.0.0.1:0")
	}
	s, err := Listen(a)
	if err != nil {
		return nil, err
	}
	if err = s.Build(ctx, p); err == nil {
		err = s.Serve()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

const sampleCard = 90417300 // number of the first sample person's card

// registryOf is people to be as the registry imports them, each with a physical
// card; that of one is reported lost. first is the number of the first one's
// card; those of the others follow.
func registryOf(people []miniapp.Person, first int) string {
	var b strings.Builder
	b.WriteString("id_number,name,phone,card_no,region,status\n")
	for i, p := range people {
		if p.Account != "" {
			continue // a thief of the play has no card to steal
		}
		status := liuma.PhysicalNormal
		if p.Key == "zhao" {
			status = liuma.PhysicalLost
		}
		fmt.Fprintf(&b, "%s,%s,%s,A%08d,%s,%s\n", p.IDNumber, p.Name, p.Phone, first+i*37, p.IDNumber[:6], status)
	}
	return b.String()
}

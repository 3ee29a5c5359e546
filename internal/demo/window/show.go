package window

import (
	"context"
	"crypto"
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
	"github.com/liuma-pin/liuma/internal/evidence"
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
// URIs must be known to register the channels. Then Build, then Serve.
type Show struct {
	scheme   string
	host     string
	window   net.Listener
	provider net.Listener
	channels []net.Listener
	servers  []*http.Server // as the listeners in all()
}

// Listen opens the listeners. Close them if it comes to nothing.
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

// Close closes the listeners of a Show that does not serve.
func (s *Show) Close() error {
	var errs []error
	for _, ln := range s.all() {
		errs = append(errs, ln.Close())
	}
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

// RedirectURI is what to register for the i-th channel.
func (s *Show) RedirectURI(i int) string { return miniapp.RedirectURI(s.origin(s.channels[i])) }

// ChannelOrigin is the address of the i-th channel.
func (s *Show) ChannelOrigin(i int) string { return s.origin(s.channels[i]) }

// EvidenceURL is where a channel asks the stand-in provider for evidence: the
// sample channels do, and any that somebody registers to try things out.
func (s *Show) EvidenceURL() string { return "http://" + s.provider.Addr().String() + EvidencePath }

// Cast is one of the sample channels, as registered.
type Cast struct {
	ID     string
	KeyID  string
	Key    crypto.Signer
	Name   liuma.Text // as in its own header
	Theme  string
	Mark   string // one character, for its icon
	Region liuma.Region
}

// Parts are what a Show is built from. People, SMS, CA, Pass, Base and
// Logger are optional.
type Parts struct {
	Hub      *Hub
	Issuer   string // the authority's, which is the hosted door's address
	API      string // the native door's address
	Channels []Cast // as many as addresses
	Provider *evidence.Signer
	People   []miniapp.Person // to be; default: those of the sample
	SMS      func() []SMS
	CA       []byte // PEM, to be fetched from the window; nil for none
	Now      func() time.Time
	Pass     func(time.Duration) // lets Now go by, at the window; nil where it cannot
	// Base sends the channels' calls; default: http.DefaultTransport. With a
	// certificate of one's own, it is what trusts it.
	Base   http.RoundTripper
	Logger *slog.Logger
}

const callLasts = 15 * time.Second

// Build makes the servers.
func (s *Show) Build(p Parts) error {
	if len(p.Channels) != len(s.channels) || p.Provider == nil || p.Now == nil {
		return errors.New("demo window: want a channel for each address, a provider and a clock")
	}
	if p.Base == nil {
		p.Base = http.DefaultTransport
	}
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	if p.People == nil {
		people, err := miniapp.SamplePeople()
		if err != nil {
			return err
		}
		p.People = people
	}
	var apps []http.Handler
	var phones []Phone
	for i, c := range p.Channels {
		origin := s.origin(s.channels[i])
		app, err := miniapp.New(miniapp.Config{
			Issuer: p.Issuer, API: p.API, ClientID: c.ID, KeyID: c.KeyID, Key: c.Key, Origin: origin,
			Name: c.Name.ZH, NameEN: c.Name.EN, Theme: c.Theme, Region: string(c.Region),
			Evidence: s.EvidenceURL(), People: p.People,
			HTTP: &http.Client{Transport: p.Hub.Transport(c.ID, p.Base), Timeout: callLasts}, Now: p.Now, Logger: p.Logger,
		})
		if err != nil {
			return err
		}
		apps = append(apps, p.Hub.Channel(c.ID, app))
		phones = append(phones, Phone{Name: c.Name, URL: origin, Theme: c.Theme, Mark: c.Mark})
	}
	page, err := New(Config{Hub: p.Hub, Origin: s.Origin(), Phones: phones, Official: p.Issuer + "/", SMS: p.SMS, Pass: p.Pass, Now: p.Now, Scan: s.scheme == "https", CA: p.CA})
	if err != nil {
		return err
	}
	for _, h := range append([]http.Handler{page, standIn(p.Provider, p.Now)}, apps...) {
		s.servers = append(s.servers, &http.Server{
			Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 45 * time.Second,
			IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
			ErrorLog: slog.NewLogLogger(p.Logger.Handler(), slog.LevelWarn),
		})
	}
	return nil
}

// Serve answers until ctx ends or a server fails, and then stops.
func (s *Show) Serve(ctx context.Context) error {
	all := s.all()
	if len(s.servers) != len(all) {
		return errors.New("demo window: not built")
	}
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

// RegistryCSV is the sample's people to be as the registry imports them, each
// with a physical card; that of one is reported lost.
func RegistryCSV() (string, error) {
	people, err := miniapp.SamplePeople()
	if err != nil {
		return "", err
	}
	return RegistryOf(people, firstCard), nil
}

const firstCard = 90417300 // number of the first sample person's card

// RegistryOf is other people to be as the registry imports them. first is the
// number of the first one's card; those of the others follow.
func RegistryOf(people []miniapp.Person, first int) string {
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

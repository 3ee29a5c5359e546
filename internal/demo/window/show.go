package window

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma/internal/evidence/standin"
)

// Addresses say where a Show listens, as host:port; port 0 takes any free one.
// The stand-in provider is always on loopback.
type Addresses struct {
	Window   string
	Channels []string
	// TLS, if set, is used for the window and the channels. Host then replaces
	// the host in their origins.
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
	ended    chan error // the result of serving, once; nil before Serve
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
// sample channels do, and any channel that a developer registers for a trial.
func (s *Show) EvidenceURL() string {
	return "http://" + s.provider.Addr().String() + standin.EvidencePath
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

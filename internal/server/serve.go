package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/process"
)

// Listen opens the native door's listener, with TLS if it is configured.
func (s *System) Listen() (net.Listener, error) { return listen("channel_door", s.Config.Channel) }

// ListenHosted opens the hosted door's listener; nil if the door is not
// configured.
func (s *System) ListenHosted() (net.Listener, error) {
	if s.Hosted == nil {
		return nil, nil
	}
	return listen("hosted_door", s.Config.Hosted)
}

// ListenGateway opens the gateway door's listener; nil if the door is not
// configured.
func (s *System) ListenGateway() (net.Listener, error) {
	if s.Gateway == nil {
		return nil, nil
	}
	return listen("gateway_door", s.Config.Gateway)
}

// ListenConsole opens the console door's listener; nil if the door is not configured.
func (s *System) ListenConsole() (net.Listener, error) {
	if s.Console == nil {
		return nil, nil
	}
	return listen("console_door", s.Config.ConsoleDoor)
}

// CertificateError means that the certificate and key of a door cannot be
// loaded.
type CertificateError struct {
	Door string // its member of the configuration, such as hosted_door
	Err  error
}

// Error implements error.
func (e *CertificateError) Error() string { return fmt.Sprintf("%s: %v", e.Door, e.Err) }

// Unwrap returns why.
func (e *CertificateError) Unwrap() error { return e.Err }

// listen opens the listener of the door that member names. Its error is a
// *process.ListenError or a *CertificateError.
func listen(member string, d config.Door) (net.Listener, error) {
	ln, err := process.Listen(member+".listen", d.Listen)
	if err != nil {
		return nil, err
	}
	if d.Certificate == "" {
		return ln, nil
	}
	cert, err := tls.LoadX509KeyPair(d.Certificate, d.Key)
	if err != nil {
		return nil, errors.Join(&CertificateError{Door: member, Err: err}, ln.Close())
	}
	return tls.NewListener(ln, &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}), nil
}

// Serve answers at the native door's listener and at the others, which are those of
// the hosted door, the gateway door and the console, in this order (nil: the door is
// not configured), until ctx ends or one of them fails. Then running requests have
// the configured time to finish. Requests that are cut off stay undecided, as after a
// crash. ErrEnded: another authority has ended this one.
func (s *System) Serve(ctx context.Context, channel net.Listener, others ...net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	beside := []struct {
		name   string
		server *http.Server
	}{{"hosted door", s.Hosted}, {"gateway door", s.Gateway}, {"console door", s.Console}}
	doors := 1
	ended := make(chan error, 1+len(beside))
	go func() { ended <- s.serve(ctx, "channel door", s.Door, channel); stop() }()
	for i, d := range beside {
		if i < len(others) && others[i] != nil && d.server != nil {
			doors++
			go func() { ended <- s.serve(ctx, d.name, d.server, others[i]); stop() }()
		}
	}
	go func() {
		select {
		case <-s.lost:
			stop()
		case <-ctx.Done():
		}
	}()
	var errs []error
	for range doors {
		errs = append(errs, <-ended)
	}
	select {
	case <-s.lost:
		errs = append(errs, ErrEnded)
	default:
	}
	return errors.Join(errs...)
}

func (s *System) serve(ctx context.Context, name string, server *http.Server, ln net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("%s: %w", name, err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), time.Duration(s.Config.Drain))
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("%s: drain: %w", name, err), server.Close())
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

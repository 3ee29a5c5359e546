package assembly

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Listen opens the channel door's listener, with TLS where it is configured.
func (s *System) Listen() (net.Listener, error) {
	d := s.Config.Channel
	ln, err := net.Listen("tcp", d.Listen)
	if err != nil {
		return nil, fmt.Errorf("channel door: %w", err)
	}
	if d.Certificate == "" {
		return ln, nil
	}
	cert, err := tls.LoadX509KeyPair(d.Certificate, d.Key)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("channel door: %w", err), ln.Close())
	}
	return tls.NewListener(ln, &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}), nil
}

// Serve answers on ln until ctx ends, and then lets requests finish for the
// configured time. What is cut off then is undecided, as after a crash.
func (s *System) Serve(ctx context.Context, ln net.Listener) error {
	server := s.Door
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("channel door: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), time.Duration(s.Config.Drain))
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("channel door: drain: %w", err), server.Close())
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("channel door: %w", err)
	}
	return nil
}

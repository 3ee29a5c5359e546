package wire

import (
	"context"
	"crypto/x509"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
)

// TestDismissedIsRefused: who is not allowed any more loses the connection that is open,
// and gets no other; the others keep theirs.
func TestDismissedIsRefused(t *testing.T) {
	refused, dismissed := errors.New("dismissed"), atomic.Pointer[x509.Certificate]{}
	k := &stub{}
	p := serve(t, k, k, func(c *ServerConfig) {
		c.Allow = func(cert *x509.Certificate) error {
			if d := dismissed.Load(); d != nil && d.Equal(cert) {
				return refused
			}
			return nil
		}
	})
	bad, good := p.client("authority"), p.client("authority", "closer")
	for _, c := range []*Client{bad, good} {
		if err := c.Admit(t.Context(), header()); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.server.Connections(); n[Authority] != 2 || n[Closer] != 1 || n[Peer] != 0 {
		t.Errorf("connections %v", n)
	}
	if n := p.server.Recheck(); n != 0 {
		t.Fatalf("%d connections were ended while all are allowed", n)
	}
	dismissed.Store(leafOf(t, bad))
	if n := p.server.Recheck(); n != 1 {
		t.Errorf("%d connections were ended, want 1", n)
	}
	asked := len(k.seen())
	for range 3 {
		if err := bad.Admit(t.Context(), header()); err == nil {
			t.Error("who was dismissed is served")
		}
		time.Sleep(redialAfter / 4)
	}
	if n := len(k.seen()); n != asked {
		t.Errorf("%d requests of who was dismissed reached the keeper", n-asked)
	}
	if err := good.Admit(t.Context(), header()); err != nil {
		t.Errorf("the other one: %v", err)
	}
}

// TestDismissedWhileAsking: a request that was taken is done to its end, and its answer is
// lost.
func TestDismissedWhileAsking(t *testing.T) {
	var dismissed atomic.Bool
	begun, end := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	k := &stub{slow: func(ctx context.Context) {
		close(begun)
		<-end
		done <- ctx.Err()
	}}
	p := serve(t, k, k, func(c *ServerConfig) {
		c.Allow = func(*x509.Certificate) error {
			if dismissed.Load() {
				return errors.New("dismissed")
			}
			return nil
		}
	})
	c := p.client("authority")
	answered := make(chan error, 1)
	go func() {
		_, err := c.Attempt(context.WithoutCancel(t.Context()), keeper.AttemptRequest{Blinded: somePoint(t)})
		answered <- err
	}()
	<-begun
	dismissed.Store(true)
	if n := p.server.Recheck(); n != 1 {
		t.Errorf("%d connections were ended, want 1", n)
	}
	if err := <-answered; !errors.Is(err, ErrLost) {
		t.Errorf("the answer: %v", err)
	}
	close(end)
	if err := <-done; err != nil {
		t.Errorf("the keeper's work was cut off: %v", err)
	}
}

// leafOf is the certificate of a client.
func leafOf(t *testing.T, c *Client) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(c.c.TLS.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

package wire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// issuer signs certificates of a test.
type issuer struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, cert: cert, key: key, pool: x509.NewCertPool()}
	i.pool.AddCert(cert)
	return i
}

// certificate is one of a party with some roles, and of the host "keeper.test".
func (i *issuer) certificate(roles ...string) tls.Certificate {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"keeper.test"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, r := range roles {
		u, err := url.Parse(roleSpace + r)
		if err != nil {
			i.t.Fatal(err)
		}
		tmpl.URIs = append(tmpl.URIs, u)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, i.cert, key.Public(), i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// stub is a keeper that notes what it was asked and answers what it is told to.
type stub struct {
	forget bool // notes nothing
	mu     sync.Mutex
	asked  []any                 // guarded by mu
	err    error                 // of every call
	slow   func(context.Context) // called in every Attempt
	answer keeper.AttemptAnswer  // of an Attempt
	rows   []ledger.Row          // of Status and Scan
	about  keeper.About
}

func (s *stub) note(v any) error {
	if s.forget {
		return s.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, v)
	return s.err
}

func (s *stub) seen() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]any(nil), s.asked...)
}

func ack() keeper.Answer { return keeper.Answer{Sequence: 77, Incarnation: [16]byte{7, 8, 9}} }

func (s *stub) ID() keeper.ID { return "k1" }
func (s *stub) Attempt(ctx context.Context, q keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	err := s.note(q)
	if s.slow != nil {
		s.slow(ctx)
	}
	return s.answer, err
}
func (s *stub) Propose(_ context.Context, q keeper.ProposeRequest) (keeper.ProposeAnswer, error) {
	return keeper.ProposeAnswer{Answer: ack(), Shares: s.answer.Shares, Refusal: s.answer.Refusal}, s.note(q)
}
func (s *stub) Commit(_ context.Context, q keeper.CommitRequest) (keeper.CommitAnswer, error) {
	return keeper.CommitAnswer{Answer: ack(), Refusal: s.answer.Refusal}, s.note(q)
}
func (s *stub) Settle(_ context.Context, h keeper.Header, list []ledger.Settlement) (keeper.Answer, error) {
	return ack(), s.note([]any{h, list})
}
func (s *stub) Status(_ context.Context, c liuma.CardID) (keeper.StatusAnswer, error) {
	a := keeper.StatusAnswer{Answer: ack(), Row: ledger.Row{Card: c}}
	for _, r := range s.rows {
		if r.Card == c {
			a.Row = r
		}
	}
	return a, s.note(c)
}
func (s *stub) StatusOfTag(_ context.Context, t ledger.Tag) (keeper.StatusAnswer, error) {
	return keeper.StatusAnswer{Answer: ack()}, s.note(t)
}
func (s *stub) Head(_ context.Context, h keeper.Header, list []ledger.Head) (keeper.HeadAnswer, error) {
	return keeper.HeadAnswer{Answer: ack(), Behind: list}, s.note([]any{h, list})
}
func (s *stub) Retag(_ context.Context, q keeper.RetagRequest) (keeper.CommitAnswer, error) {
	return keeper.CommitAnswer{Answer: ack()}, s.note(q)
}
func (s *stub) Admit(_ context.Context, h keeper.Header) error { return s.note(h) }
func (s *stub) Retire(_ context.Context, h keeper.Header, c liuma.CardID) (keeper.Answer, error) {
	return ack(), s.note([]any{"retire", h, c})
}
func (s *stub) Unretire(_ context.Context, h keeper.Header, c liuma.CardID) (keeper.Answer, error) {
	return ack(), s.note([]any{"unretire", h, c})
}
func (s *stub) About(context.Context) (keeper.About, error) { return s.about, s.err }
func (s *stub) Scan(_ context.Context, after liuma.CardID, visit func(ledger.Row) error) error {
	for _, r := range s.rows {
		if string(r.Card[:]) > string(after[:]) {
			if err := visit(r); err != nil {
				return err
			}
		}
	}
	return s.note(after)
}

// place is a server on a loopback address, and whoever may call it.
type place struct {
	t      testing.TB
	ca     *issuer
	server *Server
	at     string
}

func serve(t testing.TB, k keeper.Keeper, rows Rows, change ...func(*ServerConfig)) *place {
	t.Helper()
	ca := newIssuer(t)
	c := ServerConfig{Keeper: k, Rows: rows, TLS: &tls.Config{Certificates: []tls.Certificate{ca.certificate()}, ClientCAs: ca.pool}, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&c)
	}
	s, err := NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-served; err != ErrClosed { //nolint:errorlint // as documented
			t.Errorf("Serve: %v", err)
		}
	})
	return &place{t: t, ca: ca, server: s, at: l.Addr().String()}
}

func (p *place) client(roles ...string) *Client {
	p.t.Helper()
	return p.clientWith(func(*ClientConfig) {}, roles...)
}

func (p *place) clientWith(change func(*ClientConfig), roles ...string) *Client {
	p.t.Helper()
	cfg := ClientConfig{ID: "k1", Address: p.at, TLS: &tls.Config{Certificates: []tls.Certificate{p.ca.certificate(roles...)}, RootCAs: p.ca.pool, ServerName: "keeper.test"}}
	change(&cfg)
	c, err := NewClient(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	return c
}

// somePoint is a point that a guess gives.
func somePoint(t testing.TB) split.Point {
	t.Helper()
	g, err := split.Blind([]byte("135790"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Wipe()
	return g.Blinded()
}

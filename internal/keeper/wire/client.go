package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// ClientConfig describes how to reach a keeper. All members except Greet, Dial and Logger
// are required, and one of TLS and Renew.
type ClientConfig struct {
	ID      keeper.ID
	Address string // host:port
	// TLS has the certificate with this side's roles and, in RootCAs and ServerName, the
	// expected identity of the keeper.
	TLS *tls.Config
	// Renew, if set, is called before each connection and replaces TLS, so that a
	// certificate that was renewed meanwhile is used.
	Renew func() (*tls.Config, error)
	// Greet, if set, gets the keeper's report about itself on every new connection
	// before any other request. Its error ends the connection.
	Greet  func(keeper.About) error
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Logger *slog.Logger
}

// Client is a keeper on another machine. It keeps one connection, which the first call
// makes; after a loss the next call makes a new one. A call that finds no connection and
// cannot make one fails with ErrDown and has sent nothing. It is safe for concurrent
// use.
type Client struct {
	c    ClientConfig
	dial chan struct{} // capacity 1: held while dialling

	mu     sync.Mutex
	line   *line     // guarded by mu; nil: none
	downAt time.Time // guarded by mu: when dialling last failed
	why    error     // guarded by mu: and why
	closed bool      // guarded by mu
}

var _ keeper.Keeper = (*Client)(nil)

// redialAfter is how long calls fail at once after a failed dial, so that an
// unreachable keeper makes nobody wait.
const redialAfter = 500 * time.Millisecond

// NewClient checks the Config. It does not connect.
func NewClient(c ClientConfig) (*Client, error) {
	if c.ID == "" || c.Address == "" || c.Renew == nil && !whole(c.TLS) {
		return nil, errIncomplete
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: handshakeTime}).DialContext
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Client{c: c, dial: make(chan struct{}, 1)}, nil
}

var errIncomplete = errors.New("wire: a client needs a keeper's name and address, a certificate and the keeper's issuer")

func whole(t *tls.Config) bool { return t != nil && len(t.Certificates) > 0 && t.RootCAs != nil }

// settings returns the TLS settings for the next connection.
func (c *Client) settings() (*tls.Config, error) {
	t := c.c.TLS
	if c.c.Renew != nil {
		var err error
		if t, err = c.c.Renew(); err != nil {
			return nil, err
		}
		if !whole(t) {
			return nil, errIncomplete
		}
	}
	t = t.Clone()
	t.MinVersion, t.NextProtos = tls.VersionTLS13, []string{ALPN}
	return t, nil
}

// ID implements keeper.Keeper.
func (c *Client) ID() keeper.ID { return c.c.ID }

// Close ends the connection; calls under way fail with ErrLost.
func (c *Client) Close() error {
	c.mu.Lock()
	l := c.line
	c.line, c.closed = nil, true
	c.mu.Unlock()
	if l != nil {
		l.end(ErrClosed)
	}
	return nil
}

// Drop ends the existing connection, so that the next request makes a new one and Greet
// is called again.
func (c *Client) Drop(why error) {
	c.mu.Lock()
	l := c.line
	c.mu.Unlock()
	if l != nil {
		l.end(why)
	}
}

// connected returns the connection, and makes one if there is none. While another call
// tries again to reach a keeper that could not be reached, it fails at once.
func (c *Client) connected(ctx context.Context) (*line, error) {
	for {
		c.mu.Lock()
		l, closed, failed, why := c.line, c.closed, c.downAt, c.why
		c.mu.Unlock()
		switch {
		case closed:
			return nil, ErrClosed
		case l != nil && l.alive():
			return l, nil
		case time.Since(failed) < redialAfter, why != nil && len(c.dial) == cap(c.dial):
			return nil, fmt.Errorf("%w: %w", ErrDown, why)
		}
		select {
		case c.dial <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrDown, ctx.Err())
		}
		err := c.connect(ctx, l)
		<-c.dial
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDown, err)
		}
	}
}

// connect replaces a connection that ended. The caller holds dial.
func (c *Client) connect(ctx context.Context, old *line) error {
	c.mu.Lock()
	again := c.line != old || c.closed // another call was faster
	c.mu.Unlock()
	if again {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	l, err := c.open(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.downAt, c.why = time.Now(), err
		return err
	}
	if c.closed {
		l.end(ErrClosed)
		return ErrClosed
	}
	c.line, c.downAt, c.why = l, time.Time{}, nil
	return nil
}

// open makes a connection and asks for the keeper's report about itself.
func (c *Client) open(ctx context.Context) (*line, error) {
	conn, until, err := c.handshake(ctx)
	if err != nil {
		return nil, err
	}
	l := newLine(conn, until)
	go func() {
		if err := l.run(); err != nil {
			c.c.Logger.WarnContext(ctx, "the connection to a keeper ended", "keeper", string(c.c.ID), "err", err)
		}
	}()
	if c.c.Greet == nil {
		return l, nil
	}
	a, err := callOn(ctx, l, about, nil, (*reader).about)
	if err == nil {
		err = c.c.Greet(a)
	}
	if err != nil {
		l.end(err)
		return nil, err
	}
	return l, nil
}

// handshake connects, and checks that the keeper is the one in the settings. The
// connection may be used until the first of the certificates ends.
func (c *Client) handshake(ctx context.Context) (_ net.Conn, until time.Time, err error) {
	settings, err := c.settings()
	if err != nil {
		return nil, until, err
	}
	raw, err := c.c.Dial(ctx, "tcp", c.c.Address)
	if err != nil {
		return nil, until, err
	}
	conn := tls.Client(raw, settings)
	err = conn.HandshakeContext(ctx)
	if err == nil && conn.ConnectionState().NegotiatedProtocol != ALPN {
		err = ErrVersion
	}
	if err == nil {
		err = hello(conn) // a keeper that refuses the certificate fails here
	}
	if err != nil {
		_ = raw.Close() // it is given up
		return nil, until, judged(err)
	}
	return conn, endOf(conn.ConnectionState().PeerCertificates, settings.Certificates[0].Leaf), nil
}

// endOf returns when the first of the certificates ends; own is nil if it was not
// parsed.
func endOf(theirs []*x509.Certificate, own *x509.Certificate) (until time.Time) {
	for _, cert := range append(theirs[:1:1], own) {
		if cert != nil && (until.IsZero() || cert.NotAfter.Before(until)) {
			until = cert.NotAfter
		}
	}
	return until
}

// judged adds to a handshake's error what it shows about certificates.
func judged(err error) error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch alert, ok := errors.AsType[*net.OpError](err); {
	case errors.As(err, &unknown), errors.As(err, &host):
		return fmt.Errorf("%w: %w", keeper.ErrStranger, err)
	case errors.As(err, &invalid), ok && alert.Op == "remote error":
		return fmt.Errorf("%w: %w", keeper.ErrCertificate, err)
	}
	return err
}

// call makes a request of a type and reads its answer.
func call[A any](ctx context.Context, c *Client, k kind, b body, read func(*reader) A) (A, error) {
	var none A
	l, err := c.connected(ctx)
	if err != nil {
		return none, err
	}
	return callOn(ctx, l, k, b, read)
}

// callOn is call on one connection.
func callOn[A any](ctx context.Context, l *line, k kind, b body, read func(*reader) A) (A, error) {
	var none A
	got, err := l.ask(ctx, k, b)
	if err != nil {
		return none, err
	}
	r := &reader{b: got}
	a := read(r)
	if err := r.end(); err != nil {
		return none, err
	}
	return a, nil
}

// About asks for the keeper's report about itself.
func (c *Client) About(ctx context.Context) (keeper.About, error) {
	return call(ctx, c, about, nil, (*reader).about)
}

// AboutFrom is like About, and also reports whether the keeper is on this machine, as
// far as the connection's addresses show: it ends at a loopback address, or at the
// address where it begins.
func (c *Client) AboutFrom(ctx context.Context) (a keeper.About, here bool, err error) {
	l, err := c.connected(ctx)
	if err != nil {
		return keeper.About{}, false, err
	}
	a, err = callOn(ctx, l, about, nil, (*reader).about)
	return a, sameMachine(l.conn.LocalAddr(), l.conn.RemoteAddr()), err
}

// sameMachine also returns true if an address is not an IP address.
func sameMachine(local, remote net.Addr) bool {
	from, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return true
	}
	to, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return true
	}
	at := to.Addr().Unmap().WithZone("")
	return at.IsLoopback() || at == from.Addr().Unmap().WithZone("")
}

// Attempt implements keeper.Keeper.
func (c *Client) Attempt(ctx context.Context, q keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	if len(q.Settlements) > keeper.MaxSettlements {
		return keeper.AttemptAnswer{}, keeper.ErrRequest
	}
	var b body
	b.attempt(q)
	return call(ctx, c, attempt, b, (*reader).attemptAnswer)
}

// Propose implements keeper.Keeper.
func (c *Client) Propose(ctx context.Context, q keeper.ProposeRequest) (keeper.ProposeAnswer, error) {
	var b body
	b.propose(q)
	return call(ctx, c, propose, b, (*reader).proposeAnswer)
}

// Commit implements keeper.Keeper.
func (c *Client) Commit(ctx context.Context, q keeper.CommitRequest) (keeper.CommitAnswer, error) {
	var b body
	b.commit(q)
	return call(ctx, c, commit, b, (*reader).commitAnswer)
}

// Settle implements keeper.Keeper.
func (c *Client) Settle(ctx context.Context, h keeper.Header, list []ledger.Settlement) (keeper.Answer, error) {
	if len(list) > keeper.MaxSettlements {
		return keeper.Answer{}, keeper.ErrRequest
	}
	var b body
	b.header(h)
	b.settlements(list)
	return call(ctx, c, settle, b, (*reader).answer)
}

// Status implements keeper.Keeper.
func (c *Client) Status(ctx context.Context, card liuma.CardID) (keeper.StatusAnswer, error) {
	return call(ctx, c, status, body(card[:]), (*reader).statusAnswer)
}

// StatusOfTag implements keeper.Keeper.
func (c *Client) StatusOfTag(ctx context.Context, tag ledger.Tag) (keeper.StatusAnswer, error) {
	return call(ctx, c, statusOfTag, body(tag[:]), (*reader).statusAnswer)
}

// Head implements keeper.Keeper.
func (c *Client) Head(ctx context.Context, h keeper.Header, list []ledger.Head) (keeper.HeadAnswer, error) {
	if len(list) > maxHeads {
		return keeper.HeadAnswer{}, keeper.ErrRequest
	}
	var b body
	b.header(h)
	b.heads(list)
	return call(ctx, c, head, b, func(r *reader) keeper.HeadAnswer {
		return keeper.HeadAnswer{Answer: r.answer(), Behind: r.heads()}
	})
}

// Retag implements keeper.Keeper.
func (c *Client) Retag(ctx context.Context, q keeper.RetagRequest) (keeper.CommitAnswer, error) {
	var b body
	b.retag(q)
	return call(ctx, c, retag, b, (*reader).commitAnswer)
}

// Admit implements keeper.Keeper.
func (c *Client) Admit(ctx context.Context, h keeper.Header) error {
	var b body
	b.header(h)
	_, err := call(ctx, c, admit, b, func(*reader) struct{} { return struct{}{} })
	return err
}

// Retire implements keeper.Keeper.
func (c *Client) Retire(ctx context.Context, h keeper.Header, card liuma.CardID) (keeper.Answer, error) {
	return c.ofCard(ctx, retire, h, card)
}

// Unretire implements keeper.Keeper.
func (c *Client) Unretire(ctx context.Context, h keeper.Header, card liuma.CardID) (keeper.Answer, error) {
	return c.ofCard(ctx, unretire, h, card)
}

func (c *Client) ofCard(ctx context.Context, k kind, h keeper.Header, card liuma.CardID) (keeper.Answer, error) {
	var b body
	b.header(h)
	b.raw(card[:])
	return call(ctx, c, k, b, (*reader).answer)
}

// Scan reads all rows after a card, page by page, as another keeper does for its repair
// (keeper.RowSource).
func (c *Client) Scan(ctx context.Context, after liuma.CardID, visit func(ledger.Row) error) error {
	for {
		p, err := call(ctx, c, scan, body(after[:]), (*reader).page)
		if err != nil {
			return err
		}
		for _, row := range p.rows {
			if bytes.Compare(row.Card[:], after[:]) <= 0 {
				return ErrFrame // a keeper that goes backwards would be read for ever
			}
			if err := visit(row); err != nil {
				return err
			}
			after = row.Card
		}
		if !p.more {
			return nil
		}
		if len(p.rows) == 0 {
			return ErrFrame // a keeper that promises more rows and gives none would be asked for ever
		}
	}
}

package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// ClientConfig says where a keeper is. All but Dial and Logger are required.
type ClientConfig struct {
	ID      keeper.ID
	Address string // host:port
	// TLS has the certificate with the roles of this side and, in RootCAs and ServerName,
	// who the keeper must be.
	TLS    *tls.Config
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Logger *slog.Logger
}

// Client is a keeper on another machine. It keeps one connection, which the first call
// makes and which is made anew after it was lost; a call that finds none and cannot make
// one fails with ErrDown, having sent nothing. Safe for concurrent use.
type Client struct {
	c    ClientConfig
	tls  *tls.Config
	dial chan struct{} // capacity 1: who holds it may dial

	mu     sync.Mutex
	line   *line     // guarded by mu; nil: none
	downAt time.Time // guarded by mu: when dialling last failed
	why    error     // guarded by mu: how
	closed bool      // guarded by mu
}

var _ keeper.Keeper = (*Client)(nil)

// redialAfter is how long calls fail at once after a dial that failed, so that a keeper
// which is away costs nobody a wait.
const redialAfter = 500 * time.Millisecond

// NewClient checks the Config. It does not connect.
func NewClient(c ClientConfig) (*Client, error) {
	if c.ID == "" || c.Address == "" || c.TLS == nil || len(c.TLS.Certificates) == 0 || c.TLS.RootCAs == nil {
		return nil, errors.New("wire: a client needs a keeper's name and address, a certificate and the keeper's issuer")
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: handshakeTime}).DialContext
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	t := c.TLS.Clone()
	t.MinVersion, t.NextProtos = tls.VersionTLS13, []string{ALPN}
	return &Client{c: c, tls: t, dial: make(chan struct{}, 1)}, nil
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

// connected is the connection, made if there is none.
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
		case time.Since(failed) < redialAfter:
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

// connect makes a connection in the place of one that ended. The caller may dial.
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

func (c *Client) open(ctx context.Context) (*line, error) {
	raw, err := c.c.Dial(ctx, "tcp", c.c.Address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, c.tls)
	err = conn.HandshakeContext(ctx)
	if err == nil && conn.ConnectionState().NegotiatedProtocol != ALPN {
		err = ErrVersion
	}
	if err == nil {
		err = hello(conn)
	}
	if err != nil {
		_ = raw.Close() // it is given up
		return nil, err
	}
	l := newLine(conn)
	go func() {
		if err := l.run(); err != nil {
			c.c.Logger.Warn("the connection to a keeper ended", "keeper", string(c.c.ID), "err", err)
		}
	}()
	return l, nil
}

// line is one connection at the client.
type line struct {
	conn net.Conn
	out  chan frame
	ctx  context.Context
	stop context.CancelCauseFunc

	mu    sync.Mutex
	next  uint64                // guarded by mu: number of the next request
	calls map[uint64]chan frame // guarded by mu: under way
}

func newLine(conn net.Conn) *line {
	l := &line{conn: conn, out: make(chan frame, maxCalls), calls: map[uint64]chan frame{}}
	l.ctx, l.stop = context.WithCancelCause(context.Background())
	return l
}

func (l *line) alive() bool { return l.ctx.Err() == nil }

// end gives the connection up. Whoever waits for an answer gets ErrLost.
func (l *line) end(why error) {
	l.stop(why)
	_ = l.conn.Close() // it is given up
}

// run reads answers until the connection ends, while others are written and the keeper is
// asked whether it is there.
func (l *line) run() error {
	go func() {
		if err := send(l.ctx, l.conn, l.out); err != nil {
			l.end(err)
		}
	}()
	go l.ping()
	err := l.read()
	if cause := context.Cause(l.ctx); cause != nil {
		err = cause
	}
	l.end(err)
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

func (l *line) read() error {
	r := bufio.NewReaderSize(l.conn, 32<<10)
	for {
		if err := l.conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		f, err := readFrame(r)
		if err != nil {
			return err
		}
		l.mu.Lock()
		answer := l.calls[f.id]
		delete(l.calls, f.id)
		l.mu.Unlock()
		if answer != nil {
			answer <- f // capacity 1, and nobody else sends to it
		}
	}
}

// ping keeps a quiet connection known to be alive: without answers read gives up.
func (l *line) ping() {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			select {
			case l.out <- frame{kind: ping}: // number 0, which no call has
			default: // the connection is anything but quiet
			}
		case <-l.ctx.Done():
			return
		}
	}
}

// ask sends one request and waits for its answer. It is the only place that sends one,
// and it does so once.
//
// A connection that ends while it waits leaves it unknown whether the keeper counted.
func (l *line) ask(ctx context.Context, k kind, b body) ([]byte, error) {
	answer := make(chan frame, 1)
	l.mu.Lock()
	if len(l.calls) >= maxCalls {
		l.mu.Unlock()
		return nil, ErrBusy
	}
	l.next++
	id := l.next
	l.calls[id] = answer
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.calls, id)
		l.mu.Unlock()
	}()
	select {
	case l.out <- frame{id: id, kind: k, body: b}:
	default: // as many as there may be calls wait to be written
		return nil, ErrBusy
	}
	select {
	case f := <-answer:
		return answerOf(k, f)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrLost, ctx.Err())
	case <-l.ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrLost, context.Cause(l.ctx))
	}
}

// answerOf is the body of an answer to a request of a type, or the fault in it.
func answerOf(k kind, f frame) ([]byte, error) {
	switch {
	case f.kind == fault && len(f.body) == 1:
		return nil, faultOf(f.body[0])
	case f.kind != k|answered:
		return nil, malformed(f.kind)
	}
	return f.body, nil
}

// call makes a request of a type and reads its answer.
func call[A any](ctx context.Context, c *Client, k kind, b body, read func(*reader) A) (A, error) {
	var none A
	l, err := c.connected(ctx)
	if err != nil {
		return none, err
	}
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

// Scan reads all rows after a card, page by page, as a peer does for its repair
// (keeper.RowSource).
func (c *Client) Scan(ctx context.Context, after liuma.CardID, visit func(ledger.Row) error) error {
	for {
		p, err := call(ctx, c, scan, body(after[:]), (*reader).page)
		if err != nil {
			return err
		}
		for _, row := range p.rows {
			if err := visit(row); err != nil {
				return err
			}
			after = row.Card
		}
		if !p.more {
			return nil
		}
		if len(p.rows) == 0 {
			return ErrFrame // a keeper that promises more and gives none would be asked for ever
		}
	}
}

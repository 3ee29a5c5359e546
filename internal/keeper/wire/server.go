package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// Rows is the part of a keeper that its peers and its administrator use (keeper.Node).
type Rows interface {
	// About returns the keeper's report about itself. The authority asks for it as
	// well.
	About(ctx context.Context) (keeper.About, error)
	Scan(ctx context.Context, after liuma.CardID, visit func(ledger.Row) error) error
}

// ServerConfig holds the parts of a server. All but Allow, Release, Connections
// and Call are required.
type ServerConfig struct {
	Keeper keeper.Keeper
	Rows   Rows
	// TLS has the keeper's certificate and the pool of its callers' issuers. The server
	// sets the rest (TLS 1.3, a verified certificate with a role from the other side,
	// no tickets).
	TLS *tls.Config
	// Allow may refuse the other side's certificate, which TLS has verified; nil: none
	// is refused. Recheck calls it again.
	Allow  func(*x509.Certificate) error
	Logger *slog.Logger
	// Release is the release of the keeper's program, which callers are told.
	Release string
	// Connections is how many callers may be connected at once; 16 if zero. One key may
	// have a quarter of them. The same number of handshakes may be pending in addition.
	Connections int
	// Call is how long one request may take; 5 s if zero.
	Call time.Duration
}

// Server answers for one keeper.
type Server struct {
	c     ServerConfig
	tls   *tls.Config
	base  context.Context // of the requests; ended by Close
	stop  context.CancelFunc
	scans chan struct{} // the scans that are running

	mu     sync.Mutex
	open   map[net.Conn]other // guarded by mu
	closed bool               // guarded by mu
	done   sync.WaitGroup     // connections and their requests
}

// NewServer checks the Config.
func NewServer(c ServerConfig) (*Server, error) {
	if c.Keeper == nil || c.Rows == nil || c.TLS == nil || c.Logger == nil || len(c.TLS.Certificates) == 0 || c.TLS.ClientCAs == nil {
		return nil, errors.New("wire: a server needs a keeper, its rows, a certificate, the issuers of its parties and a logger")
	}
	if c.Connections == 0 {
		c.Connections = 16
	}
	if c.Call == 0 {
		c.Call = 5 * time.Second
	}
	t := c.TLS.Clone()
	t.MinVersion, t.NextProtos, t.ClientAuth, t.SessionTicketsDisabled = tls.VersionTLS13, []string{ALPN}, tls.RequireAndVerifyClientCert, true
	if c.Allow == nil {
		c.Allow = func(*x509.Certificate) error { return nil }
	}
	t.VerifyConnection = withRole(c.Allow)
	s := &Server{c: c, tls: t, scans: make(chan struct{}, maxScans), open: map[net.Conn]other{}}
	s.base, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Serve takes connections from l until Close, and then returns ErrClosed.
func (s *Server) Serve(l net.Listener) error {
	stop := context.AfterFunc(s.base, func() { _ = l.Close() })
	defer func() {
		stop()
		_ = l.Close() // it may be closed already
	}()
	for pause := time.Duration(0); ; {
		conn, err := l.Accept()
		if s.base.Err() != nil {
			if err == nil {
				_ = conn.Close() // nothing was sent on it
			}
			return ErrClosed
		}
		if passes(err) {
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.c.Logger.Warn("no connection to the keeper can be taken for a moment", "err", err)
			s.wait(pause)
			continue
		}
		if err != nil {
			return fmt.Errorf("wire: accept: %w", err)
		}
		pause = 0
		if !s.take(conn) {
			_ = conn.Close() // nothing was sent on it
		}
	}
}

// passes reports whether accepting a connection failed for a temporary reason: the
// machine has no room for another connection, or the other side had already left. If
// such an error ended the keeper, anybody who opens many connections could stop it.
func passes(err error) bool {
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return true
	}
	return slices.ContainsFunc([]syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.ECONNRESET},
		func(no syscall.Errno) bool { return errors.Is(err, no) })
}

// wait waits for d, or until the server is closed.
func (s *Server) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.base.Done():
	}
}

// take serves a connection in its own goroutine; false: the server is closed.
func (s *Server) take(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.makeRoom()
	s.open[conn] = other{from: hostOf(conn), since: time.Now()}
	s.done.Go(func() {
		defer func() {
			s.mu.Lock()
			delete(s.open, conn)
			s.mu.Unlock()
			_ = conn.Close() // it may be closed already
		}()
		if err := s.serve(conn); err != nil && !errors.Is(err, io.EOF) && s.base.Err() == nil {
			s.c.Logger.Warn("a connection to the keeper ended", "from", conn.RemoteAddr().String(), "err", err)
		}
	})
	return true
}

// Close ends all connections, and waits for running requests: they are still counted,
// but their answers are lost.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.stop()
	for conn := range s.open {
		_ = conn.Close() // its reader ends with it
	}
	s.mu.Unlock()
	s.done.Wait()
	return nil
}

// serve talks to one caller.
func (s *Server) serve(raw net.Conn) error {
	conn := tls.Server(raw, s.tls)
	ctx, cancel := context.WithTimeout(s.base, handshakeTime)
	err := conn.HandshakeContext(ctx)
	cancel()
	if err != nil {
		return fmt.Errorf("wire: handshake: %w", err)
	}
	state := conn.ConnectionState()
	if state.NegotiatedProtocol != ALPN {
		return ErrVersion
	}
	roles, err := RolesOf(state)
	if err != nil {
		return err
	}
	calls := callsOf(roles)
	p := &party{server: s, roles: roles, out: make(chan frame, calls), slots: make(chan struct{}, calls)}
	p.ctx, p.stop = context.WithCancel(s.base)
	defer p.stop()
	if err := s.known(raw, other{cert: state.PeerCertificates[0], stop: p.stop}); err != nil {
		return err
	}
	if err := hello(conn); err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() {
		err := send(p.ctx, conn, p.out, func(f frame) { p.held.Add(-int64(len(f.body))) })
		p.stop() // nobody takes answers any more, so no call waits to hand one over
		written <- err
	}()
	err = p.read(conn)
	p.calls.Wait()
	p.stop()
	return errors.Join(err, <-written)
}

// hello exchanges the protocol versions.
func hello(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{version}); err != nil {
		return err
	}
	var theirs [1]byte
	if _, err := io.ReadFull(conn, theirs[:]); err != nil {
		return err
	}
	if theirs[0] != version {
		return fmt.Errorf("%w: %d", ErrVersion, theirs[0])
	}
	return conn.SetDeadline(time.Time{})
}

// send writes frames as they come, and flushes when no other frame waits. It calls
// gone, if not nil, for each frame that was written.
func send(ctx context.Context, conn net.Conn, out <-chan frame, gone func(frame)) error {
	w := bufio.NewWriterSize(conn, 32<<10)
	for {
		var f frame
		select {
		case f = <-out:
		case <-ctx.Done():
			return nil
		}
		if err := conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
			return err
		}
		if err := writeFrame(w, f); err != nil {
			_ = conn.Close() // its reader ends with it
			return err
		}
		if gone != nil {
			gone(f)
		}
		if len(out) > 0 {
			continue
		}
		if err := w.Flush(); err != nil {
			_ = conn.Close() // its reader ends with it
			return err
		}
	}
}

// party is one connection at the server.
type party struct {
	server *Server
	roles  Role
	out    chan frame
	slots  chan struct{}
	ctx    context.Context
	stop   context.CancelFunc
	calls  sync.WaitGroup
	held   atomic.Int64 // bytes of requests being handled and of answers waiting to be written
}

// read takes requests until the connection ends. A request over the bound, or one that
// the role may not make, is answered with a fault. A malformed frame ends the
// connection, because nothing after it can be read.
func (p *party) read(conn net.Conn) error {
	r := bufio.NewReaderSize(conn, 32<<10)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		f, err := readFrame(r)
		if err == nil {
			err = p.ctx.Err() // it was read before the connection ended
		}
		if err != nil {
			return err
		}
		switch {
		case f.kind == ping:
			p.reply(frame{id: f.id, kind: ping | answered})
		case may(f.kind)&p.roles == 0:
			p.reply(faultFrame(f.id, ErrRole))
		case !p.begin(f):
			p.reply(faultFrame(f.id, ErrBusy))
		}
	}
}

// begin starts a request; false: too many are running, or they are too large.
func (p *party) begin(f frame) bool {
	n := int64(len(f.body))
	if p.held.Add(n) > maxHeld {
		p.held.Add(-n)
		return false
	}
	select {
	case p.slots <- struct{}{}:
	default:
		p.held.Add(-n)
		return false
	}
	p.calls.Go(func() {
		a := p.answer(f)
		p.reply(a)
		p.held.Add(-n)
		<-p.slots
	})
	return true
}

// reply passes a frame to the writer. A caller that does not read loses it with the
// connection.
func (p *party) reply(f frame) {
	p.held.Add(int64(len(f.body)))
	select {
	case p.out <- f:
	case <-p.ctx.Done():
	}
}

func faultFrame(id uint64, err error) frame {
	return frame{id: id, kind: fault, body: []byte{numberOf(err)}}
}

// answer makes one call. The end of the connection does not stop it: a request that has
// begun is completed.
func (p *party) answer(f frame) frame {
	request := requestIn(f.id)
	ctx, cancel := context.WithTimeout(liuma.WithRequest(p.server.base, request), p.server.c.Call)
	defer cancel()
	b, err := p.server.call(ctx, f)
	if err == nil && len(b) > maxFrame-frameHead {
		err = ErrKeeper
	}
	if err != nil {
		if numberOf(err) == 0 {
			p.server.c.Logger.Error("the keeper failed at a request", "type", int(f.kind), "request", request.String(), "err", err)
		}
		return faultFrame(f.id, err)
	}
	return frame{id: f.id, kind: f.kind | answered, body: b}
}

// call decodes a request and lets the keeper answer it.
func (s *Server) call(ctx context.Context, f frame) (body, error) {
	r, k, b := &reader{b: f.body}, s.c.Keeper, body{}
	switch f.kind {
	case attempt:
		return handle(r, (*reader).attempt, func(q keeper.AttemptRequest) (keeper.AttemptAnswer, error) { return k.Attempt(ctx, q) }, (*body).attemptAnswer)
	case propose:
		return handle(r, (*reader).propose, func(q keeper.ProposeRequest) (keeper.ProposeAnswer, error) { return k.Propose(ctx, q) }, (*body).proposeAnswer)
	case commit:
		return handle(r, (*reader).commit, func(q keeper.CommitRequest) (keeper.CommitAnswer, error) { return k.Commit(ctx, q) }, (*body).commitAnswer)
	case retag:
		return handle(r, (*reader).retag, func(q keeper.RetagRequest) (keeper.CommitAnswer, error) { return k.Retag(ctx, q) }, (*body).commitAnswer)
	case status, statusOfTag:
		return s.status(ctx, f.kind, r)
	case scan:
		return s.scan(ctx, r)
	case about:
		return handle(r, func(*reader) struct{} { return struct{}{} }, func(struct{}) (keeper.About, error) { return s.about(ctx) }, (*body).about)
	}
	h := r.header()
	var a keeper.Answer
	var err error
	switch f.kind {
	case settle:
		list := r.settlements()
		if err = r.end(); err == nil {
			a, err = k.Settle(ctx, h, list)
		}
	case head:
		list := r.heads()
		if err = r.end(); err != nil {
			return nil, err
		}
		h, err := k.Head(ctx, h, list)
		b.answer(h.Answer)
		b.heads(h.Behind)
		return b, err
	case admit:
		if err = r.end(); err == nil {
			err = k.Admit(ctx, h)
		}
		return b, err
	case retire, unretire:
		card := r.card()
		if err = r.end(); err == nil && f.kind == retire {
			a, err = k.Retire(ctx, h, card)
		} else if err == nil {
			a, err = k.Unretire(ctx, h, card)
		}
	default:
		return nil, malformed(f.kind)
	}
	b.answer(a)
	return b, err
}

// handle decodes a request, makes the call and encodes the answer.
func handle[Q, A any](r *reader, read func(*reader) Q, call func(Q) (A, error), write func(*body, A)) (body, error) {
	q := read(r)
	if err := r.end(); err != nil {
		return nil, err
	}
	a, err := call(q)
	if err != nil {
		return nil, err
	}
	var b body
	write(&b, a)
	return b, nil
}

func (s *Server) about(ctx context.Context) (keeper.About, error) {
	a, err := s.c.Rows.About(ctx)
	a.Release = s.c.Release
	return a, err
}

func (s *Server) status(ctx context.Context, k kind, r *reader) (body, error) {
	var a keeper.StatusAnswer
	var err error
	if k == status {
		card := r.card()
		if err = r.end(); err == nil {
			a, err = s.c.Keeper.Status(ctx, card)
		}
	} else {
		tag := r.tag()
		if err = r.end(); err == nil {
			a, err = s.c.Keeper.StatusOfTag(ctx, tag)
		}
	}
	if err != nil {
		return nil, err
	}
	var b body
	b.answer(a.Answer)
	return b, b.row(a.Row)
}

// errPage ends a scan at the end of a page.
var errPage = errors.New("wire: page is full")

func (s *Server) scan(ctx context.Context, r *reader) (body, error) {
	after := r.card()
	if err := r.end(); err != nil {
		return nil, err
	}
	select {
	case s.scans <- struct{}{}:
		defer func() { <-s.scans }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	rows, n := body{}, 0
	err := s.c.Rows.Scan(ctx, after, func(row ledger.Row) error {
		if n == rowsPerPage {
			return errPage
		}
		n++
		return rows.row(row)
	})
	more := errors.Is(err, errPage)
	if err != nil && !more {
		return nil, err
	}
	var b body
	b.u16(n)
	b.raw(rows)
	b.flag(more)
	return b, nil
}

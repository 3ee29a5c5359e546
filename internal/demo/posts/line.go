package posts

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// line connects the authority and a keeper: connections to its address are passed on to
// the keeper's listener, unless it is cut. Safe for concurrent use.
type line struct {
	listener net.Listener

	mu    sync.Mutex
	to    string            // guarded by mu: where the keeper listens; empty: nowhere
	off   bool              // guarded by mu: it is cut
	conns map[net.Conn]bool // guarded by mu
	all   sync.WaitGroup
}

func newLine() (*line, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &line{listener: ln, conns: map[net.Conn]bool{}}
	l.all.Go(l.take)
	return l, nil
}

// address is what the authority calls.
func (l *line) address() string { return l.listener.Addr().String() }

// leads sets where the keeper listens.
func (l *line) leads(to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = to
}

// cut ends all connections over the line, and refuses new ones until mend.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.off = true
	for c := range l.conns {
		_ = c.Close() // that is the point
	}
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.off = false
}

func (l *line) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.off
}

func (l *line) close() error {
	err := l.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // it was closed before
	}
	l.cut()
	l.all.Wait()
	return err
}

func (l *line) take() {
	for {
		c, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			l.all.Go(func() { l.carry(c) })
		}
	}
}

// carry copies a connection to the keeper, and back.
func (l *line) carry(from net.Conn) {
	defer func() { _ = from.Close() }() // it may be cut already
	if !l.enter(from) {
		return
	}
	defer l.leave(from)
	l.mu.Lock()
	where := l.to
	l.mu.Unlock()
	to, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", where)
	if err != nil {
		return // the caller sees a closed connection
	}
	defer func() { _ = to.Close() }() // it may be cut already
	if !l.enter(to) {
		return
	}
	defer l.leave(to)
	done := make(chan struct{}, 2)
	pass := func(a, b net.Conn) {
		_, _ = io.Copy(a, b) // either end may go at any time
		done <- struct{}{}
	}
	go pass(to, from)
	go pass(from, to)
	<-done
	_, _ = from.Close(), to.Close()
	<-done
}

// enter counts a connection, if the line is not cut.
func (l *line) enter(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.off || l.to == "" {
		return false
	}
	l.conns[c] = true
	return true
}

func (l *line) leave(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

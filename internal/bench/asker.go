package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// asker sends requests over connections that stay open. It does only what a load generator
// needs, because it shares the processors with the server that it measures: a request is
// one write of prepared bytes, and of the answer it reads the status, the length and the
// body. net/http's client took several times the processor time.
type asker struct {
	address string

	mu   sync.Mutex
	idle []*line // guarded by mu; the last used comes first again
	over bool    // guarded by mu
}

// line is one connection. It belongs to one request at a time.
type line struct {
	conn   net.Conn
	in     *bufio.Reader
	answer []byte
}

const (
	// askWait is how long a request with its answer may take.
	askWait = 30 * time.Second
	// mostAnswer bounds the body of an answer, in bytes.
	mostAnswer = 64 << 10
	// lineBuffer holds the head of an answer and most bodies.
	lineBuffer = 4 << 10
)

var errAnswer = errors.New("bench: an answer that this load generator does not read")

// newAsker asks the server at base, such as http://127.0.0.1:8080.
func newAsker(base string) *asker { return &asker{address: strings.TrimPrefix(base, "http://")} }

// request is the bytes of a POST of JSON.
func (a *asker) request(path, token string, body []byte) []byte {
	out := make([]byte, 0, 160+len(path)+len(token)+len(body))
	out = append(out, "POST "...)
	out = append(out, path...)
	out = append(out, " HTTP/1.1\r\nHost: "...)
	out = append(out, a.address...)
	out = append(out, "\r\nAuthorization: Bearer "...)
	out = append(out, token...)
	out = append(out, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, "\r\n\r\n"...)
	return append(out, body...)
}

// ask sends the bytes of request, and fails unless the status is 200 and the answer has the
// wanted content. When ctx ends it fails before the next request, not during one.
func (a *asker) ask(ctx context.Context, request []byte, want string) error {
	l, err := a.take(ctx)
	if err != nil {
		return err
	}
	status, keep, err := l.exchange(request)
	if err == nil && (status != "200" || !bytes.Contains(l.answer, []byte(want))) {
		err = fmt.Errorf("status %s: %s", status, l.answer)
	}
	if err != nil || !keep || !a.giveBack(l) {
		return errors.Join(err, l.conn.Close())
	}
	return nil
}

// take gives an open connection that nobody uses, or a new one.
func (a *asker) take(ctx context.Context) (*line, error) {
	a.mu.Lock()
	if n := len(a.idle); n > 0 && ctx.Err() == nil {
		l := a.idle[n-1]
		a.idle = a.idle[:n-1]
		a.mu.Unlock()
		return l, nil
	}
	a.mu.Unlock()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", a.address)
	if err != nil {
		return nil, err
	}
	return &line{conn: conn, in: bufio.NewReaderSize(conn, lineBuffer)}, nil
}

// giveBack keeps a connection for the next request; false after close.
func (a *asker) giveBack(l *line) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return false
	}
	a.idle = append(a.idle, l)
	return true
}

// hangUp closes unused connections. It is called before each slice: between two slices a
// server may close a connection that was idle for long, and a request sent on it would be
// lost.
func (a *asker) hangUp() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, l := range a.idle {
		errs = append(errs, l.conn.Close())
	}
	a.idle = nil
	return errors.Join(errs...)
}

// close hangs up for good: connections in use are closed after their answer.
func (a *asker) close() error {
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	return a.hangUp()
}

// exchange sends a request and reads its answer into l.answer; keep says whether the
// server leaves the connection open.
func (l *line) exchange(request []byte) (status string, keep bool, err error) {
	if err := l.conn.SetDeadline(time.Now().Add(askWait)); err != nil {
		return "", false, err
	}
	if _, err := l.conn.Write(request); err != nil {
		return "", false, err
	}
	status, length, keep, err := l.head()
	if err != nil {
		return "", false, err
	}
	if cap(l.answer) < length {
		l.answer = make([]byte, length)
	}
	l.answer = l.answer[:length]
	_, err = io.ReadFull(l.in, l.answer)
	return status, keep, err
}

// head reads status and header fields. It requires the body's length: no server here sends
// chunked answers.
func (l *line) head() (status string, length int, keep bool, err error) {
	first, err := l.in.ReadSlice('\n')
	if err != nil {
		return "", 0, false, err
	}
	const version = "HTTP/1.1 "
	if len(first) < len(version)+3 || string(first[:len(version)]) != version {
		return "", 0, false, errAnswer
	}
	status, length, keep = statusOf(first[len(version):]), -1, true
	for {
		field, err := l.in.ReadSlice('\n')
		if err != nil {
			return "", 0, false, err
		}
		name, value, found := bytes.Cut(bytes.TrimRight(field, "\r\n"), []byte(":"))
		switch {
		case len(name) == 0 && !found:
			if length < 0 || length > mostAnswer {
				return "", 0, false, errAnswer
			}
			return status, length, keep, nil
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return "", 0, false, errAnswer
			}
		case bytes.EqualFold(name, []byte("Connection")):
			keep = !bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
}

// statusOf is the three digits at the beginning of b.
func statusOf(b []byte) string {
	if string(b[:3]) == "200" {
		return "200" // the usual one, without a copy
	}
	return string(b[:3])
}

package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
)

// line is one connection at the client.
type line struct {
	conn net.Conn
	out  chan frame
	ctx  context.Context
	stop context.CancelCauseFunc

	// until is when the first of the two certificates ends; zero: not known.
	until time.Time
	// asked counts the frames that were passed to the writer, including pings.
	asked atomic.Uint64

	mu    sync.Mutex
	next  uint64                // guarded by mu: number of the next request
	calls map[uint64]chan frame // guarded by mu: under way
}

func newLine(conn net.Conn, until time.Time) *line {
	l := &line{conn: conn, until: until, out: make(chan frame, maxCalls), calls: map[uint64]chan frame{}}
	l.ctx, l.stop = context.WithCancelCause(context.Background())
	return l
}

func (l *line) alive() bool { return l.ctx.Err() == nil }

// end closes the connection. Calls that wait for an answer get ErrLost.
func (l *line) end(why error) {
	l.stop(why)
	_ = l.conn.Close() // it is given up
}

// run reads answers until the connection ends, while frames are written and pings check
// that the keeper is there.
func (l *line) run() error {
	go func() {
		if err := send(l.ctx, l.conn, l.out, nil); err != nil {
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

// read takes answers. Each frame sent has one answer: a keeper that sends more would make
// this side read for ever.
func (l *line) read() error {
	r := bufio.NewReaderSize(l.conn, 32<<10)
	for got := uint64(1); ; got++ {
		if err := l.conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		f, err := readFrame(r)
		if err != nil {
			return err
		}
		if got > l.asked.Load() {
			return errUnasked
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

// errUnasked ends a connection with more answers than requests.
var errUnasked = fmt.Errorf("%w: an answer that nobody asked for", ErrFrame)

// errOver ends a connection that is older than a certificate's end: it was valid only
// until then, and somebody who has stolen its key must not be able to continue.
var errOver = fmt.Errorf("wire: the certificate of one side has ended: %w", keeper.ErrCertificate)

// ping shows that a quiet connection is alive: without answers, read gives up. It also
// ends a connection whose certificate has ended.
func (l *line) ping() {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if !l.until.IsZero() && time.Now().After(l.until) {
				l.end(errOver)
				return
			}
			select {
			case l.out <- l.question(frame{kind: ping}): // number 0, which no call uses
			default: // the connection is busy, so no ping is needed
			}
		case <-l.ctx.Done():
			return
		}
	}
}

// ask sends one request and waits for its answer. It is the only place that sends a
// request, and it sends it once.
//
// If the connection ends while ask waits, it is unknown whether the keeper counted.
func (l *line) ask(ctx context.Context, k kind, b body) ([]byte, error) {
	answer := make(chan frame, 1)
	l.mu.Lock()
	if len(l.calls) >= maxCalls {
		l.mu.Unlock()
		return nil, ErrBusy
	}
	id := l.number(ctx)
	l.calls[id] = answer
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.calls, id)
		l.mu.Unlock()
	}()
	select {
	case l.out <- l.question(frame{id: id, kind: k, body: b}):
	default: // the queue is full: the largest number of calls is waiting to be written
		return nil, ErrBusy
	}
	var why error
	select {
	case f := <-answer:
		return answerOf(k, f)
	case <-ctx.Done():
		why = ctx.Err()
	case <-l.ctx.Done():
		why = context.Cause(l.ctx)
	}
	select {
	case f := <-answer: // it came before the end, and select picks either
		return answerOf(k, f)
	default:
		return nil, fmt.Errorf("%w: %w", ErrLost, why)
	}
}

// question counts a frame that is passed to the writer, so that its answer is expected. A
// frame that finds no room is counted too; that only permits one extra answer.
func (l *line) question(f frame) frame {
	l.asked.Add(1)
	return f
}

// number returns the next request's number. Its answer carries the same number. The
// upper part names the door's request for which it is made (requestNumber). The caller
// holds mu.
func (l *line) number(ctx context.Context) uint64 {
	for {
		l.next++
		id := requestNumber(liuma.RequestOf(ctx), l.next)
		if _, taken := l.calls[id]; id != 0 && !taken { // 0 is for pings
			return id
		}
	}
}

// answerOf returns the body of the answer to a request of type k, or the error in it.
func answerOf(k kind, f frame) ([]byte, error) {
	switch {
	case f.kind == fault && len(f.body) == 1:
		return nil, faultOf(f.body[0])
	case f.kind != k|answered:
		return nil, malformed(f.kind)
	}
	return f.body, nil
}

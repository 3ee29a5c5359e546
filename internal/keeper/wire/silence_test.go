package wire

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestSilenceEndsACall: a keeper that takes everything and answers nothing, as one behind
// a cut cable does, holds nobody longer than silence; a quiet one that answers pings stays
// connected.
func TestSilenceEndsACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		l := newLine(ours)
		ran := make(chan error, 1)
		go func() { ran <- l.run() }()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		began := time.Now()
		_, err := l.ask(t.Context(), admit, nil)
		if took := time.Since(began); !errors.Is(err, ErrLost) || took > silence+time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		if <-ran == nil {
			t.Error("the connection ended without a reason")
		}
		theirs.Close()
	})
}

func TestPingsKeepAQuietConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		l := newLine(ours)
		ran := make(chan error, 1)
		go func() { ran <- l.run() }()
		k := &stub{}
		p := &party{server: &Server{c: ServerConfig{Keeper: k, Rows: k, Call: time.Second}, base: t.Context()}, roles: Authority, out: make(chan frame, 8), slots: make(chan struct{}, 8)}
		p.ctx, p.stop = l.ctx, func() {}
		go func() { _ = send(l.ctx, theirs, p.out, nil) }()
		served := make(chan error, 1)
		go func() { served <- p.read(theirs) }()
		time.Sleep(10 * silence)
		if !l.alive() {
			t.Fatal("a quiet connection was given up")
		}
		if _, err := l.ask(t.Context(), admit, body(append([]byte(nil), make([]byte, 16)...))); err != nil {
			t.Error(err)
		}
		l.end(ErrClosed)
		<-ran
		theirs.Close()
		<-served
	})
}

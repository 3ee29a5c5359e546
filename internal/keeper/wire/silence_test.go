package wire

import (
	"bufio"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
)

// TestSilenceEndsACall: a keeper that takes everything and answers nothing, as one behind
// a cut cable does, holds nobody longer than silence; a quiet one that answers pings stays
// connected.
func TestSilenceEndsACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		l := newLine(ours, time.Time{})
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
		l := newLine(ours, time.Time{})
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

// TestAConnectionEndsWithItsCertificate: one that was made while both certificates were good
// is no longer good once one of them has ended, however much is said on it.
func TestAConnectionEndsWithItsCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		l := newLine(ours, time.Now().Add(time.Hour))
		ran := make(chan error, 1)
		go func() { ran <- l.run() }()
		go func() { // answers every ping
			for {
				var f [frameHead]byte
				if _, err := io.ReadFull(theirs, f[:]); err != nil {
					return
				}
				f[12] |= byte(answered)
				if _, err := theirs.Write(f[:]); err != nil {
					return
				}
			}
		}()
		time.Sleep(time.Hour - time.Second)
		if !l.alive() {
			t.Fatal("it ended before")
		}
		time.Sleep(2 * pingEvery)
		select {
		case err := <-ran:
			if !errors.Is(err, keeper.ErrCertificate) {
				t.Error(err)
			}
		default:
			t.Fatal("it outlasts the certificate")
		}
		if _, err := l.ask(t.Context(), admit, nil); !errors.Is(err, ErrLost) {
			t.Error(err)
		}
		theirs.Close()
	})
}

// TestEndOf: the first of both ends counts.
func TestEndOf(t *testing.T) {
	at := func(h int) *x509.Certificate {
		return &x509.Certificate{NotAfter: time.Unix(0, 0).Add(time.Duration(h) * time.Hour)}
	}
	for _, tt := range []struct {
		theirs, own *x509.Certificate
		want        int
	}{{at(1), at(2), 1}, {at(2), at(1), 1}, {at(2), nil, 2}} {
		if got := endOf([]*x509.Certificate{tt.theirs, at(0)}, tt.own); !got.Equal(at(tt.want).NotAfter) {
			t.Errorf("%v", got)
		}
	}
}

// TestAnswersNobodyAskedFor: a keeper that answers twice, or what nobody asked, loses the
// connection; the answer that was asked for counts once, also where the connection has
// ended before the caller looks. Repeated, since select picks at random there.
func TestAnswersNobodyAskedFor(t *testing.T) {
	for range 100 {
		synctest.Test(t, answersTwice)
	}
}

func answersTwice(t *testing.T) {
	ours, theirs := net.Pipe()
	l := newLine(ours, time.Time{})
	ran := make(chan error, 1)
	go func() { ran <- l.run() }()
	go func() {
		f, err := readFrame(bufio.NewReader(theirs))
		if err != nil {
			return
		}
		w := bufio.NewWriter(theirs)
		for range 2 {
			_ = writeFrame(w, frame{id: f.id, kind: f.kind | answered})
		}
		_ = w.Flush()
	}()
	if _, err := l.ask(t.Context(), admit, nil); err != nil {
		t.Errorf("the first answer: %v", err)
	}
	if err := <-ran; !errors.Is(err, ErrFrame) {
		t.Errorf("a second one: %v", err)
	}
	theirs.Close()
}

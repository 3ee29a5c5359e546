package wire

import (
	"bufio"
	"bytes"
	"log/slog"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// FuzzFrame: a frame that is read is the frame that is written again, and nothing larger
// than the bound is taken.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 1})
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readFrame(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		if len(got.body) > maxFrame {
			t.Fatalf("a body of %d bytes", len(got.body))
		}
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		if err := writeFrame(w, got); err != nil {
			t.Fatal(err)
		}
		if w.Flush(); !bytes.HasPrefix(b, out.Bytes()) {
			t.Errorf("%x was read, %x is written", b, out.Bytes())
		}
	})
}

// FuzzRequest: a body that the keeper is asked with has one spelling; every other is
// refused before the keeper is asked.
func FuzzRequest(f *testing.F) {
	point := somePoint(f)
	card := liuma.CardID{1}
	q := keeper.AttemptRequest{Header: header(), Card: card, Version: 1, KeySet: 1, Blinded: point, Limits: ledger.NationalLimits(), Settlements: []ledger.Settlement{settlement(1)}}
	var a, p, c, s, z body
	a.attempt(q)
	p.propose(keeper.ProposeRequest{Header: header(), Card: card, Version: 1, Blinded: point})
	c.commit(keeper.CommitRequest{Header: header()})
	s.header(header())
	s.settlements(q.Settlements)
	z.header(header()) // spends out of order, and one too many
	z.settlements([]ledger.Settlement{{Version: 1, Spends: []ledger.SettledSpend{{Keeper: "k2"}, {Keeper: "k1"}}}, {Version: 1, Spends: make([]ledger.SettledSpend, ledger.MaxSettled+1)}})
	f.Add(uint8(settle), []byte(z))
	for k, b := range map[kind]body{attempt: a, propose: p, commit: c, settle: s, status: card[:], scan: card[:]} {
		f.Add(uint8(k), []byte(b))
	}
	f.Fuzz(func(t *testing.T, k uint8, b []byte) {
		stub := &stub{answer: keeper.AttemptAnswer{Answer: ack()}}
		server := &Server{c: ServerConfig{Keeper: stub, Rows: stub, Logger: slog.New(slog.DiscardHandler)}, scans: make(chan struct{}, maxScans)}
		_, err := server.call(t.Context(), frame{kind: kind(k), body: b})
		asked := stub.seen()
		if err != nil && len(asked) != 0 {
			t.Fatalf("refused with %v after the keeper was asked", err)
		}
		if err == nil && len(asked) != 1 {
			t.Fatalf("the keeper was asked %d times", len(asked))
		}
		if err != nil {
			return
		}
		var again body
		switch q := asked[0].(type) {
		case keeper.AttemptRequest:
			again.attempt(q)
		case keeper.ProposeRequest:
			again.propose(q)
		case keeper.CommitRequest:
			again.commit(q)
		case keeper.RetagRequest:
			again.retag(q)
		case []any:
			list, ok := q[1].([]ledger.Settlement)
			if !ok {
				return
			}
			for _, s := range list {
				if s.Validate() != nil {
					t.Errorf("the keeper was asked to take %+v", s)
				}
			}
			again.header(q[0].(keeper.Header))
			again.settlements(list)
		default:
			return
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%x was read, %x is written", b, again)
		}
	})
}

// FuzzAnswer: whatever a keeper answers, the client gives an answer of one spelling or an
// error; it never panics, and shares are points.
func FuzzAnswer(f *testing.F) {
	var a body
	a.attemptAnswer(keeper.AttemptAnswer{Answer: ack(), Spend: 3, Left: 2, Shares: []split.Share{{Subset: 3, Point: somePoint(f)}}, Refusal: &ledger.Refusal{Reason: ledger.Locked}})
	f.Add([]byte(a))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &reader{b: b}
		got := r.attemptAnswer()
		if r.end() != nil {
			return
		}
		for _, s := range got.Shares {
			if s.Point.IsZero() {
				t.Error("a share that is no point")
			}
		}
		var again body
		again.attemptAnswer(got)
		if !bytes.Equal(again, b) {
			t.Errorf("%x was read, %x is written", b, again)
		}
		for _, read := range []func(*reader){func(r *reader) { r.statusAnswer() }, func(r *reader) { r.page() }, func(r *reader) { r.heads() }} {
			read(&reader{b: b})
		}
	})
}

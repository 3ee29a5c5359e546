package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/ledger/ledgertest"
)

// TestNobodyIsAnsweredBeforeTheWrite (I-1, I-3, I-7): while the backend holds a
// write back, no guess, proposal or commitment in it is answered, and the
// ledger shows the row that is on disk.
func TestNobodyIsAnsweredBeforeTheWrite(t *testing.T) {
	backend, err := ledgertest.NewMemory().Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clock, fault := ledgertest.NewClock(), &ledgertest.Fault{Backend: backend}
	l, err := ledger.Open(t.Context(), ledger.Config{Keeper: "k1", Backend: fault, Limits: ledger.NationalLimits(), Machine: clock})
	if err != nil {
		t.Fatal(err)
	}
	card, now := liuma.NewCardID(), clock.Now()
	commit := func(v liuma.Version) error {
		_, err := l.Commit(context.Background(), ledger.CommitRequest{
			Commitment: ledger.Commitment{Card: card, Version: v, KeySet: 1, Verifier: liuma.Verifier{byte(v)}, Tag: ledger.Tag{1}}, Sender: now})
		return err
	}
	if err := commit(1); err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() error{
		"spend": func() error {
			_, err := l.Spend(context.Background(), ledger.SpendRequest{Card: card, Version: 1, Sender: now})
			return err
		},
		"propose": func() error {
			_, err := l.Propose(context.Background(), ledger.ProposeRequest{Card: card, Version: 2, Replaces: 1, Sender: now})
			return err
		},
		"another card's commit": func() error {
			_, err := l.Commit(context.Background(), ledger.CommitRequest{
				Commitment: ledger.Commitment{Card: liuma.NewCardID(), Version: 1, KeySet: 1, Verifier: liuma.Verifier{1}, Tag: ledger.Tag{2}}, Sender: now})
			return err
		},
	} {
		before, err := l.Row(t.Context(), card)
		if err != nil {
			t.Fatal(err)
		}
		entered, release := fault.Hold()
		answer := make(chan error, 1)
		go func() { answer <- ask() }()
		select {
		case <-entered:
		case err := <-answer:
			t.Errorf("%s: answered without a write: %v", name, err)
			release()
			continue
		}
		select {
		case err := <-answer:
			t.Errorf("%s: answered before it was durable: %v", name, err)
			answer <- err
		case <-time.After(20 * time.Millisecond):
		}
		if row, err := l.Row(t.Context(), card); err != nil || row != before {
			t.Errorf("%s: the row shows what is not on disk: %+v, %v", name, row, err)
		}
		release()
		if err := <-answer; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

package bench

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
)

func verifies(v liuma.Verifier, message, signature []byte) bool {
	return ed25519.Verify(v[:], message, signature)
}

// commitAll makes a version of each card current, all at once.
func commitAll(ctx context.Context, l *ledger.Ledger, cards []store.Card) error {
	errs := make([]error, len(cards))
	var wg sync.WaitGroup
	for i, card := range cards {
		wg.Go(func() {
			_, errs[i] = l.Commit(ctx, ledger.CommitRequest{Sender: time.Now(),
				Commitment: ledger.Commitment{Card: card.ID, Version: 1, KeySet: 1, Verifier: card.Verifier, Tag: ledger.Tag(card.Holder)}})
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

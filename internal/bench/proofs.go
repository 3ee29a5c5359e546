package bench

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/store"
)

// proves makes the proof of a message and checks it.
func proves(key *split.Key, message []byte, signed bool) bool {
	v := key.Verifier()
	if !signed {
		return key.Prove(message).Proves(v, message)
	}
	signature := key.Sign(message)
	return ed25519.Verify(v[:], message, signature[:])
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

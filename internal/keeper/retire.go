package keeper

import (
	"context"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
)

// Retire stops a card at all n keepers, for a person whose data is to be erased. It
// returns nil only once every keeper has done so durably: a keeper that missed it
// would hold the person's tag for ever, and refuse a new card for that person. It
// may be repeated at will; the thirty days within which keepers can undo it do not
// start again.
//
// A crash or an error leaves the card retired at some keepers, which makes no
// difference for a cancelled card.
func (q *Quorum) Retire(ctx context.Context, card liuma.CardID) error {
	if card.IsZero() {
		return fmt.Errorf("%w: no card", ErrRequest)
	}
	ctx, cancel := context.WithTimeout(ctx, q.timing.Propose)
	defer cancel()
	replies, err := ask(ctx, q, func(ctx context.Context, m *member) (Answer, error) {
		h := q.header(m)
		ans, err := m.Retire(ctx, h, card)
		if err == nil {
			err = m.heard(h, ans)
		}
		if err != nil {
			q.failed(m, card, err)
		}
		return ans, err
	})
	if err != nil {
		return err
	}
	for range q.members {
		select {
		case r := <-replies:
			if r.err != nil {
				err = errors.Join(err, fmt.Errorf("%w: keeper %s: %w", ErrNoQuorum, r.from.id, r.err))
			}
		case <-ctx.Done():
			return errors.Join(err, fmt.Errorf("%w: %w", ErrNoQuorum, ctx.Err()))
		}
	}
	return err
}

package keeper

import (
	"context"
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// statuses asks all keepers for a card's state, and returns the rows of the
// keepers that answered. It waits up to timing.Propose for the last of them.
func (q *Quorum) statuses(ctx context.Context, card liuma.CardID, status func(context.Context, *member) (StatusAnswer, error)) ([]ledger.Row, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timing.Propose)
	defer cancel()
	replies, err := ask(ctx, q, func(ctx context.Context, m *member) (StatusAnswer, error) {
		h := q.header(m)
		ans, err := status(ctx, m)
		if err == nil {
			err = m.heard(h, ans.Answer)
		}
		if err != nil {
			q.failed(m, card, err)
		}
		return ans, err
	})
	if err != nil {
		return nil, err
	}
	var rows []ledger.Row
	for range q.members {
		select {
		case r := <-replies:
			if r.err == nil {
				rows = append(rows, r.answer.Row)
			}
		case <-ctx.Done():
			return rows, nil
		}
	}
	return rows, nil
}

// Tagged returns the card in use that keepers hold for a holder: version, key
// set and verifier on which q keepers agree. It returns a zero Row if so few
// keepers hold one that no PIN can have been set for it. Everything else is an
// error: too few keepers answered, or they contradict one another (ErrDisagree).
func (q *Quorum) Tagged(ctx context.Context, tag ledger.Tag) (ledger.Row, error) {
	if tag.IsZero() {
		return ledger.Row{}, fmt.Errorf("%w: no tag", ErrRequest)
	}
	rows, err := q.statuses(ctx, liuma.CardID{}, func(ctx context.Context, m *member) (StatusAnswer, error) {
		return m.StatusOfTag(ctx, tag)
	})
	if err != nil {
		return ledger.Row{}, err
	}
	if len(rows) < q.majority() {
		return ledger.Row{}, fmt.Errorf("%w: %d of %d told of the tag", ErrNoQuorum, len(rows), q.shape.N)
	}
	held := slices.DeleteFunc(slices.Clone(rows), func(r ledger.Row) bool { return r.Card.IsZero() })
	if r, ok := q.agreed(held); ok {
		return r, nil
	}
	if silent := len(q.members) - len(rows); len(held) > 0 && len(held)+silent >= q.majority() {
		return ledger.Row{}, fmt.Errorf("%w: %d of %d hold a card of the tag", ErrDisagree, len(held), len(rows))
	}
	return ledger.Row{}, nil
}

// agreed returns the row whose card, version, key set and verifier q keepers
// hold.
func (q *Quorum) agreed(rows []ledger.Row) (ledger.Row, bool) {
	for _, r := range rows {
		same := 0
		for _, o := range rows {
			if o.Card == r.Card && o.Version == r.Version && o.KeySet == r.KeySet && o.Verifier == r.Verifier {
				same++
			}
		}
		if same >= q.majority() {
			return r, true
		}
	}
	return ledger.Row{}, false
}

// headSpan is how far one keeper's head may be above the others' to be believed. It
// is more changes of one card than will ever happen, and it is small enough that
// the other keepers accept a row that is raised to that head (ledger.MaxHeadStep).
// So a keeper that lies cannot use up all heads.
const headSpan = ledger.MaxHeadStep / 2

// Held returns what keepers hold of a card: the version, key set and verifier
// on which q of them agree, and the highest believable head. An operator raises
// a restored row to that.
func (q *Quorum) Held(ctx context.Context, card liuma.CardID) (ledger.Row, error) {
	rows, err := q.statuses(ctx, card, func(ctx context.Context, m *member) (StatusAnswer, error) {
		return m.Status(ctx, card)
	})
	if err != nil {
		return ledger.Row{}, err
	}
	if len(rows) < q.majority() {
		return ledger.Row{}, fmt.Errorf("%w: %d of %d told of the card", ErrNoQuorum, len(rows), q.shape.N)
	}
	held, ok := q.agreed(rows)
	if !ok {
		return ledger.Row{}, fmt.Errorf("%w: about the card's version", ErrDisagree)
	}
	heads := make([]uint64, len(rows))
	for i, r := range rows {
		heads[i] = r.Head
	}
	slices.Sort(heads)
	held.Head = heads[q.majority()-1]
	for _, h := range heads {
		if h > held.Head && h-held.Head <= headSpan {
			held.Head = h
		}
	}
	return held, nil
}

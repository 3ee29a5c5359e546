package keeper

import (
	"context"
	"fmt"

	"github.com/liuma-pin/liuma/internal/ledger"
)

// Retag moves a card to another tag of its holder at all n keepers, after the
// holder's number was corrected. current has the card's old tag. It returns nil
// once q keepers hold the new tag durably; all is true once every keeper does. It
// may be repeated at will.
//
// A crash or an error leaves the new tag at some keepers. Until Retag returns nil,
// the caller lets nobody apply for a card under either tag, and repeats Retag,
// then goes on repeating it until all is true; or it undoes it by retagging the
// other way.
func (q *Quorum) Retag(ctx context.Context, current Target, to ledger.Tag) (all bool, err error) {
	if current.Card.IsZero() || current.Version == 0 || current.Tag.IsZero() || to.IsZero() || to == current.Tag {
		return false, fmt.Errorf("%w: a retag needs a card with a PIN and two tags", ErrRequest)
	}
	if err := q.provedAt(ctx, current.Card, current.Head.At); err != nil {
		return false, err
	}
	replies, err := ask(ctx, q, func(ctx context.Context, m *member) (CommitAnswer, error) {
		return q.retagAt(ctx, m, current, to)
	})
	if err != nil {
		return false, err
	}
	return q.gatherCommits(ctx, replies)
}

// retagAt retags at one keeper. A keeper that missed the commit of the current
// version gets that commit first, because it does not know the card's tag yet.
func (q *Quorum) retagAt(ctx context.Context, m *member, current Target, to ledger.Tag) (ans CommitAnswer, err error) {
	retag := func() error {
		return q.withHead(ctx, m, current.Card, current.Head, func(head uint64) (*ledger.Refusal, error) {
			ans, err = q.sendRetag(ctx, m, current, to, head)
			return ans.Refusal, err
		})
	}
	if err := retag(); err != nil || ans.Refusal == nil || ans.Refusal.Reason != ledger.Conflict || ans.Refusal.At >= current.Version {
		return ans, err
	}
	c := current.commitment()
	c.Replaces = ans.Refusal.At
	// A crash here leaves the keeper with the current version and the old tag,
	// like a keeper that missed nothing.
	if done, err := q.commitAt(ctx, m, c, current.Head); err != nil || done.Refusal != nil {
		return ans, err
	}
	return ans, retag()
}

func (q *Quorum) sendRetag(ctx context.Context, m *member, current Target, to ledger.Tag, head uint64) (CommitAnswer, error) {
	h := q.header(m)
	ans, err := m.Retag(ctx, RetagRequest{Header: h, Card: current.Card, Head: head, Old: current.Tag, New: to})
	if err == nil {
		err = m.heard(h, ans.Answer)
	}
	if err != nil {
		q.failed(m, current.Card, err)
	}
	return ans, err
}

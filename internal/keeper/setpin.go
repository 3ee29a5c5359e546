package keeper

import (
	"context"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// majority is q: how many keepers must hold a proposal or a commit durably
// before it counts. It is at least t, so that a version can be evaluated; and
// any two sets of q keepers have one in common, so that no two proposals of one
// version both reach it (I-3).
func (q *Quorum) majority() int { return max(q.shape.T, q.shape.N-q.shape.T+1) }

// Propose has a version that is not committed evaluated, and returns the
// verifier of the secret under it. It waits up to timing.Propose for all n,
// since only shares that two keepers hold can be checked. The caller wipes
// secret. After any error the version is used up: reserve a higher one.
//
// A crash during or after it leaves marks at some keepers and no commit
// anywhere, so the old PIN stays (I-7).
func (q *Quorum) Propose(ctx context.Context, card liuma.CardID, version liuma.Version, secret []byte) (liuma.Verifier, error) {
	if card.IsZero() || version == 0 {
		return liuma.Verifier{}, fmt.Errorf("%w: a proposal needs card and version", ErrRequest)
	}
	guess, err := split.Blind(secret, q.random)
	if err != nil {
		return liuma.Verifier{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	defer guess.Wipe()
	req := ProposeRequest{Card: card, Version: version, KeySet: q.keySet, Blinded: guess.Blinded()}
	replies, err := ask(ctx, q, func(ctx context.Context, m *member) (ProposeAnswer, error) {
		return q.proposeAt(ctx, m, req)
	})
	if err != nil {
		return liuma.Verifier{}, err
	}
	answers, used, err := q.gatherProposals(ctx, replies)
	if err != nil {
		return liuma.Verifier{}, err
	}
	return q.verifierOf(card, guess, answers, used)
}

func (q *Quorum) proposeAt(ctx context.Context, m *member, req ProposeRequest) (ProposeAnswer, error) {
	req.Header = q.header(m)
	ans, err := m.Propose(ctx, req)
	if err == nil {
		err = m.heard(req.Header, ans.Answer)
	}
	if err == nil && ans.Refusal == nil {
		err = m.wellFormedShares(ans.Shares)
	}
	if err != nil {
		q.failed(m, req.Card, err)
	}
	return ans, err
}

// gatherProposals collects shares by member number, and counts the keepers that
// said that the version was proposed before.
func (q *Quorum) gatherProposals(ctx context.Context, replies <-chan reply[ProposeAnswer]) (answers [][]split.Share, used int, err error) {
	answers = make([][]split.Share, len(q.members))
	end := time.NewTimer(q.timing.Propose)
	defer end.Stop()
	for range q.members {
		select {
		case r := <-replies:
			switch {
			case r.err != nil:
			case r.answer.Refusal == nil:
				answers[r.from.number-1] = r.answer.Shares
			case r.answer.Refusal.Reason == ledger.VersionUsed:
				used++
			}
		case <-end.C:
			return answers, used, nil
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	return answers, used, nil
}

// verifierOf finalizes the shares of at least q keepers, which must all agree.
func (q *Quorum) verifierOf(card liuma.CardID, guess *split.Guess, answers [][]split.Share, used int) (liuma.Verifier, error) {
	if bad := suspects(answers); len(bad) > 0 {
		for _, i := range bad {
			q.raise(q.members[i], card, Disagrees)
		}
		return liuma.Verifier{}, ErrDisagree
	}
	var shares []split.Share
	count := 0
	for _, s := range answers {
		if s != nil {
			count++
			shares, _ = mergeShares(shares, s) // they agree
		}
	}
	if count < q.majority() {
		if used > 0 {
			return liuma.Verifier{}, ErrVersionUsed
		}
		return liuma.Verifier{}, fmt.Errorf("%w: %d of %d evaluated the proposal", ErrNoQuorum, count, q.shape.N)
	}
	key, err := guess.Finalize(q.shape, shares)
	if err != nil {
		return liuma.Verifier{}, fmt.Errorf("%w: %w", ErrDisagree, err)
	}
	defer key.Wipe()
	return key.Verifier(), nil
}

// Commit makes a version current at all n keepers. It returns nil once q
// keepers hold it durably; all says that every keeper does. It may be repeated
// at will.
//
// A crash or an error leaves the commit at some keepers. The caller, which
// recorded the verifier before, repeats Commit until it returns nil, then until
// all is true (I-7).
func (q *Quorum) Commit(ctx context.Context, c ledger.Commitment) (all bool, err error) {
	if c.Card.IsZero() || c.Version == 0 || c.KeySet == 0 || c.Verifier.IsZero() {
		return false, fmt.Errorf("%w: a commit needs card, version, key set and verifier", ErrRequest)
	}
	replies, err := ask(ctx, q, func(ctx context.Context, m *member) (CommitAnswer, error) {
		return q.commitAt(ctx, m, c)
	})
	if err != nil {
		return false, err
	}
	return q.gatherCommits(ctx, replies)
}

// commitAt commits at one keeper.
func (q *Quorum) commitAt(ctx context.Context, m *member, c ledger.Commitment) (CommitAnswer, error) {
	h := q.header(m)
	ans, err := m.Commit(ctx, CommitRequest{Header: h, Commitment: c})
	if err == nil {
		err = m.heard(h, ans.Answer)
	}
	if err != nil {
		q.failed(m, c.Card, err)
	}
	return ans, err
}

// gatherCommits waits for q acknowledgements, and then a little for the rest.
func (q *Quorum) gatherCommits(ctx context.Context, replies <-chan reply[CommitAnswer]) (all bool, err error) {
	end := time.NewTimer(q.timing.Call)
	defer end.Stop()
	var rest <-chan time.Time
	taken, conflicts := 0, 0
	for range q.members {
		select {
		case r := <-replies:
			switch {
			case r.err != nil:
			case r.answer.Refusal == nil:
				taken++
			case r.answer.Refusal.Reason == ledger.Conflict:
				conflicts++
			}
		case <-rest:
			return false, nil
		case <-end.C:
			return false, q.commitError(taken, conflicts)
		case <-ctx.Done():
			if taken >= q.majority() {
				return false, nil
			}
			return false, ctx.Err()
		}
		if taken >= q.majority() && rest == nil {
			t := time.NewTimer(q.timing.Straggler)
			defer t.Stop()
			rest = t.C
		}
	}
	return taken == len(q.members), q.commitError(taken, conflicts)
}

func (q *Quorum) commitError(taken, conflicts int) error {
	switch {
	case taken >= q.majority():
		return nil
	case conflicts > q.shape.N-q.majority(): // q can never be reached
		return ErrStale
	}
	return fmt.Errorf("%w: %d of %d took the commit", ErrNoQuorum, taken, q.shape.N)
}

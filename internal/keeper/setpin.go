package keeper

import (
	"context"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// majority is how many keepers must hold a proposal or a commit durably before it
// counts: no two proposals of one version both reach it (I-3).
func (q *Quorum) majority() int { return q.shape.Majority() }

// Propose lets the keepers evaluate a version that is not committed, under the given
// key set, and returns the verifier of the secret. The version is to replace
// current, which at enrolment has only card, tag and head. Propose waits up to
// timing.Propose for all n keepers, because only shares that two keepers hold can be
// checked. The caller wipes secret. After any error the version is used up: reserve
// a higher one.
//
// A crash during or after it leaves marks at some keepers and no commit anywhere, so
// the old PIN stays (I-7).
func (q *Quorum) Propose(ctx context.Context, current Target, version liuma.Version, keySet uint32, secret []byte) (liuma.Verifier, error) {
	if current.Card.IsZero() || version == 0 || keySet == 0 || current.Tag.IsZero() {
		return liuma.Verifier{}, fmt.Errorf("%w: a proposal needs card, tag, version and key set", ErrRequest)
	}
	if err := q.provedAt(ctx, current.Card, current.Head.At); err != nil {
		return liuma.Verifier{}, err
	}
	guess, err := split.Blind(secret, q.random)
	if err != nil {
		return liuma.Verifier{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	defer guess.Wipe()
	req := ProposeRequest{
		Card: current.Card, Version: version, Replaces: current.Version, Tag: current.Tag,
		KeySet: keySet, Blinded: guess.Blinded(),
	}
	replies, err := ask(ctx, q, func(ctx context.Context, m *member) (ProposeAnswer, error) {
		return q.proposeAt(ctx, m, req, current)
	})
	if err != nil {
		return liuma.Verifier{}, err
	}
	answers, refusals, err := q.gatherProposals(ctx, replies)
	if err != nil {
		return liuma.Verifier{}, err
	}
	return q.verifierOf(current.Card, guess, answers, refusals)
}

// proposeAt proposes at one keeper. A keeper that missed the commit of the
// current version refuses first, with nothing marked or evaluated; it then gets
// that commit and the proposal again.
func (q *Quorum) proposeAt(ctx context.Context, m *member, req ProposeRequest, current Target) (ans ProposeAnswer, err error) {
	propose := func() error {
		return q.withHead(ctx, m, req.Card, current.Head, func(head uint64) (*ledger.Refusal, error) {
			req.Head = head
			ans, err = q.sendProposal(ctx, m, req)
			return ans.Refusal, err
		})
	}
	if err := propose(); err != nil || ans.Refusal == nil || ans.Refusal.Reason != ledger.Conflict || ans.Refusal.At >= req.Replaces {
		return ans, err
	}
	c := current.commitment()
	c.Replaces = ans.Refusal.At
	// A crash or an error here leaves the keeper with the version that it had, or
	// with the current one. In both cases it has no mark for the new version
	// (I-7).
	if done, err := q.commitAt(ctx, m, c, current.Head); err != nil || done.Refusal != nil {
		return ans, err
	}
	return ans, propose()
}

func (q *Quorum) sendProposal(ctx context.Context, m *member, req ProposeRequest) (ProposeAnswer, error) {
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

// gatherProposals collects shares by member number, and counts the refusals.
func (q *Quorum) gatherProposals(ctx context.Context, replies <-chan reply[ProposeAnswer]) (answers [][]split.Share, refusals tallied, err error) {
	answers, refusals = make([][]split.Share, len(q.members)), tallied{}
	end := time.NewTimer(q.timing.Propose)
	defer end.Stop()
	for range q.members {
		select {
		case r := <-replies:
			switch {
			case r.err != nil:
			case r.answer.Refusal == nil:
				answers[r.from.number-1] = r.answer.Shares
			default:
				refusals[r.answer.Refusal.Reason]++
			}
		case <-end.C:
			return answers, refusals, nil
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	return answers, refusals, nil
}

// tallied counts keepers by the reason of their refusal.
type tallied map[ledger.Reason]int

// cause returns the error for a quorum that was not reached, from the refusals.
// The first match is the one to act on: a refusal because the database lacks
// something is more important than a version number that is already used.
func (t tallied) cause() error {
	for _, c := range []struct {
		reason ledger.Reason
		err    error
	}{
		{ledger.Behind, ErrBehind}, {ledger.TagTaken, ErrTagTaken}, {ledger.Conflict, ErrStale}, {ledger.VersionUsed, ErrVersionUsed},
	} {
		if t[c.reason] > 0 {
			return c.err
		}
	}
	return nil
}

// verifierOf finalizes the shares of at least q keepers, which must all agree.
func (q *Quorum) verifierOf(card liuma.CardID, guess *split.Guess, answers [][]split.Share, refusals tallied) (liuma.Verifier, error) {
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
		if err := refusals.cause(); err != nil {
			return liuma.Verifier{}, err
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
// keepers hold it durably; all is true if every keeper does. It may be repeated
// at will.
//
// A crash or an error leaves the commit at some keepers. The caller has
// recorded the verifier before. It repeats Commit until it returns nil, then
// until all is true (I-7).
func (q *Quorum) Commit(ctx context.Context, c ledger.Commitment, head Head) (all bool, err error) {
	if c.Card.IsZero() || c.Version == 0 || c.KeySet == 0 || c.Verifier.IsZero() || c.Tag.IsZero() {
		return false, fmt.Errorf("%w: a commit needs card, version, key set, verifier and tag", ErrRequest)
	}
	if err := q.provedAt(ctx, c.Card, head.At); err != nil {
		return false, err
	}
	replies, err := ask(ctx, q, func(ctx context.Context, m *member) (CommitAnswer, error) {
		return q.commitAt(ctx, m, c, head)
	})
	if err != nil {
		return false, err
	}
	return q.gatherCommits(ctx, replies)
}

// commitAt commits at one keeper. If the keeper missed an earlier commit, the
// version replaces the one that the keeper holds.
func (q *Quorum) commitAt(ctx context.Context, m *member, c ledger.Commitment, head Head) (ans CommitAnswer, err error) {
	commit := func() error {
		return q.withHead(ctx, m, c.Card, head, func(head uint64) (*ledger.Refusal, error) {
			ans, err = q.sendCommit(ctx, m, c, head)
			return ans.Refusal, err
		})
	}
	if err := commit(); err != nil || ans.Refusal == nil || ans.Refusal.Reason != ledger.Conflict || ans.Refusal.At >= c.Replaces {
		return ans, err
	}
	c.Replaces = ans.Refusal.At
	return ans, commit()
}

func (q *Quorum) sendCommit(ctx context.Context, m *member, c ledger.Commitment, head uint64) (CommitAnswer, error) {
	h := q.header(m)
	ans, err := m.Commit(ctx, CommitRequest{Header: h, Commitment: c, Head: head})
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
	taken, refusals := 0, tallied{}
	for range q.members {
		select {
		case r := <-replies:
			switch {
			case r.err != nil:
			case r.answer.Refusal == nil:
				taken++
			default:
				refusals[r.answer.Refusal.Reason]++
			}
		case <-rest:
			return false, nil
		case <-end.C:
			return false, q.commitError(taken, refusals)
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
	return taken == len(q.members), q.commitError(taken, refusals)
}

func (q *Quorum) commitError(taken int, refusals tallied) error {
	refused := refusals[ledger.Conflict] + refusals[ledger.Behind] + refusals[ledger.TagTaken]
	switch {
	case taken >= q.majority():
		return nil
	case refused > q.shape.N-q.majority(): // q can never be reached
		return refusals.cause()
	}
	return fmt.Errorf("%w: %d of %d took the commit", ErrNoQuorum, taken, q.shape.N)
}

package keeper

import (
	"context"
	"fmt"
	"sync"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// seat is one keeper's place in a quorum. It is a Keeper that passes requests
// to the node in it, or returns why there is none (ErrGone). So a node can be
// taken out, repaired and put back while the quorum goes on.
type seat struct {
	id ID

	mu   sync.RWMutex
	node *Node // guarded by mu; nil: the seat is empty
	why  error // guarded by mu; why the seat is empty
}

var _ Keeper = (*seat)(nil)

// sits returns the node in the seat, or ErrGone.
func (s *seat) sits() (*Node, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.node == nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, s.why)
	}
	return s.node, nil
}

// fill puts a node into an empty seat.
func (s *seat) fill(n *Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.node, s.why = n, nil
}

// empty takes the node out and returns it for the caller to close; nil if the
// seat was empty.
func (s *seat) empty(why error) *Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.node
	s.node, s.why = nil, why
	return n
}

// ID implements Keeper.
func (s *seat) ID() ID { return s.id }

// Attempt implements Keeper.
func (s *seat) Attempt(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
	n, err := s.sits()
	if err != nil {
		return AttemptAnswer{}, err
	}
	return n.Attempt(ctx, r)
}

// Propose implements Keeper.
func (s *seat) Propose(ctx context.Context, r ProposeRequest) (ProposeAnswer, error) {
	n, err := s.sits()
	if err != nil {
		return ProposeAnswer{}, err
	}
	return n.Propose(ctx, r)
}

// Commit implements Keeper.
func (s *seat) Commit(ctx context.Context, r CommitRequest) (CommitAnswer, error) {
	n, err := s.sits()
	if err != nil {
		return CommitAnswer{}, err
	}
	return n.Commit(ctx, r)
}

// Settle implements Keeper.
func (s *seat) Settle(ctx context.Context, h Header, list []ledger.Settlement) (Answer, error) {
	n, err := s.sits()
	if err != nil {
		return Answer{}, err
	}
	return n.Settle(ctx, h, list)
}

// Status implements Keeper.
func (s *seat) Status(ctx context.Context, card liuma.CardID) (StatusAnswer, error) {
	n, err := s.sits()
	if err != nil {
		return StatusAnswer{}, err
	}
	return n.Status(ctx, card)
}

// StatusOfTag implements Keeper.
func (s *seat) StatusOfTag(ctx context.Context, tag ledger.Tag) (StatusAnswer, error) {
	n, err := s.sits()
	if err != nil {
		return StatusAnswer{}, err
	}
	return n.StatusOfTag(ctx, tag)
}

// Head implements Keeper.
func (s *seat) Head(ctx context.Context, h Header, heads []ledger.Head) (HeadAnswer, error) {
	n, err := s.sits()
	if err != nil {
		return HeadAnswer{}, err
	}
	return n.Head(ctx, h, heads)
}

// Retag implements Keeper.
func (s *seat) Retag(ctx context.Context, r RetagRequest) (CommitAnswer, error) {
	n, err := s.sits()
	if err != nil {
		return CommitAnswer{}, err
	}
	return n.Retag(ctx, r)
}

// Admit implements Keeper.
func (s *seat) Admit(ctx context.Context, h Header) error {
	n, err := s.sits()
	if err != nil {
		return err
	}
	return n.Admit(ctx, h)
}

// Retire implements Keeper.
func (s *seat) Retire(ctx context.Context, h Header, card liuma.CardID) (Answer, error) {
	n, err := s.sits()
	if err != nil {
		return Answer{}, err
	}
	return n.Retire(ctx, h, card)
}

// Unretire implements Keeper.
func (s *seat) Unretire(ctx context.Context, h Header, card liuma.CardID) (Answer, error) {
	n, err := s.sits()
	if err != nil {
		return Answer{}, err
	}
	return n.Unretire(ctx, h, card)
}

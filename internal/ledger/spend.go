package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
)

// Spent is one guess that is counted on disk. Only Spend makes one, after the
// write that holds the count is durable, and a node evaluates a committed
// version only in exchange for a Spent (I-1). All copies share one use.
type Spent struct {
	used    *atomic.Bool // nil in a value that no ledger made
	card    liuma.CardID
	version liuma.Version
	keySet  uint32
	s       uint64
	left    int
	meta    Meta
}

// S is the spend number. It is unique per card and ledger.
func (s *Spent) S() uint64 { return s.s }

// Left is how many more guesses this lane may make before it is refused here.
func (s *Spent) Left() int { return s.left }

// Card is the card that the guess was counted on.
func (s *Spent) Card() liuma.CardID { return s.card }

// Version is the version that may be evaluated.
func (s *Spent) Version() liuma.Version { return s.version }

// KeySet is the key set of that version.
func (s *Spent) KeySet() uint32 { return s.keySet }

// Sequence is the sequence of the write that holds the spend.
func (s *Spent) Sequence() uint64 { return s.meta.Sequence }

// Incarnation is the ledger's incarnation at that write.
func (s *Spent) Incarnation() [16]byte { return s.meta.Incarnation }

// Redeem uses the spend up. The first call returns nil and allows one
// evaluation; every later call fails.
func (s *Spent) Redeem() error {
	if s == nil {
		return ErrUsed
	}
	return redeem(s.used)
}

func redeem(used *atomic.Bool) error {
	if used == nil || !used.CompareAndSwap(false, true) {
		return ErrUsed
	}
	return nil
}

// Spend counts one guess. It returns a *Refusal, and counts nothing, when the
// rules forbid the guess. When it returns a Spent, the count is durable.
func (l *Ledger) Spend(ctx context.Context, req SpendRequest) (*Spent, error) {
	if req.Card.IsZero() || req.Lane > Known || req.Reserve < 0 || req.Head > maxHead {
		return nil, ErrRequest
	}
	now, err := l.admit(header{req.Sender, req.Seen})
	if err != nil {
		return nil, err
	}
	limits := l.cfg.Limits.Tighten(req.Limits)
	spent := &Spent{}
	meta, err := l.ask(ctx, &op{
		cards: []liuma.CardID{req.Card},
		now:   now.High,
		spend: true,
		work:  func(b *batch) error { return spent.count(b, req, now.High, limits) },
	})
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		// The sender knows the wall clock, but not the ledger's own time.
		told := *refusal
		told.Until = now.ToWall(told.Until)
		return nil, &told
	}
	if err != nil {
		return nil, err // spent.used is nil: it can never be redeemed
	}
	spent.meta, spent.used = meta, new(atomic.Bool)
	return spent, nil
}

// count applies the rules to one guess, in the writer.
func (s *Spent) count(b *batch, req SpendRequest, now time.Time, limits Limits) error {
	r := b.row(req.Card)
	if !r.Retired.IsZero() {
		return &Refusal{Reason: Retired}
	}
	if req.Head < r.Head {
		return &Refusal{Reason: Behind, Head: r.Head}
	}
	if r.leaps(req.Head) {
		return ErrHeadStep
	}
	if r.Version == 0 || r.Version != req.Version {
		return &Refusal{Reason: Stale, At: r.Version}
	}
	if req.KeySet != 0 && req.KeySet != r.KeySet {
		return fmt.Errorf("%w: %d, not %d", ErrKeySet, r.KeySet, req.KeySet)
	}
	now = b.tick(now)
	left, refusal := r.Tally.Check(now, req.Lane, req.Reserve, limits)
	if refusal != nil {
		return refusal
	}
	s.s = r.Tally.Spend(now, req.Lane)
	s.left = left - 1
	r.Head = req.Head
	s.card, s.version, s.keySet = r.Card, r.Version, r.KeySet
	b.touch(req.Card)
	return nil
}

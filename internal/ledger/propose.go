package ledger

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
)

// maxAhead is how far above the mark a version may be proposed, so that one
// request cannot use up all version numbers of a card.
const maxAhead = 1000

// reversible is how long a retired card can be put back in use.
const reversible = 30 * 24 * time.Hour

// ProposeRequest asks for a version to be marked as proposed.
type ProposeRequest struct {
	Card     liuma.CardID
	Head     uint64 // of the sender's row of the card
	Version  liuma.Version
	Replaces liuma.Version // the version that is current now; 0 at enrolment
	Tag      Tag           // of the holder; required if Replaces is 0
	Sender   time.Time     // the sender's wall clock
	Seen     uint64        // the highest Sequence that the sender ever received from this ledger
}

// Proposed is a version whose mark is on disk. Only Propose makes one, once per
// version, and a node evaluates an uncommitted version only in exchange for a
// Proposed (I-3). All copies share one use.
type Proposed struct {
	used    *atomic.Bool // nil in a value that no ledger made
	card    liuma.CardID
	version liuma.Version
	meta    Meta
}

// Card is the card that the version was marked on.
func (p *Proposed) Card() liuma.CardID { return p.card }

// Version is the version that may be evaluated.
func (p *Proposed) Version() liuma.Version { return p.version }

// Sequence is the sequence of the write that holds the mark.
func (p *Proposed) Sequence() uint64 { return p.meta.Sequence }

// Incarnation is the ledger's incarnation at that write.
func (p *Proposed) Incarnation() [16]byte { return p.meta.Incarnation }

// Redeem uses the proposal up. The first call returns nil and allows one
// evaluation; every later call fails.
func (p *Proposed) Redeem() error {
	if p == nil {
		return ErrUsed
	}
	return redeem(p.used)
}

// Propose marks a version above the mark, and at most 1,000 above it. It counts
// no guess: evaluating a version that is not committed reveals nothing about
// the PIN. A sender with an outdated view of the card, that is with a lower
// head or with another current version than this ledger has, is refused, and
// nothing is marked (I-3, I-13).
func (l *Ledger) Propose(ctx context.Context, req ProposeRequest) (*Proposed, error) {
	if req.Card.IsZero() || req.Version == 0 || req.Head > maxHead || req.Replaces == 0 && req.Tag.IsZero() {
		return nil, ErrRequest
	}
	at, err := l.admit(header{req.Sender, req.Seen})
	if err != nil {
		return nil, err
	}
	now := at.High
	meta, err := l.ask(ctx, &op{
		cards: []liuma.CardID{req.Card},
		tags:  firstTag(req.Replaces, req.Tag),
		now:   now,
		work: func(b *batch) error {
			r := b.row(req.Card)
			switch {
			case !r.Retired.IsZero():
				return &Refusal{Reason: Retired}
			case req.Head < r.Head:
				return &Refusal{Reason: Behind, Head: r.Head}
			case r.leaps(req.Head):
				return ErrHeadStep
			case req.Replaces != r.Version:
				return &Refusal{Reason: Conflict, At: r.Version}
			case req.Version <= r.Mark || uint64(req.Version) > uint64(r.Mark)+maxAhead:
				return &Refusal{Reason: VersionUsed, Mark: r.Mark}
			case r.Version == 0 && b.taken(req.Tag, req.Card, b.tick(now)):
				return &Refusal{Reason: TagTaken}
			}
			r.Mark, r.Head = req.Version, req.Head
			b.touch(req.Card)
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return &Proposed{used: new(atomic.Bool), card: req.Card, version: req.Version, meta: meta}, nil
}

// CommitRequest asks for a version to become current.
type CommitRequest struct {
	Commitment
	Head   uint64 // of the sender's row of the card
	Sender time.Time
	Seen   uint64
}

// Commit makes a version current in place of the one that Replaces names, raises
// the mark to it and clears both lanes (I-7). The first commit of a card records
// the holder's tag. If the same version comes again with the same verifier,
// Commit returns no error and changes nothing but the head, whatever Replaces
// and the request's head are: clearing the lanes again would give guesses back
// (I-2). It returns the sequence of the write that holds the commitment.
func (l *Ledger) Commit(ctx context.Context, req CommitRequest) (seq uint64, err error) {
	if req.Card.IsZero() || req.Version == 0 || req.Verifier.IsZero() || req.Head > maxHead ||
		req.Replaces == 0 && req.Tag.IsZero() {
		return 0, ErrRequest
	}
	at, err := l.admit(header{req.Sender, req.Seen})
	if err != nil {
		return 0, err
	}
	now := at.High
	meta, err := l.ask(ctx, &op{
		cards: []liuma.CardID{req.Card},
		tags:  firstTag(req.Replaces, req.Tag),
		now:   now,
		work:  func(b *batch) error { return req.apply(b, now) },
	})
	return meta.Sequence, err
}

// apply decides a commit, in the writer.
func (req CommitRequest) apply(b *batch, now time.Time) error {
	r := b.row(req.Card)
	same := req.Version == r.Version && req.Verifier == r.Verifier && req.KeySet == r.KeySet
	switch {
	case !r.Retired.IsZero():
		return &Refusal{Reason: Retired}
	case r.leaps(req.Head):
		return ErrHeadStep
	case same:
		b.raise(r, req.Head)
		return nil
	case req.Head < r.Head:
		return &Refusal{Reason: Behind, Head: r.Head}
	case req.Replaces != r.Version, req.Version <= r.Version:
		return &Refusal{Reason: Conflict, At: r.Version}
	}
	now = b.tick(now)
	if r.Version == 0 {
		if b.taken(req.Tag, req.Card, now) {
			return &Refusal{Reason: TagTaken}
		}
		r.Tag = req.Tag
	}
	r.Version, r.KeySet, r.Verifier, r.Head = req.Version, req.KeySet, req.Verifier, req.Head
	r.Mark = max(r.Mark, req.Version)
	r.Tally.Reset()
	b.touch(req.Card)
	return nil
}

// RetireRequest names a card to stop, or to put back in use.
type RetireRequest struct {
	Card   liuma.CardID
	Sender time.Time
	Seen   uint64
}

// Retire stops a card here: every later request for it is refused, except
// Unretire. Retiring a card again changes nothing.
func (l *Ledger) Retire(ctx context.Context, req RetireRequest) (seq uint64, err error) {
	return l.retire(ctx, req, func(r *Row, now time.Time) (bool, error) {
		if !r.Retired.IsZero() {
			return false, nil
		}
		r.Retired = now
		return true, nil
	})
}

// Unretire puts a retired card back in use, with its counts as they were,
// within 30 days. On a card in use it changes nothing.
func (l *Ledger) Unretire(ctx context.Context, req RetireRequest) (seq uint64, err error) {
	return l.retire(ctx, req, func(r *Row, now time.Time) (bool, error) {
		if r.Retired.IsZero() {
			return false, nil
		}
		if now.Sub(r.Retired) > reversible {
			return false, &Refusal{Reason: Retired}
		}
		r.Retired = time.Time{}
		return true, nil
	})
}

func (l *Ledger) retire(ctx context.Context, req RetireRequest, change func(*Row, time.Time) (bool, error)) (uint64, error) {
	if req.Card.IsZero() {
		return 0, ErrRequest
	}
	at, err := l.admit(header{req.Sender, req.Seen})
	if err != nil {
		return 0, err
	}
	now := at.High
	meta, err := l.ask(ctx, &op{
		cards: []liuma.CardID{req.Card},
		now:   now,
		work: func(b *batch) error {
			changed, err := change(b.row(req.Card), b.tick(now))
			if changed {
				b.touch(req.Card)
			}
			return err
		},
	})
	return meta.Sequence, err
}

package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
)

// Tag stands for a card's holder: a blind index that the authority computes
// under a key which no ledger has. A ledger keeps one card in use for each tag,
// so a card whose row the authority has lost cannot be enrolled anew over its
// owner (I-13).
type Tag [32]byte

// IsZero reports whether t is no tag.
func (t Tag) IsZero() bool { return t == Tag{} }

// inUse reports whether the row keeps its tag from other cards: it has a PIN,
// and was not retired for good.
func (r *Row) inUse(now time.Time) bool {
	return r.Version > 0 && (r.Retired.IsZero() || now.Sub(r.Retired) <= reversible)
}

// taken reports whether another card in use has the tag. The op that asks has
// named the tag, so every row that can have it is in the batch.
func (b *batch) taken(tag Tag, card liuma.CardID, now time.Time) bool {
	for _, r := range b.rows {
		if r.Tag == tag && r.Card != card && r.inUse(now) {
			return true
		}
	}
	return false
}

// firstTag is the tag that a first version must find free; a later version does
// not touch it.
func firstTag(replaces liuma.Version, tag Tag) []Tag {
	if replaces != 0 {
		return nil
	}
	return []Tag{tag}
}

// RetagRequest moves a card to another tag of its holder.
type RetagRequest struct {
	Card     liuma.CardID
	Head     uint64 // of the sender's row of the card, which has the new holder
	Old, New Tag
	Sender   time.Time
	Seen     uint64
}

// Retag moves a card's tag, after the holder's document was corrected. Doing it
// again changes nothing. It returns the sequence that it is durable at.
//
// A crash before the write leaves the old tag, and the request may be repeated.
func (l *Ledger) Retag(ctx context.Context, req RetagRequest) (seq uint64, err error) {
	if req.Card.IsZero() || req.Old.IsZero() || req.New.IsZero() || req.Head > maxHead {
		return 0, ErrRequest
	}
	now, err := l.admit(header{req.Sender, req.Seen})
	if err != nil {
		return 0, err
	}
	meta, err := l.ask(ctx, &op{
		cards: []liuma.CardID{req.Card},
		tags:  []Tag{req.New},
		now:   now.High,
		work: func(b *batch) error {
			r := b.row(req.Card)
			switch {
			case !r.Retired.IsZero():
				return &Refusal{Reason: Retired}
			case req.Head < r.Head:
				return &Refusal{Reason: Behind, Head: r.Head}
			case r.leaps(req.Head):
				return ErrHeadStep
			case r.Tag == req.New:
				b.raise(r, req.Head)
				return nil
			case r.Tag != req.Old:
				return &Refusal{Reason: Conflict, At: r.Version}
			case b.taken(req.New, req.Card, b.tick(now.High)):
				return &Refusal{Reason: TagTaken}
			}
			r.Tag, r.Head = req.New, req.Head
			b.touch(req.Card)
			return nil
		},
	})
	return meta.Sequence, err
}

// Tagged returns the row of the card in use that has the tag, or a zero Row.
// Two of them are ErrConflict, which only a merge of contradicting ledgers
// leaves behind.
func (l *Ledger) Tagged(ctx context.Context, tag Tag) (Row, error) {
	if tag.IsZero() {
		return Row{}, ErrRequest
	}
	var found Row
	_, err := l.ask(ctx, &op{
		tags: []Tag{tag},
		now:  l.clock.Read().High,
		work: func(b *batch) error {
			now := l.clock.Read().High
			for _, r := range b.rows {
				if r.Tag != tag || !r.inUse(now) {
					continue
				}
				if !found.Card.IsZero() {
					return fmt.Errorf("%w: two cards of one tag", ErrConflict)
				}
				found = *r
			}
			return nil
		},
	})
	if err != nil {
		return Row{}, err
	}
	return found, nil
}

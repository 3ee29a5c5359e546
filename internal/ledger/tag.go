package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
)

// Tag stands for a card's holder: a blind index that the authority computes
// with a key that no ledger has. A ledger allows one card in use for each tag.
// So if the authority has lost a card's row, nobody can enrol the holder's card
// anew and take it over (I-13).
type Tag [32]byte

// IsZero reports whether t is no tag.
func (t Tag) IsZero() bool { return t == Tag{} }

// inUse reports whether the row keeps other cards from having its tag: the card
// has a PIN, and was not retired for good.
func (r *Row) inUse(now time.Time) bool {
	return r.Version > 0 && (r.Retired.IsZero() || now.Sub(r.Retired) <= reversible)
}

// taken reports whether another card in use has the tag. The op has named the
// tag beforehand, so every row that may have it is in the batch.
func (b *batch) taken(tag Tag, card liuma.CardID, now time.Time) bool {
	for _, r := range b.rows {
		if r.Tag == tag && r.Card != card && r.inUse(now) {
			return true
		}
	}
	return false
}

// firstTag returns the tag that must be free for a first version. A later
// version does not touch the tag.
func firstTag(replaces liuma.Version, tag Tag) []Tag {
	if replaces != 0 {
		return nil
	}
	return []Tag{tag}
}

// RetagRequest moves a card to another tag of its holder.
type RetagRequest struct {
	Card     liuma.CardID
	Head     uint64 // the revision of the sender's row of the card, which already has the new holder
	Old, New Tag
	Sender   time.Time
	Seen     uint64
}

// Retag changes a card's tag after the number of the holder's document was
// corrected. Repeating it changes nothing. It returns the sequence of the write
// that holds the new tag.
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

// Tagged returns the row of the card in use that has the tag, or a zero Row. If
// two cards have it, it returns ErrConflict; only a merge of contradicting
// ledgers causes that.
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

package ledger

import (
	"context"
	"math"
	"time"

	"github.com/liuma-pin/liuma"
)

// maxHead is the highest head of a card: what a database keeps in a signed
// number of eight bytes.
const maxHead = math.MaxInt64

// Head names a card's head: the revision of its row in the authority's
// database. A ledger that has seen it refuses every later request that was made
// from an older row, so a row that was put back serves nobody (I-13).
type Head struct {
	Card liuma.CardID
	Head uint64
}

// HeadRequest brings heads of cards that changed without a guess.
type HeadRequest struct {
	Heads  []Head
	Sender time.Time
	Seen   uint64
}

// Head raises the heads of cards. It may be repeated at will; a head that is not
// above the kept one changes nothing, and neither does one of a card that was
// never proposed here. Like a settlement it need not wait for the disk: a Spend,
// Propose or Commit that is called after Head has returned sees it, and it is
// written with the next request.
//
// A crash that loses a head leaves the card as if Head had not been called: the
// card's next request carries it (I-13).
func (l *Ledger) Head(ctx context.Context, req HeadRequest) error {
	for _, h := range req.Heads {
		if h.Card.IsZero() || h.Head > maxHead {
			return ErrRequest
		}
	}
	now, err := l.admit(header{req.Sender, req.Seen})
	if err != nil {
		return err
	}
	for _, h := range req.Heads {
		if err := l.queuePatient(ctx, &op{
			cards:   []liuma.CardID{h.Card},
			now:     now,
			patient: true,
			work: func(b *batch) error {
				if r := b.row(h.Card); r.Mark > 0 {
					b.raise(r, h.Head)
				}
				return nil
			},
		}); err != nil {
			return err
		}
	}
	return nil
}

// queuePatient queues an op that nobody waits for, unless the queue is so long
// that waiting is what keeps it from filling the memory.
func (l *Ledger) queuePatient(ctx context.Context, o *op) error {
	l.mu.Lock()
	full := len(l.queue) >= backlog
	l.mu.Unlock()
	if full {
		_, err := l.ask(ctx, o)
		return err
	}
	return l.enqueue(o)
}

// raise raises the row's head; it never falls.
func (b *batch) raise(r *Row, head uint64) {
	if head > r.Head {
		r.Head = head
		b.touch(r.Card)
	}
}

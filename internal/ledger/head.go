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
// never proposed here. It returns the cards whose kept heads are higher than the
// ones that came: either a later request was faster, or the sender's row was put
// back. Like a settlement it need not wait for the disk: a Spend,
// Propose or Commit that is called after Head has returned sees it, and it is
// written with the next request.
//
// A crash that loses a head leaves the card as if Head had not been called: the
// card's next request carries it (I-13).
func (l *Ledger) Head(ctx context.Context, req HeadRequest) (behind []Head, err error) {
	for _, h := range req.Heads {
		if h.Card.IsZero() || h.Head > maxHead {
			return nil, ErrRequest
		}
	}
	now, err := l.admit(header{req.Sender, req.Seen})
	if err != nil {
		return nil, err
	}
	for _, h := range req.Heads {
		row, err := l.row(ctx, h.Card)
		if err != nil {
			return behind, err
		}
		if row.Mark == 0 || row.Head >= h.Head {
			if row.Head > h.Head {
				behind = append(behind, Head{Card: h.Card, Head: row.Head})
			}
			continue
		}
		if err := l.queuePatient(ctx, &op{
			cards:   []liuma.CardID{h.Card},
			now:     now.High,
			patient: true,
			work: func(b *batch) error {
				if r := b.row(h.Card); r.Mark > 0 {
					b.raise(r, h.Head)
				}
				return nil
			},
		}); err != nil {
			return behind, err
		}
	}
	return behind, nil
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

package ledger

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/liuma-pin/liuma"
)

// maxHead is the highest head of a card, because a database keeps heads in signed
// numbers of eight bytes.
const maxHead = math.MaxInt64

// MaxHeadStep is how far one request may raise a card's head above the head kept here:
// more changes than a card sees in a lifetime. Otherwise somebody with the authority's key
// could raise heads to the highest possible number, and no row in the database could reach
// them again. Heads never fall: if a card's row is behind, a person raises the row's
// revision at the authority, and that act is recorded.
const MaxHeadStep = 1 << 20

// ErrHeadStep: a request would raise a head by more than MaxHeadStep. Nothing was
// changed.
var ErrHeadStep = fmt.Errorf("%w: it raises the card's head too far", ErrRequest)

// leaps reports whether head is more than MaxHeadStep above the row's head.
func (r *Row) leaps(head uint64) bool { return head > r.Head && head-r.Head > MaxHeadStep }

// Head names a card's head: the revision of its row in the authority's database. A
// ledger that has seen it refuses every later request that was made from an older row.
// So if somebody puts an old row back into the database, no request works with it
// (I-13).
type Head struct {
	Card liuma.CardID
	Head uint64
}

// HeadRequest carries new heads of cards whose rows changed without a guess.
type HeadRequest struct {
	Heads  []Head
	Sender time.Time
	Seen   uint64
}

// Head raises the heads of cards. It may be repeated at will. A head changes nothing if
// it is not above the kept one, if its card was never proposed here, or if it is more
// than MaxHeadStep above the kept one; the other heads of the request are taken all the
// same. Head returns the cards whose kept heads are higher than the heads in the
// request: either a later request was faster, or the sender's row was put back. Like
// Settle, it need not wait for the disk: a Spend, Propose or Commit that is called
// after Head has returned sees the new head, and the head is written with the next
// request.
//
// A crash that loses a head leaves the card as if Head had not been called: the card's
// next request carries the head (I-13).
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
		if row.Mark == 0 || row.Head >= h.Head || row.leaps(h.Head) {
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
				if r := b.row(h.Card); r.Mark > 0 && !r.leaps(h.Head) {
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

// queuePatient queues an op and does not wait for it. If the queue is long, it does
// wait, so that the queue cannot fill the memory.
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

// raise raises the row's head; a lower head changes nothing.
func (b *batch) raise(r *Row, head uint64) {
	if head > r.Head {
		r.Head = head
		b.touch(r.Card)
	}
}

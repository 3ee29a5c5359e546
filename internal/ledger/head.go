package ledger

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/liuma-pin/liuma"
)

// maxHead is the highest head of a card: what a database keeps in a signed
// number of eight bytes.
const maxHead = math.MaxInt64

// MaxHeadStep is how far above the head that is kept here one request may raise a card's
// head: more changes than a card has in a lifetime, all of them missed by this ledger.
// Whoever has the authority's key could else raise heads to the highest there is, and no
// row of the database would come up to them again. Heads never fall: the row is brought up
// instead, by a person's recorded act at the authority.
const MaxHeadStep = 1 << 20

// ErrHeadStep: a request would raise a head by more than MaxHeadStep. Nothing was done.
var ErrHeadStep = fmt.Errorf("%w: it raises the card's head too far", ErrRequest)

// leaps reports whether a head is further above the row's than a request may raise it.
func (r *Row) leaps(head uint64) bool { return head > r.Head && head-r.Head > MaxHeadStep }

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
// never proposed here, or one that is more than MaxHeadStep above: the others that came
// with it are taken. It returns the cards whose kept heads are higher than the
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

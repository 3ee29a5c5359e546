package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/gathering"
)

// op is one request on its way through the writer.
type op struct {
	cards []liuma.CardID // the cards whose rows work reads
	tags  []Tag          // the tags whose cards' rows work reads
	now   time.Time      // when it was admitted
	// work runs in the writer, in order. It changes rows through the batch and
	// returns nil, or changes nothing and returns the reason.
	work func(*batch) error
	// A patient op may wait until other requests share its write.
	patient bool
	spend   bool         // counts a guess
	repair  bool         // also runs on a ledger that was rolled back or is being repaired
	done    chan outcome // capacity 1; nil when no caller waits
}

// outcome is sent once the batch is durable, or has failed.
type outcome struct {
	meta Meta
	err  error
}

// batch is the state that a group of requests is applied to, in memory.
// The writer owns it.
type batch struct {
	meta  Meta
	rows  map[liuma.CardID]*Row // private copies
	dirty map[liuma.CardID]bool
	// repaired is set if a repair begins or ends: then meta must be written. Once
	// it is written, the ledger stops serving, or serves again.
	repaired bool
	// high is set if the batch saves the ledger's time although it may write
	// nothing else: meta is written with it.
	high clock.State
}

// row is the card's row as the requests before this one in the batch left it,
// so a batch that holds one card twice counts both.
func (b *batch) row(card liuma.CardID) *Row { return b.rows[card] }

func (b *batch) touch(card liuma.CardID) { b.dirty[card] = true }

// tick returns the time of a request. It is never before the time of a request
// that was counted earlier.
func (b *batch) tick(now time.Time) time.Time {
	if now.After(b.meta.High.High) {
		return now
	}
	return b.meta.High.High
}

// write is the writer goroutine.
func (l *Ledger) write() {
	defer close(l.finished)
	for {
		ops := l.next()
		if ops == nil {
			return
		}
		l.run(ops)
	}
}

// next waits for requests and returns a batch of them, or nil after Close.
func (l *Ledger) next() []*op {
	var patience <-chan time.Time
	waited, gathered := false, false
	for {
		l.mu.Lock()
		n := len(l.queue)
		wait, many := l.cfg.SettleWait, n >= l.cfg.MaxBatch
		if l.full { // on a full disk, waiting proofs try to write only once in a while
			wait, many = max(wait, roomWait), false
		}
		if l.asks > 0 && !gathered {
			l.mu.Unlock()
			gathering.Wait(l.asking, l.cfg.MaxBatch)
			gathered = true
			continue
		}
		if n > 0 && (l.asks > 0 || l.closing || waited || many) {
			ops := l.take(min(n, l.cfg.MaxBatch))
			l.mu.Unlock()
			return ops
		}
		end := n == 0 && l.closing
		l.mu.Unlock()
		if end {
			return nil
		}
		if n > 0 && patience == nil {
			patience = time.After(wait)
		}
		select {
		case <-l.wake:
		case <-patience:
			waited = true
		}
	}
}

// asking is how many requests are queued that do not wait for others.
func (l *Ledger) asking() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asks
}

// take removes the first n requests. Caller holds mu.
func (l *Ledger) take(n int) []*op {
	ops := slices.Clone(l.queue[:n])
	rest := copy(l.queue, l.queue[n:])
	clear(l.queue[rest:])
	l.queue = l.queue[:rest]
	for _, o := range ops {
		if !o.patient {
			l.asks--
		}
	}
	return ops
}

// run applies a batch, makes it durable and only then answers.
func (l *Ledger) run(ops []*op) {
	l.mu.Lock()
	meta, stopped := l.meta, l.stopped
	l.mu.Unlock()

	errs := make([]error, len(ops))
	b, err := l.gather(ops, meta, stopped)
	if err == nil {
		for i, o := range ops {
			if stopped != nil && !o.repair {
				errs[i] = stopped
				continue
			}
			errs[i] = o.work(b)
		}
		err = l.persist(b)
	}
	if err == nil {
		l.wrote(ops, errs)
	}
	if err != nil {
		// Every request of this batch gets the error, including those that
		// would have been refused: a refusal may rest on a row that is not on
		// disk.
		err = l.stop(err, ops)
		for i := range errs {
			errs[i] = err
		}
	}
	l.mu.Lock()
	meta = l.meta
	l.mu.Unlock()
	for i, o := range ops {
		if o.done != nil {
			o.done <- outcome{meta: meta, err: errs[i]}
		}
	}
}

// wrote reports how many guesses a write counted, if it counted any.
func (l *Ledger) wrote(ops []*op, errs []error) {
	if l.cfg.Wrote == nil {
		return
	}
	spends := 0
	for i, o := range ops {
		if o.spend && errs[i] == nil {
			spends++
		}
	}
	if spends > 0 {
		l.cfg.Wrote(spends)
	}
}

// gather loads the rows of all cards in the batch, each card once. On a stopped
// ledger it loads only the rows that a repair needs; on a poisoned ledger none.
func (l *Ledger) gather(ops []*op, meta Meta, stopped error) (*batch, error) {
	b := &batch{meta: meta, rows: make(map[liuma.CardID]*Row, len(ops)), dirty: make(map[liuma.CardID]bool, len(ops))}
	if errors.Is(stopped, ErrPoisoned) {
		return nil, stopped
	}
	missing := make([]liuma.CardID, 0, len(ops))
	want := func(card liuma.CardID) {
		if _, ok := b.rows[card]; ok {
			return
		}
		if r := l.cache.get(card); r != nil {
			own := *r
			b.rows[card] = &own
			return
		}
		b.rows[card] = nil
		missing = append(missing, card)
	}
	for _, o := range ops {
		if stopped != nil && !o.repair {
			continue
		}
		tagged, err := l.tagged(o.tags)
		if err != nil {
			return nil, err
		}
		for _, card := range append(tagged, o.cards...) {
			want(card)
		}
	}
	if len(missing) == 0 {
		return b, nil
	}
	// A crash or an error here leaves the disk as it was: nothing is counted,
	// and no request has been answered (I-1).
	rows, err := load(context.Background(), l.cfg.Backend, missing)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		b.rows[rows[i].Card] = &rows[i]
	}
	return b, nil
}

// tagged lists the cards on disk that have one of the tags.
func (l *Ledger) tagged(tags []Tag) (cards []liuma.CardID, err error) {
	for _, tag := range tags {
		if tag.IsZero() {
			continue
		}
		found, err := l.cfg.Backend.Tagged(context.Background(), tag)
		if err != nil {
			return nil, fmt.Errorf("tagged: %w", err)
		}
		cards = append(cards, found...)
	}
	return cards, nil
}

// persist writes the rows that the batch changed, in one durable transaction.
func (l *Ledger) persist(b *batch) error {
	keeps := b.high != (clock.State{})
	if len(b.dirty) == 0 && !b.repaired && !keeps {
		return nil // nothing changed: refusals write nothing
	}
	if len(b.dirty) > 0 || b.repaired {
		// Time alone does not count: a copy that only runs beside the keeper, or was put back and
		// served nobody for a while, would come up to what was seen (I-2).
		b.meta.Sequence++
	}
	// The time is saved with every write, so a stamp is never later than the time
	// that is saved beside it (I-15).
	if b.meta.High = l.clock.State(); b.high.High.After(b.meta.High.High) {
		b.meta.High = b.high
	}
	rows := make([]Row, 0, len(b.dirty))
	for card := range b.dirty {
		rows = append(rows, *b.rows[card])
	}
	// In card order, so that a database writes neighbouring pages together.
	slices.SortFunc(rows, func(x, y Row) int { return slices.Compare(x.Card[:], y.Card[:]) })
	// A crash before Apply is durable loses the whole batch: no guess of it was
	// evaluated, because no Spent exists yet (I-1). A crash after it leaves the
	// guesses counted and unanswered: lost, never free (I-2); and marked
	// versions stay marked and cannot be proposed again (I-3). After an error
	// either may be true, so the caller poisons the ledger; but not after
	// ErrFull, which says that nothing was written: nothing is counted, nobody
	// was answered, and the next batch starts from the same rows.
	if err := l.cfg.Backend.Apply(context.Background(), rows, b.meta); err != nil {
		return err
	}
	// Only rows that are on disk may be seen by later requests.
	for i := range rows {
		l.cache.put(&rows[i])
	}
	if keeps {
		l.clock.Adopt(b.high)
	}
	l.mu.Lock()
	l.meta = b.meta
	if l.full {
		l.full = false
		l.cfg.Logger.Info("ledger has room again", "keeper", l.cfg.Keeper, "sequence", l.meta.Sequence)
	}
	switch {
	case errors.Is(l.stopped, ErrPoisoned):
	case b.meta.Repairing && l.stopped == nil:
		l.stopped = ErrRepairing
	case b.repaired && !b.meta.Repairing:
		l.stopped = nil
	}
	l.mu.Unlock()
	return nil
}

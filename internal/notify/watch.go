package notify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	watchEvery = 15 * time.Second
	pruneEvery = time.Hour
	// statsPage and statsPages bound how many messages one look reads.
	statsPage  = 500
	statsPages = 40
)

// QueueStats is the state of one queue.
type QueueStats struct {
	Waiting int           // messages that wait or are being sent
	Overdue int           // of these, the ones queued more than Promise ago
	Oldest  time.Duration // since the oldest waiting message was queued; zero if none waits
	Letters int           // dead messages on record
	Stuck   int           // sends in which the driver never returned
	// Since this process started:
	Sent, Late, Retried, Delivered, Dead uint64 // Late: sent more than Promise after it was queued
}

// Stats is the state of the outbox.
type Stats struct {
	Codes, Notices QueueStats
	// Partial means that there are more messages than were read (20,000 in a
	// state): then the counts and Oldest are lower bounds.
	Partial bool
}

// Look counts waiting and dead messages, without an outbox. Stuck and the
// counts since the start stay zero.
func Look(ctx context.Context, s store.Store, now time.Time) (Stats, error) {
	return look(ctx, s, now, store.MessageWaiting, store.MessageDead)
}

// look reads messages in some states.
func look(ctx context.Context, s store.Store, now time.Time, states ...store.MessageState) (Stats, error) {
	var out Stats
	err := s.View(ctx, func(r store.Reader) error {
		out = Stats{}
		for _, state := range states {
			if err := out.add(r, state, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Stats{}, fmt.Errorf("notify: stats: %w", err)
	}
	return out, nil
}

// add counts messages in a state, page by page, so that even a very long outbox
// does not fill the memory.
func (s *Stats) add(r store.Reader, state store.MessageState, now time.Time) error {
	after := ""
	for range statsPages {
		page, err := r.Messages(state, after, statsPage)
		if err != nil {
			return err
		}
		for _, m := range page {
			s.of(m.Kind).see(m, now)
			after = m.ID
		}
		if len(page) < statsPage {
			return nil
		}
	}
	s.Partial = true
	return nil
}

func (q *QueueStats) see(m store.Message, now time.Time) {
	if m.State == store.MessageDead {
		q.Letters++
		return
	}
	q.Waiting++
	age := now.Sub(m.At)
	q.Oldest = max(q.Oldest, age)
	if age > Promise {
		q.Overdue++
	}
}

// Behind reports whether messages are late or sends hang.
func (q QueueStats) Behind() bool { return q.Overdue > 0 || q.Stuck > 0 }

// Stats does the same as Look, and adds the counts of this process.
func (o *Outbox) Stats(ctx context.Context) (Stats, error) {
	s, err := Look(ctx, o.cfg.Store, o.now())
	if err != nil {
		return Stats{}, err
	}
	o.addCounts(&s)
	return s, nil
}

func (o *Outbox) addCounts(s *Stats) {
	o.counts.addTo(s)
	s.Codes.Stuck, s.Notices.Stuck = len(o.codes.stuck), len(o.notices.stuck)
}

// Behind reports whether messages of some kind were late at the last look,
// which is at most 15 seconds ago while Run runs. It does not read the store.
func (o *Outbox) Behind() bool { return o.behind.Load() }

func (s *Stats) of(kind string) *QueueStats {
	if kind == KindCode {
		return &s.Codes
	}
	return &s.Notices
}

// counters count recorded results. The zero value is ready.
type counters struct {
	mu sync.Mutex
	s  Stats // guarded by mu; only the counts
}

func (c *counters) count(m store.Message, ev audit.Event, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.s.of(m.Kind)
	switch ev {
	case audit.MessageSent:
		q.Sent++
		if now.Sub(m.At) > Promise {
			q.Late++
		}
	case audit.MessageTried:
		q.Retried++
	case audit.MessageDelivered:
		q.Delivered++
	case audit.MessageDead:
		q.Dead++
	}
}

func (c *counters) addTo(s *Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kind := range []string{KindCode, KindNotice} {
		to, from := s.of(kind), c.s.of(kind)
		to.Sent, to.Late, to.Retried, to.Delivered, to.Dead = from.Sent, from.Late, from.Retried, from.Delivered, from.Dead
	}
}

// watch logs when messages are late, and deletes messages that were sent or
// given up long ago.
func (o *Outbox) watch(ctx context.Context) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	defer o.behind.Store(false) // the next process that sends reports it
	var pruned time.Time
	for {
		if now := o.now(); now.Sub(pruned) >= pruneEvery {
			pruned = now
			if err := o.prune(ctx); err != nil && ctx.Err() == nil {
				o.cfg.Logger.WarnContext(ctx, "old messages not dropped", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		o.checkLate(ctx)
	}
}

func (o *Outbox) checkLate(ctx context.Context) {
	s, err := look(ctx, o.cfg.Store, o.now(), store.MessageWaiting)
	if err != nil {
		return // if the store fails, the queues report it
	}
	o.addCounts(&s)
	late := false
	for _, kind := range []string{KindCode, KindNotice} {
		if q := s.of(kind); q.Behind() {
			late = true
			o.cfg.Logger.ErrorContext(ctx, "texts are late", "kind", kind, "waiting", q.Waiting, "overdue", q.Overdue, "oldest", q.Oldest, "stuck", q.Stuck)
		}
	}
	if o.behind.Swap(late) && !late {
		o.cfg.Logger.InfoContext(ctx, "texts are in time again")
	}
}

func (o *Outbox) prune(ctx context.Context) error {
	return o.cfg.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		n, err := tx.PruneMessages(o.now().Add(-o.cfg.Keep))
		if err != nil || n == 0 {
			return audit.Entry{}, err
		}
		return o.entry(audit.RowsPruned, liuma.CardID{}, "ok", fmt.Sprintf("messages=%d", n)), nil
	})
}

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
	// statsPage and statsPages bound one look at what waits.
	statsPage  = 500
	statsPages = 40
)

// QueueStats is the state of one queue.
type QueueStats struct {
	Waiting int           // messages that wait, those under way too
	Oldest  time.Duration // since the oldest of them was queued; zero if none waits
	Stuck   int           // sends that the driver never came back from
	// Since this process started:
	Sent, Late, Retried, Delivered, Dead uint64 // Late: sent more than Promise after it was queued
}

// Stats is the state of the outbox.
type Stats struct {
	Codes, Notices QueueStats
	// Partial says that more waits than was looked at (20,000): Waiting and
	// Oldest are lower bounds.
	Partial bool
}

// Stats reads what waits and what this process has done.
func (o *Outbox) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	now := o.now()
	err := o.cfg.Store.View(ctx, func(r store.Reader) error {
		s = Stats{}
		after := ""
		for range statsPages {
			page, err := r.Messages(store.MessageWaiting, after, statsPage)
			if err != nil {
				return err
			}
			for _, m := range page {
				q := s.of(m.Kind)
				q.Waiting++
				q.Oldest = max(q.Oldest, now.Sub(m.At))
				after = m.ID
			}
			if len(page) < statsPage {
				return nil
			}
		}
		s.Partial = true
		return nil
	})
	if err != nil {
		return Stats{}, fmt.Errorf("notify: stats: %w", err)
	}
	o.counts.addTo(&s)
	s.Codes.Stuck, s.Notices.Stuck = len(o.codes.stuck), len(o.notices.stuck)
	return s, nil
}

func (s *Stats) of(kind string) *QueueStats {
	if kind == KindCode {
		return &s.Codes
	}
	return &s.Notices
}

// counters count what was recorded. The zero value is ready.
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

// watch says aloud when texts are late, and drops what was done long ago.
func (o *Outbox) watch(ctx context.Context) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	var pruned time.Time
	for {
		if now := o.now(); now.Sub(pruned) >= pruneEvery {
			pruned = now
			if err := o.prune(ctx); err != nil && ctx.Err() == nil {
				o.cfg.Logger.Warn("old messages not dropped", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		s, err := o.Stats(ctx)
		if err != nil {
			continue // the queues report a store that fails
		}
		for _, kind := range []string{KindCode, KindNotice} {
			if q := s.of(kind); q.Oldest > Promise || q.Stuck > 0 {
				o.cfg.Logger.Error("texts are late", "kind", kind, "waiting", q.Waiting, "oldest", q.Oldest, "stuck", q.Stuck)
			}
		}
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

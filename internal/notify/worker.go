package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	// grace is how long after SendTimeout a driver may take to return.
	grace = time.Second
	// maxStuck is how many sends that outlived grace a queue leaves running.
	// Further ones keep their slots: the queue stops rather than fill the
	// memory.
	maxStuck = 64
	// recordTime bounds one attempt to record a result.
	recordTime = 5 * time.Second
	// storeWait is the pause after the store failed.
	storeWait = 2 * time.Second
	// firstBackoff is the pause after the first failure; it doubles.
	firstBackoff = 2 * time.Second
	// throttleWait is the pause if the gateway gives none, and maxThrottle the
	// longest that it may give.
	throttleWait = 5 * time.Second
	maxThrottle  = time.Minute
)

// queue sends the messages of one kind.
type queue struct {
	o     *Outbox
	kind  string
	quota Quota
	slots chan struct{} // one for each running send; only run adds
	stuck chan struct{} // one for each send that is no longer waited for
	wake  chan struct{} // capacity 1: something may have become due
	rate  bucket        // used only by run
	sends sync.WaitGroup

	mu     sync.Mutex
	resume time.Time // guarded by mu: when a throttled queue goes on
}

func newQueue(o *Outbox, kind string, q Quota) *queue {
	return &queue{o: o, kind: kind, quota: q, slots: make(chan struct{}, q.Concurrent),
		stuck: make(chan struct{}, maxStuck), wake: make(chan struct{}, 1),
		rate: bucket{perSecond: q.PerSecond, tokens: max(1, q.PerSecond)}}
}

func (q *queue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default: // a signal is already waiting
	}
}

// run takes messages and sends them until ctx ends or the store is gone for
// good.
func (q *queue) run(ctx context.Context) error {
	defer q.drain()
	for {
		pause, err := q.turn(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if lost(err) {
			return fmt.Errorf("notify: %s queue: %w", q.kind, err)
		}
		if err != nil {
			q.o.cfg.Logger.ErrorContext(ctx, "outbox not read", "kind", q.kind, "err", err)
			pause = storeWait
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-q.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// lost reports whether the store can no longer be used in this process.
func lost(err error) bool {
	return errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrFailed)
}

// drain waits for the running sends.
func (q *queue) drain() {
	done := make(chan struct{})
	go func() { q.sends.Wait(); close(done) }()
	t := time.NewTimer(q.o.cfg.Drain)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		q.o.cfg.Logger.Warn("sends left behind", "kind", q.kind, "sends", len(q.slots))
	}
}

// turn starts the sends that are due, as far as slots and rate allow, and
// returns when to look again.
func (q *queue) turn(ctx context.Context) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if pause := q.throttled(); pause > 0 {
		return pause, nil
	}
	free, allowed := cap(q.slots)-len(q.slots), q.rate.available(time.Now())
	if free == 0 {
		return q.o.cfg.Poll, nil // a send that ends wakes the queue
	}
	if allowed == 0 {
		return q.rate.next(), nil
	}
	n := min(free, allowed)
	taken, more, err := q.take(ctx, n)
	for _, m := range taken {
		q.rate.tokens--
		q.slots <- struct{}{}
		q.sends.Go(func() {
			defer func() { <-q.slots; q.nudge() }()
			q.send(ctx, m)
		})
	}
	if err != nil || !more {
		return q.o.cfg.Poll, err
	}
	return 0, nil
}

func (q *queue) throttled() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Until(q.resume)
}

func (q *queue) throttle(after time.Duration) {
	if after <= 0 {
		after = throttleWait
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.resume = time.Now().Add(min(after, maxThrottle))
}

// take leases at most n due messages, and gives up messages that are too late
// or were tried too often. more reports that there may be others.
func (q *queue) take(ctx context.Context, n int) (leased []store.Message, more bool, err error) {
	var due []store.Message
	err = q.o.cfg.Store.View(ctx, func(r store.Reader) (err error) {
		due, err = r.DueMessages(q.kind, q.o.now(), n)
		return err
	})
	if err != nil || len(due) == 0 {
		return nil, false, err
	}
	var ids []string
	for _, m := range due {
		switch now := q.o.now(); {
		case late(m, now):
			err = errors.Join(err, q.o.settle(ctx, m, result{dead: true, word: FaultExpired}))
		case m.Tries >= q.quota.MaxTries:
			err = errors.Join(err, q.o.settle(ctx, m, result{dead: true, word: FaultInterrupted}))
		default:
			ids = append(ids, m.ID)
		}
	}
	if err != nil {
		return nil, false, err
	}
	leased, err = q.lease(ctx, ids)
	return leased, len(due) == n, err
}

func late(m store.Message, now time.Time) bool { return !m.Expires.IsZero() && !now.Before(m.Expires) }

// lease counts a try and moves the next one to the end of the lease, durably,
// before anything is sent. After a crash the messages are due again when the
// lease ends.
func (q *queue) lease(ctx context.Context, ids []string) ([]store.Message, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var leased []store.Message
	err := q.o.cfg.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		var mine []store.Message
		now := q.o.now()
		for _, id := range ids {
			m, err := tx.Message(id)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return audit.Entry{}, err
			}
			if err != nil || m.State != store.MessageWaiting || m.NextAt.After(now) {
				continue // another process was faster
			}
			m.Tries++
			m.NextAt = now.Add(q.o.cfg.Lease)
			if err := tx.UpdateMessage(m); err != nil {
				return audit.Entry{}, err
			}
			mine = append(mine, m)
		}
		leased = mine
		if len(mine) == 0 {
			return audit.Entry{}, nil
		}
		return q.o.entry(audit.MessageTried, liuma.CardID{}, "ok", fmt.Sprintf("messages=%d", len(mine))), nil
	})
	if err != nil {
		return nil, err // if the write was kept nevertheless, the lease ends by itself
	}
	return leased, nil
}

// send makes one try and records its result.
func (q *queue) send(ctx context.Context, m store.Message) {
	ctx = context.WithoutCancel(ctx) // a send that has begun is completed and recorded
	text, err := q.o.open(m)
	var ref string
	if err == nil {
		if ref, err = q.call(ctx, m, text); err != nil {
			ref, err = q.withoutNames(ctx, m, text, err)
		}
	}
	if err == nil {
		q.o.record(ctx, m, result{sent: true, ref: safeRef(ref)})
		return
	}
	f := failureOf(err)
	r := result{word: f.Word, dead: f.Kind == Permanent}
	switch f.Kind {
	case Throttled:
		q.throttle(f.After)
		r.uncounted = true
		r.next = q.o.now().Add(min(max(f.After, throttleWait), maxThrottle))
	case Temporary:
		r.next = q.o.now().Add(backoff(m.Tries, q.quota.MaxBackoff))
		r.dead = m.Tries >= q.quota.MaxTries
	}
	q.o.cfg.Logger.WarnContext(ctx, "text not sent", "message", m.ID, "kind", q.kind, "fault", f.Word, "tries", m.Tries, "dead", r.dead, "cause", f.Cause)
	q.o.record(ctx, m, r)
}

// withoutNames sends a text that the gateway will not take once more without its names:
// whatever about them displeased it, a filter of words or a rare character, must not keep
// the rest from its holder. It has the same ID, of which nothing was taken. Otherwise, and
// where it had no names, it returns failed.
func (q *queue) withoutNames(ctx context.Context, m store.Message, text Text, failed error) (ref string, err error) {
	if failureOf(failed).Kind != Permanent {
		return "", failed
	}
	bare, err := q.o.openBare(m)
	if err != nil || bare.Body == text.Body {
		return "", failed
	}
	q.o.cfg.Logger.WarnContext(ctx, "text refused, sent again without names", "message", m.ID, "kind", q.kind, "fault", failureOf(failed).Word)
	return q.call(ctx, m, bare)
}

// backoff doubles from firstBackoff up to limit, minus a random part of up to
// half, so that messages that failed together are not tried again together.
func backoff(tries int, limit time.Duration) time.Duration {
	d := limit
	if shift := tries - 1; shift < 20 {
		d = min(limit, firstBackoff<<shift)
	}
	return d - rand.N(d/2+1)
}

type answer struct {
	ref string
	err error
}

// call runs the driver for SendTimeout and grace. A driver that does not return
// is no longer waited for; if it returns later and the message was sent, that
// is recorded.
func (q *queue) call(ctx context.Context, m store.Message, text Text) (string, error) {
	inner, cancel := context.WithTimeout(ctx, q.o.cfg.SendTimeout)
	done := make(chan answer, 1)
	go func() {
		defer cancel()
		a := answer{err: &Failure{Kind: Temporary, Word: FaultPanic}} // for a driver that ends its goroutine
		defer func() { done <- a }()
		a = guarded(inner, q.o.cfg.Driver, text)
	}()
	t := time.NewTimer(q.o.cfg.SendTimeout + grace)
	defer t.Stop()
	select {
	case a := <-done:
		return a.ref, a.err
	case <-t.C:
	}
	select {
	case a := <-done:
		return a.ref, a.err
	case q.stuck <- struct{}{}:
	}
	go func() {
		defer func() { <-q.stuck }()
		if a := <-done; a.err == nil {
			q.o.record(ctx, m, result{sent: true, ref: safeRef(a.ref)})
		}
	}()
	return "", &Failure{Kind: Temporary, Word: FaultTimeout}
}

// guarded turns a panic of the driver into a failure. The panic's value may
// quote the text, so only its type is kept.
func guarded(ctx context.Context, d Driver, text Text) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{err: &Failure{Kind: Temporary, Word: FaultPanic, Cause: fmt.Errorf("%T", p)}}
		}
	}()
	ref, err := d.Send(ctx, text)
	return answer{ref, err}
}

// bucket allows perSecond sends a second, and after a pause that many at once.
type bucket struct {
	perSecond float64
	tokens    float64
	at        time.Time
}

func (b *bucket) available(now time.Time) int {
	if !b.at.IsZero() {
		b.tokens = min(max(1, b.perSecond), b.tokens+now.Sub(b.at).Seconds()*b.perSecond)
	}
	b.at = now
	return int(b.tokens)
}

// next returns how long to wait until a send is allowed.
func (b *bucket) next() time.Duration {
	missing := max(0.001, 1-b.tokens)
	return time.Duration(missing / b.perSecond * float64(time.Second))
}

package counter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// sweepPage is how many tickets one round ends or forgets.
const sweepPage = 100

const (
	// expireEvery is how often tickets whose time is over are ended. Until then they are refused by
	// their time.
	expireEvery = 10 * time.Second
	// forgetEvery is how often rows that were kept long enough are deleted.
	forgetEvery = 10 * time.Minute
)

// Maintain ends tickets whose time is over, adds up wrong codes for their alarm, and deletes rows
// that were kept long enough, until ctx ends. Each step may be repeated, and losing one breaks
// nothing.
func (c *Counter) Maintain(ctx context.Context) {
	expire, forget := time.NewTicker(expireEvery), time.NewTicker(forgetEvery)
	defer expire.Stop()
	defer forget.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-expire.C:
			err = errors.Join(c.saveWrong(ctx), c.expire(ctx))
		case <-forget.C:
			err = c.forget(ctx)
		}
		if err != nil && ctx.Err() == nil {
			c.c.Logger.WarnContext(ctx, "the counter's rows were not looked after", "err", err)
		}
	}
}

// MaintainOnce is one round of Maintain, for tests that move the clock.
func (c *Counter) MaintainOnce(ctx context.Context) error {
	return errors.Join(c.saveWrong(ctx), c.expire(ctx), c.forget(ctx))
}

// expire ends each ticket in a transaction of its own, with the entry in its card's stream.
func (c *Counter) expire(ctx context.Context) error {
	var due []store.Ticket
	err := c.c.Store.View(ctx, func(r store.Reader) (err error) {
		due, err = r.DueTickets(c.c.Now(), sweepPage)
		return err
	})
	if err != nil {
		return fmt.Errorf("counter: list tickets that are over: %w", err)
	}
	for _, d := range due {
		err := c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
			t, err := tx.Ticket(d.ID)
			if err != nil || !t.Live() || c.c.Now().Before(t.Until) {
				return audit.Entry{}, err
			}
			t.End(store.TicketExpired, "", c.c.Now())
			return c.entry("system", audit.TicketEnded, t, Expired), tx.UpdateTicket(t)
		})
		if err != nil {
			return fmt.Errorf("counter: end ticket %s: %w", d.ID, err)
		}
	}
	return nil
}

// forget deletes look-ups, pads and tickets that ended long enough ago. If there are none it writes
// nothing.
func (c *Counter) forget(ctx context.Context) error {
	return c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		now := c.c.Now()
		seen, err := tx.PruneLookUps(now)
		if err != nil {
			return audit.Entry{}, err
		}
		pads, err := tx.PruneDeskPads(now.Add(-day))
		if err != nil {
			return audit.Entry{}, err
		}
		if _, err := tx.PrunePadOffers(now); err != nil {
			return audit.Entry{}, err
		}
		old, err := tx.EndedTickets(now.Add(-Kept), sweepPage)
		if err != nil {
			return audit.Entry{}, err
		}
		dropped := 0
		for _, t := range old {
			if err := tx.DeleteTicket(t.ID); err != nil {
				return audit.Entry{}, err
			}
			dropped++
		}
		if seen+pads == 0 && dropped == 0 {
			return audit.Entry{}, nil
		}
		return audit.Entry{At: now, Actor: "system", Event: audit.RowsPruned, Outcome: "ok",
			Note: fmt.Sprintf("look_ups=%d pads=%d tickets=%d", seen, pads, dropped)}, nil
	})
}

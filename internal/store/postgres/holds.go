package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/store"
)

const (
	takeHold = `INSERT INTO holds AS h (key, token, owner, until) VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
		ON CONFLICT (key) DO UPDATE SET token = excluded.token, owner = excluded.owner, until = excluded.until
		WHERE h.until < clock_timestamp() OR h.token = excluded.token`
	giveHold = "DELETE FROM holds WHERE key = $1 AND token = $2"
	// held keeps the hold until the transaction has ended: who takes over waits for it.
	held = `WITH w AS (SELECT 1 FROM holds WHERE key = $1 AND token = $2 FOR SHARE)
		SELECT CASE WHEN count(*) = 1 THEN 1 ELSE liuma_unheld() END FROM w`

	takeDuty = `INSERT INTO duties AS d (name, owner, since, until) VALUES ($1, $2, ` + serverNow + `, clock_timestamp() + make_interval(secs => $3))
		ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until,
			since = CASE WHEN d.owner = excluded.owner THEN d.since ELSE excluded.since END
		WHERE d.owner = excluded.owner OR d.until < clock_timestamp()`
)

// among implements store.Among over the tables of the database.
type among struct{ s *Store }

var _ store.Among = among{}

// Self implements store.Among.
func (a among) Self() store.Peer {
	m := a.s.member
	return store.Peer{Name: m.name, Process: m.process, Host: store.Host(), PID: os.Getpid(), Since: m.since}
}

// Peers implements store.Among.
func (a among) Peers(ctx context.Context) (out []store.Peer, err error) {
	err = a.s.within(ctx, func(ctx context.Context) error {
		out, err = peersOf(ctx, a.s.readers)
		return err
	})
	return out, err
}

// Away implements store.Among. The row of an authority stays when its process has left or was
// ended, with when it said last that it is there.
func (a among) Away(ctx context.Context) (out []store.Peer, err error) {
	err = a.s.within(ctx, func(ctx context.Context) error {
		out, err = awayOf(ctx, a.s.readers)
		return err
	})
	return out, err
}

// Ended implements store.Among. A process that stands in no row was told another epoch
// by then, or has left.
func (a among) Ended(process string) bool {
	if process == a.s.member.process {
		return false
	}
	ended := false
	ctx, cancel := context.WithTimeout(context.Background(), a.s.cfg.Timeout)
	defer cancel()
	err := a.s.within(ctx, func(ctx context.Context) error {
		return told(a.s.writers.QueryRow(ctx, "SELECT NOT EXISTS (SELECT 1 FROM authorities WHERE process = $1)", process).Scan(&ended))
	})
	return err == nil && ended
}

// Hold implements store.Among. If the answer is lost, the same token is asked for again:
// a hold that nobody knows of would keep everybody out until its end.
func (a among) Hold(ctx context.Context, key store.HoldKey, d time.Duration) (store.Hold, error) {
	h := store.NewHold(key)
	err := a.s.within(ctx, func(ctx context.Context) error {
		for try := 0; ; try++ {
			tag, err := a.s.writers.Exec(ctx, takeHold, h.Key[:], h.Token[:], a.s.member.process, d.Seconds())
			switch {
			case lostConnection(err) && ctx.Err() == nil && try < 3:
				pause(ctx, 50*time.Millisecond)
			case err != nil:
				return told(err)
			case tag.RowsAffected() == 0:
				return store.ErrHeld
			default:
				return nil
			}
		}
	})
	if err != nil {
		return store.Hold{}, err
	}
	return h, nil
}

// Release implements store.Among.
func (a among) Release(ctx context.Context, h store.Hold) error {
	return a.s.within(ctx, func(ctx context.Context) error {
		_, err := a.s.writers.Exec(ctx, giveHold, h.Key[:], h.Token[:])
		return told(err)
	})
}

// TakeDuty implements store.Among.
func (a among) TakeDuty(ctx context.Context, name store.Duty, d time.Duration) (got bool, err error) {
	err = a.s.within(ctx, func(ctx context.Context) error {
		tag, err := a.s.writers.Exec(ctx, takeDuty, string(name), a.s.member.process, d.Seconds())
		got = err == nil && tag.RowsAffected() == 1
		return told(err)
	})
	return got, err
}

// DropDuty implements store.Among.
func (a among) DropDuty(ctx context.Context, name store.Duty) error {
	return a.s.within(ctx, func(ctx context.Context) error {
		_, err := a.s.writers.Exec(ctx, "DELETE FROM duties WHERE name = $1 AND owner = $2", string(name), a.s.member.process)
		return told(err)
	})
}

// Duties implements store.Among.
func (a among) Duties(ctx context.Context) (out []store.DutyState, err error) {
	err = a.s.within(ctx, func(ctx context.Context) error {
		found, err := a.s.readers.Query(ctx, "SELECT name, owner, since FROM duties WHERE until >= clock_timestamp() ORDER BY name")
		if err != nil {
			return told(err)
		}
		out, err = pgx.CollectRows(found, func(from pgx.CollectableRow) (d store.DutyState, err error) {
			var since int64
			err = from.Scan(&d.Name, &d.Process, &since)
			d.Since = time.UnixMilli(since).UTC()
			return d, err
		})
		return told(err)
	})
	return out, err
}

// within runs one call while the store is open.
func (s *Store) within(ctx context.Context, f func(context.Context) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	err := f(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", store.ErrUnreachable, err)
	}
	return err
}

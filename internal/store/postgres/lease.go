package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/store"
)

// The advisory lock that an authority holds on its database: "Lium", and a number.
const (
	lockClass = 0x4C69756D
	lockLease = 1
)

// lease is the right to work with the database, which one process has at a time. The
// lock on a connection of its own keeps others away; the epoch in the lease's row, which
// each taking raises and each write compares, keeps out a process that lost the lock and
// does not know it yet.
type lease struct {
	epoch int64
	dsn   *pgx.ConnConfig
	every time.Duration

	mu   sync.Mutex
	conn *pgx.Conn // guarded by mu; nil while it is lost

	quit chan struct{}
	done chan struct{}
}

// takeLease waits for a short while for a process that is just ending.
func takeLease(ctx context.Context, dsn *pgx.ConnConfig, patience time.Duration) (_ *lease, err error) {
	l := &lease{dsn: dsn.Copy(), every: 2 * time.Second, quit: make(chan struct{}), done: make(chan struct{})}
	limits(l.dsn, "liuma lease")
	if l.conn, err = pgx.ConnectConfig(ctx, l.dsn); err != nil {
		return nil, told(err)
	}
	if err := suits(ctx, l.conn); err != nil {
		return nil, errors.Join(err, l.conn.Close(ctx))
	}
	for until := time.Now().Add(patience); ; {
		got, err := tryLock(ctx, l.conn)
		if err == nil && got {
			return l, nil
		}
		if err == nil && time.Now().After(until) {
			err = errors.Join(fmt.Errorf("%w: %s", ErrInUse, holderOf(ctx, l.conn)), l.conn.Close(ctx))
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), l.conn.Close(context.WithoutCancel(ctx)))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func tryLock(ctx context.Context, c *pgx.Conn) (got bool, err error) {
	err = c.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", lockClass, lockLease).Scan(&got)
	return got, told(err)
}

// holderOf says who has the lease, as far as the database knows.
func holderOf(ctx context.Context, c *pgx.Conn) string {
	var who string
	var since int64
	if err := c.QueryRow(ctx, "SELECT holder, since FROM lease").Scan(&who, &since); err != nil || who == "" {
		return "another process"
	}
	return fmt.Sprintf("%s, since %s", who, time.UnixMilli(since).UTC().Format(time.RFC3339))
}

// begin raises the epoch and ends what an earlier holder left behind. From here on no
// write of an earlier one is kept: what it had begun has ended, and what it begins
// compares the epoch. A crash in between leaves an epoch that nobody has.
func (l *lease) begin(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	who := fmt.Sprintf("%s, process %d", host, os.Getpid())
	err = l.conn.QueryRow(ctx, "UPDATE lease SET epoch = epoch + 1, holder = $1, since = $2 RETURNING epoch", who, time.Now().UnixMilli()).Scan(&l.epoch)
	if err != nil {
		return told(err)
	}
	for until := time.Now().Add(10 * time.Second); ; {
		var left int
		err := l.conn.QueryRow(ctx, `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid) IS NOT NULL) FROM pg_stat_activity
			WHERE datname = current_database() AND usename = current_user AND application_name LIKE 'liuma/%' AND pid <> pg_backend_pid()`).Scan(&left)
		switch {
		case err != nil:
			return told(err)
		case left == 0:
			return nil
		case time.Now().After(until):
			return fmt.Errorf("%w: %d connections of an earlier process do not end", ErrInUse, left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// watch takes the lock again where its connection was lost. lost is called once if
// another process has taken over meanwhile.
func (l *lease) watch(lost func()) {
	defer close(l.done)
	for {
		select {
		case <-l.quit:
			return
		case <-time.After(l.every):
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := l.renew(ctx)
		cancel()
		if errors.Is(err, store.ErrFailed) {
			lost()
			return
		}
	}
}

// renew checks the connection of the lease, and makes another where it is lost. While
// that fails nothing is lost: the epoch is still this process's.
func (l *lease) renew(ctx context.Context) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil && l.conn.Ping(ctx) == nil {
		return nil
	}
	if l.conn != nil {
		_ = l.conn.Close(ctx) // it is broken
		l.conn = nil
	}
	c, err := pgx.ConnectConfig(ctx, l.dsn)
	if err != nil {
		return told(err)
	}
	defer func() {
		if l.conn == nil {
			err = errors.Join(err, c.Close(ctx))
		}
	}()
	var now int64
	if err := c.QueryRow(ctx, "SELECT epoch FROM lease").Scan(&now); err != nil {
		return told(err)
	}
	if now != l.epoch {
		return store.ErrFailed
	}
	got, err := tryLock(ctx, c)
	if err == nil && got {
		l.conn = c
	}
	return err
}

// release gives the lease back. The epoch stays: the next holder raises it.
func (l *lease) release(watching bool) error {
	if watching {
		close(l.quit)
		<-l.done
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = l.conn.Exec(ctx, "SELECT pg_advisory_unlock_all()") // closing the connection does it too, a little later
	_ = l.conn.Close(ctx)                                      // a connection that is lost has given it back
	l.conn = nil
	return nil
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// lostConnection reports an error that is no answer of the server.
func lostConnection(err error) bool {
	return err != nil && !refused(err) && !errors.Is(err, pgx.ErrNoRows)
}

// resolve finds out what became of a transaction whose commit was not answered, or not
// kept by the standby. It first ends the connection that the commit was sent on: as long
// as that is there, what is not in the database may still come. Then its entry is there or
// it is not. A transaction without an entry (a time or a meter that was saved) cannot be
// looked up, and stays in doubt.
//
// A crash of this process in between leaves what the database has, as any crash does.
func (s *Store) resolve(ctx context.Context, t *change, cause error) (fate, error) {
	if t.entry == nil {
		return doubtful, cause
	}
	for until := time.Now().Add(s.cfg.Doubt); ; {
		there, err := s.lookUp(ctx, t.was, t.entry)
		switch {
		case err == nil && there:
			return done, nil
		case err == nil && errors.Is(cause, errStandby):
			return doubtful, cause // it was there, and a failover lost it: others may have gone by it
		case err == nil:
			return undone, fmt.Errorf("%w: the commit was not carried out: %w", errLost, cause)
		case time.Now().After(until), errors.Is(told(err), store.ErrFailed):
			return doubtful, errors.Join(cause, err)
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// errLost says that a connection ended before its commit: the transaction runs again.
var errLost = errors.New("store: the connection was lost")

// lookUp looks for an entry by its place and id, on a connection of its own. What it
// reports is as durable as a commit: it waits for the standby as one does.
func (s *Store) lookUp(ctx context.Context, was session, e *audit.Recorded) (there bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	c, err := s.writers.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer c.Release()
	if err := endSession(ctx, c.Conn(), was); err != nil {
		return false, err
	}
	err = c.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM audit WHERE kind = $1 AND stream = $2 AND number = $3 AND id = $4)",
		int64(e.Stream.Kind), e.Stream.ID[:], int64(e.Number), e.ID[:]).Scan(&there)
	if err != nil || !there {
		return false, err
	}
	pg := c.Conn().PgConn()
	s.sessions.cancelled(pg)
	// The log is kept in its order: once this is at the standby, what stands before it is.
	if _, err := c.Exec(ctx, "SELECT pg_logical_emit_message(true, 'liuma', '')"); err != nil {
		return false, err
	}
	if s.sessions.cancelled(pg) {
		return false, errStandby
	}
	return true, nil
}

// endSession ends the server's side of a connection, and returns when it is gone. On a
// server that has taken over from another there is none.
func endSession(ctx context.Context, c *pgx.Conn, was session) error {
	if was.pid == 0 || was.pid == c.PgConn().PID() {
		return nil
	}
	for {
		left, err := endBackends(ctx, c, "pid = $1 AND backend_start::text = $2", int64(was.pid), was.began)
		if err != nil || left == 0 {
			return err
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// endBackends tells the server to end connections, and returns how many are still there. One
// that waits for its standby has committed, and is left: its end would show the change to
// everybody, although a failover may take it back.
func endBackends(ctx context.Context, c *pgx.Conn, which string, args ...any) (left int, err error) {
	err = c.QueryRow(ctx, `SELECT count(CASE WHEN wait_event = 'SyncRep' THEN true ELSE pg_terminate_backend(pid) END)
		FROM pg_stat_activity WHERE `+which, args...).Scan(&left)
	return left, err
}

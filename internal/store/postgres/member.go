package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/store"
)

// Advisory locks of a database: "Lium" and a number, and one more than that with the
// number of an authority.
const (
	lockClass    = 0x4C69756D
	lockMember   = lockClass + 1
	lockDatabase = 1 // shared by those who serve; exclusive for who needs the database alone
	lockSchema   = 2 // while the schema is changed
)

// member is the right of one process to work with the database, beside others or alone.
// Locks on a connection of its own keep away who must not be there at the same time; the
// epoch in its row, which each start raises and each write compares, keeps out a process
// that lost its locks and does not know it yet.
type member struct {
	name    string // empty: alone
	process string
	number  int32
	epoch   int64
	since   time.Time
	later   bool // the schema is of a later release
	release string
	knows   int64 // the newest migration that this program knows
	known   fs.FS
	dsn     *pgx.ConnConfig
	every   time.Duration
	absence time.Duration // after which a process without a connection has ended

	mu   sync.Mutex
	conn *pgx.Conn // guarded by mu; nil while it is lost
	anew time.Time // guarded by mu: when it was made again; zero if it is the first

	gone map[string]time.Time // guarded by mu: since when a process has no connection
	dead []store.Peer         // that were ended before watch began, which tells of them

	quit chan struct{}
	done chan struct{}
}

// connectMember makes the connection that the locks are held on.
func connectMember(ctx context.Context, cfg Config, dsn *pgx.ConnConfig, process string) (_ *member, err error) {
	m := &member{name: cfg.Name, process: process, release: cfg.Release, known: cfg.migrations, dsn: dsn.Copy(), every: cfg.Every, absence: cfg.Absence,
		gone: map[string]time.Time{}, quit: make(chan struct{}), done: make(chan struct{})}
	limits(m.dsn, "liuma lease")
	if m.conn, err = m.connect(ctx); err != nil {
		return nil, err
	}
	if err := suits(ctx, m.conn); err != nil {
		return nil, errors.Join(err, m.conn.Close(ctx))
	}
	return m, nil
}

// connect makes a connection whose commits wait for the disk, and for the standby, as those
// of the pools do: that a process has ended is known to nobody before a failover cannot take
// it back.
func (m *member) connect(ctx context.Context) (*pgx.Conn, error) {
	c, err := ofAll(ctx, m.dsn)
	if err != nil {
		return nil, told(err)
	}
	if _, err := c.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false)
		WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')`); err != nil {
		return nil, errors.Join(told(err), c.Close(ctx))
	}
	return c, nil
}

// join takes the locks, brings the schema up to date and, once fine finds nothing wrong with
// it, begins. It waits for a short while for a process that is just ending, and longer for
// those that start at the same time: the lock of the schema comes first and is kept until this
// process stands in the table with the release that it is of, so that whoever changes the
// schema finds the database in the hands of those alone who are to be read there. A crash
// anywhere leaves at most an epoch that nobody has.
func (m *member) join(ctx context.Context, patience time.Duration, fine func() error) (err error) {
	if err := m.wait(ctx, 10*patience, false, lockClass, lockSchema, func(context.Context) error {
		return fmt.Errorf("%w: it is changing the schema", ErrInUse)
	}); err != nil {
		return err
	}
	defer func() {
		_, e := m.conn.Exec(ctx, "SELECT pg_advisory_unlock($1, $2)", int32(lockClass), int32(lockSchema))
		err = errors.Join(err, told(e))
	}()
	if err := m.enter(ctx, patience); err != nil {
		return err
	}
	if err := m.itself(ctx, patience); err != nil {
		return err
	}
	if err := fine(); err != nil {
		return err
	}
	return m.begin(ctx)
}

// itself takes the lock of the authority's own name.
func (m *member) itself(ctx context.Context, patience time.Duration) error {
	if m.name == "" {
		return nil
	}
	if _, err := m.conn.Exec(ctx, "INSERT INTO authorities (name) VALUES ($1) ON CONFLICT (name) DO NOTHING", m.name); err != nil {
		return told(err)
	}
	if err := m.conn.QueryRow(ctx, "SELECT number FROM authorities WHERE name = $1", m.name).Scan(&m.number); err != nil {
		return told(err)
	}
	return m.wait(ctx, patience, false, lockMember, m.number, m.whoIsIt)
}

// enter takes the lock of the database and brings the schema up to date. The caller has the
// lock of the schema.
func (m *member) enter(ctx context.Context, patience time.Duration) error {
	alone := m.name == ""
	if !alone {
		// Before the tables are there, nobody can be told who else works with them.
		var there bool
		if err := m.conn.QueryRow(ctx, "SELECT to_regclass('authorities') IS NOT NULL").Scan(&there); err != nil {
			return told(err)
		}
		alone = !there
	}
	if err := m.wait(ctx, patience, !alone, lockClass, lockDatabase, m.whoElse); err != nil {
		return err
	}
	if err := m.migrate(ctx, alone); err != nil || !alone || m.name == "" {
		return err
	}
	// Others may come from here on.
	got, err := tryLock(ctx, m.conn, true, lockClass, lockDatabase) // beside the exclusive one, which is its own
	if err == nil && !got {
		err = ErrInUse
	}
	if err == nil {
		_, err = m.conn.Exec(ctx, "SELECT pg_advisory_unlock($1, $2)", int32(lockClass), int32(lockDatabase))
	}
	return told(err)
}

// wait takes a lock, at most for patience.
func (m *member) wait(ctx context.Context, patience time.Duration, shared bool, class int, number int32, who func(context.Context) error) error {
	for until := time.Now().Add(patience); ; {
		got, err := tryLock(ctx, m.conn, shared, class, number)
		switch {
		case err != nil || got:
			return err
		case time.Now().After(until):
			return who(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func tryLock(ctx context.Context, c *pgx.Conn, shared bool, class int, number int32) (got bool, err error) {
	text := "SELECT pg_try_advisory_lock($1, $2)"
	if shared {
		text = "SELECT pg_try_advisory_lock_shared($1, $2)"
	}
	err = c.QueryRow(ctx, text, int32(class), number).Scan(&got)
	return got, told(err)
}

// whoElse is the refusal where others work with the database.
func (m *member) whoElse(ctx context.Context) error {
	var names []string
	peers, err := peersOf(ctx, m.conn)
	if err == nil {
		for _, p := range peers {
			if !p.Absent {
				names = append(names, said(p))
			}
		}
	}
	if len(names) == 0 {
		names = []string{"another process"}
	}
	return fmt.Errorf("%w: %s", ErrInUse, strings.Join(names, "; "))
}

// whoIsIt is the refusal where another process of the same authority is there.
func (m *member) whoIsIt(ctx context.Context) error {
	peers, err := peersOf(ctx, m.conn)
	if err == nil {
		for _, p := range peers {
			if p.Name == m.name {
				return fmt.Errorf("%w: %s", ErrSameName, said(p))
			}
		}
	}
	return ErrSameName
}

// said is a process as a person is told of it.
func said(p store.Peer) string {
	out := fmt.Sprintf("%s, process %d, since %s", p.Host, p.PID, p.Since.UTC().Format(time.RFC3339))
	if p.Release != "" {
		out += ", release " + p.Release
	}
	if p.Name != "" {
		out = p.Name + " on " + out
	}
	return out
}

// begin raises the epoch and ends what an earlier process of the same authority left
// behind; one that is alone ends what all left behind. From here on no write of those is
// kept: what they had begun has ended, and what they begin compares the epoch.
func (m *member) begin(ctx context.Context) error {
	// A process that had the database to itself has ended as well, or this one would not
	// have its lock.
	others, sessions := "number IN (0, $1)", fmt.Sprintf("^liuma/(0|%d)[.]|^liuma/[0-9]+$", m.number)
	if m.name == "" {
		others, sessions = "$1 = 0", "^liuma/"
	}
	tx, err := m.conn.Begin(ctx)
	if err != nil {
		return told(err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // after the commit it does nothing
	if _, err := tx.Exec(ctx, "DELETE FROM holds WHERE owner IN (SELECT process FROM authorities WHERE "+others+")", m.number); err != nil {
		return told(err)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM duties WHERE owner IN (SELECT process FROM authorities WHERE "+others+")", m.number); err != nil {
		return told(err)
	}
	if _, err := tx.Exec(ctx, "UPDATE authorities SET epoch = epoch + 1, process = NULL WHERE "+others, m.number); err != nil {
		return told(err)
	}
	var now int64
	err = tx.QueryRow(ctx, `UPDATE authorities SET process = $2, host = $3, pid = $4, since = `+serverNow+`, seen = `+serverNow+`,
		knows = $5, release = $6, said_by = $2 WHERE number = $1 RETURNING epoch, since`, m.number, m.process, store.Host(), os.Getpid(), m.knows, m.release).Scan(&m.epoch, &now)
	if err != nil {
		return told(err)
	}
	m.since = time.UnixMilli(now).UTC()
	if err := tx.Commit(ctx); err != nil {
		return told(err)
	}
	return endSessions(ctx, m.conn, sessions)
}

// serverNow is the server's time in Unix milliseconds.
const serverNow = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

// endSessions ends the connections whose name matches, and returns when they are gone.
func endSessions(ctx context.Context, c *pgx.Conn, pattern string) error {
	for until := time.Now().Add(10 * time.Second); ; {
		left, err := endBackends(ctx, c, `datname = current_database() AND usename = current_user
			AND application_name ~ $1 AND pid <> pg_backend_pid()`, pattern)
		switch {
		case err != nil:
			return told(err)
		case left == 0:
			return nil
		case time.Now().After(until):
			return fmt.Errorf("%w: %d connections of an earlier process do not end", ErrInUse, left)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// watch says every now and then that this process is there, takes the locks again where
// their connection was lost, and ends processes that are gone. lost is called once if
// another has ended this one; round after each round that reached the database.
func (m *member) watch(lost func(), round func(context.Context), ended func(store.Peer)) {
	defer close(m.done)
	for {
		select {
		case <-m.quit:
			return
		case <-time.After(m.every):
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		dead, err := m.round(ctx)
		if err == nil {
			round(ctx)
		}
		cancel()
		if errors.Is(err, store.ErrFailed) {
			lost()
			return
		}
		for _, p := range dead {
			ended(p)
		}
	}
}

// round is one round of watch. While it fails nothing is lost: the epoch is still this
// process's.
func (m *member) round(ctx context.Context) (ended []store.Peer, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.renew(ctx); err != nil {
		return nil, err
	}
	tag, err := m.conn.Exec(ctx, "UPDATE authorities SET seen = "+serverNow+" WHERE number = $1 AND epoch = $2", m.number, m.epoch)
	if err == nil && tag.RowsAffected() == 0 {
		return nil, store.ErrFailed
	}
	if err != nil || m.name == "" {
		return nil, told(err)
	}
	ended, m.dead = m.dead, nil
	peers, err := peersOf(ctx, m.conn)
	if err != nil {
		return ended, err
	}
	there := map[string]bool{}
	for _, p := range peers {
		there[p.Process] = p.Absent
	}
	for process := range m.gone {
		if !there[process] {
			delete(m.gone, process) // it is back, or was ended
		}
	}
	for _, p := range peers {
		if !p.Absent || p.Process == m.process {
			continue
		}
		if since, ok := m.gone[p.Process]; !ok {
			m.gone[p.Process] = m.missed(time.Now())
		} else if time.Since(since) >= m.absence {
			did, err := m.end(ctx, p)
			if did { // also where its connections have not ended yet
				ended = append(ended, p)
			}
			if err != nil {
				return ended, err
			}
		}
	}
	return ended, nil
}

// renew checks the connection of the locks, and makes another where it is lost. The caller holds mu.
func (m *member) renew(ctx context.Context) (err error) {
	if m.conn != nil && m.conn.Ping(ctx) == nil {
		return nil
	}
	if m.conn != nil {
		_ = m.conn.Close(ctx) // it is broken
		m.conn = nil
	}
	c, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if m.conn == nil {
			err = errors.Join(err, c.Close(ctx))
		}
	}()
	var now int64
	if err := c.QueryRow(ctx, "SELECT epoch FROM authorities WHERE number = $1", m.number).Scan(&now); err != nil {
		return told(err)
	}
	if now != m.epoch {
		return store.ErrFailed
	}
	got, err := tryLock(ctx, c, m.name != "", lockClass, lockDatabase)
	if err == nil && got && m.name != "" {
		got, err = tryLock(ctx, c, false, lockMember, m.number)
	}
	switch {
	case err != nil:
		return err
	case !got:
		return store.ErrUnreachable // the server may still see the connection that was lost
	}
	m.conn, m.anew = c, time.Now()
	clear(m.gone)
	return nil
}

// missed is since when a process counts as gone that has no connection now. Where this one has just lost its own, all
// have, as in a failover: whoever is back first gives the others three times as long. The caller holds mu.
func (m *member) missed(now time.Time) time.Time {
	if !m.anew.IsZero() && now.Sub(m.anew) < m.absence {
		return now.Add(2 * m.absence)
	}
	return now
}

// end ends a process that is gone: whatever it still sends, nothing of it is kept, and
// what it held is free. It reports whether this process did it. A crash in between leaves
// the rest to the next round of another, or to the holds' own ends.
func (m *member) end(ctx context.Context, p store.Peer) (bool, error) {
	var number int32
	err := m.conn.QueryRow(ctx, "UPDATE authorities SET epoch = epoch + 1, process = NULL WHERE process = $1 RETURNING number", p.Process).Scan(&number)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil // another was faster
	}
	if err != nil {
		return false, told(err)
	}
	if err := endSessions(ctx, m.conn, fmt.Sprintf("^liuma/%d[.]", number)); err != nil {
		return true, err
	}
	return true, m.free(ctx, p.Process)
}

// free ends the holds and duties of a process.
func (m *member) free(ctx context.Context, process string) error {
	_, err1 := m.conn.Exec(ctx, "DELETE FROM holds WHERE owner = $1", process)
	_, err2 := m.conn.Exec(ctx, "DELETE FROM duties WHERE owner = $1", process)
	return told(errors.Join(err1, err2))
}

// peersOf lists the processes that work with the database.
func peersOf(ctx context.Context, c querier) ([]store.Peer, error) {
	// By way of JSON, since the schema may be from before these columns.
	found, err := c.Query(ctx, `SELECT a.name, a.process, a.host, a.pid, a.since, a.seen,
		CASE WHEN to_jsonb(a) ->> 'said_by' = a.process THEN to_jsonb(a) ->> 'release' ELSE '' END,
		CASE WHEN to_jsonb(a) ->> 'said_by' = a.process THEN (to_jsonb(a) ->> 'knows')::bigint ELSE 0 END, NOT EXISTS (SELECT 1 FROM pg_locks AS l
			WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND (a.number > 0 AND l.classid::bigint = $1 AND l.objid::bigint = a.number
				OR a.number = 0 AND l.classid::bigint = $2 AND l.objid::bigint = $3 AND l.mode = 'ExclusiveLock'))
		FROM authorities AS a WHERE a.process IS NOT NULL ORDER BY a.name`, int64(lockMember), int64(lockClass), int64(lockDatabase))
	if err != nil {
		return nil, told(err)
	}
	peers, err := pgx.CollectRows(found, func(from pgx.CollectableRow) (p store.Peer, err error) {
		var since, seen int64
		err = from.Scan(&p.Name, &p.Process, &p.Host, &p.PID, &since, &seen, &p.Release, &p.Knows, &p.Absent)
		p.Since, p.Seen = time.UnixMilli(since).UTC(), time.UnixMilli(seen).UTC()
		return p, err
	})
	return peers, told(err)
}

// awayOf lists the authorities that have no process now.
func awayOf(ctx context.Context, c querier) ([]store.Peer, error) {
	found, err := c.Query(ctx, "SELECT name, host, seen FROM authorities WHERE process IS NULL AND number > 0 AND seen > 0 ORDER BY name")
	if err != nil {
		return nil, told(err)
	}
	away, err := pgx.CollectRows(found, func(from pgx.CollectableRow) (p store.Peer, err error) {
		var seen int64
		err = from.Scan(&p.Name, &p.Host, &seen)
		p.Seen = time.UnixMilli(seen).UTC()
		return p, err
	})
	return away, told(err)
}

// querier is a connection or a pool.
type querier interface {
	Query(ctx context.Context, text string, args ...any) (pgx.Rows, error)
}

// leave gives the locks back, and says that the process has ended. The epoch stays: the
// next start raises it.
func (m *member) leave(watching bool) error {
	if watching {
		close(m.quit)
		<-m.done
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if m.epoch != 0 {
		_, _ = m.conn.Exec(ctx, "UPDATE authorities SET process = NULL WHERE number = $1 AND epoch = $2", m.number, m.epoch)
		_ = m.free(ctx, m.process) // or they end by their time
	}
	_, _ = m.conn.Exec(ctx, "SELECT pg_advisory_unlock_all()") // closing the connection does it too, a little later
	_ = m.conn.Close(ctx)                                      // a connection that is lost has given it back
	m.conn = nil
	return nil
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/liuma-pin/liuma/internal/store"
)

// Errors of a DSN.
var (
	// ErrDSN is returned for an address that is not one of PostgreSQL.
	ErrDSN = errors.New("store: want postgres://USER@HOST/DATABASE")
	// ErrPassword is returned for an address with a password in it, which would stand in
	// every list of processes and every copy of the configuration.
	ErrPassword = errors.New("store: no password in the address; put it into a file")
	// ErrNotPrivate is returned for an address that leads through a network without a
	// certificate that is checked: whoever stands in between could read along, ask for the
	// password, and show rows that were put back.
	ErrNotPrivate = errors.New("store: a server across a network needs sslmode=verify-full")
)

// IsDSN reports whether a place is a database of PostgreSQL, and not a file.
func IsDSN(place string) bool {
	return strings.HasPrefix(place, "postgres://") || strings.HasPrefix(place, "postgresql://")
}

// CheckDSN refuses an address that cannot be used. Its text never shows the address.
func CheckDSN(dsn string) error {
	_, err := parseDSN(dsn, nil)
	return err
}

func parseDSN(dsn string, password []byte) (*pgxpool.Config, error) {
	u, err := url.Parse(dsn)
	if !IsDSN(dsn) || err != nil && !strings.Contains(dsn, ",") { // several hosts are no URL to package url
		return nil, ErrDSN
	}
	if err == nil {
		_, there := u.User.Password()
		if there || u.Query().Has("password") || u.Query().Has("sslpassword") {
			return nil, ErrPassword
		}
	} else if user, _, ok := strings.Cut(strings.SplitN(dsn, "://", 2)[1], "@"); ok && strings.Contains(user, ":") || strings.Contains(dsn, "password=") {
		return nil, ErrPassword
	}
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, ErrDSN // pgx's own text has the address in it
	}
	if c.ConnConfig.Database == "" || c.ConnConfig.User == "" {
		return nil, ErrDSN
	}
	if !private(c.ConnConfig) {
		return nil, ErrNotPrivate
	}
	// Of several hosts only the one that takes writes: another is behind, and its rows
	// look put back.
	c.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	if len(password) > 0 {
		c.ConnConfig.Password = string(password)
	}
	return c, nil
}

// private reports whether every way to the server stays on this machine, or is encrypted
// to a certificate with the server's name (verify-full).
func private(c *pgx.ConnConfig) bool {
	ways := []*pgconn.FallbackConfig{{Host: c.Host, TLSConfig: c.TLSConfig}}
	for _, way := range append(ways, c.Fallbacks...) {
		ip := net.ParseIP(way.Host)
		here := strings.HasPrefix(way.Host, "/") || way.Host == "localhost" || ip != nil && ip.IsLoopback()
		if !here && (way.TLSConfig == nil || way.TLSConfig.InsecureSkipVerify) {
			return false
		}
	}
	return true
}

// Name is how a database is called before people: host, port and name, and nothing
// secret.
func Name(dsn string) string {
	c, err := parseDSN(dsn, nil)
	if err != nil {
		return "postgres"
	}
	return fmt.Sprintf("postgres://%s@%s:%d/%s", c.ConnConfig.User, c.ConnConfig.Host, c.ConnConfig.Port, c.ConnConfig.Database)
}

// sessions are the connections of a store: what is known of each beside pgx.
type sessions struct {
	mu    sync.Mutex
	known map[*pgconn.PgConn]*session // guarded by mu
}

// session is one connection.
type session struct {
	pid     uint32
	began   string // backend_start, as the server writes it: a pid is used again
	waiting bool   // guarded by sessions.mu: a wait for a standby was cancelled
}

// notice hears what the server says beside an answer. That it gave up waiting for its
// standby comes as a warning, whose text is in the server's language: so every warning
// has the commit looked up.
func (s *sessions) notice(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized != "WARNING" && !strings.Contains(n.Message, "synchronous replication") {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.known[c]; k != nil {
		k.waiting = true
	}
}

// cancelled reports, once, whether the server gave up waiting for its standby.
func (s *sessions) cancelled(c *pgconn.PgConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[c]
	if k == nil || !k.waiting {
		return false
	}
	k.waiting = false
	return true
}

func (s *sessions) of(c *pgconn.PgConn) session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.known[c]; k != nil {
		return *k
	}
	return session{}
}

// greeting makes commits wait for the disk, and for the standby, whatever the server's,
// the database's or the role's settings say, and learns when the server's side began.
const greeting = `SELECT a.backend_start::text, a.pid, CASE WHEN current_setting('synchronous_commit') IN ('on', 'remote_apply')
	THEN '' ELSE set_config('synchronous_commit', 'on', false) END FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid()`

// greet learns of the server's side of a new connection. One that a pooler lends is
// refused (ErrPooler).
func (s *sessions) greet(ctx context.Context, c *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, greetTime)
	defer cancel()
	k := &session{pid: c.PgConn().PID()}
	var pid uint32
	var set string
	if err := c.QueryRow(ctx, greeting).Scan(&k.began, &pid, &set); err != nil {
		return err
	}
	if pid != k.pid {
		return ErrPooler
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[c.PgConn()] = k
	return nil
}

func (s *sessions) forget(c *pgx.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, c.PgConn())
}

// limits are settings of every connection. A transaction that a process left open does
// not hold its rows for ever.
func limits(c *pgx.ConnConfig, name string) {
	for k, v := range map[string]string{
		"application_name": name, "timezone": "UTC", "lock_timeout": "10s", "statement_timeout": "0",
		"idle_in_transaction_session_timeout": "60s", "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5",
		"tcp_keepalives_count": "3", "default_transaction_isolation": "read committed",
		"client_encoding": "UTF8", "search_path": "public, pg_temp",
	} {
		c.RuntimeParams[k] = v
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
}

func (s *Store) pool(ctx context.Context, most int) (*pgxpool.Pool, error) {
	c := s.dsn.Copy()
	c.MaxConns, c.MinConns = int32(most), 0
	limits(c.ConnConfig, fmt.Sprintf("liuma/%d.%d", s.member.number, s.member.epoch))
	c.ConnConfig.OnNotice, c.ConnConfig.Tracer = s.sessions.notice, tracer{}
	// An idle connection is asked before it is used. One that has lost its other end gives
	// no error, and who waits for it without an end of their own would wait for ever.
	c.PingTimeout = min(pingTime, s.cfg.Timeout)
	c.BeforeConnect = uncancelled
	c.AfterConnect = s.sessions.greet
	c.BeforeClose = s.sessions.forget
	return pgxpool.NewWithConfig(ctx, c)
}

const (
	// pingTime is how long an idle connection has to show that it is alive.
	pingTime = 2 * time.Second
	// greetTime is how long a new one has to say who it is.
	greetTime = 5 * time.Second
)

// uncancelled keeps pgx from sending the server a cancellation once a connection stands,
// which it does by another connection when an answer takes too long. It would end the
// server's wait for its standby, and so show everybody a change that a failover takes
// back. What was asked ends by itself: it is small, and waits for locks only so long.
func uncancelled(_ context.Context, c *pgx.ConnConfig) error {
	var stands atomic.Bool
	dial, after := c.DialFunc, c.AfterConnect
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if stands.Load() {
			return nil, errUncancelled
		}
		return dial(ctx, network, address)
	}
	c.AfterConnect = func(ctx context.Context, pg *pgconn.PgConn) error {
		stands.Store(true)
		if after == nil {
			return nil
		}
		return after(ctx, pg)
	}
	return nil
}

// ofAll connects to the one of an address's hosts that takes writes, and asks all of them at
// once: one that is cut off says nothing, and would take, if it was asked first, all the time
// that there is. The connection is uncancelled.
func ofAll(ctx context.Context, dsn *pgx.ConnConfig) (found *pgx.Conn, err error) {
	ways := append([]*pgconn.FallbackConfig{{Host: dsn.Host, Port: dsn.Port, TLSConfig: dsn.TLSConfig}}, dsn.Fallbacks...)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		conn *pgx.Conn
		err  error
	}
	answers := make(chan answer, len(ways))
	for _, way := range ways {
		one := dsn.Copy()
		one.Host, one.Port, one.TLSConfig, one.Fallbacks = way.Host, way.Port, way.TLSConfig, nil
		err := uncancelled(ctx, one)
		go func() {
			if err != nil {
				answers <- answer{nil, err}
				return
			}
			c, err := pgx.ConnectConfig(ctx, one)
			answers <- answer{c, err}
		}()
	}
	var errs []error
	for range ways {
		switch a := <-answers; {
		case a.err != nil:
			errs = append(errs, a.err)
		case found == nil:
			found = a.conn
			cancel() // the others end at once
		default: // the same server by another way
			_ = a.conn.Close(context.WithoutCancel(ctx))
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, errors.Join(errs...)
}

// errUncancelled is seen by pgx alone.
var errUncancelled = errors.New("store: nothing is cancelled")

// Codes of errors of the server.
const (
	codeConflict = "LM001" // liuma_conflict
	codeLost     = "LM002" // liuma_lost
	codeForbid   = "LM003" // liuma_forbid
	codeUnheld   = "LM004" // liuma_unheld
)

// conflicts reports an error that says that nothing was kept and that the transaction is
// to be run again: another was first.
func conflicts(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || e.SeverityUnlocalized != "ERROR" {
		return false
	}
	switch e.Code {
	case codeConflict, "40001", "40P01", "55P03", "23505", "23503":
		return true
	}
	return false
}

// taken reports a key or a unique value that another row has.
func taken(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "23505"
}

// refused reports an answer of the server that ended the transaction and left the
// connection: nothing was kept.
func refused(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.SeverityUnlocalized == "ERROR"
}

// told is an error of the database as callers get it. What the server says is not shown
// to anybody but the log: its details may hold values.
func told(err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case ok && e.Code == codeForbid:
		return fmt.Errorf("%w: %s", store.ErrDecided, e.Message)
	case ok && e.Code == codeUnheld:
		return store.ErrUnheld
	case ok && e.Code == codeLost:
		return fmt.Errorf("%w: another process has taken over", store.ErrFailed)
	case ok && e.Code == "53100" && e.SeverityUnlocalized == "ERROR":
		return fmt.Errorf("%w: %s", store.ErrFull, e.Message)
	case ok && e.SeverityUnlocalized == "ERROR":
		return fmt.Errorf("store: %s (SQLSTATE %s)", e.Message, e.Code)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case ok:
		return fmt.Errorf("%w: %s (SQLSTATE %s)", store.ErrUnreachable, e.Message, e.Code)
	}
	return fmt.Errorf("%w: %w", store.ErrUnreachable, err)
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
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
	if len(password) > 0 {
		c.ConnConfig.Password = string(password)
	}
	return c, nil
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

// greet learns when the server's side of a new connection began.
func (s *sessions) greet(ctx context.Context, c *pgx.Conn) error {
	k := &session{pid: c.PgConn().PID()}
	if err := c.QueryRow(ctx, "SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()").Scan(&k.began); err != nil {
		return err
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
	limits(c.ConnConfig, fmt.Sprintf("liuma/%d", s.lease.epoch))
	c.ConnConfig.OnNotice = s.sessions.notice
	c.AfterConnect = s.sessions.greet
	c.BeforeClose = s.sessions.forget
	return pgxpool.NewWithConfig(ctx, c)
}

// Codes of errors of the server.
const (
	codeConflict = "LM001" // liuma_conflict
	codeLost     = "LM002" // liuma_lost
	codeForbid   = "LM003" // liuma_forbid
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

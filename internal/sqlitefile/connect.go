package sqlitefile

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Settings say how a connection is opened. A zero size leaves SQLite's default.
type Settings struct {
	ReadOnly        bool // refuses every write
	CacheKiB        int  // size of the page cache
	CheckpointPages int  // size of the log, in pages, that starts a checkpoint; for connections that write
}

// busyTimeout bounds the wait for a lock. The lease keeps other writers away,
// so only a checkpoint may have to wait, for a reader.
const busyTimeout = 2 * time.Second

// logKept is how many bytes of the log's file are kept for reuse after a
// checkpoint.
const logKept = 64 << 20

// dataSource returns the name of the database file with the pragmas that every
// connection needs.
func dataSource(path string, s Settings) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // file:///C:/…
	}
	q := url.Values{}
	q.Set("_txlock", "immediate")
	pragma := func(name string, value any) { q.Add("_pragma", fmt.Sprintf("%s(%v)", name, value)) }
	pragma("busy_timeout", busyTimeout.Milliseconds())
	pragma("foreign_keys", "ON")
	pragma("temp_store", "MEMORY") // nothing is written to a temporary file that others could read
	if s.CacheKiB > 0 {
		pragma("cache_size", -s.CacheKiB)
	}
	if s.ReadOnly {
		q.Set("mode", "ro")
		pragma("query_only", "ON")
	} else {
		pragma("journal_mode", "WAL")
		pragma("synchronous", "FULL")
		pragma("secure_delete", "ON") // deleted rows are overwritten
		pragma("journal_size_limit", logKept)
		if s.CheckpointPages > 0 {
			pragma("wal_autocheckpoint", s.CheckpointPages)
		}
	}
	return (&url.URL{Scheme: "file", Path: slashed, RawQuery: q.Encode()}).String()
}

// Connect opens one connection. A connection that writes is checked first:
// SQLite ignores a setting that it does not support without an error, and
// without these settings writes would not be durable.
func Connect(path string, s Settings) (driver.Conn, error) {
	connector, err := sqlite.NewConnector(dataSource(path, s))
	if err != nil {
		return nil, err
	}
	c, err := connector.Connect(context.Background())
	if err != nil || s.ReadOnly {
		return c, err
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		got, err := setting(c, pragma)
		if err == nil && got != want {
			err = fmt.Errorf("database file: %s is %q, want %q", pragma, got, want)
		}
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	// The first read creates the log, so that Watch can find it.
	if _, err := setting(c, "schema_version"); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// setting reads the value of a pragma.
func setting(c driver.Conn, pragma string) (_ string, err error) {
	stmt, err := c.Prepare("PRAGMA " + pragma)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(context.Background(), nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	value := make([]driver.Value, 1)
	if err := rows.Next(value); err != nil {
		return "", err
	}
	return fmt.Sprint(value[0]), nil
}

// Full reports whether err is SQLite's error that the disk is full. SQLite
// returns it only for a write that it gave up: the mark that ends a transaction
// in the log was not written completely, and a later start ignores it. After
// other disk errors (a failed sync, a quota, shared memory that cannot grow) it
// is unknown what was written.
func Full(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_FULL
}

// connector opens connections with Connect for database/sql.
type connector struct {
	path     string
	settings Settings
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return Connect(c.path, c.settings) }

func (c connector) Driver() driver.Driver { return &sqlite.Driver{} }

// Pool opens connections as database/sql asks for them, at most limit.
func Pool(path string, s Settings, limit int) *sql.DB {
	db := sql.OpenDB(connector{path, s})
	db.SetMaxOpenConns(limit)
	return db
}

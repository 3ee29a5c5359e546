// Package pgtest gives tests a PostgreSQL of their own (package cluster). It guarantees
// that each test has a database of its own. It trusts the server's programs. Only tests
// import it.
//
// Start here: New for an empty database, Begin for a cluster that a test may kill, Borrow for
// one whose settings it may change.
package pgtest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma/internal/store/postgres/cluster"
)

// Given is the environment variable with the address of a cluster that the tests are to
// use: its role may make databases.
const Given = "LIUMA_TEST_DSN"

// Role is the role of a cluster that was made here.
const Role = cluster.Role

// Cluster is a running server.
type Cluster struct {
	*cluster.Cluster
	borrowed bool
}

// shared is the cluster of this process's tests.
var shared struct {
	once    sync.Once
	cluster *cluster.Cluster
	err     error
	serial  atomic.Int64
}

// New is the address of an empty database that is dropped when the test ends. prepare, if
// not nil, is run once in this process on a database that the others are copies of.
func New(t testing.TB, prepare func(dsn string) error) string {
	t.Helper()
	dsn, drop, err := Make(prepare)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	return dsn
}

// Make is New for a caller without a test; drop drops the database.
func Make(prepare func(dsn string) error) (dsn string, drop func() error, err error) {
	at := os.Getenv(Given)
	if at == "" {
		shared.once.Do(func() { shared.cluster, shared.err = cluster.Begin(cluster.Config{}) })
		if shared.err != nil {
			return "", nil, fmt.Errorf("no PostgreSQL for the tests (Debian: apt-get install postgresql-15; or set %s): %w", Given, shared.err)
		}
		at = shared.cluster.DSN("postgres")
	}
	template, err := prepared(at, prepare)
	if err != nil {
		return "", nil, err
	}
	name := fmt.Sprintf("liuma_test_%d_%d", os.Getpid(), shared.serial.Add(1))
	create := "CREATE DATABASE " + name
	if template != "" {
		create += " TEMPLATE " + template
	}
	if err := cluster.Run(at, create); err != nil {
		return "", nil, err
	}
	return database(at, name), func() error { return cluster.Run(at, "DROP DATABASE "+name+" WITH (FORCE)") }, nil
}

var templates struct {
	mu   sync.Mutex
	name string // guarded by mu
}

// prepared is the name of the database that others are copies of. With a cluster that was
// given it stays: the next process makes its own.
func prepared(at string, prepare func(dsn string) error) (string, error) {
	if prepare == nil {
		return "", nil
	}
	templates.mu.Lock()
	defer templates.mu.Unlock()
	if templates.name != "" {
		return templates.name, nil
	}
	name := fmt.Sprintf("liuma_test_%d_template", os.Getpid())
	if err := cluster.Run(at, "DROP DATABASE IF EXISTS "+name); err != nil {
		return "", err
	}
	if err := cluster.Run(at, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	if err := prepare(database(at, name)); err != nil {
		return "", err
	}
	templates.name = name
	return name, nil
}

// database is the address of another database of a cluster.
func database(at, name string) string {
	u, err := url.Parse(at)
	if err != nil {
		return at
	}
	u.Path = "/" + name
	return u.String()
}

// Begin begins a cluster of the test's own, with fsync as in production, that ends with
// the test.
func Begin(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c, err := cluster.Begin(cluster.Config{Synced: true, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.End)
	return &Cluster{c, false}
}

// Make makes an empty database. In a cluster that was borrowed it goes with the test.
func (c *Cluster) Make(t testing.TB, name string) string {
	t.Helper()
	if err := c.Cluster.Make(name); err != nil {
		t.Fatal(err)
	}
	if c.borrowed {
		t.Cleanup(func() {
			if err := c.Run("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
				t.Error(err)
			}
		})
	}
	return c.DSN(name)
}

// lent is the cluster of Borrow.
var lent struct {
	turn    sync.Mutex // held by the test that has it
	cluster *cluster.Cluster
}

// Borrow is a cluster without fsync whose settings the test may change by ALTER SYSTEM, and
// which it does not stop: the next test has it as it was. Making one takes longer than many
// a test.
func Borrow(t testing.TB) *Cluster {
	t.Helper()
	lent.turn.Lock()
	if lent.cluster == nil {
		c, err := cluster.Begin(cluster.Config{Synced: true, Settings: []string{"fsync=off"}})
		if err != nil {
			lent.turn.Unlock()
			t.Fatal(err)
		}
		lent.cluster = c
	}
	c := lent.cluster
	t.Cleanup(func() {
		defer lent.turn.Unlock()
		if err := errors.Join(c.Run("ALTER SYSTEM RESET ALL"), c.Run("SELECT pg_reload_conf()")); err != nil {
			t.Error(err)
		}
	})
	return &Cluster{c, true}
}

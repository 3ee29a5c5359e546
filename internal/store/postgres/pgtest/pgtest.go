// Package pgtest gives tests a PostgreSQL of their own: a cluster in a temporary
// directory, reached by a Unix socket only, that ends with the process that began it,
// however that ends. It guarantees that each test has a database of its own. It trusts
// the server's programs. Only tests import it.
//
// Start here: New for an empty database, Begin for a cluster that a test may kill.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Given is the environment variable with the address of a cluster that the tests are to
// use: its role may make databases.
const Given = "LIUMA_TEST_DSN"

// Role is the role of a cluster that was made here.
const Role = "liuma"

// Cluster is a running server.
type Cluster struct {
	dir   string // with the data and the socket
	sync  bool
	extra []string
	as    *syscall.Credential // nil: this process's own account
	alive io.Closer           // once it is closed, the server ends and its files go
	watch *exec.Cmd
}

// shared is the cluster of this process's tests.
var shared struct {
	once    sync.Once
	cluster *Cluster
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
		shared.once.Do(func() { shared.cluster, shared.err = begin(false) })
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
	if err := run(at, create); err != nil {
		return "", nil, err
	}
	return database(at, name), func() error { return run(at, "DROP DATABASE "+name+" WITH (FORCE)") }, nil
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
	if err := run(at, "DROP DATABASE IF EXISTS "+name); err != nil {
		return "", err
	}
	if err := run(at, "CREATE DATABASE "+name); err != nil {
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

func run(dsn, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, statement)
	return errors.Join(err, c.Close(ctx))
}

// Begin begins a cluster of the test's own, with fsync as in production, that ends with
// the test.
func Begin(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c, err := begin(true, settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.End)
	return c
}

func begin(synced bool, settings ...string) (c *Cluster, err error) {
	c = &Cluster{sync: synced, extra: settings}
	if c.dir, err = os.MkdirTemp("", "liuma-pg-"); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 { // the server refuses root
		if c.as, err = account(); err != nil {
			return nil, err
		}
		if err := os.Chown(c.dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return nil, err
		}
	}
	if out, err := c.command("initdb", "-D", c.data(), "-U", Role, "-A", "trust", "-E", "UTF8", "--locale=C", "-N").CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(c.dir))
	}
	if err := c.watchdog(); err != nil {
		return nil, err
	}
	return c, c.Start()
}

// account is one that the server may run as.
func account() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
		}
	}
	return nil, errors.New("pgtest: no account to run the server as")
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// command is a program of the server, in the account that it runs as.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), program(name), args...) // it ends with the server
	cmd.Dir = c.dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "PG") }), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	return cmd
}

// program finds a program where Debian keeps it.
func program(name string) string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return name
	}
	return found[len(found)-1]
}

// watchdog ends the server and removes its files once this process is gone: the other end
// of its input closes then, whatever killed it.
func (c *Cluster) watchdog() error {
	cmd := c.command("sh")
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c",
		`read x; [ -f data/postmaster.pid ] && kill -QUIT "$(head -n 1 data/postmaster.pid)"; sleep 0.3; rm -rf "$0"`, c.dir}
	cmd.SysProcAttr.Setpgid = true // a keyboard's interrupt is not for it
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	c.alive, c.watch = in, cmd
	return cmd.Start()
}

// End ends the server at once and removes its files.
func (c *Cluster) End() {
	_ = c.alive.Close()
	_ = c.watch.Wait()
	_ = os.RemoveAll(c.dir) // the watchdog may not remove the directory itself
}

// Start starts a server that was stopped or killed.
func (c *Cluster) Start() error {
	settings := []string{"listen_addresses=", "unix_socket_directories=" + c.dir, "max_connections=200", "log_min_messages=fatal"}
	if !c.sync {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=4GB", "autovacuum_naptime=10s")
	}
	o := ""
	for _, s := range append(settings, c.extra...) {
		o += " -c " + s
	}
	until := time.Now().Add(30 * time.Second)
	for { // what is left of a server that was killed may take a moment to go
		out, err := c.command("pg_ctl", "-D", c.data(), "-o", o, "-l", filepath.Join(c.dir, "log"), "-w", "start").CombinedOutput()
		if err == nil {
			return nil
		}
		if time.Now().After(until) {
			log, _ := os.ReadFile(filepath.Join(c.dir, "log")) // for the message
			return fmt.Errorf("pg_ctl start: %w: %s\n%s", err, out, log)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Stop stops the server: smart, fast or immediate.
func (c *Cluster) Stop(mode string) error {
	out, err := c.command("pg_ctl", "-D", c.data(), "-m", mode, "-w", "stop").CombinedOutput()
	if err != nil {
		return fmt.Errorf("pg_ctl stop: %w: %s", err, out)
	}
	return nil
}

// Kill kills the postmaster, as a machine that runs out of memory does.
func (c *Cluster) Kill() error {
	raw, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// Socket is the directory of the server's socket.
func (c *Cluster) Socket() string { return c.dir }

// DSN is the address of a database of the cluster.
func (c *Cluster) DSN(name string) string {
	return "postgres://" + Role + "@/" + name + "?host=" + url.QueryEscape(c.dir)
}

// Make makes an empty database.
func (c *Cluster) Make(t testing.TB, name string) string {
	t.Helper()
	if err := run(c.DSN("postgres"), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return c.DSN(name)
}

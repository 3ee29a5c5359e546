// Package cluster runs a PostgreSQL server of its own: in a temporary directory, reached by
// a Unix socket only, with a standby where it is wanted, for tests and the bench. It
// guarantees that the server ends, and its files go, with the process that began it,
// however that ends. It trusts the server's programs, and is no way to run a database that
// anybody needs.
//
// Start here: Begin, then Standby.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Role is the role that owns everything on the server.
const Role = "liuma"

// ErrNotInstalled means that the server's programs are not on this machine.
var ErrNotInstalled = errors.New("cluster: no PostgreSQL server on this machine (Debian: apt-get install postgresql-15)")

// Config is how a server runs.
type Config struct {
	Synced   bool     // commits wait for the disk, as in production
	Settings []string // further ones, NAME=VALUE
}

// Cluster is a running server.
type Cluster struct {
	cfg   Config
	dir   string              // with the data and the socket
	as    *syscall.Credential // nil: this process's own account
	alive io.Closer           // once it is closed, the server ends and its files go
	watch *exec.Cmd
}

// Begin makes a server and starts it. Its caller ends it. ErrNotInstalled: there is none to start.
func Begin(cfg Config) (c *Cluster, err error) {
	if c, err = place(cfg); err != nil {
		return nil, err
	}
	if out, err := c.command("initdb", "-D", c.Data(), "-U", Role, "-A", "trust", "-E", "UTF8", "--locale=C", "-N").CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(c.dir))
	}
	return c, c.first()
}

// place is a directory for a server.
func place(cfg Config) (c *Cluster, err error) {
	if _, err := exec.LookPath(program("initdb")); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	c = &Cluster{cfg: cfg}
	if os.Getuid() == 0 { // the server refuses root
		if c.as, err = account(); err != nil {
			return nil, err
		}
	}
	if c.dir, err = os.MkdirTemp(c.within(), "liuma-pg-"); err != nil {
		return nil, err
	}
	if c.as != nil {
		if err := os.Chown(c.dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// within is the directory for temporary files, or /tmp where the server's account does not
// get into that one.
func (c *Cluster) within() string {
	in := os.TempDir()
	for at := in; c.as != nil; at = filepath.Dir(at) {
		if fi, err := os.Stat(at); err != nil || fi.Mode()&0o001 == 0 {
			return "/tmp"
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	return in
}

// first starts a server whose data are there.
func (c *Cluster) first() error {
	if err := c.watchdog(); err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		c.End()
		return err
	}
	return nil
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
	return nil, errors.New("cluster: no account to run the server as")
}

// Data is the directory of its data.
func (c *Cluster) Data() string { return filepath.Join(c.dir, "data") }

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
	if !c.cfg.Synced {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=4GB", "autovacuum_naptime=10s")
	}
	o := ""
	for _, s := range append(settings, c.cfg.Settings...) {
		o += " -c " + s
	}
	until := time.Now().Add(30 * time.Second)
	for { // what is left of a server that was killed may take a moment to go
		out, err := c.command("pg_ctl", "-D", c.Data(), "-o", o, "-l", filepath.Join(c.dir, "log"), "-w", "start").CombinedOutput()
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
	out, err := c.command("pg_ctl", "-D", c.Data(), "-m", mode, "-w", "stop").CombinedOutput()
	if err != nil {
		return fmt.Errorf("pg_ctl stop: %w: %s", err, out)
	}
	return nil
}

// Kill kills the postmaster, as a machine that runs out of memory does.
func (c *Cluster) Kill() error {
	pid, err := c.postmaster()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// postmaster is the process that began all others of the server.
func (c *Cluster) postmaster() (int, error) {
	raw, err := os.ReadFile(filepath.Join(c.Data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	return strconv.Atoi(line)
}

// Socket is the directory of the server's socket.
func (c *Cluster) Socket() string { return c.dir }

// DSN is the address of a database of the cluster.
func (c *Cluster) DSN(name string) string {
	return At(c.dir, name)
}

// Make makes an empty database.
func (c *Cluster) Make(name string) error { return c.Run("CREATE DATABASE " + name) }

// Run runs a statement as the role that owns everything.
func (c *Cluster) Run(statement string) error { return Run(c.DSN("postgres"), statement) }

// Run runs a statement at an address.
func Run(dsn, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// Shell is a line of the shell that an administrator of the server types: in the server's
// account, with its programs in the path, and psql at its socket.
func (c *Cluster) Shell(line string) *exec.Cmd {
	cmd := c.command("sh")
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", line}
	if dir := filepath.Dir(program("initdb")); filepath.IsAbs(dir) {
		cmd.Env = append(cmd.Env, "PATH="+dir+":"+os.Getenv("PATH"))
	}
	cmd.Env = append(cmd.Env, "PGHOST="+c.dir, "PGUSER="+Role, "PGDATABASE=postgres")
	return cmd
}

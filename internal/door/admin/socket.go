package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// SocketName is the administration door in a data directory.
const SocketName = "operator.sock"

// Errors of connecting to a server.
var (
	// ErrNoDoor says that no server answers at the directory's socket.
	ErrNoDoor = errors.New("admin door: no server answers here")
	// ErrServed says that another server answers at the directory's socket.
	ErrServed = errors.New("admin door: another server answers at this directory's " + SocketName)
	// ErrLost says that the server went away before it answered: the request
	// may have been carried out or not.
	ErrLost = errors.New("the server went away before it answered, so this may be done or not; look, and try again")
	// ErrOpenDir is returned for a directory that other accounts can enter.
	ErrOpenDir = errors.New("admin door: the data directory is open to other accounts; want mode 0700")
	// ErrPath is returned where the path of the socket is longer than the
	// system allows, or something else has its name.
	ErrPath = errors.New("admin door: no socket can be made in the data directory")
	// ErrPlatform is returned where the system does not tell who calls, or does
	// not pass open descriptors on.
	ErrPlatform = errors.New("admin door: this system does not tell who calls at a unix socket")
)

// maxPath is the longest path of a socket on every system that has unix sockets.
const maxPath = 100

// dialTimeout limits connecting: for a living listener the kernel answers at once.
const dialTimeout = 2 * time.Second

// socketPath is the path of a directory's door, in the shorter of its two forms.
func socketPath(dir string) (string, error) {
	abs, err := filepath.Abs(filepath.Join(dir, SocketName))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrPath, err)
	}
	if len(abs) <= maxPath {
		return abs, nil
	}
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, abs); err == nil && len(rel) <= maxPath {
			return rel, nil
		}
	}
	return "", fmt.Errorf("%w: the path %s is longer than %d bytes; start in the directory, or choose a shorter one", ErrPath, abs, maxPath)
}

// closedToOthers refuses a directory that other accounts can enter: any of them could
// put a socket of its own there.
func closedToOthers(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("admin door: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return ErrOpenDir
	}
	return nil
}

// connect returns ErrNoDoor if no process listens.
func connect(ctx context.Context, path string) (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return conn.(*net.UnixConn), nil // the type of the "unix" network
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNoDoor
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("admin door: %s belongs to another account; run this as the account that serves, or as root", path)
	}
	return nil, fmt.Errorf("admin door: %w", err)
}

// listen makes the socket. The caller has the directory's lease, so a socket that
// does not answer was left by a dead process and is replaced. A crash in between
// leaves no socket, or one that does not answer.
func listen(ctx context.Context, dir string, logger *slog.Logger) (net.Listener, error) {
	if err := closedToOthers(dir); err != nil {
		return nil, err
	}
	path, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPath, err)
	}
	// Until here the directory's mode and the check of callers keep others out.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("admin door: %w", err), ln.Close())
	}
	return &guarded{UnixListener: ln, caller: callerOf, self: os.Geteuid(), logger: logger}, nil
}

func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("admin door: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%w: %s is not a socket; remove it", ErrPath, path)
	}
	conn, err := connect(ctx, path)
	if err == nil {
		return errors.Join(ErrServed, conn.Close())
	}
	if !errors.Is(err, ErrNoDoor) {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("admin door: %w", err)
	}
	return nil
}

// guarded lets in only the account that serves and root, even if the modes of the
// socket or the directory were changed.
type guarded struct {
	*net.UnixListener
	caller func(*net.UnixConn) (uid int, err error)
	self   int // effective user of this process
	logger *slog.Logger
}

// Accept returns the next connection of an account that is let in.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		conn, err := g.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := g.caller(conn)
		if err == nil && (uid == g.self || uid == 0) {
			return &connection{UnixConn: conn, account: uint32(uid)}, nil
		}
		g.logger.Warn("operator door: refused a caller", "uid", uid, "err", err)
		_ = conn.Close() // nothing was sent yet
	}
}

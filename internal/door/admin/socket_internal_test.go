package admin

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// private is a directory as 'liuma init' makes it, with a short path.
func private(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "op")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func mustListen(t *testing.T, dir string) net.Listener {
	t.Helper()
	ln, err := listen(t.Context(), dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return ln
}

// leftover is a socket whose process is gone.
func leftover(t *testing.T, dir string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, SocketName), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestListen(t *testing.T) {
	dir := private(t)
	path := filepath.Join(dir, SocketName)
	leftover(t, dir)
	if _, err := Dial(t.Context(), dir); !errors.Is(err, ErrNoDoor) {
		t.Errorf("a leftover: %v", err)
	}
	ln := mustListen(t, dir)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := listen(t.Context(), dir, quiet()); !errors.Is(err, ErrServed) {
		t.Errorf("a second door: %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error("the second took the first's socket away:", err)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := Dial(t.Context(), dir); !errors.Is(err, ErrNoDoor) {
		t.Errorf("no socket: %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	dir := private(t)
	for _, mode := range []fs.FileMode{0o701, 0o710, 0o750, 0o755, 0o777} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := listen(t.Context(), dir, quiet()); !errors.Is(err, ErrOpenDir) {
			t.Errorf("listen in a directory of mode %o: %v", mode, err)
		}
		if _, err := Dial(t.Context(), dir); !errors.Is(err, ErrNoDoor) || !errors.Is(err, ErrOpenDir) {
			t.Errorf("dial in a directory of mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, SocketName)
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t.Context(), dir, quiet()); !errors.Is(err, ErrPath) {
		t.Errorf("something else of that name: %v", err)
	}
	if got, err := os.ReadFile(file); string(got) != "mine" {
		t.Errorf("it was touched: %q, %v", got, err)
	}
	long := filepath.Join(dir, strings.Repeat("x", maxPath))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t.Context(), long, quiet()); !errors.Is(err, ErrPath) {
		t.Errorf("a long path: %v", err)
	}
	// From inside it the path is short.
	t.Chdir(long)
	ln := mustListen(t, long)
	conn, err := connect(t.Context(), SocketName)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(conn.Close(), ln.Close()); err != nil {
		t.Error(err)
	}
}

// The kernel says who calls, and only the account that serves and root come in.
func TestCallers(t *testing.T) {
	dir := private(t)
	var log bytes.Buffer
	ln, err := listen(t.Context(), dir, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	g := ln.(*guarded)
	if g.self != os.Geteuid() {
		t.Fatalf("the door is %d's", g.self)
	}
	real := g.caller
	calls := 0
	g.self = 4711
	g.caller = func(c *net.UnixConn) (int, error) {
		uid, err := real(c)
		if err != nil || uid != os.Geteuid() {
			t.Errorf("the kernel says %d, %v", uid, err)
		}
		calls++
		return map[int]int{1: 1000, 2: -1, 3: 4710, 4: 4711, 5: 0}[calls], map[int]error{2: errors.New("who knows")}[calls]
	}
	accepted := make(chan int, 2)
	go func() {
		for range 2 {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- calls
			_ = conn.Close()
		}
	}()
	for range 5 {
		conn, err := connect(t.Context(), filepath.Join(dir, SocketName))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if first, second := <-accepted, <-accepted; first != 4 || second != 5 {
		t.Errorf("let in callers %d and %d", first, second)
	}
	if n := strings.Count(log.String(), "refused a caller"); n != 3 {
		t.Errorf("%d refusals in the log: %s", n, log.String())
	}
}

// answering is a socket at which something else answers.
func answering(t *testing.T, answer string) string {
	t.Helper()
	dir := private(t)
	ln := mustListen(t, dir)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte(answer))
			_ = conn.Close()
		}
	}()
	return dir
}

// Any other process that answers at the socket is not taken for a server.
func TestDialRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		want   error
	}{
		"silence":       {"", ErrLost},
		"another door":  {"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"door\":\"other\"}", errRequest},
		"no JSON":       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", errRequest},
		"a bare status": {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", errRequest},
		"elsewhere":     {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", errRequest},
	} {
		if _, err := Dial(t.Context(), answering(t, tt.answer)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	dir := private(t)
	mustListen(t, dir) // and never accepts
	if _, err := Dial(ctx, dir); err == nil {
		t.Error("a server that hangs was taken for one that answers")
	}
}

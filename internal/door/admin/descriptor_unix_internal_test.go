//go:build linux || darwin

package admin

import (
	"net"
	"path/filepath"
	"testing"
)

// A caller that goes away with an answer unread resets the connection. A read
// returns no bytes then, and an error: less than none makes net/http panic.
func TestReceiveFromACallerThatWentAway(t *testing.T) {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	caller, err := net.DialUnix("unix", nil, listener.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	served, err := listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = served.Close() }()
	if _, err := served.Write([]byte("an answer")); err != nil {
		t.Fatal(err)
	}
	if err := caller.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the reset, then the end of the stream
		if n, _, _, _ := receive(served, make([]byte, 16)); n != 0 {
			t.Errorf("%d bytes from nobody", n)
		}
	}
}

package process

import (
	"errors"
	"net"
	"testing"
)

// TestListenSaysWhy: an address that another has, and one of no machine here, are told apart.
func TestListenSaysWhy(t *testing.T) {
	ln, err := Listen("channel_door.listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = Listen("metrics.listen", ln.Addr().String())
	e, ok := errors.AsType[*ListenError](err)
	if !ok || !e.Taken() || e.Elsewhere() || e.Forbidden() || e.Setting != "metrics.listen" || e.Address != ln.Addr().String() {
		t.Errorf("a port that is taken: %#v", err)
	}
	_, err = Listen("metrics.listen", net.JoinHostPort("192.0.2.1", "0")) // of documents alone
	if e, ok = errors.AsType[*ListenError](err); !ok || !e.Elsewhere() || e.Taken() {
		t.Errorf("an address of no machine: %#v", err)
	}
	if _, err = Listen("metrics.listen", "127.0.0.1:99999"); err == nil {
		t.Error("listened at port 99999")
	}
}

package port

import (
	"net"
	"testing"
)

// TestTake: nobody gets what another has, a program may listen there, and what was let go
// is free.
func TestTake(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 200 {
		at, release, err := Take()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		if seen[at] {
			t.Fatalf("%s twice", at)
		}
		seen[at] = true
	}
	at, release, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	release()
	held, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatalf("after its release: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
}

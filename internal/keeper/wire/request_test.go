package wire

import (
	"context"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
)

// TestNumbersAreNeverUnderWayTwice: with a request, without one, and where the counted part
// of a number begins anew.
func TestNumbersAreNeverUnderWayTwice(t *testing.T) {
	id := liuma.RequestID{0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4}
	ctx := liuma.WithRequest(t.Context(), id)
	l := &line{next: 1<<lowBits - 3, calls: map[uint64]chan frame{requestNumber(id, 1<<lowBits-1): nil}}
	seen := map[uint64]bool{}
	for range 2 * maxCalls {
		for _, c := range []context.Context{ctx, t.Context()} {
			n := l.number(c)
			if _, taken := l.calls[n]; taken || n == 0 {
				t.Fatalf("number %x is taken", n)
			}
			l.calls[n] = nil
			seen[n] = true
		}
	}
	if len(seen) != 4*maxCalls {
		t.Errorf("%d numbers", len(seen))
	}
}

// TestTheKeeperFindsTheRequest: its logs have the beginning of the id that the door's have,
// and nothing where an authority only counts.
func TestTheKeeperFindsTheRequest(t *testing.T) {
	id := liuma.RequestID{0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4}
	if got := requestIn(requestNumber(id, 70_000)).String(); !strings.HasPrefix(id.String(), got[:12]) {
		t.Errorf("%s of %s", got, id)
	}
	if got := requestIn(requestNumber(liuma.RequestID{}, 7)).String(); got != "" {
		t.Errorf("%q without a request", got)
	}
}

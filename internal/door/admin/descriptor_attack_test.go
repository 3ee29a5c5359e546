//go:build linux || darwin

package admin_test

import (
	"bufio"
	"testing"

	"github.com/liuma-pin/liuma/internal/admin/admintest"
)

// A descriptor belongs to the request that it came with: one that came with a
// request that no route answers is not the next import's.
func TestDescriptorOfAnotherRequest(t *testing.T) {
	h := serve(t, admintest.New(t, admintest.Options{}))
	file := h.File(t, admintest.Sample(t, 700))
	conn := h.connected(t)
	from := bufio.NewReader(conn)
	write(t, conn, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", file)
	if status, last := answer(t, from); status != 404 {
		t.Fatal(status, last)
	}
	write(t, conn, importRequest)
	if status, last := answer(t, from); status != 400 {
		t.Errorf("an import without a descriptor: %d %s", status, last)
	}
	if got := h.People(t); got != 0 {
		t.Errorf("%d people", got)
	}
}

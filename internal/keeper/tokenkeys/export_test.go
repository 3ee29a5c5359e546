package tokenkeys

import (
	"testing"

	"github.com/liuma-pin/liuma/internal/keeper"
)

// IdentityOf is what a thief of keeper.json has of a custody.
func IdentityOf(t *testing.T, c keeper.Custody) (keeper.Identity, []byte) {
	t.Helper()
	own, ok := c.(custody)
	if !ok {
		t.Fatal("another custody")
	}
	return own.identity, own.identity.Public()
}

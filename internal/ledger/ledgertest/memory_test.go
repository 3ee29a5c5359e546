package ledgertest_test

import (
	"testing"

	"github.com/liuma-pin/liuma/internal/ledger/ledgertest"
)

// TestMemory runs the suite on a place that needs no disk.
func TestMemory(t *testing.T) {
	ledgertest.Run(t, func(testing.TB) ledgertest.Place { return ledgertest.NewMemory() })
}

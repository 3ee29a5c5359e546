//go:build linux

package failover

import (
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/liuma-pin/liuma/test/history"
)

// checkHistories checks what everybody was told.
func (h *house) checkHistories() (operations int) {
	h.t.Helper()
	for _, p := range h.all {
		ops := p.Operations()
		operations += len(ops)
		if result := history.Check(ops, 30*time.Second); result != porcupine.Ok {
			h.t.Errorf("card of %s: %s: %d acts fit no order", p.Facts.CardNo, result, len(ops))
			for _, line := range p.Lines() {
				h.t.Log(line)
			}
		}
	}
	return operations
}

func clockOf(t time.Time) string { return t.Format("15:04:05.000") }

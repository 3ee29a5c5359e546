//go:build linux

package faults

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/liuma-pin/liuma/test/history"
)

// checkHistories checks what everybody was told.
func (h *house) checkHistories(t *testing.T) (operations int) {
	t.Helper()
	for _, p := range h.all {
		p.mu.Lock()
		ops := p.ops
		p.mu.Unlock()
		if p.first != "" {
			ops = append([]porcupine.Operation{{Input: history.Act{Kind: history.Set, New: p.first}, Output: "right"}}, ops...)
		}
		operations += len(ops)
		if result := history.Check(ops, 20*time.Second); result != porcupine.Ok {
			t.Errorf("card of %s: %s: %d acts fit no order", p.facts.CardNo, result, len(ops))
			for _, op := range ops {
				t.Logf("device %d %d-%d %+v: %v", op.ClientId, op.Call, op.Return, op.Input, op.Output)
			}
		}
	}
	return operations
}

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
		var ops []porcupine.Operation
		for _, a := range p.acts {
			ops = append(ops, porcupine.Operation{ClientId: a.device, Input: history.Act{Kind: a.kind, Old: a.old, New: a.new}, Output: a.said, Call: a.began.UnixNano(), Return: a.ended.UnixNano()})
		}
		operations += len(ops)
		if result := history.Check(ops, 30*time.Second); result != porcupine.Ok {
			h.t.Errorf("card of %s: %s: %d acts fit no order", p.facts.CardNo, result, len(ops))
			for _, a := range p.acts {
				h.t.Logf("device %d %s-%s %s %s %q %q: %s %s, looked up: %v", a.device, clockOf(a.began), clockOf(a.ended), a.number, a.kind, a.old, a.new, a.said, a.code, a.looked)
			}
		}
	}
	return operations
}

func clockOf(t time.Time) string { return t.Format("15:04:05.000") }

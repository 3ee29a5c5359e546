package ledgertest

import (
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// world is the model's state of one card: the row that is surely on disk, and
// the settlements since, of which a crash keeps the first few.
type world struct {
	version, mark liuma.Version
	disk          ledger.Tally
	tail          []input
}

// tally is the tally that the next request meets.
func (w world) tally(settled int) ledger.Tally {
	t := w.disk
	for _, in := range w.tail[:settled] {
		t.Clear(in.s, in.reopen)
	}
	return t
}

// rules is the ledger's specification for one card. Several states are
// possible after a request without an answer and after a crash.
func rules() *porcupine.NondeterministicModel {
	return &porcupine.NondeterministicModel{
		Init: func() []any { return []any{world{}} },
		Step: func(state, in, out any) (next []any) {
			w, i, o := state.(world), in.(input), out.(output)
			switch i.action {
			case "crash":
				for n := range len(w.tail) + 1 {
					next = append(next, world{version: w.version, mark: w.mark, disk: w.tally(n)})
				}
			case "settle":
				if !o.unknown && i.version == w.version {
					w.tail = append(slices.Clone(w.tail), i)
				}
				next = append(next, w)
			default:
				after, answer := w.apply(i)
				if o.unknown {
					next = append(next, w)
				}
				if o.unknown && answer.refusal == (ledger.Refusal{}) || answer == o {
					next = append(next, after)
				}
			}
			return next
		},
		Equal: func(a, b any) bool {
			x, y := a.(world), b.(world)
			return x.version == y.version && x.mark == y.mark && x.disk == y.disk && slices.Equal(x.tail, y.tail)
		},
	}
}

// apply applies one request to the model, by the rules of docs/ARCHITECTURE.md
// ("Locks and lanes"). A write makes all settlements before it durable too.
func (w world) apply(in input) (world, output) {
	after := world{version: w.version, mark: w.mark, disk: w.tally(len(w.tail))}
	switch in.action {
	case "spend":
		if in.version != w.version {
			return w, output{refusal: ledger.Refusal{Reason: ledger.Stale, At: w.version}}
		}
		left, refusal := after.disk.Check(in.now, in.lane, in.reserve, ledger.NationalLimits())
		if refusal != nil {
			return w, output{refusal: *refusal}
		}
		s := after.disk.Spend(in.now, in.lane)
		return after, output{s: s, left: left - 1}
	case "propose":
		if in.version <= w.mark {
			return w, output{refusal: ledger.Refusal{Reason: ledger.VersionUsed, Mark: w.mark}}
		}
		after.mark = in.version
	case "commit":
		if in.version < w.version {
			return w, output{refusal: ledger.Refusal{Reason: ledger.Conflict, At: w.version}}
		}
		if in.version == w.version {
			return w, output{}
		}
		after.version, after.mark = in.version, max(w.mark, in.version)
		after.disk.Reset()
	}
	return after, output{}
}

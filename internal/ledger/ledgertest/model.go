package ledgertest

import (
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// world is the model's state of one card: the row that is certainly on disk,
// and the later settlements and heads, of which a crash keeps the first few.
type world struct {
	version, mark liuma.Version
	head          uint64
	disk          ledger.Tally
	tail          []input
}

// after returns the row that the next request sees if the first n entries of
// the tail are written.
func (w world) after(n int) world {
	out := world{version: w.version, mark: w.mark, head: w.head, disk: w.disk}
	for _, in := range w.tail[:n] {
		if in.action == "head" {
			out.head = max(out.head, in.head)
			continue
		}
		out.disk.Clear(in.s, in.reopen)
	}
	return out
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
					next = append(next, w.after(n))
				}
			case "settle", "head":
				if !o.unknown && (i.action == "head" && w.mark > 0 || i.action == "settle" && i.version == w.version) {
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
			return x.version == y.version && x.mark == y.mark && x.head == y.head && x.disk == y.disk && slices.Equal(x.tail, y.tail)
		},
	}
}

// apply applies one request to the model, by the rules of docs/ARCHITECTURE.md
// ("Locks and lanes"). A write makes all settlements before it durable too.
func (w world) apply(in input) (world, output) {
	after := w.after(len(w.tail))
	behind := output{refusal: ledger.Refusal{Reason: ledger.Behind, Head: after.head}}
	switch in.action {
	case "spend":
		if in.head < after.head {
			return w, behind
		}
		if in.version != w.version {
			return w, output{refusal: ledger.Refusal{Reason: ledger.Stale, At: w.version}}
		}
		left, refusal := after.disk.Check(in.now, in.lane, in.reserve, ledger.NationalLimits())
		if refusal != nil {
			return w, output{refusal: *refusal}
		}
		s := after.disk.Spend(in.now, in.lane)
		after.head = in.head
		return after, output{s: s, left: left - 1}
	case "propose":
		if in.head < after.head {
			return w, behind
		}
		if in.replaces != w.version {
			return w, output{refusal: ledger.Refusal{Reason: ledger.Conflict, At: w.version}}
		}
		if in.version <= w.mark {
			return w, output{refusal: ledger.Refusal{Reason: ledger.VersionUsed, Mark: w.mark}}
		}
		after.mark, after.head = in.version, in.head
	case "commit":
		if in.version == w.version {
			if in.head > after.head {
				after.head = in.head
				return after, output{}
			}
			return w, output{}
		}
		if in.head < after.head {
			return w, behind
		}
		if in.version < w.version || in.replaces != w.version {
			return w, output{refusal: ledger.Refusal{Reason: ledger.Conflict, At: w.version}}
		}
		after.version, after.mark, after.head = in.version, max(w.mark, in.version), in.head
		after.disk.Reset()
	}
	return after, output{}
}

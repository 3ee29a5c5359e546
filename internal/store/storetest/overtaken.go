package storetest

import (
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// requestsReset: what was refused may be overtaken by a reset, once; what was
// right may not.
func requestsReset(t *testing.T, s store.Store) {
	t.Helper()
	change := func(q store.Request) error {
		return update(t, s, func(tx store.Tx) error { return tx.UpdateRequest(q) })
	}
	for n, verdict := range map[int]liuma.Verdict{81: liuma.Locked, 82: liuma.Right} {
		q := request(n)
		mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertRequest(q) })
		q.Decided, q.Verdict, q.DecidedAt = true, verdict, at(8)
		must(t, change(q))
		reset := q
		reset.ResetAt = at(9)
		if verdict == liuma.Right {
			wantErr(t, change(reset), store.ErrDecided)
			continue
		}
		reset.Code = liuma.CodePINReset // the decision stays
		wantErr(t, change(reset), store.ErrDecided)
		reset.Code = ""
		must(t, change(reset))
		must(t, change(reset))
		same(t, mustGet(t, s, getRequest(q)), reset)
		reset.ResetAt = at(10)
		wantErr(t, change(reset), store.ErrDecided)
		wantErr(t, change(q), store.ErrDecided)
	}
}

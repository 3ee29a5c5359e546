package wire

import (
	"testing"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// BenchmarkCall is one attempt's way to a keeper and back over TLS on the loopback, both
// ends together; BenchmarkDirect is the same call without it. Their difference is the
// wire's.
func BenchmarkCall(b *testing.B) {
	k := &quiet{stub{forget: true}}
	c := serve(b, k, k).client("authority")
	bench(b, c)
}

func BenchmarkDirect(b *testing.B) { bench(b, &quiet{stub{forget: true}}) }

// quiet is a stub that notes nothing, so that memory does not grow.
type quiet struct{ stub }

func bench(b *testing.B, k keeper.Keeper) {
	point := somePoint(b)
	q := keeper.AttemptRequest{Header: header(), Version: 1, KeySet: 1, Blinded: point, Limits: ledger.NationalLimits()}
	if s, ok := k.(*quiet); ok {
		s.answer.Shares = []split.Share{{Subset: 3, Point: point}}
	}
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := k.Attempt(b.Context(), q); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

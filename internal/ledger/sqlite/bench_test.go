package sqlite_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/ledger/sqlite"
)

// BenchmarkSpend measures durable spends by 64 callers on 100,000 cards whose
// rows are in the database's cache but not in the ledger's.
func BenchmarkSpend(b *testing.B) {
	const cards = 100_000
	ctx := b.Context()
	backend, err := sqlite.Open(ctx, filepath.Join(b.TempDir(), "ledger.db"), sqlite.Config{})
	if err != nil {
		b.Fatal(err)
	}
	rows := make([]ledger.Row, cards)
	for i := range rows {
		card := liuma.NewCardID()
		rows[i] = ledger.Row{Card: card, Version: 1, Verifier: liuma.Verifier{1}, Mark: 1, Tag: ledger.Tag(append(card[:], card[:]...))}
	}
	meta, err := backend.Meta(ctx)
	if err != nil {
		b.Fatal(err)
	}
	if err := backend.Apply(ctx, rows, meta); err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(ctx, ledger.Config{Keeper: "k1", Backend: backend, Limits: ledger.NationalLimits()})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var next atomic.Uint64
	b.SetParallelism(32) // times GOMAXPROCS
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			card := rows[next.Add(7919)%cards].Card
			_, err := l.Spend(ctx, ledger.SpendRequest{Card: card, Version: 1, Sender: time.Now()})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "spends/s")
	b.ReportMetric(float64(b.N)/float64(max(l.Meta().Sequence, 1)), "spends/batch")
}

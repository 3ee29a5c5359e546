package ceremony_test

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// BenchmarkVerify is a right PIN without the door: envelope, count, check,
// verdict, receipt, on real files. Requests are sealed beforehand. cpu-us/op is the
// processor time of the whole process, which other work on the machine disturbs less
// than it does the time that a request takes.
func BenchmarkVerify(b *testing.B) {
	const people = 200
	env := testkit.New(b, testkit.Options{People: people})
	ch := env.Channel("zj-hrss")
	var cards []store.Handle
	for _, p := range env.People {
		cards = append(cards, env.Enroll(ch, p, goodPIN))
	}
	requests := make([]authority.Request, b.N)
	for i := range requests {
		requests[i] = env.VerifyRequest(ch, cards[i%len(cards)], goodPIN)
	}
	var next atomic.Int64
	b.SetParallelism(32)
	before := processorTime(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			q := requests[next.Add(1)-1]
			v, err := env.Authority().Verify(context.Background(), ch, q)
			if err != nil || v.Verdict != liuma.Right {
				b.Errorf("%+v, %v", v, err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

// processorTime is what this process has taken of the processors so far.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

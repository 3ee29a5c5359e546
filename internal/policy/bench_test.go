package policy

import "testing"

// BenchmarkFor is what looking up the policy of a card takes, as a verification does several
// times: in its region, and beside the one that was in force before.
func BenchmarkFor(b *testing.B) {
	l, err := NewLayers(National())
	if err != nil {
		b.Fatal(err)
	}
	r := NewRunning(l)
	b.ReportAllocs()
	for b.Loop() {
		if p := r.For("3305", "bank"); p.Stricter(r.For("33", "bank")).Limits.Attempts == 0 {
			b.Fatal("no limit")
		}
	}
}

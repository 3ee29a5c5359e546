package split

import (
	"crypto/rand"
	"testing"

	"github.com/liuma-pin/liuma"
)

func benchGuess(b *testing.B) *Guess {
	b.Helper()
	g, err := Blind([]byte("123456"), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	return g
}

func BenchmarkBlind(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		benchGuess(b).Wipe()
	}
}

func BenchmarkParsePoint(b *testing.B) {
	b.ReportAllocs()
	p := benchGuess(b).Blinded().Bytes()
	for b.Loop() {
		if _, err := ParsePoint(p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEvaluate measures a keeper's work for one subset.
func BenchmarkEvaluate(b *testing.B) {
	b.ReportAllocs()
	key, p := NewShareKey(), benchGuess(b).Blinded()
	for b.Loop() {
		k, err := Derive(key, Scope{KeySet: 1, Subset: 1, Card: liuma.CardID{1}, Version: 1})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := k.Evaluate(p); err != nil {
			b.Fatal(err)
		}
		k.Wipe()
	}
}

func BenchmarkFinalize(b *testing.B) {
	for _, shape := range shapes() {
		b.Run(shape.String(), func(b *testing.B) {
			b.ReportAllocs()
			g := benchGuess(b)
			var shares []Share
			for _, m := range shape.Subsets() {
				shares = append(shares, Share{m, somePoint(b)})
			}
			for b.Loop() {
				k, err := g.Finalize(shape, shares)
				if err != nil {
					b.Fatal(err)
				}
				k.Wipe()
			}
		})
	}
}

// BenchmarkCheck measures a whole check with t keepers, without counting.
func BenchmarkCheck(b *testing.B) {
	for _, shape := range shapes() {
		b.Run(shape.String(), func(b *testing.B) {
			b.ReportAllocs()
			q := newQuorum(shape)
			members := all(shape.N)[:shape.T]
			for b.Loop() {
				q.verifierOf(b, shape, members, liuma.CardID{1}, 1, "123456")
			}
		})
	}
}

//go:build pkcs11

package token_test

import (
	"crypto/rand"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/token/tokentest"
)

// BenchmarkShareKey compares a share key in SoftHSM with one in memory: the MAC alone,
// on one core and on all, and what a keeper of 2 of 3 does for a guess: derive two k_S,
// evaluate with each.
func BenchmarkShareKey(b *testing.B) {
	hsm := tokentest.New(b)
	hsm.Init("bench")
	tok := hsm.Open("bench")
	must(b, tok.NewShareKey("s"))
	must(b, tok.SealShareKey("s"))
	inToken, err := token.OpenShareKey(tok, "s")
	must(b, err)
	guess, err := split.Blind([]byte("835162"), rand.Reader)
	must(b, err)
	message := make([]byte, 64)
	for _, k := range []struct {
		name string
		key  split.ShareMAC
	}{{"memory", split.NewShareKey()}, {"softhsm", inToken}} {
		b.Run("mac/"+k.name, func(b *testing.B) {
			for b.Loop() {
				_, err := k.key.MAC(message)
				must(b, err)
			}
		})
		b.Run("macs/"+k.name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := k.key.MAC(message)
					must(b, err)
				}
			})
		})
		b.Run("guess/"+k.name, func(b *testing.B) {
			for b.Loop() {
				for _, m := range []split.Subset{3, 5} {
					scalar, err := split.Derive(k.key, split.Scope{KeySet: 1, Subset: m, Card: liuma.CardID{1}, Version: 1})
					must(b, err)
					_, err = scalar.Evaluate(guess.Blinded())
					must(b, err)
					scalar.Wipe()
				}
			}
		})
	}
}

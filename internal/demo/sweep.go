package demo

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	mathrand "math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/store"
)

// block is how many PINs a worker takes at a time.
const block = 500

// sweep tries PINs against a stolen verifier. For each PIN and each stolen key it
// makes the key pair that the card would have if its PIN were kept under that key,
// and compares the public half with the verifier. Without the share key a thief can
// compute nothing more. As a control, it also searches for the same PIN kept under
// the first stolen key, which a working sweep must find.
type sweep struct {
	loot     loot
	verifier liuma.Verifier
	pepper   liuma.Verifier // of the control
	first    int            // candidate that it starts with
	count    int

	next    atomic.Int64 // candidates handed out
	tried   atomic.Int64
	found   atomic.Int64 // 1 and the PIN that gives the verifier, or 0
	control atomic.Int64 // 1 and the PIN that gives the control, or 0
}

// newSweep prepares a sweep over count candidates. If these are not all, they are the
// PINs around the right one, so that the control is among them.
func newSweep(l loot, pin string, count int) *sweep {
	s := &sweep{loot: l, verifier: l.card.Verifier, count: count}
	g := s.guesser()
	g.digits(pin)
	s.pepper = g.pair(0)
	if n, err := strconv.Atoi(pin); err == nil && count < AllPINs {
		s.first = (n - count/2 + AllPINs) % AllPINs
	}
	return s
}

// guesser makes key pairs in one goroutine.
type guesser struct {
	macs    []hash.Hash // by stolen key
	message []byte      // card, version, PIN
}

func (s *sweep) guesser() *guesser {
	g := &guesser{}
	for _, key := range s.loot.keys {
		g.macs = append(g.macs, hmac.New(sha256.New, key))
	}
	g.message = append(g.message, s.loot.card.ID[:]...)
	g.message = binary.BigEndian.AppendUint32(g.message, uint32(s.loot.card.Version))
	g.message = append(g.message, "000000"...)
	return g
}

func (g *guesser) digits(pin string) { copy(g.message[len(g.message)-6:], pin) }

// pair is the public half of the key pair that a PIN has under a stolen key.
func (g *guesser) pair(key int) liuma.Verifier {
	mac := g.macs[key]
	mac.Reset()
	mac.Write(g.message)
	seed, err := hkdf.Key(sha256.New, mac.Sum(nil), nil, "liuma/1/verifier", ed25519.SeedSize)
	if err != nil {
		panic(fmt.Sprintf("hkdf of 32 bytes: %v", err)) // cannot fail for this length
	}
	return liuma.Verifier(ed25519.NewKeyFromSeed(seed)[ed25519.SeedSize:])
}

// run sweeps on every core, except for the password hash, which gets one core
// for the same time.
func (s *sweep) run(ctx context.Context, g *argonGuess, bar *progress.Bar) error {
	var all sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		all.Go(func() { s.work(ctx, bar) })
	}
	all.Go(func() {
		g.run(ctx)
		s.work(ctx, bar)
	})
	all.Wait()
	return ctx.Err()
}

// work takes blocks until there are none left.
func (s *sweep) work(ctx context.Context, bar *progress.Bar) {
	g := s.guesser()
	for ctx.Err() == nil {
		from := int(s.next.Add(block)) - block
		to := min(from+block, s.count)
		if from >= to {
			return
		}
		for i := from; i < to; i++ {
			s.try(g, (s.first+i)%AllPINs)
		}
		s.tried.Add(int64(to - from))
		bar.Add(int64(to - from))
	}
}

func (s *sweep) try(g *guesser, n int) {
	g.digits(fmt.Sprintf("%06d", n))
	for key := range g.macs {
		got := g.pair(key)
		if got == s.verifier {
			s.found.Store(int64(AllPINs + n))
		}
		if key == 0 && got == s.pepper {
			s.control.Store(int64(AllPINs + n))
		}
	}
}

// sample draws PINs with the right one among them.
func sample(right string, count int) []string {
	out := make([]string, count)
	for i := range out {
		out[i] = fmt.Sprintf("%06d", mathrand.IntN(AllPINs))
	}
	out[mathrand.IntN(count)] = right
	return out
}

// trySample puts PINs through the whole split check: blind, evaluate under the
// given share keys, finalize, compare. It returns the PIN that gives the card's
// verifier, if any, and the time that one try took on one core.
func trySample(ctx context.Context, card store.Card, shareKeys map[split.Subset][]byte, pins []string) (hit string, perTry time.Duration, err error) {
	var scalars []*split.Scalar
	for subset, raw := range shareKeys {
		key, err := split.ParseShareKey(raw)
		if err != nil {
			return "", 0, err
		}
		scalar, err := split.Derive(key, split.Scope{KeySet: card.KeySet, Subset: subset, Card: card.ID, Version: card.Version})
		if err != nil {
			return "", 0, err
		}
		scalars = append(scalars, scalar)
	}
	start := time.Now()
	for _, digits := range pins {
		if err := ctx.Err(); err != nil {
			return "", 0, err
		}
		got, err := tryOne(digits, scalars)
		if err != nil {
			return "", 0, err
		}
		if subtle.ConstantTimeCompare(got[:], card.Verifier[:]) == 1 {
			hit = digits
		}
	}
	return hit, time.Since(start) / time.Duration(len(pins)), nil
}

func tryOne(digits string, scalars []*split.Scalar) (liuma.Verifier, error) {
	g, err := split.Blind([]byte(digits), rand.Reader)
	if err != nil {
		return liuma.Verifier{}, err
	}
	defer g.Wipe()
	var shares []split.Share
	for _, k := range scalars {
		share, err := k.Evaluate(g.Blinded())
		if err != nil {
			return liuma.Verifier{}, err
		}
		shares = append(shares, share)
	}
	shape := split.Shape{T: 1, N: 1}
	if len(scalars) > 1 {
		shape = split.Shape{T: 2, N: 3}
	}
	key, err := g.Finalize(shape, shares)
	if err != nil {
		return liuma.Verifier{}, err
	}
	defer key.Wipe()
	return key.Verifier(), nil
}

// The cost of the hash (OWASP's first choice for Argon2id).
const (
	argonTime    = 2
	argonMemory  = 19 * 1024 // KiB
	argonThreads = 1
	argonSize    = 32
)

// argonGuess guesses at a PIN that is kept as an Argon2id hash, in order, in
// one goroutine. Read its results after run has returned.
type argonGuess struct {
	salt  [16]byte
	hash  []byte
	limit time.Duration
	tried int
	took  time.Duration
	found bool
}

func newArgonGuess(pin string, limit time.Duration) *argonGuess {
	g := &argonGuess{limit: limit}
	rand.Read(g.salt[:])
	g.hash = g.of(pin)
	return g
}

func (g *argonGuess) of(pin string) []byte {
	return argon2.IDKey([]byte(pin), g.salt[:], argonTime, argonMemory, argonThreads, argonSize)
}

func (g *argonGuess) run(ctx context.Context) {
	start := time.Now()
	for n := 0; n < AllPINs && time.Since(start) < g.limit && ctx.Err() == nil && !g.found; n++ {
		g.found = subtle.ConstantTimeCompare(g.of(fmt.Sprintf("%06d", n)), g.hash) == 1
		g.tried++
	}
	g.took = time.Since(start)
}

// rate is guesses a second on one core.
func (g *argonGuess) rate() float64 { return float64(g.tried) / g.took.Seconds() }

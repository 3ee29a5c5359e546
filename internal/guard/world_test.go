package guard

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
)

// world is a guard with a clock and a list of its alarms.
type world struct {
	*Guard
	mu     sync.Mutex
	now    time.Time
	alarms []Alarm
	keyErr error
}

// begin is in the middle of a short epoch and of a long one.
var begin = time.Unix(12*3600*41_000+5*3600+300, 0)

func testKey(span Span, epoch int64) (Key, error) {
	return sha256.Sum256(fmt.Append(nil, "a key for tests", span, epoch)), nil
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{now: begin}
	judge, err := pin.NewJudge(pin.NationalRules())
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Judge: judge,
		Now: w.Now,
		Key: func(s Span, n int64) (Key, error) {
			if w.keyErr != nil {
				return Key{}, w.keyErr
			}
			return testKey(s, n)
		},
		Alarm: func(a Alarm) { w.mu.Lock(); defer w.mu.Unlock(); w.alarms = append(w.alarms, a) },
	}
	for _, f := range change {
		f(&cfg)
	}
	if w.Guard, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Now is the time of the world.
func (w *world) Now() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *world) rung(k Kind) int {
	n := 0
	for _, a := range w.alarms {
		if a.Kind == k {
			n++
		}
	}
	return n
}

func value(t testing.TB, s string) pin.PIN {
	t.Helper()
	p, err := pin.Parse([]byte(s), true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func cardNo(n int) (c liuma.CardID) {
	binary.BigEndian.PutUint64(c[:], uint64(n)+1)
	return c
}

// target is a guess and the card that it is made at.
type target struct {
	Guess
	Card liuma.CardID
}

// guess is a stranger's, from the n-th address at the n-th card.
func guess(n int) target {
	return target{Card: cardNo(n), Guess: Guess{Channel: "app", Source: fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255), Lane: ledger.Stranger}}
}

// try makes a guess that comes to a verdict at once.
func (w *world) try(t testing.TB, p pin.PIN, q target, v liuma.Verdict) error {
	t.Helper()
	pass, err := w.Allow(p, q.Guess)
	pass.Saw(q.Card, v)
	return err
}

// random is the same in every run.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 6)) }

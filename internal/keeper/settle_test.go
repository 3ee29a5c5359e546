package keeper

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/split/pinkey"
)

// shown is what a settlement brings: a signature, or a proof within the process.
type shown struct {
	signature [64]byte
	proof     pinkey.Proof
}

// heard notes every proof that any keeper is sent, once for each signature.
type heard struct {
	mu     sync.Mutex
	proofs map[shown]ledger.Settlement // guarded by mu
}

func (h *heard) note(list []ledger.Settlement) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range list {
		if h.proofs == nil {
			h.proofs = map[shown]ledger.Settlement{}
		}
		h.proofs[shown{s.Signature, s.Proof}] = s
	}
}

func (h *heard) all() []ledger.Settlement {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.proofs))
}

// listen wraps a keeper so that h hears its proofs, also those that come with
// attempts.
func (h *heard) listen(_ int, k Keeper) Keeper {
	return &faulty{
		Keeper: k,
		attempt: func(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
			h.note(r.Settlements)
			return k.Attempt(ctx, r)
		},
		settle: func(ctx context.Context, hd Header, list []ledger.Settlement) (Answer, error) {
			h.note(list)
			return k.Settle(ctx, hd, list)
		},
	}
}

// keepersOf lists the keepers of a settlement, in its order.
func keepersOf(s ledger.Settlement) (out []string) {
	for _, spend := range s.Spends {
		out = append(out, spend.Keeper)
	}
	return out
}

// signatures lists the settlements that the fakes were sent, once for each
// signature.
func signatures(fakes []*fakeKeeper) []ledger.Settlement {
	var h heard
	for _, f := range fakes {
		h.note(f.noted().settled)
	}
	return h.all()
}

// TestOneSignatureCoversAllKeepers: where all have answered there is one
// settlement, in the order of their names whatever their numbers are, and every
// keeper gets it.
func TestOneSignatureCoversAllKeepers(t *testing.T) {
	for _, shape := range shapes() {
		t.Run(shape.String(), func(t *testing.T) {
			fakes := newFakes(t, shape)
			for i, f := range fakes { // the first member has the last name
				f.id = ID(fmt.Sprintf("keeper-%d", 9-i))
			}
			target := fakeTarget(t, fakes, good)
			for _, f := range fakes {
				f.forget()
			}
			synctest.Test(t, func(t *testing.T) {
				q, _ := fakeQuorum(t, fakes)
				defer q.Close()
				guess, err := split.Blind([]byte(good), q.random)
				if err != nil {
					t.Fatal(err)
				}
				a := &attempt{q: q, target: target, how: Guess{}, guess: guess, answers: make([]answered, len(q.members)), waiting: len(q.members)}
				if a.replies, err = ask(t.Context(), q, a.call); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // every keeper has answered
				out, err := a.run(t.Context())
				if err != nil || out.Verdict != liuma.Right || a.waiting != 0 {
					t.Fatalf("%+v, %v, and %d are waited for", out, err, a.waiting)
				}
				a.finish()
				synctest.Wait()
				got := signatures(fakes)
				if len(got) != 1 || len(got[0].Spends) != shape.N || got[0].Validate() != nil || got[0].KeySet != 1 {
					t.Fatalf("%d signatures, %+v", len(got), got)
				}
				for _, f := range fakes {
					if spends := f.spends(target.Verifier); len(spends) != 1 || spends[0] == 0 {
						t.Errorf("%s: spends %v settled", f.id, spends)
					}
				}
			})
		})
	}
}

// TestLateAnswerHasASettlementOfItsOwn: the keepers that gave the verdict do not
// wait for it, and are not told of it; answers that come late together share one.
func TestLateAnswerHasASettlementOfItsOwn(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 3, N: 5})
	target := fakeTarget(t, fakes, good)
	for _, f := range fakes {
		f.forget()
	}
	synctest.Test(t, func(t *testing.T) {
		fakes[1].does(script{before: after(2 * time.Second)})
		fakes[4].does(script{before: after(3 * time.Second)})
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		q.worksOn(target)
		want(t, attemptPIN(t, q, target, good), liuma.Right)
		synctest.Wait()
		if got := signatures(fakes); len(got) != 1 || !slices.Equal(keepersOf(got[0]), []string{"k1", "k3", "k4"}) {
			t.Fatalf("with the verdict: %+v", got)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		got := signatures(fakes)
		slices.SortFunc(got, func(x, y ledger.Settlement) int { return len(y.Spends) - len(x.Spends) })
		if len(got) != 3 || !slices.Equal(keepersOf(got[0]), []string{"k1", "k3", "k4"}) {
			t.Fatalf("%+v", got)
		}
		for i, f := range fakes {
			list := f.noted().settled
			if len(list) != 1 || len(f.spends(target.Verifier)) != 1 {
				t.Errorf("%s: %+v, want one proof with its own spend", f.id, list)
			}
			if late := i == 1 || i == 4; late != (len(list[0].Spends) == 1) {
				t.Errorf("%s: %v", f.id, keepersOf(list[0]))
			}
		}
	})
}

// TestNobodySignsAfterTheCallsEnd: a keeper that answers after the time of a call
// has no settlement, because the PIN's key is gone by then.
func TestNobodySignsAfterTheCallsEnd(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 2, N: 3})
	target := fakeTarget(t, fakes, good)
	fakes[1].forget()
	synctest.Test(t, func(t *testing.T) {
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		q.worksOn(target)
		fakes[1].does(script{before: func(context.Context) error { time.Sleep(time.Minute); return nil }})
		want(t, attemptPIN(t, q, target, good), liuma.Right)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := fakes[1].noted(); n.attempts != 1 || len(n.settled) != 0 || q.members[1].cardsWaiting() != 0 {
			t.Errorf("%+v", n)
		}
	})
}

// TestABadKeeperSpoilsNoProof: whatever one keeper of three says of its own
// spend or does with proofs, the other two take theirs: a holder who mistypes
// five times between right PINs is never locked.
func TestABadKeeperSpoilsNoProof(t *testing.T) {
	answers := func(change func(*AttemptAnswer)) func(Keeper) Keeper {
		return func(k Keeper) Keeper {
			return &faulty{Keeper: k, attempt: func(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
				a, err := k.Attempt(ctx, r)
				change(&a)
				return a, err
			}}
		}
	}
	settles := func(a Answer, err error) func(Keeper) Keeper {
		return func(k Keeper) Keeper {
			return &faulty{Keeper: k, settle: func(_ context.Context, h Header, _ []ledger.Settlement) (Answer, error) {
				a := a
				a.Sequence = h.Seen
				return a, err
			}}
		}
	}
	h := newHarness(t, split.Shape{T: 2, N: 3})
	first := h.nodes[0].ledger.Meta().Incarnation
	for name, does := range map[string]func(Keeper) Keeper{
		"an endless number":         answers(func(a *AttemptAnswer) { a.Spend = math.MaxUint64 }),
		"no number":                 answers(func(a *AttemptAnswer) { a.Spend = 0 }),
		"another's incarnation":     answers(func(a *AttemptAnswer) { a.Incarnation = first }),
		"wrong shares":              lie(nil),
		"refuses proofs":            settles(Answer{}, ledger.ErrSettlement),
		"hears no proofs":           settles(Answer{}, errDown),
		"takes proofs and does not": settles(Answer{}, nil),
		"dead":                      kill,
	} {
		t.Run(name, func(t *testing.T) {
			q := h.quorum(at(does, 2))
			target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
			for range 3 {
				for range 5 {
					out := attemptPIN(t, q, target, bad)
					want(t, out, liuma.Wrong)
					if name == "no number" && out.Evaluated != 2 {
						t.Fatalf("%+v: a spend without a number is an answer", out)
					}
				}
				want(t, attemptPIN(t, q, target, good), liuma.Right)
				eventually(t, "the others cleared", func() bool {
					return h.row(0, target.Card).Tally.Kept == 0 && h.row(2, target.Card).Tally.Kept == 0
				})
			}
		})
	}
}

// TestGivenUpAtOneKeeperAlone: where too many settlements wait for a keeper that
// takes none, the others get theirs; when it is well again, it gets what still
// waits.
func TestGivenUpAtOneKeeperAlone(t *testing.T) {
	fakes := newFakes(t, split.Shape{T: 2, N: 3})
	var targets []Target
	for range 3 {
		targets = append(targets, fakeTarget(t, fakes, good))
	}
	for _, f := range fakes {
		f.forget()
	}
	synctest.Test(t, func(t *testing.T) {
		q, _ := fakeQuorum(t, fakes)
		defer q.Close()
		q.maxPending = 2
		deaf := true
		fakes[1].does(script{deaf: func() bool { return deaf }})
		for _, target := range targets {
			q.worksOn(target)
			want(t, attemptPIN(t, q, target, good), liuma.Right)
			synctest.Wait()
		}
		if n := q.members[1].cardsWaiting(); n != 2 {
			t.Errorf("%d cards wait for the deaf keeper, want 2", n)
		}
		for _, i := range []int{0, 2} {
			if n := len(fakes[i].noted().settled); n != 3 || q.members[i].cardsWaiting() != 0 {
				t.Errorf("%s got %d of 3", fakes[i].id, n)
			}
		}
		time.Sleep(10 * time.Second)
		fakes[1].mu.Lock()
		deaf = false
		fakes[1].mu.Unlock()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := len(fakes[1].noted().settled); n != 2 || q.members[1].cardsWaiting() != 0 {
			t.Errorf("the keeper that is well again got %d of 2", n)
		}
	})
}

// TestRestoredKeeperDropsOnlyItsOwnPart: a settlement that waits while one keeper
// is restored is void there and good at the others.
func TestRestoredKeeperDropsOnlyItsOwnPart(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	var mu sync.Mutex
	holding := true
	q := h.quorumWith(QuorumConfig{Timing: Timing{Resend: 10 * time.Millisecond}}, func(_ int, k Keeper) Keeper {
		return &faulty{Keeper: k, settle: func(ctx context.Context, hd Header, list []ledger.Settlement) (Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			if holding {
				return Answer{}, errDown
			}
			return k.Settle(ctx, hd, list)
		}}
	})
	target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
	want(t, attemptPIN(t, q, target, good), liuma.Right)
	eventually(t, "a proof waits for every keeper", func() bool {
		return !slices.ContainsFunc(q.members, func(m *member) bool { return m.cardsWaiting() == 0 })
	})
	if _, err := h.nodes[1].ledger.Readmit(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	holding = false
	mu.Unlock()
	eventually(t, "nothing waits", func() bool {
		return !slices.ContainsFunc(q.members, func(m *member) bool { return m.cardsWaiting() != 0 })
	})
	for range 2 { // a write takes the proofs along
		want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	}
	for i, kept := range []int{2, 3, 2} {
		if row := h.row(i, target.Card); row.Tally.Kept != kept {
			t.Errorf("k%d: %d uncleared, want %d", i+1, row.Tally.Kept, kept)
		}
	}
}

// remoteLike is a keeper whose answers do not say that it is in this process, as those
// that came over a wire.
func remoteLike(k Keeper) Keeper {
	return &faulty{Keeper: k, attempt: func(ctx context.Context, r AttemptRequest) (AttemptAnswer, error) {
		a, err := k.Attempt(ctx, r)
		a.here = false
		return a, err
	}}
}

// TestProofWithinTheProcessAlone: the proof without a signature is for keepers that are all
// in this process. Where one is not, each gets the signature.
func TestProofWithinTheProcessAlone(t *testing.T) {
	for name, c := range map[string]struct {
		away int // so many of the keepers are on other machines
		sign bool
	}{"all here": {0, false}, "one away": {1, true}, "all away": {3, true}} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, split.Shape{T: 2, N: 3})
			target := set(t, h.quorum(), liuma.NewCardID(), 1, good)
			var sent heard
			q := h.quorum(func(i int, k Keeper) Keeper {
				if i < c.away {
					k = remoteLike(k)
				}
				// All are heard of at once, so that one settlement covers them.
				return sent.listen(i, k)
			})
			want(t, attemptPIN(t, q, target, good), liuma.Right)
			h.settledAll(target.Card)
			signed, proven := 0, 0
			for _, s := range sent.all() {
				message := ledger.SettlementMessage(s)
				if ed25519.Verify(target.Verifier[:], message, s.Signature[:]) {
					signed++
				}
				if s.Proof.Proves(target.Verifier, message) {
					proven++
				}
				for _, spend := range s.Spends {
					if number := int(spend.Keeper[len(spend.Keeper)-1] - '0'); number <= c.away && s.Signature == ([64]byte{}) {
						t.Errorf("%s is elsewhere, and was sent no signature", spend.Keeper)
					}
				}
			}
			if signed+proven != len(sent.all()) || signed > 0 != c.sign {
				t.Errorf("%d signatures and %d proofs of %d", signed, proven, len(sent.all()))
			}
		})
	}
}

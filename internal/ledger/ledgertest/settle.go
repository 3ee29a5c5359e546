package ledgertest

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/ledger"
)

// forgeries are changes of a proof after which it must clear nothing. Each forgery that
// is signed is signed with the right PIN's key, so only the ledger's own rules can
// refuse it.
func (r *rig) forgeries(h, other *holder) map[string]func(ledger.Settlement) ledger.Settlement {
	type (
		proof  = ledger.Settlement
		spends = []ledger.SettledSpend
	)
	spend := func(change func(*ledger.SettledSpend)) func(proof) proof {
		return func(p proof) proof {
			return changed(p, func(l spends) spends { change(&l[ownPart]); return l })
		}
	}
	signed := func(change func(proof) proof) func(proof) proof {
		return func(p proof) proof { return sign(h, change(p)) }
	}
	list := func(change func(spends) spends) func(proof) proof {
		return signed(func(p proof) proof { return changed(p, change) })
	}
	with := func(change func(*proof)) func(proof) proof {
		return func(p proof) proof { change(&p); return p }
	}
	return map[string]func(proof) proof{
		"no signature":                with(func(p *proof) { p.Signature = [64]byte{} }),
		"signature changed":           with(func(p *proof) { p.Signature[5] ^= 1 }),
		"number changed":              spend(func(s *ledger.SettledSpend) { s.S++ }),
		"reopen added":                with(func(p *proof) { p.Reopen = true }),
		"another key":                 with(func(p *proof) { *p = sign(other, *p) }),
		"card changed":                with(func(p *proof) { p.Card = other.card }),
		"another keeper":              list(func(l spends) spends { return slices.Delete(l, ownPart, ownPart+1) }),
		"another incarnation":         signed(spend(func(s *ledger.SettledSpend) { s.Incarnation[0] ^= 1 })),
		"incarnation changed":         spend(func(s *ledger.SettledSpend) { s.Incarnation[0] ^= 1 }),
		"a version that never was":    signed(with(func(p *proof) { p.Version = 2 })),
		"no version":                  signed(with(func(p *proof) { p.Version = 0 })),
		"a number that never was":     signed(spend(func(s *ledger.SettledSpend) { s.S = 5 })),
		"no number":                   signed(spend(func(s *ledger.SettledSpend) { s.S = 0 })),
		"an unknown card":             func(p proof) proof { x := newHolder(r.t); p.Card = x.card; return sign(x, p) },
		"a keeper's name cut in two":  signed(spend(func(s *ledger.SettledSpend) { s.Keeper = "k" })),
		"everything, by another card": func(proof) proof { return r.proof(other, 99, true) },
		"another key set":             signed(with(func(p *proof) { p.KeySet = 2 })),
		"key set changed":             with(func(p *proof) { p.KeySet = 2 }),
		"another suite": func(p proof) proof {
			m := bytes.Replace(ledger.SettlementMessage(p), []byte("nist"), []byte("fine"), 1)
			p.Signature = [64]byte(ed25519.Sign(h.key, m))
			return p
		},
		"a proof by another key":         func(p proof) proof { return prove(other, p) },
		"a proof of another number":      func(p proof) proof { return changed(prove(h, p), func(l spends) spends { l[ownPart].S++; return l }) },
		"a proof, and then reopened":     func(p proof) proof { p = prove(h, p); p.Reopen = true; return p },
		"a proof of another card's PIN":  func(p proof) proof { p = prove(other, p); p.Card = h.card; return p },
		"a proof of another incarnation": func(p proof) proof { return prove(h, spend(func(s *ledger.SettledSpend) { s.Incarnation[0] ^= 1 })(p)) },
		"no spends":                      list(func(spends) spends { return nil }),
		"another's part changed":         func(p proof) proof { return changed(p, func(l spends) spends { l[0].S--; return l }) },
		"another's part taken away":      func(p proof) proof { return changed(p, func(l spends) spends { return l[ownPart:] }) },
		"another's part added": func(p proof) proof {
			return changed(p, func(l spends) spends { return append(l, ledger.SettledSpend{Keeper: "k3", S: 1}) })
		},
		"not in order":            list(func(l spends) spends { l[0], l[2] = l[2], l[0]; return l }),
		"own part twice":          list(func(l spends) spends { return slices.Insert(l, ownPart, l[ownPart]) }),
		"own part twice, of two":  list(func(l spends) spends { l = slices.Insert(l, ownPart, l[ownPart]); l[ownPart].S = 2; return l }),
		"another's part twice":    list(func(l spends) spends { return append(l, l[2]) }),
		"a part without a name":   list(func(l spends) spends { l[0].Keeper = ""; return l }),
		"a name that is too long": list(func(l spends) spends { l[2].Keeper = "k" + strings.Repeat("2", ledger.MaxKeeperName); return l }),
		"more than the largest quorum": list(func(l spends) spends {
			return append(l, ledger.SettledSpend{Keeper: "k3"}, ledger.SettledSpend{Keeper: "k4"}, ledger.SettledSpend{Keeper: "k5"})
		}),
	}
}

// OnlyProofsSettle is the part of I-2 about signatures. A settlement clears nothing if
// it is forged, changed, replayed, without a spend of this keeper and incarnation, with
// its spends out of order, or meant for another key set, card or version.
func OnlyProofsSettle(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h, other := r.enroll(), r.enroll()
	first := r.spend(h, ledger.Known, 2)
	for range 3 {
		r.spend(h, ledger.Stranger, 2)
		r.spend(other, ledger.Known, 2)
	}
	good := r.proof(h, first.S(), false)
	before := r.row(h)
	for name, forge := range r.forgeries(h, other) {
		if err := r.settle(forge(good)); !errors.Is(err, ledger.ErrSettlement) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.reopen() // queued settlements are on disk now
	if row := r.row(h); row != before {
		t.Fatalf("a proof that does not hold changed %+v, was %+v", row, before)
	}
	bad := good
	bad.Version++
	if err := r.settle(bad, good); !errors.Is(err, ledger.ErrSettlement) {
		t.Errorf("one good and one bad proof: %v", err)
	}
	r.reopen()
	if row := r.row(h); row.Tally.Cleared != [2]uint64{0, first.S()} || row.Tally.Failures != [2]uint32{3, 0} {
		t.Errorf("the good proof was not taken: %+v", row.Tally)
	}
}

// ProofsOfManyKeepers: a ledger takes its own spend from a settlement, wherever it
// stands in the list and whatever the other spends are, so that no keeper can spoil the
// proof for another.
func ProofsOfManyKeepers(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	type spends = []ledger.SettledSpend
	for name, change := range map[string]func(spends) spends{
		"alone": func(l spends) spends { return l[ownPart : ownPart+1] },
		"first": func(l spends) spends { return l[ownPart:] },
		"last":  func(l spends) spends { return l[:ownPart+1] },
		"of five": func(l spends) spends {
			return append(l, ledger.SettledSpend{Keeper: "k3", S: 1}, ledger.SettledSpend{Keeper: "k4", S: 2})
		},
		"others with endless counts": func(l spends) spends { l[0].S, l[2].S = math.MaxUint64, math.MaxUint64; return l },
		"others that counted none":   func(l spends) spends { l[0].S, l[2].S = 0, 0; return l },
		"others of no incarnation":   func(l spends) spends { l[0].Incarnation, l[2].Incarnation = [16]byte{}, [16]byte{}; return l },
		"others of this incarnation": func(l spends) spends {
			l[0].Incarnation, l[2].Incarnation = l[ownPart].Incarnation, l[ownPart].Incarnation
			return l
		},
	} {
		h := r.enroll()
		for range 2 {
			r.spend(h, ledger.Stranger, 0)
		}
		r.spend(h, ledger.Stranger, 0)
		if err := r.settle(sign(h, changed(r.proof(h, 2, false), change))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r.spend(h, ledger.Stranger, 0) // writes the proof
		if tally := r.row(h).Tally; tally.Cleared[ledger.Stranger] != 2 || tally.Kept != 2 || tally.Spent != 4 {
			t.Errorf("%s: %+v after a proof of 2 of 4", name, tally)
		}
	}
}

// ProofWithinTheProcess: a proof by the PIN's key within the process counts as much as its
// signature, and clears no more.
func ProofWithinTheProcess(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	for range 3 {
		r.spend(h, ledger.Stranger, 0)
	}
	if err := r.settle(prove(h, r.proof(h, 2, false))); err != nil {
		t.Fatal(err)
	}
	r.spend(h, ledger.Stranger, 0) // writes the proof
	if tally := r.row(h).Tally; tally.Cleared[ledger.Stranger] != 2 || tally.Kept != 2 || tally.Spent != 4 {
		t.Errorf("%+v after a proof of 2 of 4", tally)
	}
}

// SettlementClearsNothingLater: a proof clears its own guess and earlier ones, however
// often and however late it comes.
func SettlementClearsNothingLater(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	r.spend(h, ledger.Stranger, 0)
	own := r.spend(h, ledger.Stranger, 0)
	proof := r.proof(h, own.S(), true)
	for range 3 {
		r.spend(h, ledger.Stranger, 0)
	}
	for range 3 { // replays
		if err := r.settle(proof); err != nil {
			t.Fatal(err)
		}
		r.reopen()
		tally := r.row(h).Tally
		if tally.Cleared != [2]uint64{2, 2} || tally.Failures[0] != uint32(tally.Spent-2) || tally.Recent[0].S != 3 {
			t.Fatalf("after a proof of 2: %+v", tally)
		}
		if tally.Spent < 6 {
			r.spend(h, ledger.Stranger, 0)
		}
	}
	r.spend(h, ledger.Stranger, 0)
	r.spend(h, ledger.Stranger, 0)
	if err := r.settle(proof); err != nil {
		t.Fatal(err)
	}
	_, err := r.try(h, ledger.Stranger, 0)
	r.wantRefused(err, ledger.Locked)

	old := r.proof(h, 8, true)
	next := newHolder(t)
	next.card, next.version = h.card, 2
	r.commitOver(next, 1)
	for range 6 {
		r.spend(next, ledger.Stranger, 0)
	}
	if err := r.settle(old, proof); err != nil {
		t.Errorf("a proof of an older version: %v", err)
	}
	_, err = r.try(next, ledger.Stranger, 0)
	r.wantRefused(err, ledger.Locked)
}

// SettlementsRideAlong: the next guess sees a settlement at once and shares a write
// with it. If no guess comes, the settlement is written all the same.
func SettlementsRideAlong(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := r.enroll()
	_, before := r.fault.Calls()
	const rounds = 50
	for i := range rounds {
		var last *ledger.Spent
		for range 6 {
			last = r.spend(h, ledger.Stranger, 0)
		}
		if err := r.settle(r.proof(h, last.S(), false)); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	if _, after := r.fault.Calls(); after-before > 7*rounds {
		t.Errorf("%d writes for %d guesses", after-before, 6*rounds)
	}
	for deadline := time.Now().Add(10 * time.Second); r.row(h).Tally.Cleared[0] != 6*rounds; {
		if time.Now().After(deadline) {
			t.Fatal("a settlement alone is never written")
		}
		time.Sleep(time.Millisecond)
	}
	// Many settlements at once, of many cards: the next guess on each card sees its
	// own.
	var group sync.WaitGroup
	for range 16 {
		h := r.enroll()
		group.Go(func() {
			for range 20 {
				var last *ledger.Spent
				for range 6 {
					var err error
					if last, err = r.try(h, ledger.Stranger, 0); err != nil {
						t.Error(err)
						return
					}
				}
				if err := r.settle(r.proof(h, last.S(), false)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

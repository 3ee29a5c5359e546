// Package ledgertest is the conformance suite that every ledger.Backend must
// pass, including the ledger's own rules run on top of the backend. It also has
// a backend in memory for the tests of other packages. It guarantees that a
// backend which passes loses no counted guess and frees none, not even across
// errors and crashes. It trusts the Place under test to copy the state that a
// crash would leave.
//
// The rules that it holds a ledger to are in docs/ARCHITECTURE.md ("Locks and
// lanes") and docs/ARCHITECTURE.md ("Rollback and time").
//
// Start here: Run.
package ledgertest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split/pinkey"
)

// Place is where one ledger is stored.
type Place interface {
	// Open opens the backend, and creates it the first time. It returns
	// ledger.ErrLeased while an earlier one is open.
	Open(ctx context.Context) (ledger.Backend, error)
	// Crashed returns a copy of the place as a crash at this moment would leave
	// it, while the backend is open and no Apply runs. The original is not
	// touched.
	Crashed(t testing.TB) Place
}

// Run runs the whole suite, each part on new places.
func Run(t *testing.T, place func(testing.TB) Place) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, func(testing.TB) Place)
	}{
		{"Backend", BackendKeepsItsContract},
		{"Rules", RulesHold},
		{"Clock", ClockMayNotJump},
		{"ClockAheadAndBack", ClockAheadAndBack},
		{"TimeAcrossStarts", TimeAcrossStarts},
		{"AcceptedTime", AcceptedTime},
		{"TimeIsNoProgress", TimeIsNoProgress},
		{"SpentOnlyAfterDurable", SpentOnlyAfterDurable},
		{"FaultsNeverFreeAGuess", FaultsNeverFreeAGuess},
		{"FullDiskCountsNothing", FullDiskCountsNothing},
		{"FullDiskKeepsProofs", FullDiskKeepsProofs},
		{"RefusalsWriteNothing", RefusalsWriteNothing},
		{"OneBatchCountsACardTwice", OneBatchCountsACardTwice},
		{"ThousandParallelGuesses", ThousandParallelGuesses},
		{"SixtyHostileDays", SixtyHostileDays},
		{"ProposeOncePerVersion", ProposeOncePerVersion},
		{"CommitIsWholeAndOnce", CommitIsWholeAndOnce},
		{"ReplacesIsCompared", ReplacesIsCompared},
		{"HeadsOnlyRise", HeadsOnlyRise},
		{"HeadsRideAlong", HeadsRideAlong},
		{"HeadsDoNotLeap", HeadsDoNotLeap},
		{"OneCardATag", OneCardATag},
		{"RetagMovesATag", RetagMovesATag},
		{"RetireIsReversible", RetireIsReversible},
		{"OnlyProofsSettle", OnlyProofsSettle},
		{"ProofsOfManyKeepers", ProofsOfManyKeepers},
		{"ProofWithinTheProcess", ProofWithinTheProcess},
		{"SettlementClearsNothingLater", SettlementClearsNothingLater},
		{"SettlementsRideAlong", SettlementsRideAlong},
		{"RolledBackStopsServing", RolledBackStopsServing},
		{"RepairVoidsOldProofs", RepairVoidsOldProofs},
		{"MergeNeverFreesAGuess", MergeNeverFreesAGuess},
		{"MergeKeepsNumbersRising", MergeKeepsNumbersRising},
		{"RepairCutOffStaysStopped", RepairCutOffStaysStopped},
		{"LedgerHasAnOwner", LedgerHasAnOwner},
		{"CloseDrains", CloseDrains},
		{"CancelledCallersAreCounted", CancelledCallersAreCounted},
		{"Histories", HistoriesAreLinearizable},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, place) })
	}
}

// Clock is a machine whose clocks tests set. It is safe for concurrent use.
type Clock struct {
	mu   sync.Mutex
	now  time.Time     // guarded by mu
	boot time.Duration // guarded by mu
	// starts counts the machine's starts; guarded by mu.
	starts int
}

// NewClock starts a clock at a fixed time.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)} }

// Now reads the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Read implements clock.Machine.
func (c *Clock) Read() clock.Reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clock.Reading{Wall: c.now, Boot: c.boot, BootID: fmt.Sprint("start ", c.starts)}
}

// Move lets time pass. A negative d sets the wall clock back.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.boot += max(0, d)
}

// Step sets the wall clock and lets no time pass.
func (c *Clock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Reboot starts the machine anew after it was off for a time.
func (c *Clock) Reboot(off time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.boot = c.now.Add(off), 0
	c.starts++
}

// holder is a card and the key of its PIN.
type holder struct {
	card    liuma.CardID
	version liuma.Version
	key     ed25519.PrivateKey
	head    uint64
}

func newHolder(t testing.TB) *holder {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &holder{card: liuma.NewCardID(), version: 1, key: key}
}

func (h *holder) verifier() liuma.Verifier {
	return liuma.Verifier(h.key.Public().(ed25519.PublicKey))
}

func (h *holder) commitment() ledger.Commitment {
	return ledger.Commitment{Card: h.card, Version: h.version, KeySet: 1, Verifier: h.verifier(), Tag: h.tag()}
}

// tag is a tag that only this card has.
func (h *holder) tag() (tag ledger.Tag) {
	copy(tag[:], h.card[:])
	return tag
}

// rig is a ledger on a place, with a clock and a backend that can fail.
type rig struct {
	t      testing.TB
	place  Place
	clock  *Clock
	fault  *Fault
	ledger *ledger.Ledger
}

const keeperName = "k1"

func newRig(t testing.TB, place Place) *rig {
	t.Helper()
	r := &rig{t: t, place: place, clock: NewClock()}
	r.open()
	t.Cleanup(func() { r.ledger.Close() }) // some tests poison the ledger and check its error themselves
	return r
}

func (r *rig) open() {
	r.t.Helper()
	backend, err := r.place.Open(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	r.fault = &Fault{Backend: backend}
	r.ledger, err = ledger.Open(r.t.Context(), ledger.Config{
		Keeper: keeperName, Backend: r.fault, Limits: ledger.NationalLimits(), Machine: r.clock,
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// reopen closes the ledger and opens it again.
func (r *rig) reopen() {
	r.t.Helper()
	if err := r.ledger.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.open()
}

// crash opens the ledger as a crash at this moment would leave it.
func (r *rig) crash() {
	r.t.Helper()
	copied := r.place.Crashed(r.t)
	if err := r.ledger.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.place = copied
	r.open()
}

func (r *rig) enroll() *holder {
	r.t.Helper()
	h := newHolder(r.t)
	r.commit(h)
	return h
}

func (r *rig) commit(h *holder) {
	r.t.Helper()
	r.commitOver(h, 0)
}

func (r *rig) commitOver(h *holder, replaces liuma.Version) {
	r.t.Helper()
	c := h.commitment()
	c.Replaces = replaces
	if _, err := r.ledger.Commit(r.t.Context(), ledger.CommitRequest{Commitment: c, Head: h.head, Sender: r.clock.Now()}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) request(h *holder, lane ledger.Lane, reserve int) ledger.SpendRequest {
	return ledger.SpendRequest{Card: h.card, Head: h.head, Version: h.version, Lane: lane, Reserve: reserve, Sender: r.clock.Now()}
}

func (r *rig) try(h *holder, lane ledger.Lane, reserve int) (*ledger.Spent, error) {
	return r.ledger.Spend(r.t.Context(), r.request(h, lane, reserve))
}

func (r *rig) spend(h *holder, lane ledger.Lane, reserve int) *ledger.Spent {
	r.t.Helper()
	s, err := r.try(h, lane, reserve)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// proof returns the settlement that the right PIN signs for spend s of this
// keeper and for other spend numbers of two other keepers, as in a quorum of
// three.
func (r *rig) proof(h *holder, s uint64, reopen bool) ledger.Settlement {
	p := ledger.Settlement{Card: h.card, Version: h.version, KeySet: 1, Reopen: reopen, Spends: []ledger.SettledSpend{
		{Keeper: "k0", Incarnation: [16]byte{1}, S: s + 3},
		{Keeper: keeperName, Incarnation: r.ledger.Meta().Incarnation, S: s},
		{Keeper: "k2", Incarnation: [16]byte{2}, S: s + 1},
	}}
	return sign(h, p)
}

// ownPart is the index of this keeper's spend in a proof.
const ownPart = 1

// changed is a copy of the proof with some of its spends changed.
func changed(p ledger.Settlement, change func([]ledger.SettledSpend) []ledger.SettledSpend) ledger.Settlement {
	p.Spends = change(slices.Clone(p.Spends))
	return p
}

func sign(h *holder, p ledger.Settlement) ledger.Settlement {
	p.Signature = [64]byte(ed25519.Sign(h.key, ledger.SettlementMessage(p)))
	return p
}

// prove replaces the signature by a proof within the process.
func prove(h *holder, p ledger.Settlement) ledger.Settlement {
	p.Signature = [64]byte{}
	p.Proof = pinkey.New(h.key.Seed()).Prove(ledger.SettlementMessage(p))
	return p
}

func (r *rig) settle(p ...ledger.Settlement) error {
	return r.ledger.Settle(r.t.Context(), ledger.SettleRequest{Settlements: p, Sender: r.clock.Now()})
}

func (r *rig) row(h *holder) ledger.Row {
	r.t.Helper()
	row, err := r.ledger.Row(r.t.Context(), h.card)
	if err != nil {
		r.t.Fatal(err)
	}
	return row
}

// refused returns the reason of a refusal, or an empty one.
func refused(err error) ledger.Reason {
	if r, ok := errors.AsType[*ledger.Refusal](err); ok {
		return r.Reason
	}
	return ""
}

func (r *rig) wantRefused(err error, want ledger.Reason) {
	r.t.Helper()
	if refused(err) != want {
		r.t.Fatalf("got %v, want refusal %q", err, want)
	}
}

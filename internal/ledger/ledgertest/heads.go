package ledgertest

import (
	"errors"
	"math"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

func (r *rig) head(heads ...ledger.Head) error {
	_, err := r.ledger.Head(r.t.Context(), ledger.HeadRequest{Heads: heads, Sender: r.clock.Now()})
	return err
}

// wantBehind wants a refusal because the request's head is too low; the refusal names
// the ledger's head.
func (r *rig) wantBehind(err error, head uint64) {
	r.t.Helper()
	refusal, ok := errors.AsType[*ledger.Refusal](err)
	if !ok || *refusal != (ledger.Refusal{Reason: ledger.Behind, Head: head}) {
		r.t.Fatalf("got %+v, %v, want behind at %d", refusal, err, head)
	}
}

// HeadsOnlyRise checks the ledger's part of I-13: guess, proposal and commit
// each store their head with their own write, and a request with a lower one is
// refused with nothing spent, marked or written.
func HeadsOnlyRise(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := newHolder(t)
	steps := []func() error{
		func() error { _, err := r.propose(h, 0, 1); return err },
		func() error {
			_, err := r.ledger.Commit(t.Context(), ledger.CommitRequest{Commitment: h.commitment(), Head: h.head, Sender: r.clock.Now()})
			return err
		},
		func() error { _, err := r.try(h, ledger.Stranger, 0); return err },
		func() error { _, err := r.propose(h, 1, 2); return err },
	}
	for i, step := range steps {
		h.head = uint64(10 * (i + 1))
		if err := step(); err != nil {
			t.Fatal(err)
		}
		r.crash() // the head is as durable as the answer
		if got := r.row(h).Head; got != h.head {
			t.Fatalf("step %d: head %d, want %d", i, got, h.head)
		}
	}
	next := newHolder(t)
	next.card, next.version, next.head = h.card, 3, 39
	over := next.commitment()
	over.Replaces = 1
	row, meta, calls := r.row(h), r.ledger.Meta(), r.calls()
	h.head = 39
	_, err := r.try(h, ledger.Stranger, 0)
	r.wantBehind(err, 40)
	_, err = r.propose(h, 1, 3)
	r.wantBehind(err, 40)
	_, err = r.ledger.Commit(t.Context(), ledger.CommitRequest{Commitment: over, Head: 39, Sender: r.clock.Now()})
	r.wantBehind(err, 40)
	_, err = r.ledger.Retag(t.Context(), ledger.RetagRequest{Card: h.card, Head: 39, Old: h.tag(), New: ledger.Tag{1}, Sender: r.clock.Now()})
	r.wantBehind(err, 40)
	if _, applied := r.fault.Calls(); applied > calls || r.row(h) != row || r.ledger.Meta() != meta {
		t.Errorf("a request from an older row changed %+v into %+v", row, r.row(h))
	}
	h.head = 40 // the same head serves again
	r.spend(h, ledger.Stranger, 0)
	r.commit(h)
	for what, err := range map[string]error{
		"spend": func() error {
			req := r.request(h, ledger.Stranger, 0)
			req.Head = math.MaxInt64 + 1
			_, err := r.ledger.Spend(t.Context(), req)
			return err
		}(),
		"head":           r.head(ledger.Head{Card: h.card, Head: math.MaxInt64 + 1}),
		"head of nobody": r.head(ledger.Head{Head: 1}),
	} {
		if !errors.Is(err, ledger.ErrRequest) {
			t.Errorf("%s above every head: %v", what, err)
		}
	}
}

// HeadsRideAlong: the next request sees a new head at once. Head never lowers a head,
// makes no rows for unknown cards, and its heads are on disk after the next write.
func HeadsRideAlong(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h, other, nobody := r.enroll(), r.enroll(), newHolder(t)
	if err := r.head(ledger.Head{Card: h.card, Head: 7}, ledger.Head{Card: nobody.card, Head: 7}, ledger.Head{Card: h.card, Head: 5}); err != nil {
		t.Fatal(err)
	}
	_, err := r.try(h, ledger.Stranger, 0)
	r.wantBehind(err, 7)
	r.spend(other, ledger.Stranger, 0) // writes the waiting heads to disk
	r.crash()
	_, err = r.try(h, ledger.Stranger, 0)
	r.wantBehind(err, 7)
	behind, err := r.ledger.Head(t.Context(), ledger.HeadRequest{
		Heads: []ledger.Head{{Card: h.card, Head: 6}, {Card: other.card, Head: 1}, {Card: h.card, Head: 7}}, Sender: r.clock.Now(),
	})
	if want := (ledger.Head{Card: h.card, Head: 7}); err != nil || len(behind) != 1 || behind[0] != want {
		t.Errorf("behind: %+v, want %+v: %v", behind, want, err)
	}
	if row := r.row(nobody); row != (ledger.Row{Card: nobody.card}) {
		t.Errorf("a head made a row: %+v", row)
	}
	h.head = 8
	r.commit(h) // the same commit again raises the head, and clears nothing
	if row := r.row(h); row.Head != 8 || row.Version != 1 {
		t.Errorf("row %+v", row)
	}
}

// HeadsDoNotLeap: no request raises a head by more than MaxHeadStep; one that would is
// refused whole. In a HeadRequest the other heads are taken. So even if somebody makes
// up heads, there is room above them for the card's row.
func HeadsDoNotLeap(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h, other := r.enroll(), r.enroll()
	const most = ledger.MaxHeadStep
	row := r.row(h)
	h.head = row.Head + most + 1
	_, spend := r.try(h, ledger.Stranger, 0)
	_, propose := r.propose(h, 1, 2)
	next := newHolder(t).commitment()
	next.Card, next.Version, next.Replaces = h.card, 2, 1
	over := func(c ledger.Commitment) error {
		_, err := r.ledger.Commit(t.Context(), ledger.CommitRequest{Commitment: c, Head: h.head, Sender: r.clock.Now()})
		return err
	}
	_, retag := r.ledger.Retag(t.Context(), ledger.RetagRequest{Card: h.card, Head: h.head, Old: h.tag(), New: ledger.Tag{1}, Sender: r.clock.Now()})
	first := newHolder(t)
	first.head = most + 1
	_, enrolled := r.propose(first, 0, 1)
	for what, err := range map[string]error{
		"spend": spend, "proposal": propose, "commit": over(next), "the same commit": over(h.commitment()), "retag": retag, "first proposal": enrolled,
	} {
		if !errors.Is(err, ledger.ErrHeadStep) {
			t.Errorf("%s: %v, want a head that leaps refused", what, err)
		}
	}
	if err := r.head(ledger.Head{Card: h.card, Head: h.head}, ledger.Head{Card: other.card, Head: most}); err != nil {
		t.Errorf("heads of which one leaps: %v", err)
	}
	if got := r.row(h); got != row {
		t.Errorf("a head that leaps changed %+v into %+v", row, got)
	}
	_, err := r.try(other, ledger.Stranger, 0)
	r.wantBehind(err, most)
	h.head-- // the highest head that is allowed
	r.spend(h, ledger.Stranger, 0)
}

// ReplacesIsCompared: a proposal or a commit that replaces another version than the
// current one is refused; the proposal is not marked, so nothing can be evaluated for
// it (I-3).
func ReplacesIsCompared(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h := newHolder(t)
	conflict := func(err error, at liuma.Version) {
		t.Helper()
		refusal, ok := errors.AsType[*ledger.Refusal](err)
		if !ok || *refusal != (ledger.Refusal{Reason: ledger.Conflict, At: at}) {
			t.Fatalf("got %+v, %v, want a conflict at %d", refusal, err, at)
		}
	}
	p, err := r.propose(h, 1, 2)
	conflict(err, 0)
	if p.Redeem() == nil {
		t.Error("a refused proposal can be evaluated")
	}
	c := h.commitment()
	c.Replaces = 1
	c.Version = 2
	_, err = r.ledger.Commit(t.Context(), ledger.CommitRequest{Commitment: c, Sender: r.clock.Now()})
	conflict(err, 0)
	r.commit(h)
	for _, replaces := range []liuma.Version{0, 2, 5} {
		_, err := r.propose(h, replaces, 6)
		conflict(err, 1)
		next := newHolder(t).commitment()
		next.Card, next.Version, next.Replaces = h.card, 6, replaces
		_, err = r.ledger.Commit(t.Context(), ledger.CommitRequest{Commitment: next, Sender: r.clock.Now()})
		conflict(err, 1)
	}
	if row := r.row(h); row.Mark != 1 || row.Version != 1 || row.Verifier != h.verifier() {
		t.Errorf("refusals changed the row: %+v", row)
	}
	r.commitOver(h, 5) // the same version and verifier again is no conflict
	if _, err := r.propose(h, 1, 6); err != nil {
		t.Error(err)
	}
}

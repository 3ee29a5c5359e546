package ledgertest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
)

// enrollAs commits a first version of a card under a tag.
func (r *rig) enrollAs(h *holder, tag ledger.Tag) error {
	c := h.commitment()
	c.Tag = tag
	_, err := r.ledger.Commit(r.t.Context(), ledger.CommitRequest{Commitment: c, Sender: r.clock.Now()})
	return err
}

func (r *rig) wantTagged(tag ledger.Tag, want liuma.CardID) {
	r.t.Helper()
	if row, err := r.ledger.Tagged(r.t.Context(), tag); err != nil || row.Card != want {
		r.t.Fatalf("tag %x: card %v, want %v: %v", tag, row.Card, want, err)
	}
}

// OneCardATag checks that one holder has at most one card in use at a ledger,
// through races, crashes and retirement (I-13).
func OneCardATag(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	tag := ledger.Tag{1}
	var won atomic.Pointer[holder]
	var group sync.WaitGroup
	for range 20 {
		h := newHolder(t)
		group.Go(func() {
			switch err := r.enrollAs(h, tag); {
			case err == nil && !won.CompareAndSwap(nil, h):
				t.Error("two cards of one tag")
			case err != nil && refused(err) != ledger.TagTaken:
				t.Error(err)
			}
		})
	}
	group.Wait()
	first, second := won.Load(), newHolder(t)
	r.wantTagged(tag, first.card)
	r.wantTagged(ledger.Tag{2}, liuma.CardID{})
	r.crash()
	r.wantTagged(tag, first.card)
	propose := func() error {
		_, err := r.ledger.Propose(t.Context(), ledger.ProposeRequest{Card: second.card, Version: 1, Tag: tag, Sender: r.clock.Now()})
		return err
	}
	r.wantRefused(r.enrollAs(second, tag), ledger.TagTaken)
	r.wantRefused(propose(), ledger.TagTaken)
	if row := r.row(second); row != (ledger.Row{Card: second.card}) {
		t.Errorf("a refused enrolment left %+v", row)
	}
	retire := ledger.RetireRequest{Card: first.card, Sender: r.clock.Now()}
	if _, err := r.ledger.Retire(t.Context(), retire); err != nil {
		t.Fatal(err)
	}
	r.clock.Move(30 * day) // the card can still be put back, so the tag is kept
	r.wantRefused(propose(), ledger.TagTaken)
	r.clock.Move(time.Millisecond)
	r.wantTagged(tag, liuma.CardID{})
	if err := errors.Join(propose(), r.enrollAs(second, tag)); err != nil {
		t.Fatal(err)
	}
	r.wantTagged(tag, second.card)
	for what, err := range map[string]error{
		"commit": r.enrollAs(newHolder(t), ledger.Tag{}),
		"propose": func() error {
			_, err := r.ledger.Propose(t.Context(), ledger.ProposeRequest{Card: second.card, Version: 1, Sender: r.clock.Now()})
			return err
		}(),
		"tagged": func() error { _, err := r.ledger.Tagged(t.Context(), ledger.Tag{}); return err }(),
	} {
		if !errors.Is(err, ledger.ErrRequest) {
			t.Errorf("%s without a tag: %v", what, err)
		}
	}
}

// RetagMovesATag: a tag moves once, and never to a tag that another card has.
func RetagMovesATag(t *testing.T, place func(testing.TB) Place) {
	r := newRig(t, place(t))
	h, other := r.enroll(), r.enroll()
	retag := func(old, to ledger.Tag) error {
		_, err := r.ledger.Retag(t.Context(), ledger.RetagRequest{Card: h.card, Head: 3, Old: old, New: to, Sender: r.clock.Now()})
		return err
	}
	to := ledger.Tag{5}
	r.wantRefused(retag(h.tag(), other.tag()), ledger.TagTaken)
	r.wantRefused(retag(ledger.Tag{4}, to), ledger.Conflict)
	r.wantTagged(h.tag(), h.card)
	for range 2 { // again changes nothing
		if err := retag(h.tag(), to); err != nil {
			t.Fatal(err)
		}
		r.crash()
		r.wantTagged(to, h.card)
		r.wantTagged(h.tag(), liuma.CardID{})
		if row := r.row(h); row.Head != 3 || row.Version != 1 {
			t.Errorf("row %+v", row)
		}
	}
	if err := retag(to, ledger.Tag{}); !errors.Is(err, ledger.ErrRequest) {
		t.Errorf("no new tag: %v", err)
	}
	if _, err := r.ledger.Retire(t.Context(), ledger.RetireRequest{Card: h.card, Sender: r.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	r.wantRefused(retag(to, h.tag()), ledger.Retired)
}

package ceremony_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestFreezeWhileKeepersWork (I-10): a right PIN gets no right verdict if the
// card is frozen before the verdict is stored.
func TestFreezeWhileKeepersWork(t *testing.T) {
	env, h := hooked(t, "1/1")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	q := env.VerifyRequest(ch, card, goodPIN)
	freeze := authority.Request{BusinessNo: env.BusinessNo(), Subject: q.Subject}
	h.set(once(func() {
		if _, err := env.Authority().Freeze(context.Background(), ch, freeze); err != nil {
			t.Error(err)
		}
	}), nil)
	v, err := env.Authority().Verify(t.Context(), ch, q)
	if err != nil || v.Verdict != liuma.Suspended || v.Code != liuma.CodeFrozen || v.Receipt != "" {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestChangeWhileKeepersWork (I-10): nor if another authority replaces the PIN
// before the verdict is stored.
func TestChangeWhileKeepersWork(t *testing.T) {
	env, h := hooked(t, "1/1")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	row := cardRow(t, env, ch, card)
	row.Version++
	h.set(once(func() {
		tamper(t, env, func(tx store.Tx) error {
			there, err := tx.Card(row.ID)
			there.Version = row.Version
			return errors.Join(err, tx.UpdateCard(there))
		})
	}), nil)
	if v := env.Verify(ch, card, goodPIN); v.Verdict != liuma.Unavailable || v.Receipt != "" {
		t.Errorf("%+v", v)
	}
}

// TestReceiptDiesWithStanding (I-10): a receipt for the PIN alone is not
// redeemed after the physical card was reported lost or cancelled.
func TestReceiptDiesWithStanding(t *testing.T) {
	for i, ev := range []authority.PhysicalEvent{authority.PhysicalLost, authority.PhysicalCancelled} {
		env := testkit.New(t, testkit.Options{})
		ch, reg := env.Channel("zj-hrss"), env.RegistryClient("mohrss")
		who := env.People[i]
		v := env.Verify(ch, env.Enroll(ch, who, goodPIN), goodPIN)
		if _, err := physical(env, reg, who, ev, ""); err != nil {
			t.Fatal(err)
		}
		_, err := env.Authority().Redeem(t.Context(), ch, v.Receipt)
		wantCode(t, err, liuma.CodeReceiptStale)
	}
}

// TestInterruptedNumberIsNeverTriedAgain (I-11): the process dies while the
// keepers work; a request under the same number makes no second attempt, with
// the wrong PIN or the right one, now or later.
func TestInterruptedNumberIsNeverTriedAgain(t *testing.T) {
	for _, p := range []string{wrongPIN, goodPIN} {
		faults := &testkit.Faults{}
		env := testkit.New(t, testkit.Options{Faults: faults})
		ch := env.Channel("zj-hrss")
		card := env.Enroll(ch, env.People[0], goodPIN)
		id := cardRow(t, env, ch, card).ID
		q := env.VerifyRequest(ch, card, p)
		faults.DieAt(1, true) // begin succeeds; the keeper counts, but its answer is lost
		if _, err := env.Authority().Verify(t.Context(), ch, q); err == nil {
			t.Fatal("a verdict without a keeper's answer")
		}
		if !faults.Revive() {
			t.Fatal("nobody died")
		}
		restart(env)
		for _, after := range []time.Duration{0, time.Minute} {
			env.Clock.Advance(after)
			v, err := env.Authority().Verify(t.Context(), ch, q)
			if err != nil || v.Verdict != "" || v.Receipt != "" || v.State == authority.StateDecided {
				t.Errorf("after %s: %+v, %v", after, v, err)
			}
		}
		if got := counted(t, env, id); got[0] != 1 {
			t.Errorf("%d attempts under one business number", got[0])
		}
	}
}

// TestLateVerdictIsNone (I-11): a request that was once answered as undecided
// stays undecided, also when the keepers answer later.
func TestLateVerdictIsNone(t *testing.T) {
	env, h := hooked(t, "1/1")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	q := env.VerifyRequest(ch, card, goodPIN)
	h.set(once(func() {
		env.Clock.Advance(31 * time.Second)
		if v, err := env.Authority().Verification(context.Background(), ch, q.BusinessNo); err != nil || v.State != authority.StateUndecided {
			t.Errorf("while the keeper works: %+v, %v", v, err)
		}
	}), nil)
	_, err := env.Authority().Verify(t.Context(), ch, q)
	wantCode(t, err, liuma.CodeUnavailable)
	v, err := env.Authority().Verification(t.Context(), ch, q.BusinessNo)
	if err != nil || v.State != authority.StateUndecided || v.Verdict != "" || v.Receipt != "" {
		t.Errorf("%+v, %v", v, err)
	}
}

package ceremony_test

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// dropped walks once through all requests and reports whether one is gone.
func dropped(t *testing.T, e *testkit.Env, bn liuma.BusinessNo) bool {
	t.Helper()
	if err := e.System.Authority.RetainStep(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := e.System.Store.View(t.Context(), func(r store.Reader) error {
		_, err := r.Request("zj-hrss", bn)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return err != nil
}

// TestOldRequestsAreDropped: a request answers by its business number for 180 days
// after it last changed. Then the number is free, and what comes under it is another
// request (I-11).
func TestOldRequestsAreDropped(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	old := env.Verify(ch, card, goodPIN).BusinessNo
	env.Clock.Advance(100 * 24 * time.Hour)
	newer := env.Verify(ch, card, goodPIN).BusinessNo
	env.Clock.Advance(80*24*time.Hour - time.Second)
	if dropped(t, env, old) {
		t.Error("dropped before its time")
	}
	if v, err := env.Authority().Verification(t.Context(), ch, old); err != nil || v.Verdict != liuma.Right {
		t.Errorf("asked on its last day: %+v, %v", v, err)
	}
	env.Clock.Advance(2 * time.Second)
	if !dropped(t, env, old) || dropped(t, env, newer) {
		t.Error("want the old one dropped, and the newer one kept")
	}
	if _, err := env.Authority().Verification(t.Context(), ch, old); liuma.CodeOf(err) != liuma.CodeNotFound {
		t.Errorf("asked after it: %v", err)
	}
	if v := env.Verify(ch, card, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("verified %+v", v)
	}
	s, err := env.System.Admin.Status(t.Context())
	if err != nil || s.Retention.RequestsKept == 0 || s.Retention.OldestRequest == nil || s.Retention.Bytes == 0 {
		t.Errorf("status %+v, %v", s.Retention, err)
	}
}

// TestAnOpenIntentKeepsItsRequest: however long keepers are away, the request that
// an intent will decide stays (I-7).
func TestAnOpenIntentKeepsItsRequest(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	env.Enroll(ch, env.People[0], goodPIN)
	var bn liuma.BusinessNo
	err := env.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		ids, err := tx.CardIDs(liuma.CardID{}, 1)
		if err != nil {
			return audit.Entry{}, err
		}
		bn = "B-OPEN-1"
		q := store.Request{Channel: "zj-hrss", BusinessNo: bn, Card: ids[0], At: env.Clock.Now()}
		in := store.Intent{Card: ids[0], Version: 9, State: store.IntentFlipped, Channel: "zj-hrss", BusinessNo: bn, At: env.Clock.Now()}
		return env.System.Authority.Entry("system", audit.PINIntended, ids[0], bn, "ok"), errors.Join(tx.InsertRequest(q), tx.InsertIntent(in))
	})
	if err != nil {
		t.Fatal(err)
	}
	env.Clock.Advance(400 * 24 * time.Hour)
	if dropped(t, env, bn) {
		t.Error("the request of an open intent was dropped")
	}
	err = env.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		ids, err := tx.CardIDs(liuma.CardID{}, 1)
		if err != nil {
			return audit.Entry{}, err
		}
		return env.System.Authority.Entry("system", audit.PINSettled, ids[0], bn, "ok"), tx.DeleteIntent(ids[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	if !dropped(t, env, bn) {
		t.Error("it stays when the intent has ended")
	}
}

// TestEndedCeremoniesAreDropped: seven days after its end a ceremony is gone, and
// its business number stays used as long as its request is kept.
func TestEndedCeremoniesAreDropped(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	q := x.PushFor(x.ch, liuma.ActionVerify, envelope.Subject{Card: string(x.card)}, nil)
	p, h := x.OpenPage(x.ch, q)
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.Return(x.ch, p, h)
	gone := func() bool {
		t.Helper()
		if err := x.System.Ceremonies.MaintainOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := x.System.Store.View(t.Context(), func(r store.Reader) error {
			_, err := r.Ceremony(p.ID)
			return err
		})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		return err != nil
	}
	x.Clock.Advance(7*24*time.Hour - time.Second)
	if gone() {
		t.Error("dropped before its time")
	}
	x.Clock.Advance(2 * time.Second)
	if !gone() {
		t.Error("it is kept after its time")
	}
	if _, err := x.Authority().Push(t.Context(), x.ch, q); liuma.CodeOf(err) != liuma.CodeBusinessNoUsed {
		t.Errorf("pushed again: %v", err)
	}
	if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.Verdict != liuma.Right {
		t.Errorf("asked by its number: %+v, %v", v, err)
	}
}

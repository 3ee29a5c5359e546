package ceremony_test

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestNoPINMovesToAnotherHolder: a thief who can write to the database, and
// knows the PIN of a card of their own, cannot make it another holder's PIN.
func TestNoPINMovesToAnotherHolder(t *testing.T) {
	for name, meddle := range map[string]func(victim, own store.Card) store.Card{
		"verifier": func(victim, own store.Card) store.Card { victim.Verifier = own.Verifier; return victim },
		"version":  func(victim, _ store.Card) store.Card { victim.Version++; return victim },
		"key set":  func(victim, _ store.Card) store.Card { victim.KeySet++; return victim },
		"holder":   func(_, own store.Card) store.Card { own.Holder[0] ^= 1; return own },
	} {
		t.Run(name, func(t *testing.T) {
			env := testkit.New(t, testkit.Options{})
			ch := env.Channel("zj-hrss")
			handles := []store.Handle{env.Enroll(ch, env.People[0], goodPIN), env.Enroll(ch, env.People[1], otherPIN)}
			victim, own := cardRow(t, env, ch, handles[0]), cardRow(t, env, ch, handles[1])
			changed := meddle(victim, own)
			env.Forge(func(tx store.Tx) error { return tx.UpdateCard(changed) })
			h := handles[0]
			if changed.ID == own.ID {
				h = handles[1]
			}
			for _, p := range []string{goodPIN, otherPIN} {
				_, err := env.Authority().Verify(t.Context(), ch, env.VerifyRequest(ch, h, p))
				wantCode(t, err, liuma.CodeUnavailable)
			}
			if got := counted(t, env, changed.ID); got[0] != 0 {
				t.Errorf("%d guesses on a row that was meddled with", got[0])
			}
		})
	}
}

// TestStandingIsNotForged: such a thief cannot end a freeze, undo a loss or a
// cancellation, or move the card to a region with laxer rules. A forged row
// stays refused after the card's own ceremonies have written to it.
func TestStandingIsNotForged(t *testing.T) {
	for name, meddle := range map[string]func(*store.Card){
		"freeze lifted":  func(c *store.Card) { c.Frozen, c.FrozenAt = false, time.Time{} },
		"flag only":      func(c *store.Card) { c.Frozen = false },
		"freeze dated":   func(c *store.Card) { c.FrozenAt = c.FrozenAt.Add(100 * time.Hour) },
		"freeze undated": func(c *store.Card) { c.FrozenAt = time.Time{} },
		"loss undone":    func(c *store.Card) { c.Physical = liuma.PhysicalNormal },
		"cancelled":      func(c *store.Card) { c.Physical = liuma.PhysicalCancelled },
		"moved":          func(c *store.Card) { c.Region = "3305" }, // to laxer rules of recovery
	} {
		t.Run(name, func(t *testing.T) {
			env := testkit.New(t, testkit.Options{})
			ch, reg, who := env.Channel("zj-hrss"), env.RegistryClient("mohrss"), env.People[0]
			h := env.Enroll(ch, who, goodPIN)
			physical := func(ev authority.PhysicalEvent) error {
				bn := env.BusinessNo()
				_, err := env.Authority().SetPhysical(t.Context(), reg, authority.PhysicalRequest{
					BusinessNo: bn, IDNumber: who.IDNumber, CardNo: who.CardNo, Event: ev, Digest: testkit.Digest(string(bn))})
				return err
			}
			if err := physical(authority.PhysicalLost); err != nil {
				t.Fatal(err)
			}
			freeze := authority.Request{BusinessNo: env.BusinessNo(), Subject: env.VerifyRequest(ch, h, goodPIN).Subject}
			if _, err := env.Authority().Freeze(t.Context(), ch, freeze); err != nil {
				t.Fatal(err)
			}
			row := cardRow(t, env, ch, h)
			meddle(&row)
			env.Forge(func(tx store.Tx) error { return tx.UpdateCard(row) })
			_, err := env.Authority().Verify(t.Context(), ch, env.VerifyRequest(ch, h, goodPIN))
			wantCode(t, err, liuma.CodeUnavailable)
			freeze.BusinessNo = env.BusinessNo()
			_, err = env.Authority().Freeze(t.Context(), ch, freeze)
			wantCode(t, err, liuma.CodeUnavailable)
			wantCode(t, physical(authority.PhysicalFound), liuma.CodeUnavailable)
			_, err = env.Authority().Verify(t.Context(), ch, env.VerifyRequest(ch, h, goodPIN))
			wantCode(t, err, liuma.CodeUnavailable)
			if got := counted(t, env, row.ID); got[0] != 0 {
				t.Errorf("%d guesses on a row that was meddled with", got[0])
			}
		})
	}
}

// TestNoIntentIsForged: such a thief cannot write an intent that the authority
// then carries through.
func TestNoIntentIsForged(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	victim := env.Enroll(ch, env.People[0], goodPIN)
	own := cardRow(t, env, ch, env.Enroll(ch, env.People[1], otherPIN))
	row := cardRow(t, env, ch, victim)
	q := env.VerifyRequest(ch, victim, goodPIN)
	if _, err := env.Authority().Verify(t.Context(), ch, q); err != nil {
		t.Fatal(err)
	}
	env.Forge(func(tx store.Tx) error {
		return tx.InsertIntent(store.Intent{
			Card: row.ID, From: row.Version, Version: row.Version + 1, KeySet: row.KeySet, Verifier: own.Verifier,
			State: store.IntentCommitting, Channel: "zj-hrss", BusinessNo: q.BusinessNo,
		})
	})
	restart(env)
	_, err := env.Authority().Verify(t.Context(), ch, env.VerifyRequest(ch, victim, goodPIN))
	wantCode(t, err, liuma.CodeUnavailable)
	s, err := env.System.Keepers[0].Status(t.Context(), row.ID)
	if err != nil || s.Row.Version != row.Version || s.Row.Verifier != row.Verifier {
		t.Errorf("the keeper took a forged version: %+v, %v", s.Row, err)
	}
	if now := cardRow(t, env, ch, victim); now.Version != row.Version || now.Verifier != row.Verifier {
		t.Errorf("the card took a forged version: %+v", now)
	}
}

// TestAForgedCardStops: nothing that concerns a card whose row was forged goes
// on, not even an intent that its process left: the entry about it would follow
// a stream whose end the forged row names. With the row back, it is finished.
func TestAForgedCardStops(t *testing.T) {
	for step := 0; ; step++ {
		faults := &testkit.Faults{}
		env := testkit.New(t, testkit.Options{Faults: faults})
		ch := env.Channel("zj-hrss")
		card := env.Enroll(ch, env.People[0], goodPIN)
		row := cardRow(t, env, ch, card)
		q := env.ChangeRequest(ch, card, goodPIN, otherPIN)
		faults.DieAt(step, true)
		_, _ = env.Authority().Change(t.Context(), ch, q)
		if !faults.Revive() {
			t.Fatal("no death left a reserved intent")
		}
		if in, open := intentOf(t, env, row.ID); !open || in.State != store.IntentReserved {
			continue
		}
		row = cardRow(t, env, ch, card)
		forged := row
		forged.Frozen = !row.Frozen
		env.SQL("CREATE TABLE kept AS SELECT * FROM cards")
		env.Forge(func(tx store.Tx) error { return tx.UpdateCard(forged) })
		restart(env)
		if _, open := intentOf(t, env, row.ID); !open {
			t.Error("the intent of a forged card was finished")
		}
		if v, err := env.Authority().Verification(t.Context(), ch, q.BusinessNo); err != nil || v.State == authority.StateDecided {
			t.Errorf("the request of a forged card: %+v, %v", v, err)
		}
		env.SQL("INSERT OR REPLACE INTO cards SELECT * FROM kept")
		restart(env)
		if _, open := intentOf(t, env, row.ID); open {
			t.Error("the intent stays")
		}
		v, err := env.Authority().Verification(t.Context(), ch, q.BusinessNo)
		if err != nil || v.State != authority.StateDecided || v.Verdict != liuma.Unavailable {
			t.Errorf("the request: %+v, %v", v, err)
		}
		return
	}
}

// TestChallengeIsCheckedAtEveryCeremony: a challenge of another channel, or one
// that is too old, is refused everywhere, and nothing is counted.
func TestChallengeIsCheckedAtEveryCeremony(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch, other := env.Channel("zj-hrss"), env.Channel("other")
	a, who := env.Authority(), env.People[0]
	card := env.Enroll(ch, who, goodPIN)
	foreign := env.VerifyRequestFor(ch, env.Challenge(other), card, wrongPIN)
	_, err := a.Verify(t.Context(), ch, foreign)
	wantCode(t, err, liuma.CodeChallengeExpired)

	verify, change, link := env.VerifyRequest(ch, card, wrongPIN), env.ChangeRequest(ch, card, wrongPIN, otherPIN), env.LinkRequest(ch, who, wrongPIN)
	env.Clock.Advance(5 * time.Minute)
	_, err = a.Verify(t.Context(), ch, verify)
	wantCode(t, err, liuma.CodeChallengeExpired)
	_, err = a.Change(t.Context(), ch, change)
	wantCode(t, err, liuma.CodeChallengeExpired)
	_, err = a.Link(t.Context(), ch, link)
	wantCode(t, err, liuma.CodeChallengeExpired)
	if got := counted(t, env, cardRow(t, env, ch, card).ID); got[0] != 0 {
		t.Errorf("%d guesses counted", got[0])
	}
}

// TestHandleServesOneChannel: another channel's handle is refused like an
// unknown one.
func TestHandleServesOneChannel(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	home, far := env.Channel("home"), env.Channel("far")
	a := env.Authority()
	card := env.Enroll(home, env.People[0], goodPIN)
	if v, err := a.Verify(t.Context(), far, env.VerifyRequest(far, card, goodPIN)); err != nil || v.Code != liuma.CodeRefused {
		t.Errorf("verify: %+v, %v", v, err)
	}
	if v, err := a.Change(t.Context(), far, env.ChangeRequest(far, card, goodPIN, otherPIN)); err != nil || v.Code != liuma.CodeRefused {
		t.Errorf("change: %+v, %v", v, err)
	}
	freeze := authority.Request{BusinessNo: env.BusinessNo(), Subject: env.VerifyRequest(far, card, goodPIN).Subject}
	if v, err := a.Freeze(t.Context(), far, freeze); err != nil || v.Code != liuma.CodeRefused {
		t.Errorf("freeze: %+v, %v", v, err)
	}
	_, err := a.Card(t.Context(), far, card)
	wantCode(t, err, liuma.CodeNotFound)
	if v := env.Verify(home, card, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("at home: %+v", v)
	}
}

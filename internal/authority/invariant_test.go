package authority_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/assembly"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testenv"
)

// The tests in this file try to break single invariants (docs/INVARIANTS.md)
// where the ceremonies' own tests would not notice.

// hooks are called on the way to each keeper; an error is the answer. Safe for
// concurrent use.
type hooks struct {
	mu      sync.Mutex
	attempt func(keeper.ID) error // guarded by mu
	commit  func(keeper.ID) error // guarded by mu
	lose    bool                  // guarded by mu: the next transaction runs and is not kept
}

func (h *hooks) set(attempt, commit func(keeper.ID) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.attempt, h.commit = attempt, commit
}

func (h *hooks) call(which *func(keeper.ID) error, id keeper.ID) error {
	h.mu.Lock()
	f := *which
	h.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(id)
}

type hookedKeeper struct {
	keeper.Keeper
	h *hooks
}

func (k *hookedKeeper) Attempt(ctx context.Context, q keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	if err := k.h.call(&k.h.attempt, k.ID()); err != nil {
		return keeper.AttemptAnswer{}, err
	}
	return k.Keeper.Attempt(ctx, q)
}

func (k *hookedKeeper) Commit(ctx context.Context, q keeper.CommitRequest) (keeper.CommitAnswer, error) {
	if err := k.h.call(&k.h.commit, k.ID()); err != nil {
		return keeper.CommitAnswer{}, err
	}
	return k.Keeper.Commit(ctx, q)
}

// lossyStore runs a transaction and then does not keep it, when told to: a
// commit that fails at the last moment.
type lossyStore struct {
	store.Store
	h *hooks
}

func (s *lossyStore) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	s.h.mu.Lock()
	lose := s.h.lose
	s.h.lose = false
	s.h.mu.Unlock()
	if !lose {
		return s.Store.Update(ctx, f)
	}
	return s.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		e, err := f(tx)
		return e, errors.Join(err, errors.New("the disk is full"))
	})
}

// hooked is a system whose keepers and store have hooks.
func hooked(t *testing.T, shape string) (*testenv.Env, *hooks) {
	t.Helper()
	env, h := testenv.New(t, testenv.Options{Shape: shape}), &hooks{}
	env.Close()
	c, err := config.Load(env.Dir)
	if err != nil {
		t.Fatal(err)
	}
	env.System, err = assembly.Open(t.Context(), c, assembly.Options{
		Now:           env.Clock.Now,
		Wait:          func(context.Context, time.Duration) {},
		BetweenKeeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, h} },
		BetweenStore:  func(s store.Store) store.Store { return &lossyStore{s, h} },
	})
	if err != nil {
		t.Fatal(err)
	}
	return env, h
}

var errAway = errors.New("the keeper is away")

func away(keeper.ID) error { return errAway }

// once is a hook that acts when the first keeper is reached.
func once(act func()) func(keeper.ID) error {
	do := sync.OnceFunc(act)
	return func(keeper.ID) error { do(); return nil }
}

// cardRow is the card behind a handle.
func cardRow(t testing.TB, env *testenv.Env, c authority.Caller, h store.Handle) (card store.Card) {
	t.Helper()
	err := env.System.Store.View(t.Context(), func(r store.Reader) error {
		link, err := r.LinkByHandle(liuma.ChannelID(c.Client.ID), h)
		if err != nil {
			return err
		}
		card, err = r.Card(link.Card)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// tamper writes to the database as somebody would who has broken into it.
func tamper(t *testing.T, env *testenv.Env, write func(store.Tx) error) {
	t.Helper()
	err := env.System.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: env.Clock.Now(), Actor: "thief", Event: audit.KeeperAlarm, Outcome: "ok"}, write(tx)
	})
	if err != nil {
		t.Error(err) // not Fatal: also called from hooks
	}
}

// counted is what each keeper's row of a card says.
func counted(t *testing.T, env *testenv.Env, card liuma.CardID) (spent []uint64) {
	t.Helper()
	for _, k := range env.System.Keepers {
		s, err := k.Status(t.Context(), card)
		if err != nil {
			t.Fatal(err)
		}
		spent = append(spent, s.Row.Tally.Spent)
	}
	return spent
}

// spellings of an ID number that people and systems send.
func spellings(id string) []string {
	wide := strings.Map(func(r rune) rune { return r - '!' + '！' }, id)
	return []string{wide, id[:6] + " " + id[6:14] + " " + id[14:], "　" + id[:17] + strings.ToLower(id[17:]), wide[:9] + id[3:]}
}

func spelled(f registry.Facts, as string) registry.Facts {
	f.IDNumber = as
	return f
}

// withX finds a person whose ID number ends in X, which has the most spellings.
func withX(t *testing.T, env *testenv.Env) registry.Facts {
	t.Helper()
	for _, f := range env.People {
		if strings.HasSuffix(f.IDNumber, "X") {
			return f
		}
	}
	t.Fatal("nobody's number ends in X")
	return registry.Facts{}
}

// TestEverySpellingReachesOneRow (I-4): no spelling of the ID number opens a
// second card, and all guess at the same counters, whatever the ceremony.
func TestEverySpellingReachesOneRow(t *testing.T) {
	env := testenv.New(t, testenv.Options{Shape: "2/3", People: 60})
	home, far := env.Channel("home"), env.Channel("far")
	a, who := env.Authority(), withX(t, env)
	card := env.Enroll(home, who, goodPIN)
	id := cardRow(t, env, home, card).ID

	want := uint64(0)
	for _, as := range spellings(who.IDNumber) {
		q := env.EnrollRequest(home, spelled(who, as), otherPIN)
		q.Evidence = env.Evidence(who, q.Challenge)
		_, err := a.Enroll(t.Context(), home, q)
		wantCode(t, err, liuma.CodeAlreadyEnrolled)
		if v, err := a.Link(t.Context(), far, env.LinkRequest(far, spelled(who, as), wrongPIN)); err != nil || v.Code != liuma.CodeRefused {
			t.Fatalf("link as %q: %+v, %v", as, v, err)
		}
		want++
		if got := cardRow(t, env, home, card).Tally; got.Spent != want || got.Failures[ledger.Stranger] != uint32(want) {
			t.Errorf("after %d guesses the authority's own record says %+v", want, got)
		}
		for i, n := range counted(t, env, id) {
			if n != want {
				t.Errorf("after %d guesses keeper %d counted %d", want, i+1, n)
			}
		}
	}
	if v := env.Verify(home, card, wrongPIN); v.Verdict != liuma.Wrong || *v.TriesLeft != 1 {
		t.Errorf("the fifth guess, at another door: %+v", v)
	}
	// A right guess in yet another spelling links the same card.
	v, err := a.Link(t.Context(), far, env.LinkRequest(far, spelled(who, spellings(who.IDNumber)[0]), goodPIN))
	if err != nil || v.Verdict != liuma.Right || cardRow(t, env, far, v.Card).ID != id {
		t.Errorf("link: %+v, %v", v, err)
	}
}

// TestThousandGuessesInEverySpelling (I-1, I-4): however many guess at once,
// in two ceremonies, two channels and every spelling, six are counted and no
// more than six evaluated.
func TestThousandGuessesInEverySpelling(t *testing.T) {
	env := testenv.New(t, testenv.Options{Shape: "2/3", People: 60})
	home, far := env.Channel("home"), env.Channel("far")
	a, who := env.Authority(), withX(t, env)
	card := env.Enroll(home, who, goodPIN)
	id := cardRow(t, env, home, card).ID
	ways := spellings(who.IDNumber)
	var wg sync.WaitGroup
	var mu sync.Mutex
	wrong := 0
	for i := range 500 {
		verify := env.VerifyRequest(home, card, wrongPIN)
		link := env.LinkRequest(far, spelled(who, ways[i%len(ways)]), wrongPIN)
		wg.Go(func() {
			v, err := a.Verify(context.Background(), home, verify)
			if err != nil && liuma.CodeOf(err) != liuma.CodeBusy {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if v.Verdict == liuma.Wrong {
				wrong++
			}
		})
		wg.Go(func() {
			v, err := a.Link(context.Background(), far, link)
			if err != nil && liuma.CodeOf(err) != liuma.CodeBusy || v.Verdict != "" {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
	wg.Wait()
	if wrong > 6 {
		t.Errorf("%d verdicts", wrong)
	}
	for i, n := range counted(t, env, id) {
		if n != 6 {
			t.Errorf("keeper %d counted %d, want 6", i+1, n)
		}
	}
	if v := env.Verify(home, card, goodPIN); v.Verdict != liuma.Locked {
		t.Errorf("the right PIN after a thousand wrong ones: %+v", v)
	}
}

// TestAuthorityStopsAtSixWhicheverKeepersAnswer: each guess misses another of
// three keepers, so that each keeper counts two of three; the authority's own
// record stops at six all the same.
func TestAuthorityStopsAtSixWhicheverKeepersAnswer(t *testing.T) {
	env, h := hooked(t, "2/3")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	for i := range 9 {
		missing := []keeper.ID{"k1", "k2", "k3"}[i%3]
		h.set(func(id keeper.ID) error {
			if id == missing {
				return errAway
			}
			return nil
		}, nil)
		want := liuma.Wrong
		if i >= 6 {
			want = liuma.Locked
		}
		if v := env.Verify(ch, card, wrongPIN); v.Verdict != want {
			t.Fatalf("guess %d: %+v, want %s", i+1, v, want)
		}
	}
}

// intentOf is the setting of a card's PIN that is under way, if one is.
func intentOf(t *testing.T, env *testenv.Env, card liuma.CardID) (store.Intent, bool) {
	t.Helper()
	var in store.Intent
	err := env.System.Store.View(t.Context(), func(r store.Reader) (err error) {
		in, err = r.Intent(card)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return in, err == nil
}

// again is what the next process does with what this one left.
func again(t *testing.T, env *testenv.Env) {
	t.Helper()
	if _, err := authority.New(t.Context(), env.Authority().Config); err != nil {
		t.Fatal(err)
	}
}

// TestFlipIsOnce (I-7): finishing a setting that is finished, but for a keeper
// that was away, changes nothing, and above all frees no guess.
func TestFlipIsOnce(t *testing.T) {
	env, h := hooked(t, "2/3")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	h.set(nil, func(id keeper.ID) error {
		if id == "k3" {
			return errAway
		}
		return nil
	})
	if v := env.Change(ch, card, goodPIN, otherPIN); v.Verdict != liuma.Right {
		t.Fatalf("change with two of three: %+v", v)
	}
	for range 2 {
		env.Verify(ch, card, wrongPIN)
	}
	before := cardRow(t, env, ch, card)
	env.Clock.Advance(time.Minute)
	again(t, env)
	if _, open := intentOf(t, env, before.ID); !open {
		t.Error("the intent ended while a keeper had not acknowledged")
	}
	h.set(nil, nil)
	again(t, env)
	if in, open := intentOf(t, env, before.ID); open {
		t.Errorf("the intent stays though all have acknowledged: %+v", in)
	}
	if now := cardRow(t, env, ch, card); now.Tally != before.Tally || !now.PINSetAt.Equal(before.PINSetAt) || now.Version != before.Version {
		t.Errorf("finishing again changed the card: %+v, was %+v", now, before)
	}
}

// TestFlipCompares (I-7): the flip takes place only on the version that the
// intent was reserved on.
func TestFlipCompares(t *testing.T) {
	env, h := hooked(t, "2/3")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	h.set(nil, away)
	q := env.ChangeRequest(ch, card, goodPIN, otherPIN)
	_, err := env.Authority().Change(t.Context(), ch, q)
	wantCode(t, err, liuma.CodeUnavailable)
	row := cardRow(t, env, ch, card)
	in, open := intentOf(t, env, row.ID)
	if !open || in.State != store.IntentCommitting || row.Version != in.From {
		t.Fatalf("%+v, %v; card at version %d", in, open, row.Version)
	}
	row.Version = in.Version + 7 // as a restored or meddled-with database might say
	row.MAC = store.CardMAC(env.System.Vault, row)
	tamper(t, env, func(tx store.Tx) error { return tx.UpdateCard(row) })
	h.set(nil, nil)
	again(t, env)
	if now := cardRow(t, env, ch, card); now.Version != row.Version || now.Verifier != row.Verifier {
		t.Errorf("the card was flipped from version %d to %d by an intent on %d", row.Version, now.Version, in.From)
	}
	if v, err := env.Authority().Verification(t.Context(), ch, q.BusinessNo); err != nil || v.Verdict == liuma.Right {
		t.Errorf("the change was acknowledged: %+v, %v", v, err)
	}
}

// TestAttemptFinishesARecordedPIN (I-7): between the record and the flip no
// attempt is made on the old PIN; the first attempt after the keepers are back
// carries the new one through.
func TestAttemptFinishesARecordedPIN(t *testing.T) {
	env, h := hooked(t, "2/3")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	h.set(nil, away)
	q := env.ChangeRequest(ch, card, goodPIN, otherPIN)
	_, err := env.Authority().Change(t.Context(), ch, q)
	wantCode(t, err, liuma.CodeUnavailable)
	before := cardRow(t, env, ch, card).Tally
	for _, p := range []string{goodPIN, otherPIN} {
		_, err := env.Authority().Verify(t.Context(), ch, env.VerifyRequest(ch, card, p))
		wantCode(t, err, liuma.CodeUnavailable)
	}
	if now := cardRow(t, env, ch, card).Tally; now != before {
		t.Errorf("guesses were counted that nobody could evaluate: %+v, were %+v", now, before)
	}
	h.set(nil, nil)
	if v := env.Verify(ch, card, goodPIN); v.Verdict != liuma.Wrong {
		t.Errorf("the old PIN: %+v", v)
	}
	if v := env.Verify(ch, card, otherPIN); v.Verdict != liuma.Right {
		t.Errorf("the new PIN: %+v", v)
	}
	if v, err := env.Authority().Verification(t.Context(), ch, q.BusinessNo); err != nil || v.Verdict != liuma.Right {
		t.Errorf("the change: %+v, %v", v, err)
	}
}

// failingQuorum cannot even ask its keepers.
type failingQuorum struct{ authority.Quorum }

func (failingQuorum) Attempt(context.Context, keeper.Target, keeper.Guess, []byte) (keeper.Outcome, error) {
	return keeper.Outcome{}, errors.New("boom")
}

// TestErrorOfTheKeepersIsNoVerdict (I-9).
func TestErrorOfTheKeepersIsNoVerdict(t *testing.T) {
	env := testenv.New(t, testenv.Options{})
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	c := env.Authority().Config
	c.Quorum = failingQuorum{c.Quorum}
	a, err := authority.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{goodPIN, wrongPIN} {
		v, err := a.Verify(t.Context(), ch, env.VerifyRequest(ch, card, p))
		if err != nil || v.Verdict != liuma.Unavailable || v.Code != liuma.CodeUnavailable || v.TriesLeft != nil || v.Receipt != "" {
			t.Errorf("%+v, %v", v, err)
		}
	}
	if v := env.Verify(ch, card, wrongPIN); v.Verdict != liuma.Wrong || *v.TriesLeft != 5 {
		t.Errorf("guesses that no keeper saw were counted: %+v", v)
	}
}

// TestNoVerdictWithoutARow (I-9): the keepers have answered, and the verdict
// cannot be stored. Then nobody hears it, now or later.
func TestNoVerdictWithoutARow(t *testing.T) {
	for _, p := range []string{goodPIN, wrongPIN} {
		env, h := hooked(t, "1/1")
		ch := env.Channel("zj-hrss")
		card := env.Enroll(ch, env.People[0], goodPIN)
		q := env.VerifyRequest(ch, card, p)
		h.set(once(func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.lose = true
		}), nil)
		v, err := env.Authority().Verify(t.Context(), ch, q)
		if wantCode(t, err, liuma.CodeUnavailable); v.Verdict != "" || v.Receipt != "" || v.TriesLeft != nil {
			t.Errorf("%+v", v)
		}
		for range 2 {
			v, err := env.Authority().Verification(t.Context(), ch, q.BusinessNo)
			if err != nil || v.State == authority.StateDecided || v.Verdict != "" || v.Receipt != "" {
				t.Errorf("%+v, %v", v, err)
			}
			env.Clock.Advance(time.Minute)
		}
	}
}

// TestFreezeWhileKeepersWork (I-10): the right PIN of a card that is frozen
// before the verdict is stored is not right.
func TestFreezeWhileKeepersWork(t *testing.T) {
	env, h := hooked(t, "1/1")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	q := env.VerifyRequest(ch, card, goodPIN)
	freeze := authority.FreezeRequest{BusinessNo: env.BusinessNo(), Subject: q.Subject}
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

// TestChangeWhileKeepersWork (I-10): neither is a PIN that another authority
// replaced before the verdict is stored.
func TestChangeWhileKeepersWork(t *testing.T) {
	env, h := hooked(t, "1/1")
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	row := cardRow(t, env, ch, card)
	row.Version++
	row.MAC = store.CardMAC(env.System.Vault, row)
	h.set(once(func() { tamper(t, env, func(tx store.Tx) error { return tx.UpdateCard(row) }) }), nil)
	if v := env.Verify(ch, card, goodPIN); v.Verdict != liuma.Unavailable || v.Receipt != "" {
		t.Errorf("%+v", v)
	}
}

// TestReceiptDiesWithStanding (I-10): a receipt of the PIN alone is not
// redeemed after the physical card was reported lost or cancelled.
func TestReceiptDiesWithStanding(t *testing.T) {
	for i, ev := range []authority.PhysicalEvent{authority.PhysicalLost, authority.PhysicalCancelled} {
		env := testenv.New(t, testenv.Options{})
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
// keepers work; asking again under the same number makes no second attempt,
// with the wrong PIN or the right one, now or later.
func TestInterruptedNumberIsNeverTriedAgain(t *testing.T) {
	for _, p := range []string{wrongPIN, goodPIN} {
		faults := &testenv.Faults{}
		env := testenv.New(t, testenv.Options{Faults: faults})
		ch := env.Channel("zj-hrss")
		card := env.Enroll(ch, env.People[0], goodPIN)
		id := cardRow(t, env, ch, card).ID
		q := env.VerifyRequest(ch, card, p)
		faults.DieAt(1, true) // begin passes; the keeper counts, its answer is lost
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

// TestLateVerdictIsNone (I-11): what was once called undecided stays so, also
// when the keepers answer after all.
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

// TestNoPINMovesToAnotherHolder: somebody who writes to the database, and
// knows the PIN of a card of their own, cannot make it another holder's.
func TestNoPINMovesToAnotherHolder(t *testing.T) {
	for name, meddle := range map[string]func(victim, own store.Card) store.Card{
		"verifier": func(victim, own store.Card) store.Card { victim.Verifier = own.Verifier; return victim },
		"verifier and MAC": func(victim, own store.Card) store.Card {
			victim.Verifier, victim.MAC = own.Verifier, own.MAC
			return victim
		},
		"version": func(victim, _ store.Card) store.Card { victim.Version++; return victim },
		"key set": func(victim, _ store.Card) store.Card { victim.KeySet++; return victim },
		"holder":  func(_, own store.Card) store.Card { own.Holder[0] ^= 1; return own },
	} {
		t.Run(name, func(t *testing.T) {
			env := testenv.New(t, testenv.Options{})
			ch := env.Channel("zj-hrss")
			handles := []store.Handle{env.Enroll(ch, env.People[0], goodPIN), env.Enroll(ch, env.People[1], otherPIN)}
			victim, own := cardRow(t, env, ch, handles[0]), cardRow(t, env, ch, handles[1])
			changed := meddle(victim, own)
			tamper(t, env, func(tx store.Tx) error { return tx.UpdateCard(changed) })
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

// TestStandingIsNotForged: nor can they write a freeze away, undo a loss or a
// cancellation, or move a freeze to where its thief may lift it; and what the
// card's own ceremonies write afterwards does not make such a row good.
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
			env := testenv.New(t, testenv.Options{})
			ch, reg, who := env.Channel("zj-hrss"), env.RegistryClient("mohrss"), env.People[0]
			h := env.Enroll(ch, who, goodPIN)
			physical := func(ev authority.PhysicalEvent) error {
				bn := env.BusinessNo()
				_, err := env.Authority().SetPhysical(t.Context(), reg, authority.PhysicalRequest{
					BusinessNo: bn, IDNumber: who.IDNumber, CardNo: who.CardNo, Event: ev, Digest: testenv.Digest(string(bn))})
				return err
			}
			if err := physical(authority.PhysicalLost); err != nil {
				t.Fatal(err)
			}
			freeze := authority.FreezeRequest{BusinessNo: env.BusinessNo(), Subject: env.VerifyRequest(ch, h, goodPIN).Subject}
			if _, err := env.Authority().Freeze(t.Context(), ch, freeze); err != nil {
				t.Fatal(err)
			}
			row := cardRow(t, env, ch, h)
			meddle(&row)
			tamper(t, env, func(tx store.Tx) error { return tx.UpdateCard(row) })
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

// TestNoIntentIsForged: nor can they write an intent that the authority then
// carries through.
func TestNoIntentIsForged(t *testing.T) {
	env := testenv.New(t, testenv.Options{})
	ch := env.Channel("zj-hrss")
	victim := env.Enroll(ch, env.People[0], goodPIN)
	own := cardRow(t, env, ch, env.Enroll(ch, env.People[1], otherPIN))
	row := cardRow(t, env, ch, victim)
	q := env.VerifyRequest(ch, victim, goodPIN)
	if _, err := env.Authority().Verify(t.Context(), ch, q); err != nil {
		t.Fatal(err)
	}
	tamper(t, env, func(tx store.Tx) error {
		return tx.InsertIntent(store.Intent{
			Card: row.ID, From: row.Version, Version: row.Version + 1, KeySet: row.KeySet, Verifier: own.Verifier,
			State: store.IntentCommitting, Channel: "zj-hrss", BusinessNo: q.BusinessNo, MAC: own.MAC,
		})
	})
	again(t, env)
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

// TestChallengeIsCheckedAtEveryCeremony: of another channel, or too old, it
// serves nowhere, and nothing is counted.
func TestChallengeIsCheckedAtEveryCeremony(t *testing.T) {
	env := testenv.New(t, testenv.Options{})
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

// TestHandleServesOneChannel: another channel's handle is as good as none.
func TestHandleServesOneChannel(t *testing.T) {
	env := testenv.New(t, testenv.Options{})
	home, far := env.Channel("home"), env.Channel("far")
	a := env.Authority()
	card := env.Enroll(home, env.People[0], goodPIN)
	if v, err := a.Verify(t.Context(), far, env.VerifyRequest(far, card, goodPIN)); err != nil || v.Code != liuma.CodeRefused {
		t.Errorf("verify: %+v, %v", v, err)
	}
	if v, err := a.Change(t.Context(), far, env.ChangeRequest(far, card, goodPIN, otherPIN)); err != nil || v.Code != liuma.CodeRefused {
		t.Errorf("change: %+v, %v", v, err)
	}
	freeze := authority.FreezeRequest{BusinessNo: env.BusinessNo(), Subject: env.VerifyRequest(far, card, goodPIN).Subject}
	if v, err := a.Freeze(t.Context(), far, freeze); err != nil || v.Code != liuma.CodeRefused {
		t.Errorf("freeze: %+v, %v", v, err)
	}
	_, err := a.Card(t.Context(), far, card)
	wantCode(t, err, liuma.CodeNotFound)
	if v := env.Verify(home, card, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("at home: %+v", v)
	}
}

package ceremony_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// The tests in this file try to break single invariants (docs/INVARIANTS.md)
// where the ceremonies' own tests would not notice.

// hooks are called before each request to a keeper; an error is returned as the
// keeper's answer. Safe for concurrent use.
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

// lossyStore can be told to run a transaction and not keep it: a commit that
// fails at the last moment.
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

// hooked is a system with hooks in its keepers and its store.
func hooked(t *testing.T, shape string) (*testkit.Env, *hooks) {
	t.Helper()
	h := &hooks{}
	return testkit.New(t, testkit.Options{
		Shape:  shape,
		Store:  func(s store.Store) store.Store { return &lossyStore{s, h} },
		Keeper: func(k keeper.Keeper) keeper.Keeper { return &hookedKeeper{k, h} },
	}), h
}

var errAway = errors.New("the keeper is away")

func away(keeper.ID) error { return errAway }

// once is a hook that runs f when the first keeper is reached.
func once(act func()) func(keeper.ID) error {
	do := sync.OnceFunc(act)
	return func(keeper.ID) error { do(); return nil }
}

// cardRow is the row of a handle's card.
func cardRow(t testing.TB, env *testkit.Env, c authority.Caller, h store.Handle) (card store.Card) {
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

// tamper writes to the database as a thief would who has broken into it.
func tamper(t *testing.T, env *testkit.Env, write func(store.Tx) error) {
	t.Helper()
	err := env.System.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: env.Clock.Now(), Actor: "thief", Event: audit.KeeperAlarm, Outcome: "ok"}, write(tx)
	})
	if err != nil {
		t.Error(err) // not Fatal: also called from hooks
	}
}

// counted returns the tally of a card at each keeper.
func counted(t *testing.T, env *testkit.Env, card liuma.CardID) (spent []uint64) {
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

// spellings are the forms of an ID number that people and systems send.
func spellings(id string) []string {
	wide := strings.Map(func(r rune) rune { return r - '!' + '！' }, id)
	return []string{wide, id[:6] + " " + id[6:14] + " " + id[14:], "　" + id[:17] + strings.ToLower(id[17:]), wide[:9] + id[3:]}
}

func spelled(f registry.Facts, as string) registry.Facts {
	f.IDNumber = as
	return f
}

// withX finds a person whose ID number ends in X, which has the most spellings.
func withX(t *testing.T, env *testkit.Env) registry.Facts {
	t.Helper()
	for _, f := range env.People {
		if strings.HasSuffix(f.IDNumber, "X") {
			return f
		}
	}
	t.Fatal("nobody's number ends in X")
	return registry.Facts{}
}

// TestEverySpellingReachesOneRow (I-4): no spelling of the ID number gets a
// second card, and guesses in all spellings count together, in every kind of
// ceremony.
func TestEverySpellingReachesOneRow(t *testing.T) {
	env := testkit.New(t, testkit.Options{Shape: "2/3", People: 60})
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
	env.Clock.Advance(24 * time.Hour) // strangers may guess again
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
	env := testkit.New(t, testkit.Options{Shape: "2/3", People: 60})
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
// three keepers, so that each keeper counts only two guesses in three; the
// authority's own tally still stops at six.
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

// intentOf is the open intent of a card, if it has one.
func intentOf(t *testing.T, env *testkit.Env, card liuma.CardID) (store.Intent, bool) {
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

// TestFlipIsOnce (I-7): finishing an intent again that only waits for one
// keeper changes nothing; above all it gives no guess back.
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
	restart(env)
	if _, open := intentOf(t, env, before.ID); !open {
		t.Error("the intent ended while a keeper had not acknowledged")
	}
	h.set(nil, nil)
	restart(env)
	if in, open := intentOf(t, env, before.ID); open {
		t.Errorf("the intent stays though all have acknowledged: %+v", in)
	}
	if now := cardRow(t, env, ch, card); now.Tally != before.Tally || !now.PINSetAt.Equal(before.PINSetAt) || now.Version != before.Version {
		t.Errorf("finishing again changed the card: %+v, was %+v", now, before)
	}
}

// TestFlipCompares (I-7): the flip happens only from the version that the
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
	row.Version = in.Version + 7 // as a restored or forged database could have it
	tamper(t, env, func(tx store.Tx) error { return tx.UpdateCard(row) })
	h.set(nil, nil)
	restart(env)
	if now := cardRow(t, env, ch, card); now.Version != row.Version || now.Verifier != row.Verifier {
		t.Errorf("the card was flipped from version %d to %d by an intent on %d", row.Version, now.Version, in.From)
	}
	if v, err := env.Authority().Verification(t.Context(), ch, q.BusinessNo); err != nil || v.Verdict == liuma.Right {
		t.Errorf("the change was acknowledged: %+v, %v", v, err)
	}
}

// TestAttemptFinishesARecordedPIN (I-7): between record and flip no attempt is
// made on the old PIN; the first attempt after the keepers are back carries the
// new PIN through.
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

// failingQuorum fails before it reaches any keeper.
type failingQuorum struct{ authority.Quorum }

func (failingQuorum) Attempt(context.Context, keeper.Target, keeper.Guess, []byte) (keeper.Outcome, error) {
	return keeper.Outcome{}, errors.New("boom")
}

// besides is another authority on the same store, with another quorum.
func besides(t *testing.T, env *testkit.Env, q authority.Quorum) *ceremony.Ceremonies {
	t.Helper()
	national := policy.National()
	national.AllowStandInEvidence = true
	rules, err := policy.NewLayers(national)
	if err != nil {
		t.Fatal(err)
	}
	s := env.System
	engine, err := authority.New(authority.Config{Store: s.Store, Vault: s.Vault, Quorum: q, Policy: rules,
		Registry: s.Registry, Issuer: s.Config.Issuer, Process: "another", Clock: s.Clock})
	if err != nil {
		t.Fatal(err)
	}
	acts, err := ceremony.New(ceremony.Config{Engine: engine, Store: s.Store, Vault: s.Vault, Policy: rules,
		Registry: s.Registry, Issuer: s.Config.Issuer, Counter: s.Counter})
	if err == nil {
		err = engine.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return acts
}

// TestErrorOfTheKeepersIsNoVerdict (I-9).
func TestErrorOfTheKeepersIsNoVerdict(t *testing.T) {
	env := testkit.New(t, testkit.Options{})
	ch := env.Channel("zj-hrss")
	card := env.Enroll(ch, env.People[0], goodPIN)
	a := besides(t, env, failingQuorum{env.System.Quorum})
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

// TestNoVerdictWithoutARow (I-9): the keepers have answered, but the verdict
// cannot be stored. Then no client gets it, now or later.
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

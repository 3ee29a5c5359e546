package ceremony_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// member is one of several authorities on one database: an engine with a vault's
// directory of its own.
type member struct {
	*authority.Authority
	env *testkit.Env
	dir string
	// wait is what an authority does meanwhile that waits for the others.
	wait func()
}

// join makes an authority with the keys of env's.
func join(t *testing.T, env *testkit.Env) *member {
	t.Helper()
	m := &member{env: env, dir: t.TempDir(), wait: func() {}}
	key, err := os.ReadFile(env.System.Config.Vault)
	m.must(err)
	m.must(os.WriteFile(filepath.Join(m.dir, "vault.key"), key, 0o600))
	m.start()
	return m
}

func (m *member) must(err error) {
	m.env.T.Helper()
	if err != nil {
		m.env.T.Fatal(err)
	}
}

// start is a restart as well: nothing is in memory.
func (m *member) start() {
	m.env.T.Helper()
	rules, err := policy.NewLayers(policy.National())
	m.must(err)
	v, err := vault.Open(filepath.Join(m.dir, "vault.key"))
	m.must(err)
	s := m.env.System
	m.Authority, err = authority.New(authority.Config{Store: s.Store, Vault: v, Quorum: s.Quorum, Policy: rules, Shared: true,
		Registry: s.Registry, Issuer: s.Config.Issuer, Process: "another", Clock: s.Clock, Wait: func(context.Context, time.Duration) { m.wait() }})
	m.must(err)
}

func (m *member) maintain() {
	m.env.T.Helper()
	m.must(m.MaintainOnce(m.env.T.Context()))
}

func (m *member) sealKey() store.SealKey {
	m.env.T.Helper()
	k, err := m.SealKey(m.env.T.Context())
	m.must(err)
	return k
}

// opens reports whether an envelope sealed to k is opened here.
func (m *member) opens(k store.SealKey) error {
	m.env.T.Helper()
	b := envelope.Binding{Channel: "zj-hrss", Action: liuma.ActionVerify, Role: liuma.RoleCurrent, SealKeyID: k.ID}
	e, err := envelope.Seal(k.Public, b, []byte("739146"))
	m.must(err)
	p, err := m.OpenPIN(m.env.T.Context(), b, e, "pin", false)
	if err == nil {
		p.Wipe()
	}
	return err
}

func (m *member) dayKeys() int {
	m.env.T.Helper()
	found, err := os.ReadDir(filepath.Join(m.dir, vault.DayKeysDir))
	if err != nil && !os.IsNotExist(err) {
		m.env.T.Fatal(err)
	}
	return len(found)
}

// rows are the rows of a seal key, at most one.
func (m *member) rows(id string) (found []store.SealKey) {
	m.env.T.Helper()
	m.must(m.env.System.Store.View(m.env.T.Context(), func(r store.Reader) error {
		keys, err := r.SealKeys()
		found = slices.DeleteFunc(keys, func(k store.SealKey) bool { return k.ID != id })
		return err
	}))
	return found
}

func wantOpens(t *testing.T, what string, err error, opens bool) {
	t.Helper()
	if opens && err != nil || !opens && liuma.CodeOf(err) != liuma.CodeEnvelopeInvalid {
		t.Errorf("%s: %v", what, err)
	}
}

// days begins a day on which one has made the seal key and the testkit's own is over.
func days(t *testing.T) (*testkit.Env, *member, *member) {
	t.Helper()
	env := testkit.New(t, testkit.Options{})
	env.Clock.Advance(48 * time.Hour)
	one := join(t, env)
	one.maintain()
	return env, one, join(t, env)
}

// TestAnAuthorityThatJoins has the key within the round of one that runs, keeps it
// over a restart, and opens what was sealed before it came.
func TestAnAuthorityThatJoins(t *testing.T) {
	env, one, two := days(t)
	k := one.sealKey()
	wantOpens(t, "before it asked", two.opens(k), false)
	two.wait = one.maintain
	if got := two.sealKey(); got.ID != k.ID {
		t.Errorf("gives out %s, want %s", got.ID, k.ID)
	}
	wantOpens(t, "given", two.opens(k), true)
	two.start()
	two.wait = func() { t.Error("asks again after a restart") }
	if got := two.sealKey(); got.ID != k.ID {
		t.Errorf("after a restart gives out %s, want %s", got.ID, k.ID)
	}
	if asked, given := countEvents(t, env, audit.SealKeyAsked, "ok"), countEvents(t, env, audit.SealKeyShared, "ok"); asked != 1 || given != 1 {
		t.Errorf("asked %d times, given %d times", asked, given)
	}
	if n := countEvents(t, env, audit.SealKeyLost, "ok"); n != 0 {
		t.Errorf("%d keys lost", n)
	}
}

// TestTheNextSealKeyIsThereInTime: before it is given out every authority opens it, and
// there is one.
func TestTheNextSealKeyIsThereInTime(t *testing.T) {
	env, one, two := days(t)
	two.wait = one.maintain
	k := two.sealKey()
	env.Clock.Advance(k.RetireAt.Sub(env.Clock.Now()) - time.Minute)
	for _, m := range []*member{one, two, one, two} {
		m.maintain()
	}
	if got := one.sealKey(); got.ID != k.ID {
		t.Error("the next key is given out before its turn")
	}
	env.Clock.Advance(time.Minute)
	next := one.sealKey()
	if got := two.sealKey(); next.ID == k.ID || got.ID != next.ID {
		t.Errorf("gives out %s and %s after %s", next.ID, got.ID, k.ID)
	}
	for _, m := range []*member{one, two} {
		m.start()
		wantOpens(t, "the next", m.opens(next), true)
		wantOpens(t, "the one before", m.opens(k), true)
	}
}

// TestASealKeyThatNobodyGives: one that lost its day key, or joins where nobody
// runs, makes a new seal key; what was sealed to the old one is typed again. With its
// file back it would open the old one still.
func TestASealKeyThatNobodyGives(t *testing.T) {
	env, one, two := days(t)
	old := one.sealKey()
	env.Clock.Advance(time.Second) // of two keys of the same moment any may be the newest
	k := two.sealKey()             // nobody answers
	if k.ID == old.ID {
		t.Fatal("gives out a key that it does not open")
	}
	wantOpens(t, "the old key", two.opens(old), false)
	wantOpens(t, "the new key", two.opens(k), true)
	if n := countEvents(t, env, audit.SealKeyLost, "ok"); n != 1 {
		t.Errorf("%d keys recorded as lost", n)
	}
	two.must(os.RemoveAll(filepath.Join(two.dir, vault.DayKeysDir)))
	two.start()
	wantOpens(t, "without its file", two.opens(k), false)
	one.maintain() // asks for k
	two.wait = func() {}
	env.Clock.Advance(time.Second)
	fresh := two.sealKey()
	if fresh.ID == k.ID || fresh.ID == old.ID {
		t.Error("gives out a key that it does not open")
	}
	// The first one runs on: it gives what it has, and asks for what it lacks.
	for _, m := range []*member{one, two, one} {
		m.maintain()
	}
	wantOpens(t, "the old key, given", two.opens(old), true)
	wantOpens(t, "the newest key at the other", one.opens(fresh), true)
	if got := one.sealKey(); got.ID != fresh.ID {
		t.Error("two authorities give out two keys")
	}
}

// TestADestroyedSealKeyIsGoneEverywhere: the day key goes at each authority, also
// at one that was away when the row went; with every row that the database ever had and
// the directories of then nobody opens what was sealed to it.
func TestADestroyedSealKeyIsGoneEverywhere(t *testing.T) {
	env, one, two := days(t)
	two.wait = one.maintain
	k := two.sealKey()
	stolen := k
	for _, row := range one.rows(k.ID) {
		stolen = row // with both wraps
	}
	if len(stolen.Wraps) != 2 {
		t.Fatalf("%d wraps", len(stolen.Wraps))
	}
	env.Clock.Advance(stolen.RetireAt.Sub(env.Clock.Now()) + authority.PageLife)
	one.maintain()
	if n := one.dayKeys(); n != 1 {
		t.Errorf("%d day keys left, want that of the new key", n)
	}
	two.start() // it was away
	two.maintain()
	if n := two.dayKeys(); n != 1 {
		t.Errorf("%d day keys left at the other, want that of the new key", n)
	}
	for _, m := range []*member{one, two} {
		v, err := vault.Open(filepath.Join(m.dir, "vault.key"))
		m.must(err)
		if v.Opens(stolen.Kept()) == nil {
			t.Error("opened with an old row")
		}
	}
}

// TestCrashesOfDayKeys: a crash between day key and row, and between the
// destruction of the two, is ended by the next round.
func TestCrashesOfDayKeys(t *testing.T) {
	env, one, _ := days(t)
	k := one.sealKey()
	// The day key is there, and its row never came.
	v, err := vault.Open(filepath.Join(one.dir, "vault.key"))
	one.must(err)
	_, err = v.NewSealKey()
	one.must(err)
	if one.dayKeys() != 2 {
		t.Fatal("no day key without a row")
	}
	one.start()
	one.maintain()
	if one.dayKeys() != 1 {
		t.Error("a day key without a row stays")
	}
	wantOpens(t, "the key that is in use", one.opens(k), true)
	// The day key is destroyed, and the row is there.
	env.Clock.Advance(k.RetireAt.Sub(env.Clock.Now()) + authority.PageLife)
	one.must(v.DestroySealKey(k.ID))
	one.start()
	one.maintain()
	if len(one.rows(k.ID)) != 0 {
		t.Error("the row of a destroyed key stays")
	}
	// One that cannot be destroyed keeps its row, and nothing else stops.
	k = one.sealKey()
	env.Clock.Advance(k.RetireAt.Sub(env.Clock.Now()) + authority.PageLife)
	file := filepath.Join(one.dir, vault.DayKeysDir, k.ID+".key")
	one.must(os.Remove(file))
	one.must(os.Mkdir(file, 0o700))
	if err := one.MaintainOnce(t.Context()); err == nil || len(one.rows(k.ID)) != 1 {
		t.Errorf("not destroyed, and the row is gone: %v", err)
	}
	wantOpens(t, "the next key", one.opens(one.sealKey()), true)
	one.must(os.Remove(file))
	one.maintain()
	if len(one.rows(k.ID)) != 0 {
		t.Error("the row stays")
	}
}

// TestAForgedWrapGetsNothing: who writes to the database puts a day key of their own
// into the row, and gets no wrap; the row is refused.
func TestAForgedWrapGetsNothing(t *testing.T) {
	env, one, two := days(t)
	k := one.sealKey()
	mine, err := vault.Open(filepath.Join(two.dir, "vault.key"))
	two.must(err)
	to, err := mine.DayKey(k.ID)
	two.must(err)
	env.Forge(func(tx store.Tx) error {
		keys, err := tx.SealKeys()
		if err != nil {
			return err
		}
		for _, key := range keys {
			if key.ID == k.ID {
				key.Wraps = append(key.Wraps, vault.Wrap{To: to})
				return tx.UpdateSealKey(key)
			}
		}
		return store.ErrNotFound
	})
	if err := one.MaintainOnce(t.Context()); err == nil {
		t.Error("nothing said about a forged row")
	}
	env.Forge(func(tx store.Tx) error {
		keys, err := tx.SealKeys()
		for _, key := range keys {
			for _, w := range key.Wraps {
				if bytes.Equal(w.To, to) && len(w.Given) > 0 {
					t.Error("the thief got the seal key")
				}
			}
		}
		return err
	})
}

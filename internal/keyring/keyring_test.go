package keyring_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"context"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/vault"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a database that several authorities share.
type world struct {
	t     *testing.T
	db    *sqlite.Store
	now   time.Time
	alive []*authority
	away  map[string]time.Time // when those that do not serve were there last
}

// authority is one of them: its view of the database, and a directory of its own.
type authority struct {
	store.Store
	w       *world
	name    string
	process string
	began   time.Time
	absent  bool // its connection is gone
	dir     string
	vault   *vault.Vault
	heads   *vault.Heads
	keys    *keyring.Keyring
}

func (a *authority) Self() store.Peer {
	return store.Peer{Name: a.name, Process: a.process, Since: a.began, Absent: a.absent}
}

func (a *authority) Peers(context.Context) (all []store.Peer, err error) {
	for _, x := range a.w.alive {
		all = append(all, x.Self())
	}
	return all, nil
}

// Away are those that were stopped, as the database remembers them.
func (a *authority) Away(context.Context) (all []store.Peer, err error) {
	for name, seen := range a.w.away {
		all = append(all, store.Peer{Name: name, Seen: seen})
	}
	return all, nil
}

// of copies a directory for another authority, as an operator does.
func of(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"vault.key", vault.HeadsFile} {
		content, err := os.ReadFile(filepath.Join(from, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return dir
}

func newWorld(t *testing.T, names ...string) (*world, []*authority) {
	t.Helper()
	first := t.TempDir()
	must(t, vault.Create(filepath.Join(first, "vault.key")))
	v, err := vault.Open(filepath.Join(first, "vault.key"))
	must(t, err)
	_, err = vault.CreateHeads(v, first)
	must(t, err)
	w := &world{t: t, away: map[string]time.Time{}, now: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)}
	w.db, err = sqlite.Open(t.Context(), filepath.Join(first, "authority.db"), sqlite.Config{Seal: v})
	must(t, err)
	t.Cleanup(func() { must(t, w.db.Close()) })
	var all []*authority
	for i, name := range names {
		a := &authority{Store: w.db, w: w, name: name, dir: first}
		if i > 0 {
			a.dir = of(t, first)
		}
		all = append(all, a)
	}
	for _, a := range all {
		must(t, a.start())
	}
	return w, all
}

// start is what a server does: catch up, open, join.
func (a *authority) start() (err error) {
	a.process, a.began = a.name+time.Now().String(), a.w.now
	delete(a.w.away, a.name)
	if a.vault, err = vault.Open(filepath.Join(a.dir, "vault.key")); err != nil {
		return err
	}
	a.vault.PublishFirst(func() time.Time { return a.w.now })
	if a.heads, err = vault.OpenHeads(a.vault, a.dir); err != nil {
		return err
	}
	if err := keyring.CatchUp(context.Background(), a, a.vault, a.heads, a.name, nil); err != nil {
		return err
	}
	if a.keys, err = keyring.New(keyring.Config{Store: a, Vault: a.vault, Heads: a.heads, Name: a.name, Now: func() time.Time { return a.w.now }}); err != nil {
		return err
	}
	a.w.alive = append(a.w.alive, a)
	return a.keys.Join(context.Background())
}

func (a *authority) stop() {
	a.w.away[a.name] = a.w.now
	a.w.alive = slices.DeleteFunc(a.w.alive, func(x *authority) bool { return x == a })
}

// rounds has all that serve look, some times.
func (w *world) rounds() {
	w.t.Helper()
	for range 4 {
		for _, a := range w.alive {
			must(w.t, a.keys.Round(w.t.Context()))
		}
	}
}

func (a *authority) digits(t *testing.T) string {
	t.Helper()
	s, err := a.keys.State(t.Context())
	must(t, err)
	for _, m := range s.Members {
		if m.Here {
			return m.Digits
		}
	}
	t.Fatal("it does not know itself")
	return ""
}

func confirm(t *testing.T, a, b *authority) {
	t.Helper()
	must(t, a.keys.Confirm(t.Context(), "admin", b.name, b.digits(t), "compared"))
	must(t, b.keys.Confirm(t.Context(), "admin", a.name, a.digits(t), "compared"))
}

func (a *authority) published() (all []string) {
	for _, k := range a.vault.ReceiptKeys().Keys {
		all = append(all, k.KeyID)
	}
	return all
}

// row is the row as it is, and put writes another in its place: what somebody does who can
// write to the database and, worse, has the vault's key file.
func (w *world) row() (k store.Keyring) {
	w.t.Helper()
	must(w.t, w.db.View(w.t.Context(), func(r store.Reader) (err error) { k, err = r.Keyring(); return err }))
	return k
}

func (w *world) put(k store.Keyring) {
	w.t.Helper()
	k.Rev = w.row().Rev
	must(w.t, w.db.Update(w.t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, tx.PutKeyring(k, 0) }))
}

func (w *world) entries(ev audit.Event) (n int) {
	w.t.Helper()
	must(w.t, w.db.View(w.t.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		n = 0
		for _, e := range all {
			if e.Event == ev {
				n++
			}
		}
		return err
	}))
	return n
}

// TestARootKeyReachesAll: first all that serve open what it sealed, then it seals.
func TestARootKeyReachesAll(t *testing.T) {
	w, all := newWorld(t, "a", "b", "c")
	a, b, c := all[0], all[1], all[2]
	confirm(t, a, b)
	confirm(t, a, c)
	key, err := a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	must(t, b.keys.Round(t.Context()))
	must(t, a.keys.Round(t.Context()))
	for _, x := range all {
		if x.vault.SealsWith() == key.ID {
			t.Fatalf("%s seals with a key that c does not have", x.name)
		}
	}
	must(t, c.keys.Round(t.Context()))
	w.rounds()
	sealed, err := a.vault.Seal(vault.CardFacts, []byte("id"), []byte("facts"))
	must(t, err)
	for _, x := range all {
		if x.vault.SealsWith() != key.ID {
			t.Errorf("%s seals with %d", x.name, x.vault.SealsWith())
		}
		if plain, err := x.vault.Unseal(vault.CardFacts, []byte("id"), sealed); err != nil || string(plain) != "facts" {
			t.Errorf("%s: %q, %v", x.name, plain, err)
		}
	}
	// Old ones go everywhere.
	must(t, b.keys.DropRootKey(t.Context(), "admin", 1))
	w.rounds()
	for _, x := range all {
		if keys, err := x.vault.KeyFile().RootKeys(); err != nil || len(keys) != 1 {
			t.Errorf("%s holds %v, %v", x.name, keys, err)
		}
	}
}

// TestASigningKeyIsPublishedByAllFirst, for ten minutes.
func TestASigningKeyIsPublishedByAllFirst(t *testing.T) {
	w, all := newWorld(t, "a", "b")
	a, b := all[0], all[1]
	confirm(t, a, b)
	was := a.vault.SignsWith()
	w.now = w.now.Add(time.Hour)
	kid, err := b.keys.NewSigningKey(t.Context(), "admin")
	must(t, err)
	w.now = w.now.Add(5 * time.Minute)
	w.rounds()
	w.now = w.now.Add(vault.PublishedFor - time.Second)
	w.rounds()
	for _, x := range all {
		if x.vault.SignsWith() != was || len(x.published()) != 2 {
			t.Fatalf("%s signs with %s and publishes %v", x.name, x.vault.SignsWith(), x.published())
		}
	}
	if _, err := a.keys.NewSigningKey(t.Context(), "admin"); !errors.Is(err, keyring.ErrUnderWay) {
		t.Errorf("a second one meanwhile: %v", err)
	}
	w.now = w.now.Add(time.Second)
	w.rounds()
	for _, x := range all {
		if x.vault.SignsWith() != kid || len(x.published()) != 2 || !x.vault.SignedLately(was) {
			t.Errorf("%s signs with %s and publishes %v", x.name, x.vault.SignsWith(), x.published())
		}
	}
	if err := a.keys.DropSigningKey(t.Context(), "admin", was); !errors.Is(err, keyring.ErrLately) {
		t.Errorf("dropped at once: %v", err)
	}
	w.now = w.now.Add(13 * time.Minute)
	must(t, a.keys.DropSigningKey(t.Context(), "admin", was))
	w.rounds()
	for _, x := range all {
		if got := x.published(); len(got) != 1 || got[0] != kid {
			t.Errorf("%s publishes %v", x.name, got)
		}
	}
}

// TestOneThatWasDownCatchesUp at its start, before it reads anything else.
func TestOneThatWasDownCatchesUp(t *testing.T) {
	w, all := newWorld(t, "a", "b")
	a, b := all[0], all[1]
	confirm(t, a, b)
	b.stop()
	for range 2 {
		_, err := a.keys.NewRootKey(t.Context(), "admin")
		must(t, err)
		w.rounds()
	}
	if a.vault.SealsWith() != 3 {
		t.Fatalf("a seals with %d", a.vault.SealsWith())
	}
	must(t, b.start())
	if b.vault.SealsWith() != 3 {
		t.Errorf("b seals with %d", b.vault.SealsWith())
	}
}

// TestNobodyUnconfirmedGetsKeys: while one serves nothing is rotated; one that comes later
// does not start.
func TestNobodyUnconfirmedGetsKeys(t *testing.T) {
	w, all := newWorld(t, "a", "b")
	a, b := all[0], all[1]
	if _, err := a.keys.NewRootKey(t.Context(), "admin"); !errors.Is(err, keyring.ErrUnconfirmed) {
		t.Errorf("beside one that is not confirmed: %v", err)
	}
	if err := a.keys.Confirm(t.Context(), "admin", "b", a.digits(t), "not compared"); !errors.Is(err, keyring.ErrMember) {
		t.Errorf("other digits: %v", err)
	}
	must(t, a.keys.Confirm(t.Context(), "admin", "b", b.digits(t), "compared"))
	if _, err := a.keys.NewRootKey(t.Context(), "admin"); !errors.Is(err, keyring.ErrUnconfirmed) {
		t.Errorf("b would not take it: %v", err)
	}
	must(t, a.keys.Dismiss(t.Context(), "admin", "b", "gone"))
	b.stop()
	_, err := a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	w.rounds()
	if err := b.start(); !errors.Is(err, keyring.ErrNotGiven) && !errors.Is(err, keyring.ErrGiver) {
		t.Errorf("b starts: %v", err)
	}
	for _, g := range w.row().Gives {
		if g.To == "b" {
			t.Error("something was sealed to b")
		}
	}
	s, err := a.keys.State(t.Context())
	must(t, err)
	if i := len(s.Members) - 1; s.Members[i].Name != "b" || s.Members[i].Why == "" {
		t.Errorf("its state: %+v", s.Members)
	}
}

// TestMadeUpKeysAreRefused, by whoever writes to the database, even with the vault's key
// file: words and editions are signed, what is given is bound to whom, by whom and when.
func TestMadeUpKeysAreRefused(t *testing.T) {
	w, all := newWorld(t, "a", "b")
	a, b := all[0], all[1]
	confirm(t, a, b)
	_, err := a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	good := w.row()
	for name, change := range map[string]func(*store.Keyring){
		"another edition":  func(k *store.Keyring) { k.Edition++ },
		"another digest":   func(k *store.Keyring) { k.Digest[0]++ },
		"another giver":    func(k *store.Keyring) { k.Giver = "b" },
		"of a stranger":    func(k *store.Keyring) { k.Giver = "z" },
		"other bytes":      func(k *store.Keyring) { k.Gives[1].Sealed[3]++ },
		"used at once":     func(k *store.Keyring) { k.Next = "" },
		"another's part":   func(k *store.Keyring) { k.Gives[1].Sealed = k.Gives[0].Sealed },
		"nothing for b":    func(k *store.Keyring) { k.Gives = k.Gives[:1] },
		"a's word is gone": func(k *store.Keyring) { k.Members[0].Confirmed = nil },
	} {
		bad := good
		bad.Gives = append([]store.KeyringGive(nil), good.Gives...)
		for i := range bad.Gives {
			bad.Gives[i].Sealed = append([]byte(nil), good.Gives[i].Sealed...)
		}
		bad.Members = append([]store.KeyringMember(nil), good.Members...)
		change(&bad)
		w.put(bad)
		if err := b.keys.Round(t.Context()); err == nil {
			t.Errorf("%s: taken", name)
		}
		if keys, err := b.vault.KeyFile().RootKeys(); err != nil || len(keys) != 1 || b.vault.SealsWith() != 1 {
			t.Fatalf("%s: %v, %v", name, keys, err)
		}
	}
	// A stranger with a word that nobody gave gets nothing.
	thief, err := b.vault.MakeIdentityKey("b")
	must(t, err)
	evil := good
	evil.Members = append(append([]store.KeyringMember(nil), good.Members...), store.KeyringMember{Name: "z", Opens: thief.Opens, Signs: thief.Signs,
		Confirmed: []store.KeyringWord{{By: "a", Print: good.Members[1].Confirmed[0].Print, At: w.now, Sign: good.Members[1].Confirmed[0].Sign}}})
	w.put(evil)
	w.rounds()
	_, err = a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	for _, g := range w.row().Gives {
		if g.To == "z" {
			t.Error("the stranger gets keys")
		}
	}
}

// TestAnEditionPutBackIsRefused by whoever saw a later one.
func TestAnEditionPutBackIsRefused(t *testing.T) {
	w, all := newWorld(t, "a", "b")
	a, b := all[0], all[1]
	confirm(t, a, b)
	dir := t.TempDir()
	copyOf(t, a.dir, dir)
	_, err := a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	w.rounds()
	must(t, b.heads.Raise(keyring.Head, w.row().Rev+1)) // it saw one more than there is
	if err := b.keys.Round(t.Context()); !errors.Is(err, store.ErrOldDatabase) {
		t.Errorf("put back: %v", err)
	}
	// An old copy of a key file comes back to what all have.
	a.stop()
	copyOf(t, dir, a.dir)
	must(t, a.start())
	if a.vault.SealsWith() != 2 {
		t.Errorf("after an old copy it seals with %d", a.vault.SealsWith())
	}
}

func copyOf(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(from, "vault.key"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(to, "vault.key"), content, 0o600))
}

// TestACrashAtEachStep leaves the keys before or after, and the next start goes on.
func TestACrashAtEachStep(t *testing.T) {
	w, all := newWorld(t, "a", "b")
	a, b := all[0], all[1]
	confirm(t, a, b)
	old := t.TempDir()
	copyOf(t, a.dir, old)
	_, err := a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	// The row was committed, the giver's own file not written.
	a.stop()
	copyOf(t, old, a.dir)
	must(t, a.start())
	if keys, err := a.vault.KeyFile().RootKeys(); err != nil || len(keys) != 2 || keys[1].Seals {
		t.Errorf("the giver: %v, %v", keys, err)
	}
	// b wrote its file and died before it said so: it is waited for, then catches up.
	must(t, b.keys.Round(t.Context()))
	b.stop()
	must(t, b.start())
	w.rounds()
	// The file could not be replaced: nothing is used.
	_, err = a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	lock := filepath.Join(b.dir, "vault.key.new")
	must(t, os.WriteFile(lock, nil, 0o600))
	if err := b.keys.Round(t.Context()); !errors.Is(err, vault.ErrKeyFileLocked) {
		t.Errorf("b cannot write: %v", err)
	}
	must(t, a.keys.Round(t.Context()))
	if a.vault.SealsWith() != 2 {
		t.Errorf("a seals with %d", a.vault.SealsWith())
	}
	s, err := a.keys.State(t.Context())
	must(t, err)
	if len(s.Waiting) != 1 || s.Waiting[0] != "b" || !strings.Contains(s.Members[1].Why+s.Members[0].Why, "being changed") {
		t.Errorf("its state: %+v", s)
	}
	must(t, os.Remove(lock))
	w.rounds()
	if a.vault.SealsWith() != 3 || b.vault.SealsWith() != 3 {
		t.Errorf("they seal with %d and %d", a.vault.SealsWith(), b.vault.SealsWith())
	}
}

// TestAnIdentityBelongsToAName: one that came with a copied directory is made anew.
func TestAnIdentityBelongsToAName(t *testing.T) {
	_, all := newWorld(t, "a")
	dir := of(t, all[0].dir)
	content, err := os.ReadFile(filepath.Join(all[0].dir, vault.IdentityFile))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, vault.IdentityFile), content, 0o600))
	v, err := vault.Open(filepath.Join(dir, "vault.key"))
	must(t, err)
	if _, err := v.IdentityKey("b"); !errors.Is(err, vault.ErrNoIdentity) {
		t.Errorf("another's: %v", err)
	}
	b, err := v.MakeIdentityKey("b")
	must(t, err)
	again, err := v.IdentityKey("b")
	must(t, err)
	if b.Fingerprint() != again.Fingerprint() || b.Fingerprint() == all[0].identity(t) {
		t.Error("it is not its own, or not kept")
	}
	if info, err := os.Stat(filepath.Join(dir, vault.IdentityFile)); err != nil || info.Mode().Perm() != fs.FileMode(0o600) {
		t.Errorf("its file: %v, %v", info, err)
	}
}

func (a *authority) identity(t *testing.T) vault.Fingerprint {
	t.Helper()
	k, err := a.vault.IdentityKey(a.name)
	must(t, err)
	return k.Fingerprint()
}

// TestADatabaseTakenForGood goes on with the keys of the directory that takes it.
func TestADatabaseTakenForGood(t *testing.T) {
	w, all := newWorld(t, "a", "b")
	a, b := all[0], all[1]
	confirm(t, a, b)
	before := w.row()
	_, err := a.keys.NewRootKey(t.Context(), "admin")
	must(t, err)
	w.rounds()
	must(t, a.heads.Raise(keyring.Head, w.row().Rev+50)) // what is there now was put back
	must(t, b.heads.Raise(keyring.Head, w.row().Rev+50))
	before.Rev = 0
	w.put(before)
	if err := a.keys.Round(t.Context()); !errors.Is(err, store.ErrOldDatabase) {
		t.Fatalf("an old database: %v", err)
	}
	must(t, a.keys.Accept(t.Context(), "admin"))
	must(t, a.keys.Join(t.Context()))
	must(t, b.keys.Join(t.Context()))
	w.rounds()
	if k := w.row(); k.Edition <= before.Edition || a.vault.SealsWith() != 2 || b.vault.SealsWith() != 2 {
		t.Errorf("edition %d, they seal with %d and %d", k.Edition, a.vault.SealsWith(), b.vault.SealsWith())
	}
}

// TestWhoServes: the list says of each authority whether it serves and since when, or when it
// was there last; one whose connection is gone does not, though nobody has ended it yet.
func TestWhoServes(t *testing.T) {
	w, all := newWorld(t, "a", "b")
	a, b := all[0], all[1]
	of := func(name string) keyring.Member {
		t.Helper()
		s, err := a.keys.State(t.Context())
		must(t, err)
		i := slices.IndexFunc(s.Members, func(m keyring.Member) bool { return m.Name == name })
		return s.Members[i]
	}
	if m := of("b"); !m.Serves || !m.Since.Equal(w.now) || !m.Seen.IsZero() {
		t.Errorf("one that serves: %+v", m)
	}
	b.absent = true
	if m := of("b"); m.Serves || !m.Since.IsZero() {
		t.Errorf("one without a connection: %+v", m)
	}
	b.absent = false
	w.now = w.now.Add(time.Hour)
	b.stop()
	if m := of("b"); m.Serves || !m.Since.IsZero() || !m.Seen.Equal(w.now) {
		t.Errorf("one that was stopped: %+v", m)
	}
	if m := of("a"); !m.Serves || !m.Here {
		t.Errorf("this one: %+v", m)
	}
	must(t, b.start())
	if m := of("b"); !m.Serves || !m.Since.Equal(w.now) {
		t.Errorf("one that was started again: %+v", m)
	}
}

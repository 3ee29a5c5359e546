// Package keyring has the authorities on one database hold the same keys: one that makes or
// drops a root key or a signing key hands the keys to the others through a row of the
// database, sealed to each.
//
// It guarantees that a key is used by nobody before all that serve hold it, and that what
// signs for clients was published by all of them for as long as clients keep published keys;
// that keys are sealed to no authority whose identity is not confirmed by a person here, or
// by an authority that is; that what is taken was given by such a one, for this
// authority, in this edition, and that an edition which was put back is refused by whoever
// saw a later one. An authority that lacks the keys and cannot take them does not start.
// Who writes to the database can delay a rotation and nothing else.
//
// It trusts the vault's key file, its file of heads, and the people who compare
// fingerprints.
//
// Start here: Keyring, then give.go, take.go and trust.go.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Head is the version of the keyring's row that this directory has seen.
const Head vault.Head = "keyring"

// EditionHead is the last edition whose keys this directory had. The row's version alone does
// not say: who has the key file of the vault puts an edition of before under a new one.
const EditionHead vault.Head = "keyring-edition"

// Errors.
var (
	// ErrNotGiven says that this authority lacks keys, and was given none.
	ErrNotGiven = errors.New("the other authorities have newer keys than this directory, and none were handed to it: its identity is not confirmed there. Compare its digits with those that 'liuma keys members' shows at one that serves, confirm it there ('liuma keys confirm'), and start it again")
	// ErrGiver says that the keys come from an authority that is not confirmed here.
	ErrGiver = errors.New("newer keys were handed over by an authority that is not confirmed here; nothing was taken. Stop this one, put its vault.key aside, take the keys of one that serves ('liuma keys ask', 'invite' and 'take'), start it, and confirm each at the other: 'liuma keys confirm'")
	// ErrUnconfirmed says that an authority serves that would get no key.
	ErrUnconfirmed = errors.New("an authority serves whose identity is not confirmed, here or there: compare the digits and confirm each at the other, 'liuma keys confirm', or stop it")
	// ErrUnderWay says that keys were handed over and are not in use everywhere.
	ErrUnderWay = errors.New("keys were handed over before, and not all that serve have them, or they are not in use yet: 'liuma keys members' shows who is waited for, or from when on they are used. Try again then")
	// ErrMember says that there is no such authority, or that its digits are others.
	ErrMember = errors.New("no other authority of that name has these digits: compare them with what 'liuma keys members' shows on its machine")
	// ErrLately says that an authority may still sign with the key, or did a moment ago.
	ErrLately = errors.New("an authority may still sign with this key, or did a moment ago: drop it a quarter of an hour after the last of them was started, or got its keys")
	// ErrGone says that an identity was dismissed.
	ErrGone = errors.New("this identity was dismissed, here or at another authority, and stays out: delete identity.key on its machine, start it, and compare its new digits")
	// ErrNumber says that the row's version or edition is one that nobody reached.
	ErrNumber = errors.New("the row of the keys has a number that no authority can have reached: somebody who has the vault's key file wrote to the database. Nothing of it was believed or kept. Find out who, stop all, 'liuma heads accept' where vault.key is the newest, start that one, then the others, and confirm each at the other again")
	errMoved  = errors.New("keyring: the row was changed meanwhile")
)

// maxJump is how far the row's numbers may be above what this directory has seen. Each change
// raises them by one, and there are a few at each start and rotation; who was away for years is not a
// million behind. A number beyond that is not taken for a head: later, true rows would be refused
// by it, and at the highest number there is no later one.
const maxJump = 1 << 20

// Config is what a Keyring works with. All but Logger are required.
type Config struct {
	Store store.Store
	Vault *vault.Vault
	Heads *vault.Heads
	// Name is the authority's own, also where its process has the database to itself now;
	// empty: nobody else can work with the database.
	Name   string
	Now    func() time.Time
	Logger *slog.Logger
}

// Keyring is one authority's part. Safe for concurrent use.
type Keyring struct {
	c Config

	mu   sync.Mutex
	me   *vault.IdentityKey  // guarded by mu; nil until Join or the first act
	seen uint64              // guarded by mu: revision of the row that the last round ended with
	told uint64              // guarded by mu: edition that was refused and recorded
	full map[vault.Head]bool // guarded by mu: whose statements are heard no more
}

// New checks the Config.
func New(c Config) (*Keyring, error) {
	if c.Store == nil || c.Vault == nil || c.Heads == nil || c.Now == nil {
		return nil, errors.New("keyring: config: want Store, Vault, Heads and Now")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Keyring{c: c}, nil
}

// read is the row as it is now; a zero one where there is none. It refuses one that is
// older than what this directory has seen, or has an edition of before.
func (k *Keyring) read(r store.Reader) (row store.Keyring, err error) {
	floor := k.c.Heads.Get(Head)
	row, err = r.Keyring()
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Keyring{}, fmt.Errorf("keyring: %w", err)
	}
	seen := k.c.Heads.Get(EditionHead)
	if far(&row, floor, seen) {
		return store.Keyring{}, liuma.Fail(liuma.CodeUnavailable, ErrNumber)
	}
	if row.Rev < floor {
		return store.Keyring{}, liuma.Fail(liuma.CodeUnavailable, fmt.Errorf("%w: its keys have the version %d, and %s says %d", store.ErrOldDatabase, row.Rev, vault.HeadsFile, floor))
	}
	if row.Edition < seen {
		return store.Keyring{}, liuma.Fail(liuma.CodeUnavailable, fmt.Errorf("%w: its keys have the edition %d, and %s says %d", store.ErrOldDatabase, row.Edition, vault.HeadsFile, seen))
	}
	return row, nil
}

// far reports whether a row's numbers are beyond what can have come since. An edition that was
// taken for good (Accept) goes on from the row's version.
func far(row *store.Keyring, floor, seen uint64) bool {
	return row.Rev > floor && row.Rev-floor > maxJump || row.Edition > max(floor, seen) && row.Edition-max(floor, seen) > maxJump
}

// view reads the row by itself, and keeps in the file of heads how far it is.
func (k *Keyring) view(ctx context.Context) (row store.Keyring, err error) {
	err = k.c.Store.View(ctx, func(r store.Reader) (err error) { row, err = k.read(r); return err })
	if err == nil && row.Rev > 0 {
		err = k.c.Heads.Raise(Head, row.Rev)
	}
	return row, err
}

// change changes the row as it is now, in one transaction with its entry, and then raises
// the head. f may be run more than once. A crash before the commit changes nothing; after
// it the head is raised by the next look.
func (k *Keyring) change(ctx context.Context, f func(*store.Keyring) (audit.Entry, error)) error {
	wrote := false
	err := k.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		wrote = false
		row, err := k.read(tx)
		if err != nil {
			return audit.Entry{}, err
		}
		e, err := f(&row)
		if errors.Is(err, errNothing) {
			return audit.Entry{}, nil
		}
		if err != nil {
			return audit.Entry{}, err
		}
		wrote = true
		return e, tx.PutKeyring(row, k.c.Heads.Get(Head))
	})
	if err == nil && wrote {
		_, err = k.view(ctx)
	}
	return err
}

// errNothing says that there is nothing to change.
var errNothing = errors.New("keyring: nothing to change")

// Shared reports whether keys are handed over here: other authorities can work with the
// database, or did.
func (k *Keyring) Shared(ctx context.Context) (bool, error) {
	if k == nil {
		return false, nil
	}
	if k.c.Store.Self().Name != "" {
		return true, nil
	}
	row, err := k.view(ctx)
	return len(row.Members) > 0, err
}

// identity is this authority's own. The caller holds mu.
func (k *Keyring) identity(make bool) (_ *vault.IdentityKey, err error) {
	if k.me != nil {
		return k.me, nil
	}
	if k.c.Name == "" {
		return nil, vault.ErrNoIdentity
	}
	if make {
		k.me, err = k.c.Vault.MakeIdentityKey(k.c.Name)
	} else {
		k.me, err = k.c.Vault.IdentityKey(k.c.Name)
	}
	return k.me, err
}

// peers are the processes that work with the database; this one alone where it has the
// database to itself.
func (k *Keyring) peers(ctx context.Context) (all []store.Peer, err error) {
	self := k.c.Store.Self()
	if self.Name == "" {
		return []store.Peer{{Name: k.c.Name, Process: self.Process}}, nil
	}
	return k.c.Store.Peers(ctx)
}

package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// sharedHead names the head of the database's shared row: the version of its
// clients and seal keys.
const sharedHead vault.Head = "shared"

// upToDate refuses a database that is older than its head, before anything is
// read from it.
func upToDate(ctx context.Context, db store.Store, heads *vault.Heads) error {
	return db.View(ctx, func(r store.Reader) error {
		n, err := r.Shared()
		if want := heads.Get(sharedHead); err == nil && n < want {
			return fmt.Errorf("%w: its clients and seal keys have the version %d, and %s says %d", store.ErrOldDatabase, n, vault.HeadsFile, want)
		}
		return err
	})
}

// AcceptHeads accepts the database of a data directory for good, although it is
// older than the file of heads or that file is missing. It raises the database's
// version above the head, with an audit entry that has the reason, and then raises
// the head to that version. A crash in between leaves the head lower than the
// database, and the next start raises it; or no file of heads, and then AcceptHeads
// is called again. It returns the new version. If InUse reports true for the error,
// another process works with the directory.
func AcceptHeads(ctx context.Context, c config.Config, reason audit.Reason, m clock.Machine) (_ uint64, err error) {
	if reason, err = audit.ParseReason(string(reason)); err != nil {
		return 0, err
	}
	var open closers
	defer func() { err = errors.Join(err, open.close()) }()
	v, err := openVaultOf(c, &open)
	if err != nil {
		return 0, err
	}
	dir := filepath.Dir(c.Vault)
	heads, err := vault.OpenHeads(v, dir)
	if err != nil && !errors.Is(err, vault.ErrNoHeads) {
		return 0, err
	}
	above := uint64(0)
	if heads != nil {
		above = heads.Get(sharedHead)
	}
	db, err := database{seal: v}.open(ctx, c)
	if err != nil {
		return 0, err
	}
	open.add(db.Close)
	now, err := openClock(ctx, db, m)
	if err != nil {
		return 0, err
	}
	n, err := acceptDatabase(ctx, db, above, actorHere(ctx, db, v), reason, now.Now())
	if err != nil {
		return 0, err
	}
	if heads == nil {
		if heads, err = vault.CreateHeads(v, dir); err != nil {
			return 0, err
		}
	}
	if err := acceptKeys(ctx, c, db, v, heads, actorHere(ctx, db, v), now.Now); err != nil {
		return 0, err
	}
	return n, heads.Raise(sharedHead, n)
}

// acceptKeys raises the version of the keyring's row above the head that this directory has
// seen, and keeps the keys of the vault's file. A crash before it is done leaves the head
// lower; then it is called again.
func acceptKeys(ctx context.Context, c config.Config, db store.Store, v *vault.Vault, heads *vault.Heads, actor string, now func() time.Time) error {
	k, err := keyring.New(keyring.Config{Store: db, Vault: v, Heads: heads, Name: nameThere(c), Now: now})
	if err != nil {
		return err
	}
	return k.Accept(ctx, actor)
}

// actorHere returns the member of staff whom the database (an old one here) binds to
// the account that runs this process, or admin.Actor if there is none.
func actorHere(ctx context.Context, db store.Store, v *vault.Vault) string {
	uid := os.Getuid()
	who, err := staff.New(staff.Config{Store: db, Challenges: v, Now: time.Now})
	if err != nil || uid < 0 {
		return admin.Actor
	}
	c, err := who.OfAccount(ctx, uint32(uid))
	if err != nil {
		return admin.Actor
	}
	return c.Actor()
}

// acceptDatabase raises the database's version above a head, and returns it.
func acceptDatabase(ctx context.Context, db store.Store, above uint64, actor string, reason audit.Reason, now time.Time) (n uint64, err error) {
	err = db.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		was, err := tx.Shared()
		if err != nil {
			return audit.Entry{}, err
		}
		return audit.Entry{
			At: now.UTC(), Actor: actor, Event: audit.HeadsAccepted, Outcome: "ok",
			Note: reason.Note(fmt.Sprintf("version=%d head=%d", was, above)),
		}, tx.RaiseShared(above)
	})
	if err != nil {
		return 0, err
	}
	err = db.View(ctx, func(r store.Reader) (err error) { n, err = r.Shared(); return err })
	return n, err
}

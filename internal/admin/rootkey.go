package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// RootKey is the answer to a rotation of the vault: the root key that seals.
type RootKey struct {
	ID   uint32    `json:"id"`
	Made time.Time `json:"made"`
	// Follows says that the key will seal once all authorities on the database have
	// it.
	Follows bool `json:"follows,omitempty"`
}

// RotateRootKey adds a root key to the vault. It seals everything that is written
// from now on; older values stay readable. The key file is not part of the database,
// so there are two audit entries: one before ("begun") and one after. If nothing
// follows a "begun", the rotation was cut short; 'liuma keys vault list' shows
// whether the key was made.
func (a *Admin) RotateRootKey(ctx context.Context, reason audit.Reason) (RootKey, error) {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return RootKey{}, err
	}
	shared, err := a.c.Keyring.Shared(ctx)
	if err != nil {
		return RootKey{}, err
	}
	if err := a.noteRootKey(ctx, audit.RootKeyMade, "begun", reason.Note("")); err != nil {
		return RootKey{}, err
	}
	if shared {
		key, err := a.c.Keyring.NewRootKey(ctx, ActorOf(ctx))
		if err != nil {
			return RootKey{}, errors.Join(err, a.noteRootKey(ctx, audit.RootKeyMade, "failed", ""))
		}
		return RootKey{ID: key.ID, Made: key.Made, Follows: a.c.Server != nil}, a.noteRootKey(ctx, audit.RootKeyMade, "ok", keyNote(key.ID))
	}
	key, err := a.c.Vault.KeyFile().RotateRootKey(a.c.Clock.Now())
	if err != nil {
		return RootKey{}, errors.Join(err, a.noteRootKey(ctx, audit.RootKeyMade, "failed", ""))
	}
	// From here on the key is in the file; a crash leaves it there, and it seals
	// from the next start on.
	err = a.noteRootKey(ctx, audit.RootKeyMade, "ok", keyNote(key.ID))
	if err = errors.Join(a.c.Vault.Reload(), err); err != nil {
		return RootKey{}, fmt.Errorf("the key %d was made and seals from the next start of the server on: %w", key.ID, err)
	}
	return RootKey{ID: key.ID, Made: key.Made}, nil
}

// ErrResealing says that rows may still be sealed under a root key.
var ErrResealing = errors.New("rows may still be sealed under this key: 'liuma status' shows how far sealing them anew has come")

// DroppedRootKey is the answer to dropping a root key of the vault.
type DroppedRootKey struct {
	// Refused counts the rows that were not sealed anew because they fail their
	// seal.
	Refused uint64 `json:"refused"`
}

// DropRootKey destroys an older root key of the vault, once everything is sealed
// again under the present one. From then on a copy of the old key can neither read
// nor forge values. Without a server it first seals everything again itself. There
// are two audit entries, as for a rotation.
func (a *Admin) DropRootKey(ctx context.Context, id uint32, reason audit.Reason) (out DroppedRootKey, err error) {
	if reason, err = audit.ParseReason(string(reason)); err != nil {
		return out, err
	}
	if err := a.older(id); err != nil {
		return out, err
	}
	s, err := a.resealed(ctx)
	if err == nil && a.c.Server == nil {
		s, err = a.reseal(ctx)
	}
	if err != nil {
		return out, err
	}
	// The vault has sealed with the newest key since before the pass began, and no
	// value is written under another key. So no row that the pass has done can come
	// to be sealed under an old key.
	if s.Key != a.c.Vault.SealsWith() || !s.Ended() {
		return out, ErrResealing
	}
	out.Refused = s.Refused
	if err := a.noteRootKey(ctx, audit.RootKeyDropped, "begun", reason.Note(keyNote(id))); err != nil {
		return out, err
	}
	if err := a.dropRootKey(ctx, id); err != nil {
		return out, errors.Join(err, a.noteRootKey(ctx, audit.RootKeyDropped, "failed", keyNote(id)))
	}
	// From here on the key is out of the file; a crash leaves it so.
	err = a.noteRootKey(ctx, audit.RootKeyDropped, "ok", keyNote(id))
	if err = errors.Join(a.c.Vault.Reload(), err); err != nil {
		return out, fmt.Errorf("the key %d was dropped, and is forgotten at the next start of the server at the latest: %w", id, err)
	}
	return out, nil
}

// dropRootKey takes the key out of the key file, or out of the key files of all
// authorities.
func (a *Admin) dropRootKey(ctx context.Context, id uint32) error {
	shared, err := a.c.Keyring.Shared(ctx)
	if err == nil && shared {
		return a.c.Keyring.DropRootKey(ctx, ActorOf(ctx), id)
	}
	if err == nil {
		err = a.c.Vault.KeyFile().DropRootKey(id)
	}
	return err
}

// older refuses a key that is not an older root key of the key file.
func (a *Admin) older(id uint32) error {
	keys, err := a.c.Vault.KeyFile().RootKeys()
	if err != nil {
		return err
	}
	for _, k := range keys {
		switch {
		case k.ID == id && k.Seals:
			return vault.ErrRootSeals
		case k.ID == id:
			return nil
		}
	}
	return vault.ErrNoRootKey
}

func (a *Admin) noteRootKey(ctx context.Context, event audit.Event, outcome, note string) error {
	return a.c.Store.Update(ctx, func(store.Tx) (audit.Entry, error) {
		return audit.Entry{At: a.c.Clock.Now().UTC(), Actor: ActorOf(ctx), Event: event, Outcome: outcome, Note: note}, nil
	})
}

func keyNote(id uint32) string { return fmt.Sprintf("key=%d", id) }

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
}

// RotateRootKey adds a root key to the vault, which seals everything that is
// written from now on; what older keys sealed stays readable. The key file is
// no part of the database, so two entries tell of it: one before ("begun") and
// one after. A begun rotation that nothing follows was cut short; 'liuma keys
// vault list' shows whether the key was made.
func (a *Admin) RotateRootKey(ctx context.Context, reason audit.Reason) (RootKey, error) {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return RootKey{}, err
	}
	if err := a.noteRootKey(ctx, audit.RootKeyMade, "begun", reason.Note("")); err != nil {
		return RootKey{}, err
	}
	key, err := vault.RotateRootKey(a.c.KeyFile, a.c.Clock.Now())
	if err != nil {
		return RootKey{}, errors.Join(err, a.noteRootKey(ctx, audit.RootKeyMade, "failed", ""))
	}
	// From here on the key is in the file; a crash leaves it there, and it seals
	// from the next start on.
	err = a.noteRootKey(ctx, audit.RootKeyMade, "ok", keyNote(key.ID))
	if err = errors.Join(a.c.Vault.Reload(a.c.KeyFile), err); err != nil {
		return RootKey{}, fmt.Errorf("the key %d was made and seals from the next start of the server on: %w", key.ID, err)
	}
	return RootKey{ID: key.ID, Made: key.Made}, nil
}

func (a *Admin) noteRootKey(ctx context.Context, event audit.Event, outcome, note string) error {
	return a.c.Store.Update(ctx, func(store.Tx) (audit.Entry, error) {
		return audit.Entry{At: a.c.Clock.Now().UTC(), Actor: Actor, Event: event, Outcome: outcome, Note: note}, nil
	})
}

func keyNote(id uint32) string { return fmt.Sprintf("key=%d", id) }

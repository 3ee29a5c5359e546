package authority

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// PageLife is the longest time that a page of the hosted door stays open, with
// every extension. A pad seals to the key that was given out when its page was
// made, so a key is kept for so long after it is given out no more.
const PageLife = time.Hour

// goneAt is when a seal key is destroyed: when the last challenge and the last
// page that came with it are over. Keys of an earlier release were to go sooner.
func goneAt(k store.SealKey) time.Time {
	if last := k.RetireAt.Add(PageLife); last.After(k.GoneAt) {
		return last
	}
	return k.GoneAt
}

// sealKeys caches the store's seal keys, newest first.
type sealKeys struct {
	mu     sync.Mutex
	loaded []store.SealKey // guarded by mu
}

// Challenge gives out a challenge and the seal key to use with it. Nothing is
// stored: the challenge carries its own MAC, and a sealed PIN is used only once
// because it is bound to the business number (I-11).
func (a *Authority) Challenge(ctx context.Context, c Caller) (Challenge, error) {
	if err := errors.Join(c.PermitChannel(), a.timely()); err != nil {
		return Challenge{}, liuma.Outward(err)
	}
	if _, err := a.Take(ctx, c, ActChallenge); err != nil {
		return Challenge{}, err
	}
	key, err := a.SealKey(ctx)
	if err != nil {
		return Challenge{}, liuma.Outward(err)
	}
	ttl := a.PolicyFor(c, "").ChallengeTTL
	// Made and checked here, so in H: no step of the wall clock prolongs it (I-15).
	value, err := a.vault.NewChallenge(c.Channel(), a.Now(), ttl)
	if err != nil {
		return Challenge{}, liuma.Outward(err)
	}
	return Challenge{Value: value, Expires: a.Wall().Add(ttl), SealKeyID: key.ID, SealKey: key.Public}, nil
}

// SealKey returns a key that is still given out, and makes one if there is
// none. It reads the store only when the key changes.
func (a *Authority) SealKey(ctx context.Context) (store.SealKey, error) {
	a.seals.mu.Lock()
	defer a.seals.mu.Unlock()
	now := a.Now()
	if k, ok := givenOut(a.seals.loaded, now); ok {
		return k, nil
	}
	if err := a.loadSealKeysLocked(ctx); err != nil {
		return store.SealKey{}, err
	}
	if k, ok := givenOut(a.seals.loaded, now); ok {
		return k, nil
	}
	if err := a.makeSealKeyLocked(ctx, now); err != nil {
		return store.SealKey{}, err
	}
	k, ok := givenOut(a.seals.loaded, now)
	if !ok {
		return store.SealKey{}, errors.New("authority: no seal key after making one")
	}
	return k, nil
}

func givenOut(keys []store.SealKey, now time.Time) (store.SealKey, bool) {
	for _, k := range keys {
		if now.Before(k.RetireAt) && !now.Before(k.MadeAt) {
			return k, true
		}
	}
	return store.SealKey{}, false
}

// makeSealKeyLocked adds a key unless another authority has just done so. A
// crash before the commit leaves no key, and the next call makes one.
func (a *Authority) makeSealKeyLocked(ctx context.Context, now time.Time) error {
	id, public, sealed, err := a.vault.NewSealKey()
	if err != nil {
		return err
	}
	p := a.policy.For("", "")
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		kept, err := tx.SealKeys()
		if err != nil {
			return audit.Entry{}, err
		}
		if _, ok := givenOut(kept, now); ok {
			return audit.Entry{}, nil
		}
		key := store.SealKey{ID: id, Public: public, Sealed: sealed, MadeAt: now,
			RetireAt: now.Add(p.SealKeyLife), GoneAt: now.Add(p.SealKeyLife + p.ChallengeTTL)}
		key.GoneAt = goneAt(key)
		if err := tx.InsertSealKey(key); err != nil {
			return audit.Entry{}, err
		}
		e := a.Entry("system", audit.SealKeyMade, liuma.CardID{}, "", "ok")
		e.Note = "key=" + id
		return e, nil
	})
	if err != nil {
		return fmt.Errorf("authority: make seal key: %w", err)
	}
	return a.loadSealKeysLocked(ctx)
}

func (a *Authority) loadSealKeysLocked(ctx context.Context) error {
	return a.store.View(ctx, func(r store.Reader) error {
		keys, err := r.SealKeys()
		if err == nil {
			a.seals.loaded = keys
		}
		return err
	})
}

// destroySealKeys deletes the keys whose day is over. Envelopes sealed to them
// cannot be opened any more.
func (a *Authority) destroySealKeys(ctx context.Context) error {
	a.seals.mu.Lock()
	defer a.seals.mu.Unlock()
	if err := a.loadSealKeysLocked(ctx); err != nil {
		return err
	}
	now := a.Now()
	for _, k := range a.seals.loaded {
		if now.Before(goneAt(k)) {
			continue
		}
		a.vault.DropSealKey(k.ID)
		err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
			if err := tx.DeleteSealKey(k.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
				return audit.Entry{}, err
			}
			e := a.Entry("system", audit.SealKeyDestroyed, liuma.CardID{}, "", "ok")
			e.Note = "key=" + k.ID
			return e, nil
		})
		if err != nil {
			return fmt.Errorf("authority: destroy seal key: %w", err)
		}
	}
	if err := a.loadSealKeysLocked(ctx); err != nil {
		return err
	}
	// Also of those that another authority destroyed nothing stays in memory.
	kept := map[string]bool{}
	for _, k := range a.seals.loaded {
		kept[k.ID] = true
	}
	a.vault.KeepSealKeys(kept)
	return nil
}

// keptSealKey finds a kept key by its id. An unknown id is looked up in the
// store once, since another authority may have made the key.
func (a *Authority) keptSealKey(ctx context.Context, id string) (store.SealKey, error) {
	a.seals.mu.Lock()
	defer a.seals.mu.Unlock()
	find := func() (store.SealKey, bool) {
		for _, k := range a.seals.loaded {
			if k.ID == id && a.Now().Before(goneAt(k)) {
				return k, true
			}
		}
		return store.SealKey{}, false
	}
	if k, ok := find(); ok {
		return k, nil
	}
	if err := a.loadSealKeysLocked(ctx); err != nil {
		return store.SealKey{}, liuma.Outward(err)
	}
	if k, ok := find(); ok {
		return k, nil
	}
	return store.SealKey{}, liuma.FailField(liuma.CodeEnvelopeInvalid, "kid", errors.New("seal key unknown or destroyed"))
}

// readSealKey reads a kept key from the store.
func (a *Authority) readSealKey(ctx context.Context, id string) (store.SealKey, error) {
	a.seals.mu.Lock()
	a.seals.loaded = nil
	a.seals.mu.Unlock()
	return a.keptSealKey(ctx, id)
}

// OpenPIN opens one envelope of a request. The binding comes from the request
// itself, so an envelope sealed for another channel, action, role, subject,
// business number, purpose or challenge does not open.
func (a *Authority) OpenPIN(ctx context.Context, b envelope.Binding, e envelope.Envelope, field string, passphrase bool) (pin.PIN, error) {
	key, err := a.keptSealKey(ctx, e.SealKeyID)
	if err != nil {
		return pin.PIN{}, liuma.AtField(err, field)
	}
	b.SealKeyID = e.SealKeyID
	p, err := a.vault.OpenPIN(key.ID, key.Sealed, b, e, passphrase)
	if errors.Is(err, vault.ErrSealKey) {
		// It was kept from before everything was sealed anew and the old key dropped.
		if key, err = a.readSealKey(ctx, key.ID); err == nil {
			p, err = a.vault.OpenPIN(key.ID, key.Sealed, b, e, passphrase)
		}
	}
	if err != nil {
		return pin.PIN{}, liuma.AtField(liuma.Outward(err), field)
	}
	return p, nil
}

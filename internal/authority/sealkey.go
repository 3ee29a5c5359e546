package authority

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// PageLife is the longest time that a page of the hosted door stays open, with every
// extension. A pad seals to the key that was given out when its page was made, so a key is
// kept for this long after it was last given out.
const PageLife = time.Hour

// goneAt is when a seal key is destroyed: when the last challenge and the last page that came
// with it are over. The stored end of a key from an earlier release is too early.
func goneAt(k store.SealKey) time.Time {
	if last := k.RetireAt.Add(PageLife); last.After(k.GoneAt) {
		return last
	}
	return k.GoneAt
}

// sealKeys caches the store's seal keys, newest first.
type sealKeys struct {
	// tending is held while keys are made, asked for, given or destroyed, by one routine at a
	// time. So no day key is destroyed before the row of its seal key is written. It is taken
	// before mu.
	tending sync.Mutex
	mu      sync.Mutex
	loaded  []store.SealKey // guarded by mu
}

func (s *sealKeys) all() []store.SealKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loaded
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
	// Made and checked by this authority, so in H: no step of the wall clock prolongs it
	// (I-15).
	value, err := a.vault.NewChallenge(c.Channel(), a.Now(), ttl)
	if err != nil {
		return Challenge{}, liuma.Outward(err)
	}
	return Challenge{Value: value, Expires: a.Wall().Add(ttl), SealKeyID: key.ID, SealKey: key.Public}, nil
}

// SealKey returns a key that is still given out and that this authority can open, and makes
// one if there is none. It reads the store only when the key changes. If other authorities
// may have one, it asks them first.
func (a *Authority) SealKey(ctx context.Context) (store.SealKey, error) {
	if k, ok := a.givenOut(a.seals.all()); ok {
		return k, nil
	}
	a.seals.tending.Lock()
	defer a.seals.tending.Unlock()
	if err := a.loadSealKeys(ctx); err != nil {
		return store.SealKey{}, err
	}
	if k, ok := a.givenOut(a.seals.all()); ok {
		return k, nil
	}
	if k, ok := a.awaitSealKey(ctx); ok {
		return k, nil
	}
	if err := a.makeSealKey(ctx); err != nil {
		return store.SealKey{}, err
	}
	k, ok := a.givenOut(a.seals.all())
	if !ok {
		return store.SealKey{}, errors.New("authority: no seal key after making one")
	}
	return k, nil
}

// givenOut is the newest key that is given out now and that this authority can open.
func (a *Authority) givenOut(keys []store.SealKey) (store.SealKey, bool) {
	now := a.Now()
	for _, k := range keys {
		if isGivenOut(k, now) && a.vault.Opens(k.Kept()) == nil {
			return k, true
		}
	}
	return store.SealKey{}, false
}

func isGivenOut(k store.SealKey, now time.Time) bool {
	return now.Before(k.RetireAt) && !now.Before(k.MadeAt)
}

func (a *Authority) loadSealKeys(ctx context.Context) error {
	return a.store.View(ctx, func(r store.Reader) error {
		keys, err := r.SealKeys()
		if err == nil {
			a.seals.mu.Lock()
			defer a.seals.mu.Unlock()
			a.seals.loaded = keys
		}
		return err
	})
}

// keptSealKey finds a kept key by its id. An unknown id is looked up in the
// store once, since another authority may have made the key.
func (a *Authority) keptSealKey(ctx context.Context, id string) (store.SealKey, error) {
	find := func() (store.SealKey, bool) {
		for _, k := range a.seals.all() {
			if k.ID == id && a.Now().Before(goneAt(k)) {
				return k, true
			}
		}
		return store.SealKey{}, false
	}
	k, ok := find()
	if !ok || a.vault.Opens(k.Kept()) != nil {
		// Another authority made it, or gave it to this one since the last read.
		if err := a.loadSealKeys(ctx); err != nil {
			return store.SealKey{}, liuma.Outward(err)
		}
		k, ok = find()
	}
	if !ok {
		return store.SealKey{}, liuma.FailField(liuma.CodeEnvelopeInvalid, "kid", errors.New("seal key unknown or destroyed"))
	}
	switch err := a.vault.Opens(k.Kept()); {
	case isLost(err):
		// The device seals again, to a key that this authority can open. Nothing is counted.
		return store.SealKey{}, liuma.FailField(liuma.CodeEnvelopeInvalid, "kid", err)
	case err != nil:
		return store.SealKey{}, liuma.Outward(err)
	}
	return k, nil
}

// isLost reports whether a seal key cannot be opened here, so that repeating does not help.
func isLost(err error) bool {
	return errors.Is(err, vault.ErrNoDayKey) || errors.Is(err, vault.ErrDayKey) || errors.Is(err, vault.ErrNoWrap) || errors.Is(err, vault.ErrUnseal)
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
	p, err := a.vault.OpenPIN(key.Kept(), b, e, passphrase)
	if err != nil {
		return pin.PIN{}, liuma.AtField(liuma.Outward(err), field)
	}
	return p, nil
}

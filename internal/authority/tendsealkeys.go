package authority

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A seal key is wrapped for each authority, to that authority's day key. An authority that
// finds a key without a wrap for itself asks for one in the key's row, and any other
// authority that can open the key answers there. So an authority that joins, or lost a day
// key, has the keys within seconds while another runs. If several authorities share a
// database, the next key is made some time before it is given out, so that all have it by
// then.
const (
	// tendEvery is how often an authority that shares its database looks for keys that it
	// lacks, and for authorities that lack one.
	tendEvery = 2 * time.Second
	// askFor is how long an authority without a key waits for the others before it makes one.
	askFor, askEvery = 10 * time.Second, 500 * time.Millisecond
	// keyAhead is the longest time before its turn at which the next key is made; for keys of
	// a short life it is a quarter of that life.
	keyAhead = 10 * time.Minute
	// maxWraps limits a key's row. If there are more wraps, the oldest is dropped, and its
	// authority asks again.
	maxWraps = 32
)

// makeSealKey adds a key unless another authority has just done so. A crash before the commit
// leaves no key, and a day key that the next round destroys. The caller holds tending.
func (a *Authority) makeSealKey(ctx context.Context) error {
	lost := slices.ContainsFunc(a.seals.all(), func(k store.SealKey) bool { return isGivenOut(k, a.Now()) })
	if lost {
		if err := a.tellLost(ctx); err != nil {
			return err
		}
	}
	return a.addSealKey(ctx, a.Now(), func(k store.SealKey, now time.Time) bool {
		return isGivenOut(k, now) && a.vault.Opens(k.Kept()) == nil
	})
}

// addSealKey makes a key that is given out from a given time on, unless there is a key that
// serves.
func (a *Authority) addSealKey(ctx context.Context, from time.Time, serves func(store.SealKey, time.Time) bool) error {
	made, err := a.vault.NewSealKey()
	if err != nil {
		return fmt.Errorf("authority: make seal key: %w", err)
	}
	p := a.policy.For("", "")
	kept := false
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		kept = false
		keys, err := tx.SealKeys()
		if err != nil {
			return audit.Entry{}, err
		}
		if slices.ContainsFunc(keys, func(k store.SealKey) bool { return serves(k, a.Now()) }) {
			return audit.Entry{}, nil
		}
		key := store.SealKey{ID: made.ID, Public: made.Public, Wraps: made.Wraps, MadeAt: from,
			RetireAt: from.Add(p.SealKeyLife), GoneAt: from.Add(p.SealKeyLife + p.ChallengeTTL)}
		key.GoneAt = goneAt(key)
		if err := tx.InsertSealKey(key); err != nil {
			return audit.Entry{}, err
		}
		kept = true
		return a.keyEntry(audit.SealKeyMade, made.ID), nil
	})
	switch {
	case errors.Is(err, store.ErrUndecided) || errors.Is(err, store.ErrFailed):
		// The row may have been stored; if not, the next round destroys the day key.
	case err != nil || !kept:
		err = errors.Join(err, a.vault.DestroySealKey(made.ID))
	}
	if err != nil {
		return fmt.Errorf("authority: make seal key: %w", err)
	}
	return a.loadSealKeys(ctx)
}

func (a *Authority) keyEntry(ev audit.Event, id string) audit.Entry {
	e := a.Entry("system", ev, liuma.CardID{}, "", "ok")
	e.Note = "key=" + id
	return e
}

// tellLost records that keys which are being given out cannot be opened here, and that no
// other authority gave them to this one. PINs that were sealed to them must be typed again.
func (a *Authority) tellLost(ctx context.Context) error {
	for _, k := range a.seals.all() {
		if !isGivenOut(k, a.Now()) {
			continue
		}
		err := a.vault.Opens(k.Kept())
		if err == nil {
			continue
		}
		if !isLost(err) && !errors.Is(err, vault.ErrKeyFileMode) && !errors.Is(err, vault.ErrDayKeysMode) {
			return fmt.Errorf("authority: seal key %s: %w", k.ID, err) // a token that is away comes back
		}
		a.log.ErrorContext(ctx, "A SEAL KEY IS LOST: this authority cannot open it, and no other gave it; a new one is made", "key", k.ID, "err", err)
		if err := a.store.Update(ctx, func(store.Tx) (audit.Entry, error) { return a.keyEntry(audit.SealKeyLost, k.ID), nil }); err != nil {
			return fmt.Errorf("authority: seal key lost: %w", err)
		}
	}
	return nil
}

// awaitSealKey asks the other authorities for the keys that are given out, and waits for the
// answer. If there can be no other authority it does neither. The caller holds tending.
func (a *Authority) awaitSealKey(ctx context.Context) (store.SealKey, bool) {
	if !a.shared || !slices.ContainsFunc(a.seals.all(), func(k store.SealKey) bool { return isGivenOut(k, a.Now()) }) {
		return store.SealKey{}, false
	}
	if err := a.askForKeys(ctx); err != nil {
		a.log.WarnContext(ctx, "seal keys not asked for", "err", err)
		return store.SealKey{}, false
	}
	for range askFor / askEvery {
		a.wait(ctx, askEvery)
		if err := a.loadSealKeys(ctx); err != nil || ctx.Err() != nil {
			return store.SealKey{}, false
		}
		if k, ok := a.givenOut(a.seals.all()); ok {
			return k, true
		}
	}
	return store.SealKey{}, false
}

// tendSealKeys is one round: it asks for keys that this authority lacks, gives keys to
// authorities that lack them, and makes the next key in time.
func (a *Authority) tendSealKeys(ctx context.Context) error {
	if !a.shared {
		return nil
	}
	a.seals.tending.Lock()
	defer a.seals.tending.Unlock()
	if err := a.loadSealKeys(ctx); err != nil {
		return err
	}
	return errors.Join(a.askForKeys(ctx), a.giveKeys(ctx), a.makeNextKey(ctx))
}

// askForKeys writes this authority's day key into the row of each kept key that it cannot
// open. The day key is made durable first: a crash before the commit leaves a day key that
// the next round uses.
func (a *Authority) askForKeys(ctx context.Context) error {
	var errs []error
	for _, k := range a.seals.all() {
		if err := a.vault.Opens(k.Kept()); !isLost(err) || len(k.Sealed) > 0 || !a.Now().Before(goneAt(k)) {
			continue
		}
		to, err := a.vault.DayKey(k.ID)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, a.changeKey(ctx, k.ID, audit.SealKeyAsked, func(key *store.SealKey) bool {
			if slices.ContainsFunc(key.Wraps, func(w vault.Wrap) bool { return slices.Equal(w.To, to) }) {
				return false
			}
			if len(key.Wraps) >= maxWraps {
				key.Wraps = key.Wraps[1:]
			}
			key.Wraps = append(slices.Clone(key.Wraps), vault.Wrap{To: to})
			return true
		}))
	}
	return errors.Join(errs...)
}

// giveKeys wraps the keys that this authority can open for the authorities that ask.
func (a *Authority) giveKeys(ctx context.Context) error {
	var errs []error
	for _, k := range a.seals.all() {
		asked := func(w vault.Wrap) bool { return len(w.Given) == 0 }
		if !slices.ContainsFunc(k.Wraps, asked) || !a.Now().Before(goneAt(k)) || a.vault.Opens(k.Kept()) != nil {
			continue
		}
		given := map[string][]byte{}
		for _, w := range k.Wraps {
			if !asked(w) {
				continue
			}
			wrap, err := a.vault.WrapFor(k.Kept(), w.To)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			given[string(w.To)] = wrap
		}
		errs = append(errs, a.changeKey(ctx, k.ID, audit.SealKeyShared, func(key *store.SealKey) (changed bool) {
			key.Wraps = slices.Clone(key.Wraps)
			for i, w := range key.Wraps {
				if wrap := given[string(w.To)]; asked(w) && wrap != nil {
					key.Wraps[i].Given, changed = wrap, true
				}
			}
			return changed
		}))
	}
	return errors.Join(errs...)
}

// changeKey changes the present row of a key. A crash before the commit changes nothing, and
// the next round does it again.
func (a *Authority) changeKey(ctx context.Context, id string, ev audit.Event, change func(*store.SealKey) bool) error {
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		keys, err := tx.SealKeys()
		if err != nil {
			return audit.Entry{}, err
		}
		for _, k := range keys {
			if k.ID == id && change(&k) {
				return a.keyEntry(ev, id), tx.UpdateSealKey(k)
			}
		}
		return audit.Entry{}, nil
	})
	if err != nil {
		return fmt.Errorf("authority: %s: %w", ev, err)
	}
	return a.loadSealKeys(ctx)
}

// makeNextKey makes the next key in time for the others to get it. One authority makes it;
// the second to try finds it there.
func (a *Authority) makeNextKey(ctx context.Context) error {
	keys := a.seals.all()
	if len(keys) == 0 {
		return nil
	}
	newest := keys[0]
	life := newest.RetireAt.Sub(newest.MadeAt)
	if now := a.Now(); !isGivenOut(newest, now) || newest.RetireAt.Sub(now) > min(keyAhead, life/4) {
		return nil
	}
	return a.addSealKey(ctx, newest.RetireAt, func(k store.SealKey, _ time.Time) bool { return k.RetireAt.After(newest.RetireAt) })
}

// destroySealKeys destroys the keys whose day is over. Envelopes sealed to them can no longer
// be opened. It deletes the day key first, then the row: a crash in between leaves a row that
// nobody can open, which goes in the next round. It also deletes the day keys of rows that
// another authority deleted.
func (a *Authority) destroySealKeys(ctx context.Context) error {
	a.seals.tending.Lock()
	defer a.seals.tending.Unlock()
	if err := a.loadSealKeys(ctx); err != nil {
		return err
	}
	kept := map[string]bool{}
	var errs []error
	for _, k := range a.seals.all() {
		if a.Now().Before(goneAt(k)) {
			kept[k.ID] = true
			continue
		}
		if err := a.vault.DestroySealKey(k.ID); err != nil {
			kept[k.ID] = true // logged once
			errs = append(errs, err)
			continue
		}
		errs = append(errs, a.deleteSealKey(ctx, k.ID))
	}
	a.vault.KeepSealKeys(func(id string) bool { return kept[id] })
	ids, err := a.vault.DayKeys()
	errs = append(errs, err)
	for _, id := range ids {
		if !kept[id] {
			errs = append(errs, a.vault.DestroySealKey(id))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("authority: destroy seal key: %w", err)
	}
	return a.loadSealKeys(ctx)
}

func (a *Authority) deleteSealKey(ctx context.Context, id string) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		switch err := tx.DeleteSealKey(id); {
		case errors.Is(err, store.ErrNotFound):
			return audit.Entry{}, nil // another authority did
		case err != nil:
			return audit.Entry{}, err
		}
		return a.keyEntry(audit.SealKeyDestroyed, id), nil
	})
}

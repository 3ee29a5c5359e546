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

// A seal key is wrapped for each authority to a day key of that authority's. One that finds a
// key without a wrap for itself asks for it in the key's row, and any other that opens the
// key answers there. So an authority that joins, or lost a day key, has the keys within
// seconds while another runs. Where several authorities share a database the next key is made
// before it is given out, so that all have it by then.
const (
	// tendEvery is how often an authority that shares its database looks for keys
	// that it lacks, and for others that lack one.
	tendEvery = 2 * time.Second
	// askFor is how long one that has no key waits for the others before it makes one.
	askFor, askEvery = 10 * time.Second, 500 * time.Millisecond
	// keyAhead is how long before its turn the next key is made, at most; of a short life
	// a quarter.
	keyAhead = 10 * time.Minute
	// maxWraps bounds a key's row. Where there are more the oldest goes, and its
	// authority asks anew.
	maxWraps = 32
)

// makeSealKey adds a key unless another authority has just done so. A crash before the
// commit leaves no key, and a day key that the next round destroys. The caller holds
// tending.
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

// addSealKey makes a key that is given out from then on, unless there is one that serves.
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
		// The row may be there; if it is not the next round destroys the day key.
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

// tellLost records that keys which are given out cannot be opened here, and that nobody
// gave them to this authority: what was sealed to them is typed again.
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

// awaitSealKey asks the other authorities for the keys that are given out, and waits for
// the answer. Where there can be no other it does neither. The caller holds tending.
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

// tendSealKeys is one round: keys that this authority lacks are asked for, those that
// others lack are given, and the next one is made in time.
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

// askForKeys writes this authority's day key into the row of each kept key that it does
// not open. The day key is durable first: a crash before the commit leaves one that the
// next round uses.
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

// giveKeys wraps the keys that this authority opens for those that ask.
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

// changeKey changes a key's row as it is now. A crash before the commit changes nothing,
// and the next round does it again.
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

// makeNextKey makes the key whose turn comes next, in time for the others to get it. One of
// them makes it; who comes second finds it there.
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

// destroySealKeys destroys the keys whose day is over. Envelopes sealed to them
// cannot be opened any more. The day key goes first, then the row: a crash in between
// leaves a row that opens for nobody, which goes in the next round. The day keys of
// rows that are gone, since another authority deleted them, go as well.
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
			kept[k.ID] = true // told once
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

package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/store"
)

// Setting a PIN takes four durable steps, and a crash between any two leaves the old
// PIN or the new one (I-7):
//
//	reserve   the intent and its version are in the store; old PIN
//	propose   keepers marked the version and evaluated it once; old PIN
//	record    the verifier is in the intent: from here on it is carried through
//	commit    q keepers hold the new version, then the card row flips; new PIN
//
// Between record and flip a verify finishes the intent first (FinishIntent), so no
// door ever asks keepers for a version that they no longer have.

// proposeTries is how often a version that a keeper has already seen is replaced by a
// higher one. Keepers have seen higher versions than the store if intents were lost
// by restoring a backup of the database.
const proposeTries = 4

// Reserve opens an intent on a card, in the caller's transaction, and takes its
// version. It replaces an intent that only waits for acknowledgements, and one that
// its owner left before anything was committed. The version stays with the present
// key set, even if the keepers change to another one meanwhile.
func (a *Authority) Reserve(tx store.Tx, card *store.Card, ch liuma.ChannelID, bn liuma.BusinessNo) (store.Intent, error) {
	now, keySet := a.Now(), a.quorum.KeySet()
	if keySet == 0 {
		return store.Intent{}, liuma.Fail(liuma.CodeUnavailable, keeper.ErrNoQuorum)
	}
	switch there, err := tx.Intent(card.ID); {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return store.Intent{}, err
	case there.State == store.IntentCommitting,
		there.State == store.IntentReserved && now.Before(there.Lease):
		return store.Intent{}, liuma.Fail(liuma.CodeChangeUnderWay, nil)
	default:
		if err := tx.DeleteIntent(card.ID); err != nil {
			return store.Intent{}, err
		}
	}
	card.Reserved = max(card.Reserved, card.Version) + 1
	in := store.Intent{
		Card: card.ID, From: card.Version, Version: card.Reserved, KeySet: keySet,
		State: store.IntentReserved, Owner: a.process, Lease: now.Add(intentLease),
		Channel: ch, BusinessNo: bn, At: now,
	}
	return in, tx.InsertIntent(in)
}

// SetPIN carries a reserved intent to the flip. An error before the verifier
// was recorded abandons the intent and leaves the old PIN; an error after it
// leaves an intent that FinishIntent or Maintain completes.
func (a *Authority) SetPIN(ctx context.Context, c Caller, in store.Intent, p pin.PIN) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTime)
	defer cancel()
	in, err := a.propose(ctx, in, p)
	if err != nil {
		return errors.Join(liuma.Outward(err), a.abandon(ctx, c.Actor(), in, codeOfSetting(err)))
	}
	if err := a.record(ctx, c.Actor(), &in); err != nil {
		return liuma.Outward(err) // a crash or failure here leaves a reserved intent: old PIN
	}
	return liuma.Outward(a.carryThrough(ctx, c.Actor(), in))
}

func codeOfSetting(err error) liuma.Code {
	if e, ok := errors.AsType[*liuma.Error](err); ok {
		return e.Code
	}
	return liuma.CodeUnavailable
}

// propose asks the keepers for the new PIN's verifier.
func (a *Authority) propose(ctx context.Context, in store.Intent, p pin.PIN) (store.Intent, error) {
	for try := 0; ; try++ {
		current, err := a.current(ctx, in.Card)
		if err != nil {
			return in, err
		}
		err = p.Use(func(secret []byte) (err error) {
			in.Verifier, err = a.quorum.Propose(ctx, current, in.Version, in.KeySet, secret)
			return err
		})
		in.PINForm = p.Form()
		if !errors.Is(err, keeper.ErrVersionUsed) || try == proposeTries {
			return in, err
		}
		// Skip further each time: 2, 8, 32, 128 versions above.
		next := in
		next.Version += 2 << (2 * try)
		if err := a.reserveHigher(ctx, &in, next.Version); err != nil {
			return in, err
		}
	}
}

// reserveHigher moves a reserved intent to a higher version.
func (a *Authority) reserveHigher(ctx context.Context, in *store.Intent, v liuma.Version) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		if err := a.ownIntent(tx, *in, store.IntentReserved); err != nil {
			return audit.Entry{}, err
		}
		card, err := a.ReadCard(tx, in.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		next := *in
		next.Version, card.Reserved = v, max(card.Reserved, v)
		if err := errors.Join(tx.UpdateIntent(next), tx.UpdateCard(card)); err != nil {
			return audit.Entry{}, err
		}
		*in = next
		return a.VersionEntry("system", audit.PINIntended, next, "ok"), nil
	})
}

// record writes the verifier into the intent. It compares with the stored intent, to
// be sure that no other process abandoned it meanwhile.
func (a *Authority) record(ctx context.Context, actor string, in *store.Intent) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		if err := a.ownIntent(tx, *in, store.IntentReserved); err != nil {
			return audit.Entry{}, err
		}
		next := *in
		next.State = store.IntentCommitting
		if err := tx.UpdateIntent(next); err != nil {
			return audit.Entry{}, err
		}
		*in = next
		return a.VersionEntry(actor, audit.PINProposed, next, "ok"), nil
	})
}

// ownIntent checks that the stored intent is in. It compares with the stored
// version, so that a closure that runs twice gets the same result.
func (a *Authority) ownIntent(r store.Reader, in store.Intent, state store.IntentState) error {
	there, err := r.Intent(in.Card)
	if err != nil {
		return err
	}
	if there.State != state || there.Owner != in.Owner || there.BusinessNo != in.BusinessNo || there.Channel != in.Channel {
		return liuma.Fail(liuma.CodeChangeUnderWay, errors.New("authority: intent was taken over"))
	}
	return nil
}

// carryThrough commits a recorded intent and flips the card. It is idempotent:
// keepers accept the same commit again, and the flip compares.
func (a *Authority) carryThrough(ctx context.Context, actor string, in store.Intent) error {
	current, err := a.current(ctx, in.Card)
	if err != nil {
		return err
	}
	all, err := a.quorum.Commit(ctx, ledger.Commitment{
		Card: in.Card, Version: in.Version, Replaces: in.From, KeySet: in.KeySet, Verifier: in.Verifier, Tag: current.Tag,
	}, current.Head)
	if errors.Is(err, keeper.ErrTagTaken) && in.From == 0 {
		return errors.Join(err, a.abandonTaken(ctx, actor, in))
	}
	if err != nil {
		// Some keepers may hold the new version: the intent stays, and every attempt
		// finishes it before its own guess (I-7).
		return fmt.Errorf("authority: commit: %w", err)
	}
	return a.flip(ctx, actor, in, all)
}

// flip makes the committed version the card's current one, decides the request, and
// lets its act write its changes, all in one transaction.
func (a *Authority) flip(ctx context.Context, actor string, in store.Intent, all bool) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		there, err := tx.Intent(in.Card)
		if errors.Is(err, store.ErrNotFound) || err == nil && there.Version != in.Version {
			return audit.Entry{}, nil // another process finished it
		}
		if err != nil {
			return audit.Entry{}, err
		}
		card, err := a.ReadCard(tx, in.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		ev := audit.PINSet
		if there.State == store.IntentCommitting && card.Version == in.From {
			if ev, err = a.flipCard(tx, &card, in); err != nil {
				return audit.Entry{}, err
			}
		} else if card.Version != in.Version {
			return audit.Entry{}, liuma.Fail(liuma.CodeUnavailable, errors.New("authority: card moved past its intent"))
		}
		if all {
			if there.State == store.IntentFlipped {
				ev = audit.PINSettled
			}
			return a.VersionEntry(actor, ev, in, "ok"), tx.DeleteIntent(in.Card)
		}
		if there.State == store.IntentFlipped {
			return audit.Entry{}, nil // still waiting for a keeper
		}
		in.State = store.IntentFlipped
		return a.VersionEntry(actor, ev, in, "ok"), tx.UpdateIntent(in)
	})
}

// flipCard changes the card, decides the request, and calls its act's hook. It
// returns the event for the audit record.
func (a *Authority) flipCard(tx store.Tx, card *store.Card, in store.Intent) (audit.Event, error) {
	now := a.Now()
	card.Version, card.KeySet, card.Verifier, card.PINForm = in.Version, in.KeySet, in.Verifier, in.PINForm
	card.PINSetAt, card.PINFrom = now, time.Time{} // an act at a counter may set a later PINFrom
	card.Tally.Reset()
	row, err := tx.Request(in.Channel, in.BusinessNo)
	if err != nil {
		return "", err
	}
	row.Version = in.Version
	Decide(&row, now, liuma.Right, "")
	ev, err := a.settingHooks(row).after(tx, card, &row, audit.PINSet)
	if err != nil {
		return "", err
	}
	if err := a.Aged(tx, *card, &row); err != nil {
		return "", err
	}
	return ev, errors.Join(a.setThrough(tx, in, row), tx.UpdateCard(*card), tx.UpdateRequest(row))
}

// abandonTaken ends the first PIN of a card whose holder has another card at the
// keepers: they will never take its commit, and the intent would block the card for
// ever. The card stays without a PIN. A keeper that did take the commit holds a card
// for which no row of the authority has a PIN; it is never asked about that card
// again.
//
// A crash before the commit leaves the intent: the next attempt to finish it meets
// the same refusal (I-7).
func (a *Authority) abandonTaken(ctx context.Context, actor string, in store.Intent) error {
	a.RecordAlarm(ctx, keeper.Alarm{Card: in.Card, Fault: keeper.SecondCard})
	return a.abandonFrom(ctx, actor, in, store.IntentCommitting, liuma.CodeUnavailable)
}

// abandon ends an intent that no keeper was asked to commit. The old PIN stays;
// the version is never used again.
func (a *Authority) abandon(ctx context.Context, actor string, in store.Intent, code liuma.Code) error {
	return a.abandonFrom(ctx, actor, in, store.IntentReserved, code)
}

func (a *Authority) abandonFrom(ctx context.Context, actor string, in store.Intent, state store.IntentState, code liuma.Code) error {
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		if err := a.ownIntent(tx, in, state); err != nil {
			return audit.Entry{}, err
		}
		row, err := tx.Request(in.Channel, in.BusinessNo)
		if err != nil {
			return audit.Entry{}, err
		}
		if !row.Decided && a.Now().Sub(row.At) < decideTime {
			Decide(&row, a.Now(), liuma.Unavailable, code)
			// The card does not change, so its MAC is not checked: an intent must end
			// also on a card whose row was forged.
			if _, err := a.settingHooks(row).after(tx, &store.Card{}, &row, audit.PINAbandoned); err != nil {
				return audit.Entry{}, err
			}
			if err := tx.UpdateRequest(row); err != nil {
				return audit.Entry{}, err
			}
		}
		return a.VersionEntry(actor, audit.PINAbandoned, in, string(code)), tx.DeleteIntent(in.Card)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// FinishIntent carries a recorded intent of a card through, so that the card can take
// a guess. An intent that is only reserved does not concern the current PIN; one that
// is flipped is completed by later attempts.
func (a *Authority) FinishIntent(ctx context.Context, card liuma.CardID) error {
	var in store.Intent
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		in, err = r.Intent(card)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return liuma.Outward(err)
	}
	if in.State != store.IntentCommitting {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTime)
	defer cancel()
	return liuma.Outward(a.carryThrough(ctx, "system", in))
}

// VersionEntry is an audit entry about a version of a card's PIN.
func (a *Authority) VersionEntry(actor string, ev audit.Event, in store.Intent, outcome string) audit.Entry {
	e := a.Entry(actor, ev, in.Card, in.BusinessNo, outcome)
	e.Note = fmt.Sprintf("version=%d", in.Version)
	return e
}

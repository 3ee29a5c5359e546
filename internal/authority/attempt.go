package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// attempt is one guess on its way through begin, the keepers and conclude.
// All doors and ceremonies that check a PIN go through Authority.attempt (I-4).
type attempt struct {
	caller Caller
	row    store.Request // Card is set; begin takes its business number
	pin    pin.PIN
	proof  *evidence.Proof // evidence that came with it, or nil
	marked bool            // proof was taken out of use when it was pushed
	policy policy.Policy
	thaws  bool // an unfreezing: that the card is frozen does not stop it
	hosted *hosted
	// onRight runs in the transaction that stores a right verdict. It may
	// change the card and write more rows; leaving row undecided (change)
	// means that a later transaction decides.
	onRight func(tx store.Tx, card *store.Card, row *store.Request) error

	// Set by begin.
	target keeper.Target
	place  place
	reopen bool   // a right PIN lets strangers guess again
	count  uint64 // number of the guess in the authority's own tally
	// Set by conclude.
	links bool          // a right PIN made a link that was not there
	shut  ledger.Reason // what a wrong PIN brought about, or empty
}

// attempt counts a guess, has it evaluated, and stores the verdict. It returns
// the row as decided. The caller holds the card's slot.
//
// Crash points: before begin commits, nothing happened. After it, the
// business number is taken and the request stays undecided for good (I-11);
// the guess stays counted in the authority's tally, and in each keeper that
// counted it (I-1). After conclude commits, the verdict can be asked for.
func (a *Authority) attempt(ctx context.Context, at *attempt) (store.Request, error) {
	decided, err := a.begin(ctx, at)
	if errors.Is(err, errUnfinished) {
		if err := a.finishIntent(ctx, at.row.Card); err != nil {
			return store.Request{}, err
		}
		decided, err = a.begin(ctx, at)
	}
	if err != nil || decided {
		return at.row, err
	}
	// From here on the caller's patience no longer matters: what was begun is
	// brought to its verdict, so that a dropped connection costs no certainty.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTime)
	defer cancel()
	var out keeper.Outcome
	err = at.pin.Use(func(secret []byte) (err error) {
		out, err = a.Quorum.Attempt(ctx, at.target, keeper.Guess{Lane: at.place.lane, Reserve: at.place.reserve,
			Limits: at.policy.Limits, Reopen: at.reopen}, secret)
		return err
	})
	if err != nil {
		a.Logger.Error("attempt not evaluated", "card", at.row.Card, "err", err)
		out = keeper.Outcome{Verdict: liuma.Unavailable}
	}
	if out.Stale {
		// A later version is committed somewhere; the next attempt finishes it.
		a.Logger.Warn("keepers hold a later version", "card", at.row.Card, "version", at.target.Version)
	}
	if err := a.conclude(ctx, at, out); err != nil {
		// No durable row, no verdict (I-9): the request stays undecided.
		a.recordUndecided(ctx, at)
		return store.Request{}, house(err)
	}
	return at.row, nil
}

// errUnfinished says that a PIN was recorded and not carried through.
var errUnfinished = errors.New("authority: the setting of a PIN is to be finished first")

// begin takes the business number and counts the guess in the authority's own
// tally, in one transaction, or decides at once what needs no keeper.
func (a *Authority) begin(ctx context.Context, at *attempt) (decided bool, err error) {
	start := at.row
	err = a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		decided, at.row = false, start
		if err := a.stillServed(tx, at.hosted); err != nil {
			return audit.Entry{}, err
		}
		now := a.now()
		at.row.At = now
		card, err := a.checkedCard(tx, at.row.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		in, err := a.checkedIntent(tx, card.ID)
		open := err == nil
		switch {
		case open && in.State == store.IntentCommitting:
			return audit.Entry{}, errUnfinished
		case !open && !errors.Is(err, store.ErrNotFound):
			return audit.Entry{}, err
		}
		at.row.Version = card.Version
		device, reopen := at.hosted.seat()
		if at.place, err = a.placeOf(tx, card.ID, device, at.policy); err != nil {
			return audit.Entry{}, err
		}
		at.reopen = reopen && at.place.lane == ledger.Known
		if at.proof != nil {
			at.row.Evidence = at.proof.Method
		}
		if standing := liuma.StandingOf(card.Physical, card.Frozen && !at.thaws); standing == liuma.StandingSuspended && at.proof == nil {
			// Not decided but sent back, before the business number is taken.
			return audit.Entry{}, &liuma.Error{Code: liuma.CodeEvidenceRequired}
		}
		decided = refusedAtOnce(&at.row, card, at.thaws, at.place, at.policy.Limits, now)
		if err := insertRequest(tx, at.row); err != nil {
			return audit.Entry{}, err
		}
		if !at.marked {
			if err := a.markEvidence(tx, at.proof); err != nil {
				return audit.Entry{}, err
			}
		}
		if err := a.advance(tx, at.row); err != nil {
			return audit.Entry{}, err
		}
		if decided {
			return a.decidedEntry(at.caller, audit.AttemptDecided, at.row), nil
		}
		at.count = card.Tally.Spend(now, at.place.lane)
		if err := a.putCard(tx, card); err != nil {
			return audit.Entry{}, err
		}
		at.target = keeper.Target{Card: card.ID, Version: card.Version, KeySet: card.KeySet,
			Verifier: card.Verifier, Unacknowledged: open}
		return a.entry(at.caller.actor(), audit.AttemptBegun, card.ID, at.row.BusinessNo, "ok"), nil
	})
	return decided, err
}

// refusedAtOnce decides, and reports that it did, what needs no keeper: by how
// the card stands or, where that does not forbid it, by the authority's own
// tally. A lost physical card is not decided here: evidence mends it.
func refusedAtOnce(row *store.Request, card store.Card, thaws bool, at place, l ledger.Limits, now time.Time) bool {
	switch liuma.StandingOf(card.Physical, card.Frozen && !thaws) {
	case liuma.StandingCancelled:
		decide(row, now, liuma.Suspended, liuma.CodeCancelled)
		return true
	case liuma.StandingFrozen:
		decide(row, now, liuma.Suspended, liuma.CodeFrozen)
		return true
	}
	_, refusal := card.Tally.Check(now, at.lane, at.reserve, l)
	if refusal != nil {
		refuseBy(row, now, refusal)
	}
	return refusal != nil
}

func refuseBy(row *store.Request, now time.Time, r *ledger.Refusal) {
	verdict := liuma.Blocked
	if r.Reason == ledger.Locked {
		verdict = liuma.Locked
	}
	row.Until = r.Until
	decide(row, now, verdict, codeOf(verdict))
}

// conclude stores the verdict. It reads standing and version again: what
// changed while the keepers worked takes the verdict back (I-10).
func (a *Authority) conclude(ctx context.Context, at *attempt, out keeper.Outcome) error {
	begun := at.row
	seen := a.seenToSave()
	return a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		at.row = begun
		now := a.now()
		if now.Sub(at.row.At) >= decideTime {
			return audit.Entry{}, errors.New("authority: too late to decide")
		}
		card, err := a.checkedCard(tx, at.row.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		a.judge(at, &card, out, now)
		if at.row.Verdict == liuma.Right {
			if err := a.stillServed(tx, at.hosted); err != nil {
				return audit.Entry{}, err // stopped while the keepers worked: no verdict
			}
		}
		if at.row.Verdict == liuma.Right && at.onRight != nil {
			if err := at.onRight(tx, &card, &at.row); err != nil {
				return audit.Entry{}, err
			}
		}
		if device, _ := at.hosted.seat(); at.row.Verdict == liuma.Right && at.place.lane == ledger.Known {
			if err := a.sawDevice(tx, card.ID, device); err != nil {
				return audit.Entry{}, err
			}
		}
		if err := a.putCard(tx, card); err != nil {
			return audit.Entry{}, err
		}
		if err := errors.Join(tx.UpdateRequest(at.row), a.advance(tx, at.row), a.tellVerdict(tx, card, at)); err != nil {
			return audit.Entry{}, err
		}
		if len(seen) > 0 {
			if err := tx.SaveKeepersSeen(seen); err != nil {
				return audit.Entry{}, err
			}
		}
		ev := audit.AttemptDecided
		switch {
		case at.row.Verdict != liuma.Right:
		case at.thaws:
			ev = audit.CardUnfrozen
		case at.links:
			ev = audit.CardLinked
		}
		return a.decidedEntry(at.caller, ev, at.row), nil
	})
}

// recordUndecided notes that a guess which was counted came to no verdict. It
// changes nothing, and a crash here, or a store that is gone, leaves only that
// the audit record has the attempt begun and not decided.
func (a *Authority) recordUndecided(ctx context.Context, at *attempt) {
	err := a.Store.Update(ctx, func(store.Tx) (audit.Entry, error) {
		return a.entry(at.caller.actor(), audit.AttemptUndecided, at.row.Card, at.row.BusinessNo, string(liuma.CodeUndecided)), nil
	})
	if err != nil {
		a.Logger.Error("attempt without a verdict not recorded", "card", at.row.Card, "err", err)
	}
}

// judge settles the authority's own tally and decides the row.
func (a *Authority) judge(at *attempt, card *store.Card, out keeper.Outcome, now time.Time) {
	sameVersion := card.Version == at.target.Version
	if sameVersion && out.Verdict == liuma.Right {
		card.Tally.Clear(at.count, at.reopen) // a stranger's proof clears both lanes
	} else if sameVersion && out.Evaluated == 0 {
		// No keeper evaluated it, so nothing was learnt from it.
		card.Tally.Refund(at.count)
	}
	verdict, code := out.Verdict, codeOf(out.Verdict)
	standing := liuma.StandingOf(card.Physical, card.Frozen && !at.thaws)
	switch {
	case out.Verdict != liuma.Right:
	case !sameVersion:
		verdict, code = liuma.Unavailable, liuma.CodeUnavailable
	case standing == liuma.StandingCancelled:
		verdict, code = liuma.Suspended, liuma.CodeCancelled
	case standing == liuma.StandingFrozen:
		verdict, code = liuma.Suspended, liuma.CodeFrozen
	case standing == liuma.StandingSuspended && at.proof == nil:
		verdict, code = liuma.Suspended, liuma.CodeEvidenceRequired
	}
	at.row.Until = out.Until
	if verdict == liuma.Wrong {
		code = at.lastTry(card.Tally, out, now)
	}
	decide(&at.row, now, verdict, code)
}

// lastTry says how many tries a wrong PIN left and, where it left none, what
// it brought about: the verdict is wrong, for it was evaluated, and the code
// locked or blocked, for that is what the holder has to know.
func (at *attempt) lastTry(t ledger.Tally, out keeper.Outcome, now time.Time) liuma.Code {
	left, refusal := t.Check(now, at.place.lane, at.place.reserve, at.policy.Limits)
	if refusal == nil && out.TriesLeft <= 0 {
		// The keepers counted more than this record did. Their lock, if that is
		// what it is, counts from this guess; the next one tells.
		refusal = &ledger.Refusal{Reason: ledger.Locked, Until: now.Add(at.policy.Limits.LockFor)}
	}
	if refusal == nil {
		at.row.TriesLeft = min(left, out.TriesLeft)
		return liuma.CodeWrong
	}
	at.row.TriesLeft, at.row.Until, at.shut = 0, refusal.Until, refusal.Reason
	if refusal.Reason == ledger.Locked {
		return liuma.CodeLocked
	}
	return liuma.CodeBlocked
}

// checkedCard reads a card and checks that its PIN is its own: whoever can
// write to the database can still not move a PIN to another holder.
func (a *Authority) checkedCard(r store.Reader, id liuma.CardID) (store.Card, error) {
	card, err := r.Card(id)
	if err != nil {
		return store.Card{}, err
	}
	if !store.CardMAC(a.Vault, card).Equal(card.MAC) {
		return store.Card{}, liuma.Fail(liuma.CodeUnavailable, errors.New("authority: card row fails its MAC: "+id.String()))
	}
	return card, nil
}

// seenToSave returns the keepers' sequences when a second has passed since
// they were last handed to a transaction and one of them rose. Losing that
// transaction only makes a rollback of that second harder to see.
func (a *Authority) seenToSave() map[string]uint64 {
	a.seenMu.Lock()
	defer a.seenMu.Unlock()
	now := a.now()
	if gap := now.Sub(a.seenAt); gap >= 0 && gap < seenEvery {
		return nil
	}
	rose := map[string]uint64{}
	for id, seq := range a.Quorum.Seen() {
		if seq > a.seen[string(id)] {
			rose[string(id)] = seq
			a.seen[string(id)] = seq
		}
	}
	a.seenAt = now
	return rose
}

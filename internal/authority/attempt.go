package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/guard"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// Attempt is one guess at a card's PIN, as an act requests it. Every door and
// act that checks a PIN makes one (I-4).
type Attempt struct {
	Caller Caller
	// Row has Card, and Handle if the guess comes through a link; Authority.Attempt
	// takes its business number.
	Row    store.Request
	PIN    pin.PIN
	Policy policy.Policy
	Proof  *evidence.Proof // evidence that came with the guess, or nil
	// ProofUsed says that an earlier transaction of the same act has already marked Proof
	// as used.
	ProofUsed bool
	// Thaws says that a freeze of the card does not stop the guess, because a
	// right PIN is to end the freeze.
	Thaws bool
	// Reopen: a right PIN through a known link opens the strangers' lane again.
	Reopen bool
	// Source is the address that the guess came from, in one spelling; empty if it
	// is not known.
	Source string
	// Pass is the guard's permission for the guess, if the act had to ask Allow before it
	// looked the card up; the caller ends it. nil: Attempt asks.
	Pass  *guard.Pass
	Hooks Hooks
	// Looked says that the act has already looked for a request under the business number,
	// and found none.
	Looked bool
	// Last says that nothing else is written under the card's hold after the verdict, so
	// the hold may end with it.
	Last bool
}

// guess is an attempt on its way through begin, the keepers and conclude.
type guess struct {
	Attempt
	row store.Request

	// Set by begin.
	target keeper.Target
	form   pin.Form // of the card's PIN
	place  Place
	reopen bool   // a right PIN opens the strangers' lane again
	count  uint64 // number of the guess in the authority's own tally
	pass   *guard.Pass
	// Set by conclude.
	shut ledger.Reason // the limit that a wrong PIN reached (lock, block, strangers' lane), or empty
}

// Attempt counts a guess, has the keepers evaluate it, and stores the verdict. It returns
// the request's row with the decision. The caller holds the card's slot (HoldCard).
//
// Crash points: before begin commits, nothing has happened except the claim of the business
// number. After it, the business number is taken and the request stays undecided for good
// (I-11); the guess stays counted in the authority's tally, and in each keeper that counted
// it (I-1). After conclude commits, the channel can ask for the verdict.
func (a *Authority) Attempt(ctx context.Context, q Attempt) (store.Request, error) {
	// A right PIN needs a signature for its receipt, so while the vault's token is away no
	// guess is counted.
	if err := a.vault.Ready(); err != nil {
		return store.Request{}, err
	}
	at := &guess{Attempt: q, row: q.Row, pass: q.Pass}
	if q.Pass == nil {
		defer func() { at.pass.Drop() }() // does nothing after Saw
	}
	if err := a.claim(ctx, &at.Attempt); err != nil {
		return store.Request{}, err
	}
	decided, err := a.begin(ctx, at)
	if errors.Is(err, errUnfinished) {
		if err := a.FinishIntent(ctx, at.row.Card); err != nil {
			return store.Request{}, err
		}
		decided, err = a.begin(ctx, at)
	}
	if err != nil || decided {
		return at.row, err
	}
	// From here on ctx is not cancelled with the request: a guess that was counted
	// is brought to its verdict, even if the client has disconnected.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTime)
	defer cancel()
	var out keeper.Outcome
	err = at.PIN.UseAs(at.form, func(secret []byte) (err error) {
		out, err = a.quorum.Attempt(ctx, at.target, keeper.Guess{Lane: at.place.Lane, Reserve: at.place.Reserve,
			Limits: at.Policy.Limits, Reopen: at.reopen}, secret)
		return err
	})
	if err != nil {
		a.log.ErrorContext(ctx, "attempt not evaluated", "card", at.row.Card, "err", err)
		out = keeper.Outcome{Verdict: liuma.Unavailable}
	}
	if out.Stale {
		// The keepers have committed a later version; the next attempt finishes its
		// intent.
		a.log.WarnContext(ctx, "keepers hold a later version", "card", at.row.Card, "version", at.target.Version)
	}
	if err := a.conclude(ctx, at, out); err != nil {
		// Without a durable row there is no verdict (I-9): the request stays undecided.
		a.recordUndecided(ctx, at)
		return store.Request{}, liuma.Outward(err)
	}
	// The guard gets the keepers' finding, even if the card's standing changed the verdict.
	at.pass.Saw(at.row.Card, out.Verdict)
	return at.row, nil
}

// errUnfinished says that an intent with a new PIN was recorded but not committed yet.
var errUnfinished = errors.New("authority: the setting of a PIN is to be finished first")

// expected tells the store which rows the transactions of a guess will read.
func expected(ctx context.Context, q store.Request) context.Context {
	return store.Expect(ctx, store.Expected{Card: q.Card, Channel: q.Channel, Business: q.BusinessNo, Handle: q.Handle})
}

// admit asks the guard, before the guess is counted and takes its business
// number. It may be asked again when the store repeats the transaction.
func (a *Authority) admit(r store.Reader, at *guess) error {
	if at.Pass != nil {
		return nil
	}
	at.pass.Drop()
	var err error
	at.pass, err = a.Allow(at.PIN, at.row.Channel, at.Source, at.place.Lane == ledger.Known || at.Proof != nil)
	if err == nil {
		return nil
	}
	if repeated := LookNumber(r, at.row); repeated != nil {
		return repeated // the repetition gets the outcome of the first request
	}
	return err
}

// begin takes the business number and counts the guess in the authority's own
// tally, in one transaction. A guess that is refused without keepers is decided
// in it.
func (a *Authority) begin(ctx context.Context, at *guess) (decided bool, err error) {
	ctx = expected(ctx, at.Row)
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		decided, at.row = false, at.Row
		now := a.Now()
		at.row.At = now
		card, err := a.ReadCard(tx, at.row.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := at.Hooks.guard(tx, card); err != nil {
			return audit.Entry{}, err
		}
		waiting, replaces, err := a.waitingIntent(tx, card.ID)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := a.place(tx, at, card); err != nil {
			return audit.Entry{}, err
		}
		decided = RefusedAtOnce(&at.row, card, at.Thaws, at.place, at.Policy.Limits, now)
		if !decided {
			if err := a.admit(tx, at); err != nil {
				return audit.Entry{}, err
			}
		}
		if err := TakeNumber(tx, at.row); err != nil {
			return audit.Entry{}, err
		}
		if decided {
			ev, err := at.Hooks.after(tx, &card, &at.row, audit.AttemptDecided)
			return a.DecidedEntry(at.Caller, ev, at.row), err
		}
		if err := throughLink(tx, at.row); err != nil {
			return audit.Entry{}, err
		}
		at.count = card.Tally.Spend(now, at.place.Lane)
		at.target, at.form = a.targetOf(card), card.PINForm
		at.target.Unacknowledged, at.target.Replaces = waiting, replaces
		return a.Entry(at.Caller.Actor(), audit.AttemptBegun, card.ID, at.row.BusinessNo, "ok"), tx.UpdateCard(card)
	})
	return decided, err
}

// waitingIntent reports whether a card has an open intent that allows a guess, and the
// version that the intent started from. A recorded intent allows none: errUnfinished.
func (a *Authority) waitingIntent(r store.Reader, card liuma.CardID) (bool, liuma.Version, error) {
	in, err := r.Intent(card)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, 0, nil
	case err != nil:
		return false, 0, err
	case in.State == store.IntentCommitting:
		return false, 0, errUnfinished
	}
	return true, in.From, nil
}

// place fills in the lane that the guess is counted in and the PIN version that it is
// about. Two guesses are refused without taking a business number: on a lost card without
// evidence (with a demand for evidence), and at a PIN that does not count yet (with the
// time when it will).
func (a *Authority) place(r store.Reader, at *guess, card store.Card) (err error) {
	at.row.Version = card.Version
	at.Policy.Limits = a.LimitsOf(card, at.row.Channel, at.Policy)
	if at.place, err = a.PlaceOf(r, card, at.row.Channel, at.row.Handle, at.Proof != nil, at.Policy); err != nil {
		return err
	}
	at.reopen = at.Reopen && at.place.Through
	if at.Proof != nil {
		at.row.Evidence = at.Proof.Method
	}
	if at.Thaws {
		card = card.Thawed()
	}
	if err := NotYet(card, a.Now()); err != nil {
		return err
	}
	if card.Standing(a.Now()) == liuma.StandingSuspended && at.Proof == nil {
		return &liuma.Error{Code: liuma.CodeEvidenceRequired}
	}
	return nil
}

// NotYet refuses a guess at a PIN that was set at a counter and does not count yet:
// no keeper is asked, nothing is counted and the business number stays free. If the card is
// stopped, NotYet returns nil and the guess is refused as stopped. Until is in H.
func NotYet(card store.Card, now time.Time) error {
	standing := card.Standing(now)
	usable := standing == liuma.StandingActive || standing == liuma.StandingSuspended
	if !usable || !now.Before(card.PINFrom) {
		return nil
	}
	return &liuma.Error{Code: liuma.CodePINNotYet, Until: card.PINFrom}
}

// RefusedAtOnce decides a guess that needs no keeper, and reports whether it
// did: refused because of the card's standing or, where the standing allows the
// guess, by the authority's own tally. A lost physical card is not refused
// here: evidence makes up for it.
func RefusedAtOnce(row *store.Request, card store.Card, thaws bool, at Place, l ledger.Limits, now time.Time) bool {
	seen := card
	if thaws {
		seen = card.Thawed()
	}
	switch seen.Standing(now) {
	case liuma.StandingCancelled:
		Decide(row, now, liuma.Suspended, liuma.CodeCancelled)
		return true
	case liuma.StandingFrozen:
		Decide(row, now, liuma.Suspended, liuma.CodeFrozen)
		return true
	case liuma.StandingReported:
		row.Until = card.ReportedUntil
		Decide(row, now, liuma.Suspended, liuma.CodeLossReported)
		return true
	}
	_, refusal := card.Tally.Check(now, at.Lane, at.Reserve, l)
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
	Decide(row, now, verdict, codeOf(verdict))
}

// conclude stores the verdict. It reads standing and version again: a change
// while the keepers worked takes the verdict back (I-10).
func (a *Authority) conclude(ctx context.Context, at *guess, out keeper.Outcome) error {
	begun := at.row
	if ctx = expected(ctx, begun); at.Last {
		ctx = store.Last(ctx)
	}
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		at.row = begun
		now := a.Now()
		if now.Sub(at.row.At) >= decideTime {
			return audit.Entry{}, errors.New("authority: too late to decide")
		}
		card, err := tx.Card(at.row.Card)
		if err != nil {
			return audit.Entry{}, err
		}
		// A row that was put back is no longer served from here on (I-13).
		if card.Behind = max(card.Behind, out.Behind); card.Behind > 0 {
			out.Verdict = liuma.Unavailable
		}
		link, err := linkOf(tx, at.row)
		if err != nil {
			return audit.Entry{}, err
		}
		a.judge(at, &card, link, out, now)
		if err := a.Aged(tx, card, &at.row); err != nil {
			return audit.Entry{}, err
		}
		if at.row.Verdict == liuma.Right {
			// An error here means no verdict: something changed meanwhile that forbids it.
			if err := at.Hooks.guard(tx, card); err != nil {
				return audit.Entry{}, err
			}
		}
		if link != nil {
			if err := tx.PutLink(*link); err != nil {
				return audit.Entry{}, err
			}
		}
		ev, err := at.Hooks.after(tx, &card, &at.row, audit.AttemptDecided)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := errors.Join(tx.UpdateCard(card), tx.UpdateRequest(at.row), a.tellShut(tx, card, at)); err != nil {
			return audit.Entry{}, err
		}
		return a.DecidedEntry(at.Caller, ev, at.row), nil
	})
}

// recordUndecided writes to the audit record that a counted guess came to no verdict. It
// changes nothing else. If it fails (a crash, no store), the record shows an attempt that
// began and was not decided; nothing more is lost.
func (a *Authority) recordUndecided(ctx context.Context, at *guess) {
	ctx = store.Under(ctx, store.Hold{}) // to write the entry even if the card's hold was lost
	err := a.store.Update(ctx, func(store.Tx) (audit.Entry, error) {
		return a.Entry(at.Caller.Actor(), audit.AttemptUndecided, at.row.Card, at.row.BusinessNo, string(liuma.CodeUndecided)), nil
	})
	if err != nil {
		a.log.ErrorContext(ctx, "attempt without a verdict not recorded", "card", at.row.Card, "err", err)
	}
}

// judge settles the guess in the authority's own tally and at its link, and
// decides the row.
func (a *Authority) judge(at *guess, card *store.Card, link *store.Link, out keeper.Outcome, now time.Time) {
	sameVersion := card.Version == at.target.Version
	if link != nil && (out.Verdict == liuma.Right || out.Evaluated == 0) {
		uncount(link, out.Verdict == liuma.Right && at.row.Ceremony == "")
	}
	if sameVersion && out.Verdict == liuma.Right {
		card.Tally.Clear(at.count, at.reopen) // a stranger's proof clears both lanes
		card.PINForm = at.PIN.Proved(at.form)
	} else if sameVersion && out.Evaluated == 0 {
		// No keeper evaluated it, so nothing was learnt from it.
		card.Tally.Refund(at.count)
	}
	verdict, code := out.Verdict, codeOf(out.Verdict)
	standing := card.Standing(now)
	if at.Thaws {
		standing = card.Thawed().Standing(now)
	}
	switch {
	case out.Verdict != liuma.Right:
	case !sameVersion, at.row.Handle != "" && link == nil: // set anew, or the link ended, meanwhile
		verdict, code = liuma.Unavailable, liuma.CodeUnavailable
	case standing == liuma.StandingCancelled:
		verdict, code = liuma.Suspended, liuma.CodeCancelled
	case standing == liuma.StandingFrozen:
		verdict, code = liuma.Suspended, liuma.CodeFrozen
	case standing == liuma.StandingReported:
		verdict, code = liuma.Suspended, liuma.CodeLossReported
	case standing == liuma.StandingSuspended && at.Proof == nil:
		verdict, code = liuma.Suspended, liuma.CodeEvidenceRequired
	}
	if verdict == liuma.Right && link != nil && at.row.Ceremony == "" { // else Returned
		proved(link, card.Version, at.Proof != nil, now)
	}
	at.row.Until = a.clock.Read().ToHigh(out.Until) // keepers have a time of their own
	if code == liuma.CodeLossReported {
		at.row.Until = card.ReportedUntil
	}
	if verdict == liuma.Wrong {
		code = at.lastTry(card.Tally, out, now)
	}
	Decide(&at.row, now, verdict, code)
}

// lastTry is the error code of a wrong PIN. If no try is left, the verdict is still wrong,
// because the PIN was evaluated, but the error code is locked or blocked, because the
// holder needs to know that.
func (at *guess) lastTry(t ledger.Tally, out keeper.Outcome, now time.Time) liuma.Code {
	left, refusal := t.Check(now, at.place.Lane, at.place.Reserve, at.Policy.Limits)
	if refusal == nil && out.TriesLeft <= 0 {
		// The keepers have counted more guesses than this authority's record. If they
		// locked the PIN, the lock is dated from this guess, and the next guess is refused
		// by it.
		refusal = &ledger.Refusal{Reason: ledger.Locked, Until: now.Add(at.Policy.Limits.LockFor)}
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

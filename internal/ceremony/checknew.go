package ceremony

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/store"
)

// Personal rules (no birthday, no part of the ID, phone or card number) need facts
// that no page may hold. To tell the holder after the first entry instead of the
// second, the pad may send the first entry sealed; the answer is the reason for a
// refusal, or none. Nothing is set or kept.

const (
	checksMost    = 10             // of a ceremony
	checksDaily   = 30             // of a card, in checksPeriod
	checksPeriod  = 24 * time.Hour //
	tickCheckedIn = "pin_checked"  // of a card
)

// Checked is the answer about a PIN that a holder is about to choose. Reason is
// empty where the PIN may be set.
type Checked struct {
	Reason   string     // PIN rule, or reason of CodePINFormat
	Sentence liuma.Text // explains Reason
}

// choosing says, at the pad of an act that sets a PIN, whose PIN is being set and by
// which facts it is judged.
type choosing struct {
	whose addressee
	facts authority.Known
}

// CheckNew judges a new PIN at the pad, before the holder types it a second time. It
// needs the same browser, step and proofs as setting that PIN, so it tells nothing to
// anybody who could not set it. It compares with no PIN of the card. It is counted by
// ceremony and by card before the envelope is opened, so a check whose answer is lost
// is counted too. The envelope is bound to liuma.RoleCheck: it opens for nothing
// else, and an envelope sealed to set a PIN does not open here. If CheckNew refuses
// with an error instead of a Checked, GivePIN judges the PIN.
func (s *Ceremonies) CheckNew(ctx context.Context, id string, h Hand, try int, sealed envelope.Envelope) (Checked, error) {
	var q asking
	var of choosing
	_, err := s.moved(ctx, id, h, []Step{StepPIN}, s.whileServed(func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		e := s.engine.Entry("holder", audit.CeremonyStepped, s.recordOf(*c), c.BusinessNo, "checked")
		if accessOf(*c, h) != accessBrowser || try != c.Tries+1 || s.acting(*c, *d).chooses == nil {
			return "", e, liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		var err error
		if q, err = s.nextTry(tx, *c, *d); err != nil {
			return "", e, err
		}
		if of, err = q.act.chooses(s, tx, *c, *d, q); err != nil {
			return "", e, err
		}
		return StepPIN, e, s.countCheck(tx, d, of.whose)
	}))
	if err != nil {
		return Checked{}, err
	}
	if !of.whose.card.ID.IsZero() {
		q = s.about(q, of.whose.card)
	}
	// A crash from here on loses the answer, and the check stays counted.
	chosen, err := s.open(ctx, q, liuma.RoleCheck, sealed, "new_pin")
	if e, ok := errors.AsType[*liuma.Error](err); ok && e.Code == liuma.CodePINFormat {
		return Checked{Reason: e.Reason, Sentence: pin.FormatSentence(e.Reason)}, nil
	}
	if err != nil {
		return Checked{}, err
	}
	defer chosen.Wipe() // I-6
	err = s.engine.JudgePIN(q.policy, chosen, of.facts, nil)
	if e, ok := errors.AsType[*liuma.Error](err); ok && e.Code == liuma.CodeWeakPIN {
		return Checked{Reason: e.Reason, Sentence: e.Sentence}, nil
	}
	return Checked{}, liuma.Outward(err)
}

// nextTry makes the asking of the holder's next try.
func (s *Ceremonies) nextTry(r store.Reader, c store.Ceremony, d details) (asking, error) {
	client, err := r.Client(string(c.Channel))
	if err != nil {
		return asking{}, err
	}
	c.Tries++
	return s.tryOf(moved{ceremony: c, details: d}, s.acting(c, d), authority.Caller{Client: client}, Given{})
}

// countCheck counts a check, or refuses it where a ration is spent.
func (s *Ceremonies) countCheck(tx store.Tx, d *details, whose addressee) error {
	now := s.now()
	of, err := whose.marks(tx, tickCheckedIn, now.Add(-checksPeriod))
	if err != nil {
		return err
	}
	if d.Checks++; d.Checks > checksMost || len(of) >= checksDaily {
		return liuma.Fail(liuma.CodeTooManyRequests, nil)
	}
	return whose.mark(tx, tickCheckedIn, now)
}

// choosesFirst returns the holder who chooses a first PIN: the applicant whom
// evidence and one-time code confirmed.
func (s *Ceremonies) choosesFirst(r store.Reader, _ store.Ceremony, _ details, q asking) (choosing, error) {
	who, err := s.readApplicant(r, q)
	return choosing{addressee{holder: who.holder}, who.judgedBy()}, err
}

// choosesReset returns the holder who replaces a forgotten PIN, if all the proofs of
// a reset are there.
func (s *Ceremonies) choosesReset(r store.Reader, c store.Ceremony, d details, _ asking) (choosing, error) {
	card, err := s.engine.ReadCard(r, c.Card)
	if err != nil {
		return choosing{}, err
	}
	if err := s.mayReset(r, c, d, card); err != nil {
		return choosing{}, err
	}
	f, err := s.engine.Known(r, card)
	return choosing{addressee{card: card, holder: card.Holder}, f}, err
}

// choosesOther returns the holder who changes a PIN. The proof of a change is the old
// PIN, which is typed on the same pad and judged together with the new one; so only
// the conditions that come before the pad are checked here.
func (s *Ceremonies) choosesOther(r store.Reader, c store.Ceremony, d details, q asking) (choosing, error) {
	of, err := s.changingOf(r, q)
	if err != nil {
		return choosing{}, err
	}
	err = s.refusedAtOnce(r, c, d, of.card, of.proof != nil)
	return choosing{addressee{card: of.card, holder: of.card.Holder}, of.facts}, err
}

// setsPIN reports whether the act's pad takes a new PIN.
func (a Act) setsPIN() bool { return slices.Contains(a.Roles, liuma.RoleNew) }

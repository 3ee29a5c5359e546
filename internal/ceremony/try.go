package ceremony

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
)

// GivePIN makes one try of a ceremony. It takes the try's number first, so that a
// page that is submitted twice makes one attempt. The attempt is the same as at the
// native door. In all there are three transactions and two views: the try's number,
// the act's view of the card, the two transactions of the attempt, and the page.
func (s *Ceremonies) GivePIN(ctx context.Context, id string, h Hand, g Given) (Page, error) {
	var client store.Client
	m, err := s.moved(ctx, id, h, []Step{StepPIN}, s.whileServed(func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		e := s.engine.Entry("holder", audit.CeremonyStepped, s.recordOf(*c), c.BusinessNo, "ok")
		if g.Try != c.Tries+1 {
			return "", e, notThisTry(tx, *c, *d, g)
		}
		digest, err := givenDigest(c.ID, g)
		if err != nil {
			return "", e, err
		}
		c.Tries, d.TryDigest = c.Tries+1, digest[:]
		d.Proofs.tried(*c)
		if d.Pad = padDigits; g.Words {
			d.Pad = padWords
		}
		d.clearVerdict()
		d.WasReset = false
		client, err = tx.Client(string(c.Channel))
		return StepPIN, e, err
	}))
	if err != nil {
		return Page{}, err
	}
	if m.bound != "" {
		h.Secret = m.bound // after a new push the browser may have sent its old secret
	}
	if Step(m.ceremony.Step) == StepPIN {
		// A crash from here on leaves the try undecided and the ceremony at the
		// pad: the holder tries again under the next number.
		if err := s.try(ctx, m, authority.Caller{Client: client}, g); err != nil {
			if err := s.noteRefusal(ctx, id, err); err != nil {
				return Page{}, liuma.Outward(err)
			}
		}
	}
	p, err := s.Look(ctx, id, h)
	p.Bound = m.bound
	return p, err
}

// ErrOldPad is the cause of CodeCeremonyMoved if the pad is older than the ceremony,
// such as a page from the browser's back cache or in a second tab. Its entry was not
// tried and did not count.
var ErrOldPad = errors.New("ceremony: the pad is older than the ceremony")

// notThisTry says why a try is not made whose number is not the next one: the form of
// a try that was made was sent twice, or it is an entry on an old pad. Only for the
// old pad may the page say that nothing counted.
func notThisTry(r store.Reader, c store.Ceremony, d details, g Given) error {
	digest, err := givenDigest(c.ID, g)
	if err != nil {
		return err
	}
	if g.Try == c.Tries && bytes.Equal(d.TryDigest, digest[:]) {
		return liuma.Fail(liuma.CodeCeremonyMoved, nil) // its attempt may be under way, without a row yet
	}
	row, err := r.Request(c.Channel, authority.TryNo(c.BusinessNo, g.Try))
	switch {
	case err == nil && row.Digest == digest:
		return liuma.Fail(liuma.CodeCeremonyMoved, nil)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	return liuma.Fail(liuma.CodeCeremonyMoved, ErrOldPad)
}

// try makes the request of a try and runs its act.
func (s *Ceremonies) try(ctx context.Context, m moved, c authority.Caller, g Given) error {
	act := s.acting(m.ceremony, m.details)
	q, err := s.tryOf(m, act, c, g)
	if err != nil {
		return err
	}
	_, err = act.run(s, ctx, q)
	return err
}

// tryOf makes the asking of a ceremony's last try.
func (s *Ceremonies) tryOf(m moved, act Act, c authority.Caller, g Given) (asking, error) {
	cer, d := m.ceremony, m.details
	digest, err := givenDigest(cer.ID, g)
	if err != nil {
		return asking{}, err
	}
	request := authority.Request{
		BusinessNo: authority.TryNo(cer.BusinessNo, cer.Tries), Subject: d.subject(), Region: cer.Region,
		Purpose: liuma.Purpose(d.Purpose), Challenge: tryChallenge(cer.ID, cer.Tries),
		Replaces: d.Replaces, Current: given(g.Current), Old: given(g.Old), New: given(g.New), Digest: digest,
	}
	row := s.engine.NewRow(c, act.Action, request, cer.ID)
	row.Browser = cer.Browser
	q := asking{
		act: act, caller: c, request: request, row: row,
		policy: s.rules(cer), subject: boundSubject(cer.ID),
		evidence:   pushed{proof: d.Proofs.Evidence},
		registered: func(store.Reader) error { return nil }, // guard checks it, in the transactions that count and decide
		guard:      func(r store.Reader, _ store.Card) error { return s.stillServed(r, cer.ID) },
		card:       cer.Card, source: g.Source, reopen: g.Reopen,
		steps: d.Steps, numbered: d.Proofs.CardNo.holds(cer),
	}
	if d.NewPhone != "" && d.Proofs.Code.holds(cer, s.engine.PhoneIndex(d.NewPhone), s.now()) {
		q.codePhone = d.NewPhone
	}
	return q, nil
}

// boundSubject is the subject that a try's envelopes are bound to: the
// ceremony's ID, since its subject cannot change. The page holds these bytes,
// so they must not contain a name or an ID number.
func boundSubject(ceremony string) envelope.Subject {
	return envelope.Subject{Card: "ceremony:" + ceremony}
}

// tryChallenge takes the place of the server's challenge in the binding of a
// try: the ceremony's own time limits its life.
func tryChallenge(id string, try int) string { return fmt.Sprintf("%s:%d", id, try) }

// given returns an envelope that may be missing; a missing one is refused when
// opened.
func given(e *envelope.Envelope) envelope.Envelope {
	if e == nil {
		return envelope.Envelope{}
	}
	return *e
}

func givenDigest(id string, g Given) ([32]byte, error) {
	b, err := json.Marshal([]any{id, g.Try, g.Current, g.Old, g.New, g.Reopen})
	if err != nil {
		return [32]byte{}, liuma.FailField(liuma.CodeEnvelopeInvalid, "pin", err)
	}
	return sha256.Sum256(b), nil
}

// noteRefusal keeps the reason why a try was refused, so that the page still
// says it after a reload. A refusal that no other PIN can change ends the
// ceremony.
func (s *Ceremonies) noteRefusal(ctx context.Context, id string, cause error) error {
	code := liuma.CodeOf(cause)
	if code == liuma.CodeInternal || code == liuma.CodeUnavailable {
		s.log.ErrorContext(ctx, "try not made", "ceremony", id, "err", cause)
	}
	err := s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, d, err := s.readCeremony(tx, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if Step(c.Step) != StepPIN {
			return audit.Entry{}, nil // the try was decided after all
		}
		d.Code = string(code)
		if e, ok := errors.AsType[*liuma.Error](cause); ok {
			d.Reason, d.Sentence, d.Until = e.Reason, e.Sentence, e.Until
		}
		switch code {
		case liuma.CodeEvidenceRequired, liuma.CodeEvidenceInvalid, liuma.CodeEvidenceUsed, liuma.CodeSlowDown:
			err = s.goTo(&c, StepRefused) // goes on under a new push
		case liuma.CodePhoneCodeExpired:
			d.Proofs.Code.Spent = true // the code does not count any more
			err = s.goTo(&c, StepCode)
		case liuma.CodeNotInRegistry, liuma.CodeAlreadyEnrolled, liuma.CodeCardRestored, liuma.CodeCardClosed, liuma.CodeCancelled, liuma.CodeForbidden,
			liuma.CodeFrozen, liuma.CodeLossReported, liuma.CodeContested, liuma.CodeNumberCorrecting, liuma.CodeNotFrozen, liuma.CodePINNotYet, liuma.CodePINStopped,
			liuma.CodeTicketEnded, liuma.CodeTicketUnknown, liuma.CodeTicketTaken, liuma.CodeTicketLink, liuma.CodePhoneNone, liuma.CodePhoneLate, liuma.CodePhoneStale, liuma.CodeCardNoNeeded:
			err = errors.Join(s.goTo(&c, StepRefused), s.endRequestUntil(tx, &c, code, d.Until))
		}
		if err := errors.Join(err, s.sealDetails(&c, d)); err != nil {
			return audit.Entry{}, err
		}
		return s.engine.Entry("holder", audit.CeremonyStepped, s.recordOf(c), c.BusinessNo, string(code)), tx.UpdateCeremony(c)
	})
	return err
}

package ceremony

import (
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// Evidence alone. Where a region permits it and the policy names the channel, the channel may
// ask that a service be proved by evidence instead of the PIN. No pad is shown, and no guess
// is made or counted. The receipt shows it by an acr of its own, and its amr has no "pin".
// Such a verification proves nothing else: it adds nothing to the age of the link, opens no
// lane, and its page changes no setting of the card. While the physical card is lost, PIN and
// evidence are both needed, as always.
//
//	evidence --pushed again with evidence--> confirm --Agree--> done
//	                                          |  \--card lost, or not permitted any more--> pin
//	                                          |--pushed again without evidence--> evidence
//	                                          |   \--frozen, cancelled …--> refused

// permitsAlone reports whether this channel may accept evidence alone under the policies of
// both regions: the card's and the push's.
func (s *Ceremonies) permitsAlone(card store.Card, ch liuma.ChannelID, pushed liuma.Region, began time.Time) bool {
	return authority.RulesSince(s.policy, card.Region, ch, began).EvidenceAlone && authority.RulesSince(s.policy, pushed, ch, began).EvidenceAlone
}

// mayPushAlone refuses a push that wants evidence alone where that is not permitted.
func (s *Ceremonies) mayPushAlone(r store.Reader, c authority.Caller, q Push) error {
	if !q.Alone {
		return nil
	}
	if q.Action != liuma.ActionVerify {
		return liuma.FailField(liuma.CodeBadRequest, "proof", errors.New("only a verification is proved by evidence alone"))
	}
	link, err := r.LinkByHandle(c.Channel(), store.Handle(q.Subject.Card))
	if err != nil {
		return err
	}
	card, err := r.Card(link.Card)
	if err == nil && !s.permitsAlone(card, c.Channel(), q.Region, time.Time{}) {
		err = liuma.FailField(liuma.CodeForbidden, "proof", errors.New("the policy names no such channel"))
	}
	return err
}

// firstOf is the first step of a ceremony that was just pushed.
func firstOf(act Act, d details) Step {
	switch {
	case !d.Alone:
		return act.First
	case d.Proofs.Evidence == nil:
		return StepEvidence
	}
	return StepConfirm
}

// evidencedAt is the step that follows when a new push brings evidence.
func (s *Ceremonies) evidencedAt(c store.Ceremony, d details) Step {
	if d.Alone && d.Turned == "" {
		return StepConfirm
	}
	return s.acting(c, d).Evidenced
}

// proveAlone decides a verification by evidence alone, in the transaction of the
// holder's consent. It looks again at permission, person and standing; a crash before
// the commit leaves the ceremony at its confirmation.
func (s *Ceremonies) proveAlone(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
	card, err := s.linkedCardOf(tx, *c, *d)
	if err == nil && card.Version == 0 {
		err = liuma.Fail(liuma.CodeRefused, nil)
	}
	if err == nil {
		err = s.provedAbout(card, *d)
	}
	if err != nil {
		return s.refuse(tx, c, d, err)
	}
	switch standing := card.Standing(s.now()); {
	case standing == liuma.StandingCancelled:
		return s.refuse(tx, c, d, liuma.Fail(liuma.CodeCancelled, nil))
	case standing == liuma.StandingFrozen:
		return s.refuse(tx, c, d, liuma.Fail(liuma.CodeFrozen, nil))
	case standing == liuma.StandingReported:
		return s.refuse(tx, c, d, lossReported(card))
	case standing != liuma.StandingActive, !s.permitsAlone(card, c.Channel, c.Region, c.At):
		d.Alone = false // the pad asks for the PIN as well
		return StepPIN, nil
	}
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil {
		return "", err
	}
	if row.Decided {
		return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	now := s.now()
	row.Card, row.Version, row.Evidence, row.Alone = card.ID, card.Version, d.Proofs.Evidence.Method, true
	row.Handle = store.Handle(d.Subject.Card)
	authority.Decide(&row, now, liuma.Right, "")
	if err := s.engine.Aged(tx, card, &row); err != nil {
		return "", err
	}
	c.Card, d.ProvedAlone = card.ID, true
	c.Expires = later(c.Expires, now.Add(ceremonyMore)) // time to go back
	if err := tx.UpdateRequest(row); err != nil {
		return "", err
	}
	return StepDone, s.tellAlone(tx, card, row)
}

// tellAlone sends a notice of a use without the PIN, if the holder wants one for
// every use.
func (s *Ceremonies) tellAlone(tx store.Tx, card store.Card, row store.Request) error {
	if s.outbox == nil {
		return nil
	}
	c, err := tx.Contact(card.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !c.EveryUse {
		return nil
	}
	if err != nil {
		return err
	}
	return s.tellBound(tx, card, noticeUsedAlone, row.Channel, nil)
}

package ceremony

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// recoveryOf returns the rules for the recovery of a card, from the card's own
// region. The region of a push is only the channel's claim; a channel could name the
// laxest region that it is registered for.
func (s *Ceremonies) recoveryOf(card store.Card, c store.Ceremony) policy.Recovery {
	return authority.RulesSince(s.policy, card.Region, c.Channel, c.At).Recovery
}

// rulesAbout are the rules of a ceremony about a card: of the push's region and the
// card's own region the stricter, value by value.
func (s *Ceremonies) rulesAbout(c store.Ceremony, card store.Card) policy.Policy {
	return s.engine.PolicyOf(card, c.Channel, s.rules(c))
}

// recoveryIn is recoveryOf for a ceremony. Where the ceremony asks for the card's
// number in addition to evidence, the number cannot replace evidence.
func (s *Ceremonies) recoveryIn(card store.Card, c store.Ceremony, d details) policy.Recovery {
	rules := s.recoveryOf(card, c)
	rules.CardNumber = rules.CardNumber && !d.Steps.Asks(liuma.ActionReset, ProofCardNo)
	return rules
}

// resettable refuses an online reset of a card if it is not safe: the card may
// not be used, it has no bound phone, the phone was bound too recently, or it
// was confirmed so long ago that the number may have another owner. It is
// called before a code is sent, and again with the new PIN.
func (s *Ceremonies) resettable(r store.Reader, card store.Card, rules policy.Recovery, evidence bool) (store.Contact, error) {
	switch standing := card.Standing(s.now()); {
	case card.Version == 0:
		return store.Contact{}, liuma.Fail(liuma.CodeRefused, nil)
	case standing == liuma.StandingCancelled:
		return store.Contact{}, liuma.Fail(liuma.CodeCancelled, nil)
	case standing == liuma.StandingFrozen:
		return store.Contact{}, liuma.Fail(liuma.CodeFrozen, nil)
	case standing == liuma.StandingReported:
		return store.Contact{}, lossReported(card)
	}
	if err := correcting(card); err != nil {
		return store.Contact{}, err
	}
	c, _, err := s.engine.BoundPhone(r, card.ID)
	if err != nil {
		return c, err
	}
	now := s.now()
	// A phone that replaced another one is on hold, so that the old number's notice
	// can stop a thief. The phone of an enrolment replaced none.
	if now.Before(c.HoldUntil) {
		return c, &liuma.Error{Code: liuma.CodePhoneLate, Until: c.HoldUntil}
	}
	most := rules.Unconfirmed
	if evidence {
		most = rules.UnconfirmedEvidence
	}
	if now.Sub(c.ConfirmedAt) > most {
		return c, liuma.Fail(liuma.CodePhoneStale, nil)
	}
	return c, nil
}

// lossReported is the refusal of a card whose loss was reported by phone.
func lossReported(card store.Card) error {
	return &liuma.Error{Code: liuma.CodeLossReported, Until: card.ReportedUntil}
}

// correcting refuses a reset or a rebinding while a correction of the holder's number
// waits. The owner was told of the correction; an impostor who caused it must not
// take the card over before the owner can stop it.
func correcting(card store.Card) error {
	if !card.IsCorrecting() {
		return nil
	}
	return &liuma.Error{Code: liuma.CodeNumberCorrecting, Until: card.Correcting}
}

package ceremony

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// recoveryOf returns the rules for the recovery of a card: those of the card's
// own region. The region of a push is only the channel's word; a channel could
// name the laxest region that it is registered for.
func (s *Ceremonies) recoveryOf(card store.Card, ch liuma.ChannelID) policy.Recovery {
	return s.policy.For(card.Region, ch).Recovery
}

// resettable refuses an online reset of a card if it is not safe: the card may
// not be used, it has no bound phone, the phone was bound too recently, or it
// was confirmed so long ago that the number may have another owner. It is
// called before a code is sent, and again with the new PIN.
func (s *Ceremonies) resettable(r store.Reader, card store.Card, rules policy.Recovery, evidence bool) (store.Contact, error) {
	switch standing := liuma.StandingOf(card.Physical, card.Frozen); {
	case card.Version == 0:
		return store.Contact{}, liuma.Fail(liuma.CodeRefused, nil)
	case standing == liuma.StandingCancelled:
		return store.Contact{}, liuma.Fail(liuma.CodeCancelled, nil)
	case standing == liuma.StandingFrozen:
		return store.Contact{}, liuma.Fail(liuma.CodeFrozen, nil)
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

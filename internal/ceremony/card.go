package ceremony

import (
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// factsOf returns the registry's facts about a card's holder.
func (s *Ceremonies) factsOf(r store.Reader, id liuma.CardID) (registry.Facts, error) {
	card, err := s.engine.ReadCard(r, id)
	if err != nil {
		return registry.Facts{}, err
	}
	return s.engine.Facts(r, card)
}

// factsByHandle returns the registry's facts about the holder of the card that a
// handle leads to.
func (s *Ceremonies) factsByHandle(r store.Reader, c authority.Caller, handle string) (registry.Facts, error) {
	link, err := r.LinkByHandle(c.Channel(), store.Handle(handle))
	if err != nil {
		return registry.Facts{}, atEvidence(err)
	}
	f, err := s.factsOf(r, link.Card)
	return f, atEvidence(err)
}

func atEvidence(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return liuma.FailField(liuma.CodeEvidenceInvalid, "evidence", err)
	}
	return err
}

// linkedCardOf returns the card of the handle that came with a ceremony's push.
func (s *Ceremonies) linkedCardOf(r store.Reader, c store.Ceremony, d details) (store.Card, error) {
	link, err := r.LinkByHandle(c.Channel, store.Handle(d.Subject.Card))
	if d.Subject.Card == "" || errors.Is(err, store.ErrNotFound) {
		return store.Card{}, liuma.Fail(liuma.CodeRefused, err)
	}
	if err != nil {
		return store.Card{}, err
	}
	return s.engine.ReadCard(r, link.Card)
}

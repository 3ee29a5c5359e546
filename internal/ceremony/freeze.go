package ceremony

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// FreezeOwn freezes the card of a ceremony from its page. It needs no PIN where the
// channel is linked to the card, since a linked channel may freeze it anyway. A card
// that was only named by ID number needs a right PIN first. That PIN is enough even
// if the card cannot have more links: a thief may have made the others.
func (s *Ceremonies) FreezeOwn(ctx context.Context, id string, h Hand) (Page, error) {
	from := []Step{StepConfirm, StepCode, StepCardNo, StepEvidence, StepPhone, StepPIN, StepRefused, StepDone}
	return s.moveAnyway(ctx, id, h, from, func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		e := s.engine.Entry("holder", audit.CardFrozen, s.recordOf(*c), c.BusinessNo, "ok")
		if c.Action == liuma.ActionCounter {
			return "", e, liuma.Fail(liuma.CodeCeremonyMoved, nil) // no channel is there that could; leaving it ends the ticket
		}
		card, err := s.ownCard(tx, *c, *d)
		if err != nil {
			return "", e, err
		}
		if err := s.rationFreeze(tx, *c, *d); err != nil {
			return "", e, err
		}
		at, err := authority.PlaceName(tx, c.Channel)
		if err != nil {
			return "", e, err
		}
		if err := s.engine.FreezeCard(tx, &card, at); err != nil {
			return "", e, err
		}
		e.Card, c.Card = card.ID, card.ID
		d.clearVerdict()
		d.Code = string(liuma.CodeFrozen)
		return StepRefused, e, s.endRequest(tx, c, liuma.CodeFrozen)
	})
}

// rationFreeze counts a freeze from a page against the ration of the channel, which
// opened the page and could freeze the card itself. After a right PIN a spent ration
// does not stop the holder, who is not to blame for it.
func (s *Ceremonies) rationFreeze(tx store.Tx, c store.Ceremony, d details) error {
	if isBrowser(d.GivenIn, c) {
		return nil
	}
	client, err := tx.Client(string(c.Channel))
	if err != nil {
		return err
	}
	err = s.engine.Spend(tx, authority.Caller{Client: client}, authority.ActFreeze)
	if e, ok := errors.AsType[*liuma.Error](err); ok && e.Code == liuma.CodeRationSpent {
		return &liuma.Error{Code: liuma.CodeFreezesSpent, Until: e.Until}
	}
	return err
}

func (s *Ceremonies) ownCard(r store.Reader, c store.Ceremony, d details) (store.Card, error) {
	full := Step(c.Step) == StepRefused && noMoreLinks(liuma.Code(d.Code)) && isBrowser(d.GivenIn, c)
	if d.Subject.Card == "" && (full || Step(c.Step) == StepDone) {
		return s.engine.ReadCard(r, c.Card)
	}
	return s.linkedCardOf(r, c, d)
}

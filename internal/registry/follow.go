package registry

import (
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// The registry's facts reach the electronic card in two ways. Status and region are
// pushed into the card's row, because attempts and policies read only that. Name,
// phone and card number are read where they are needed (Of). The bound phone is the
// holder's: no change here touches it.

// differences names the changes that a holder is told of. Another spelling of the
// same name is not a change.
func differences(was, is Facts) (what []string) {
	for _, d := range []struct {
		name    string
		differs bool
	}{
		{store.ChangedName, !SameName(was.Name, is.Name)},
		{store.ChangedPhone, was.Phone != is.Phone},
		{store.ChangedRegion, was.Region != is.Region},
		{store.ChangedCardNo, was.CardNo != is.CardNo},
	} {
		if d.differs {
			what = append(what, d.name)
		}
	}
	return what
}

// followCard brings the electronic card, if there is one, to a person's status and
// region, and notes the changes that its holder must be told of. A status is only
// ever raised; it is set freely only when the physical card was replaced. A card row
// that the store refuses is left as it is, since it is refused everywhere. A crash
// leaves all of this with the rest of the chunk, or nothing (I-8).
func (g *Registry) followCard(tx store.Tx, p store.Person, replaced bool, what []string) error {
	if p.Physical == liuma.PhysicalNormal && !replaced && len(what) == 0 {
		return nil
	}
	card, err := tx.CardByHolder(p.Holder)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if errors.Is(err, store.ErrSeal) {
		g.logger.Error("a card's row was refused: its status was not changed", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	if len(what) > 0 {
		if err := g.noteChange(tx, card, what, nil); err != nil {
			return err
		}
	}
	physical := p.Physical
	if !replaced || !card.Retiring.IsZero() { // a retiring card is being stopped for good
		physical = raised(card.Physical, p.Physical)
	}
	if card.Physical == physical && card.Region == p.Region {
		return nil
	}
	card.Physical, card.Region = physical, p.Region
	return tx.UpdateCard(card)
}

package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// A frozen card works again on a code to the bound phone and the PIN (I-12).
// The code comes first, so that a frozen card is not one more place to guess.
//
//	confirm --Agree--> code --right--> pin --right--> done

// unfreezable refuses to unfreeze online what is not frozen, cannot be used
// anyway, or was frozen while its phone was new: then it may be the one who
// changed the phone that wants it back.
func (a *Authority) unfreezable(r store.Reader, card store.Card) (store.Contact, error) {
	switch {
	case card.Version == 0:
		return store.Contact{}, liuma.Fail(liuma.CodeRefused, nil)
	case card.Physical == liuma.PhysicalCancelled:
		return store.Contact{}, liuma.Fail(liuma.CodeCancelled, nil)
	case !card.Frozen:
		return store.Contact{}, liuma.Fail(liuma.CodeNotFrozen, nil)
	}
	c, _, err := a.boundPhone(r, card.ID)
	if err == nil && !c.HoldUntil.IsZero() && !card.FrozenAt.After(c.HoldUntil) {
		err = liuma.Fail(liuma.CodePhoneLate, nil)
	}
	return c, err
}

// unfreeze makes one try of an unfreezing. Without the code no guess is made.
func (a *Authority) unfreeze(ctx context.Context, c Caller, q recovery) error {
	may := func(r store.Reader, card store.Card) error {
		contact, err := a.unfreezable(r, card)
		if err != nil {
			return err
		}
		cer, err := r.Ceremony(q.hosted.id())
		if err != nil {
			return err
		}
		d, err := a.openDetails(cer)
		if err != nil {
			return err
		}
		if !d.codeHolds(cer, contact.Phone, a.now()) {
			return liuma.Fail(liuma.CodePhoneCodeExpired, nil)
		}
		return nil
	}
	err := a.Store.View(ctx, func(r store.Reader) error {
		card, err := a.checkedCard(r, q.card)
		if err != nil {
			return err
		}
		return may(r, card)
	})
	if err != nil {
		return err
	}
	return a.provePIN(ctx, c, liuma.ActionUnfreeze, q, attempt{thaws: true,
		onRight: func(tx store.Tx, card *store.Card, row *store.Request) error {
			// What was proved may have changed while the keepers worked; then
			// the try stays undecided and the card frozen.
			if err := may(tx, *card); err != nil {
				return err
			}
			card.Frozen, card.FrozenAt = false, time.Time{}
			err := errors.Join(tx.DeleteCodesOf(card.ID), tx.DeleteDevicesOf(card.ID), a.confirmContact(tx, card.ID))
			if err != nil {
				return err
			}
			return a.tellIn(tx, *card, noticeUnfrozen, row.Channel, nil)
		}})
}

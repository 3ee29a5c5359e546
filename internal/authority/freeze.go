package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Freeze stops a linked card in every channel at once. Freezing a frozen card
// succeeds and changes nothing. No channel can unfreeze (I-12), so each channel has a
// ration of freezes.
func (a *Authority) Freeze(ctx context.Context, c Caller, q Request) (Verification, error) {
	if err := c.Permit(liuma.ActionFreeze, q.Region); err != nil {
		return Verification{}, err
	}
	row := a.NewRow(c, liuma.ActionFreeze, q, "")
	linked, err := a.linkedCard(ctx, c, q.Subject.Card, row)
	if errors.Is(err, ErrUnlinked) {
		return a.RefuseUnlinked(ctx, c, row, Hooks{After: func(tx store.Tx, _ *store.Card, _ *store.Request) (audit.Event, error) {
			return "", a.Spend(tx, c, ActFreeze)
		}})
	}
	if err != nil {
		return a.Repeat(ctx, c, err)
	}
	start := row
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		r := start
		r.Card, r.Handle = linked, store.Handle(q.Subject.Card)
		card, err := a.ReadCard(tx, linked)
		if err != nil {
			return audit.Entry{}, err
		}
		Decide(&r, a.Now(), "", "")
		if err := a.takeRationed(tx, c, r, ActFreeze); err != nil {
			return audit.Entry{}, err
		}
		row = r
		return a.DecidedEntry(c, audit.CardFrozen, r), a.FreezeCard(tx, &card, c.Client.Name)
	})
	if err != nil {
		return a.Repeat(ctx, c, err)
	}
	return a.Answer(ctx, c, row)
}

// ErrUnlinked says that the client has no link to the card that it names. It does not
// say whether such a card exists.
var ErrUnlinked = errors.New("authority: no link")

// linkedCard finds the card of a channel's handle, unless the business number
// was used before.
func (a *Authority) linkedCard(ctx context.Context, c Caller, handle string, row store.Request) (id liuma.CardID, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		if err := a.StillRegistered(r, c); err != nil {
			return err
		}
		id, err = Linked(r, c, handle, row)
		return err
	})
	return id, err
}

// Linked finds the card of a channel's handle, unless the request's business
// number was used before. ErrUnlinked if there is no link.
func Linked(r store.Reader, c Caller, handle string, row store.Request) (liuma.CardID, error) {
	if err := LookNumber(r, row); err != nil {
		return liuma.CardID{}, err
	}
	link, err := r.LinkByHandle(c.Channel(), store.Handle(handle))
	if errors.Is(err, store.ErrNotFound) {
		return liuma.CardID{}, ErrUnlinked
	}
	return link.Card, err
}

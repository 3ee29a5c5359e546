package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Freeze stops a linked card in every channel at once. Freezing a frozen card
// succeeds and changes nothing. No channel can unfreeze (I-12).
func (a *Authority) Freeze(ctx context.Context, c Caller, q FreezeRequest) (Verification, error) {
	if err := c.permit(liuma.ActionFreeze, q.Region); err != nil {
		return Verification{}, err
	}
	row := a.row(c, liuma.ActionFreeze, q.BusinessNo, "", q.Digest)
	linked, err := a.linkedCard(ctx, c, q.Subject.Card, row)
	if errors.Is(err, errUnlinked) {
		return a.refuseUnlinked(ctx, c, row)
	}
	if err != nil {
		return a.repeated(ctx, c, err)
	}
	start := row
	err = a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		r := start
		r.Card = linked
		card, err := a.checkedCard(tx, linked)
		if err != nil {
			return audit.Entry{}, err
		}
		decide(&r, a.now(), "", "")
		if err := insertRequest(tx, r); err != nil {
			return audit.Entry{}, err
		}
		row = r
		return a.decidedEntry(c, audit.CardFrozen, r), a.freezeCard(tx, &card, c.Client.Name)
	})
	if err != nil {
		return a.repeated(ctx, c, err)
	}
	return a.view(ctx, c, row)
}

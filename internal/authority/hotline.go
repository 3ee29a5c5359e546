package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A hotline freezes by an ID number, which is no secret. A thief with its key
// could stop every card whose holder's number leaked, or find out who has a
// card. So each hotline has a ration; requests count whether or not a card was
// found, and all of them stand in the audit record.

// HotlineFreeze is a hotline's request to freeze a holder's card.
type HotlineFreeze struct {
	BusinessNo liuma.BusinessNo
	IDNumber   string
	Digest     [32]byte // of the whole request but the client's token
}

// FreezeByHotline freezes the card of a holder who called. A hotline may do
// nothing else; in particular it cannot unfreeze (I-12). A repetition gets the
// outcome of the first request, and is not counted. A crash leaves the freeze,
// its count, its notice and its audit entry, or none of them.
func (a *Authority) FreezeByHotline(ctx context.Context, c Caller, q HotlineFreeze) (Verification, error) {
	if c.Client.Kind != store.ClientHotline || c.Client.Stopped {
		return Verification{}, liuma.Fail(liuma.CodeForbidden, nil)
	}
	id, err := registry.ParseIDNumber(q.IDNumber)
	if err != nil {
		return Verification{}, liuma.AtField(liuma.Outward(err), "id_number")
	}
	holder := a.vault.Index(vault.IndexIDNumber, id.Canonical())
	start := a.NewRow(c, liuma.ActionFreeze, Request{BusinessNo: q.BusinessNo, Digest: q.Digest}, "")
	var row store.Request
	var refused error // committed together with the count
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		r := start
		refused = nil
		if err := LookNumber(tx, r); err != nil {
			return audit.Entry{}, err
		}
		if err := a.Spend(tx, c, ActHotlineFreeze); err != nil {
			return audit.Entry{}, err
		}
		found, err := tx.CardByHolder(holder)
		if errors.Is(err, store.ErrNotFound) || err == nil && found.Version == 0 {
			refused = liuma.FailField(liuma.CodeNotFound, "id_number", nil)
			return a.Entry(c.Actor(), audit.FreezeTried, liuma.CardID{}, r.BusinessNo, string(liuma.CodeNotFound)), nil
		}
		if err != nil {
			return audit.Entry{}, err
		}
		card, err := a.ReadCard(tx, found.ID)
		if err != nil {
			return audit.Entry{}, err
		}
		r.Card = card.ID
		Decide(&r, a.Now(), "", "")
		if err := TakeNumber(tx, r); err != nil {
			return audit.Entry{}, err
		}
		row = r
		return a.DecidedEntry(c, audit.CardFrozen, r), a.FreezeCard(tx, &card, c.Client.Name)
	})
	if err == nil && refused != nil {
		return Verification{}, refused
	}
	if err != nil {
		return a.Repeat(ctx, c, err)
	}
	return a.Answer(ctx, c, row)
}

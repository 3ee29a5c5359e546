package registry

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Sought is a person whom a member of staff looked for, masked.
type Sought struct {
	Card   string       `json:"card"` // in the form of liuma.CardID; empty: no electronic card
	Name   string       `json:"name"`
	Number string       `json:"number"`
	Region liuma.Region `json:"region"`
}

// Seek finds the electronic card of a person by their document, for members who
// examine the record, with a reason and on the record. A search without a result
// (ErrNobody) is recorded too, so that trying numbers is noticed. The answer is
// masked.
//
// The entry is written before anything is returned: after a crash the record may have
// a search whose answer nobody saw, never the other way round (I-8).
func (g *Registry) Seek(ctx context.Context, actor string, id IDNumber, reason audit.Reason) (Sought, error) {
	if id.IsZero() {
		return Sought{}, liuma.Fail(liuma.CodeIDNumberInvalid, errIDShape)
	}
	holder := g.vault.Index(vault.IndexIDNumber, id.Canonical())
	var out Sought
	var nobody bool
	err := g.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		out, nobody = Sought{Number: id.Masked()}, false
		e := audit.Entry{At: g.now(), Actor: actor, Event: audit.PersonSought, Outcome: "ok", Note: reason.Note("")}
		p, f, err := g.Of(tx, holder)
		switch {
		case err == nil:
			out.Name, out.Region = f.MaskedName(), p.Region
		case !errors.Is(err, store.ErrNotFound):
			return audit.Entry{}, err
		}
		card, err := tx.CardByHolder(holder)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, err
		}
		if err == nil {
			out.Card, e.Card = card.ID.String(), card.ID
		}
		if nobody = out.Name == "" && out.Card == ""; nobody {
			e.Outcome = string(liuma.CodeNotFound)
		}
		return e, nil
	})
	if err == nil && nobody {
		err = ErrNobody
	}
	return out, err
}

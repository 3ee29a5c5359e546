package authority

import (
	"context"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// HeldOf is the card in use that q keepers hold for a holder, or a Row without a card
// if they hold none. If keepers contradict one another or too few answer, it is an
// error: it is not known whether the holder has a card.
func (a *Authority) HeldOf(ctx context.Context, holder vault.Index) (ledger.Row, error) {
	held, err := a.quorum.Tagged(ctx, a.TagOf(holder))
	if err != nil {
		return ledger.Row{}, liuma.Fail(liuma.CodeUnavailable, err)
	}
	if err := a.keptClosed(ctx, held); err != nil {
		return ledger.Row{}, liuma.Fail(liuma.CodeUnavailable, err)
	}
	return held, nil
}

// Adopt inserts a card that only keepers know: its row was deleted, or the database was
// restored from a backup older than its enrolment. Version, key set and verifier come
// from the keepers; links, contact and freeze codes are lost. The card is frozen,
// because nobody has proved to be its owner; the counter can unfreeze it. Adopt always
// returns an error: the refusal for the applicant.
//
// A crash before the commit leaves no row: the next application adopts the card.
func (a *Authority) Adopt(ctx context.Context, card store.Card, held ledger.Row) error {
	now := a.Now()
	// This process may have sent the keepers a higher head that they have not stored
	// yet; a row below it would look like one that was put back.
	above := max(held.Head, a.quorum.Written(held.Card))
	card.ID, card.Version, card.KeySet, card.Verifier = held.Card, held.Version, held.KeySet, held.Verifier
	card.Reserved, card.PINSetAt, card.PINForm = max(held.Mark, held.Version), now, pin.FormUnknown
	card.Frozen, card.FrozenAt = true, now
	a.log.ErrorContext(ctx, "card known to keepers alone: adopted, frozen", "card", card.ID, "version", card.Version)
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		e := a.Entry("system", audit.CardAdopted, card.ID, "", string(liuma.CodeCardRestored))
		e.Note = fmt.Sprintf("version=%d", card.Version)
		// A restored database may still have the closed card that this card replaced.
		if old, err := tx.CardByHolder(card.Holder); err == nil {
			card.Follows = old.ID
			if err := a.LetClosedGo(tx, old.ID); err != nil {
				return audit.Entry{}, err
			}
		} else if !errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, err
		}
		return e, errors.Join(tx.InsertCard(card), tx.RaiseRev(card.ID, above))
	})
	if err != nil {
		return liuma.Fail(liuma.CodeUnavailable, err)
	}
	return liuma.Fail(liuma.CodeCardRestored, nil)
}

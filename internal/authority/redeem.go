package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Redeem exchanges a receipt, once, for the word that standing and version are
// still what they were at the verdict (I-10). A receipt that is checked
// offline says only what was true when it was signed.
func (a *Authority) Redeem(ctx context.Context, c Caller, token string) (Verification, error) {
	if c.Client.Kind != store.ClientChannel || c.Client.Stopped {
		return Verification{}, liuma.Fail(liuma.CodeForbidden, nil)
	}
	rc, err := vault.ParseReceipt(token, a.Vault.ReceiptKeys(), a.Issuer, c.channel(), a.now())
	if err != nil {
		return Verification{}, liuma.FailField(liuma.CodeReceiptInvalid, "receipt", err)
	}
	var row store.Request
	err = a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		if row, err = tx.Request(c.channel(), rc.BusinessNo); err != nil {
			return audit.Entry{}, err
		}
		if err := a.redeemable(tx, row, rc); err != nil {
			return audit.Entry{}, err
		}
		row.RedeemedAt = a.now()
		return a.entry(c.actor(), audit.ReceiptRedeemed, row.Card, row.BusinessNo, "ok"), tx.UpdateRequest(row)
	})
	if errors.Is(err, store.ErrNotFound) {
		return Verification{}, liuma.FailField(liuma.CodeReceiptInvalid, "receipt", err)
	}
	if err != nil {
		return Verification{}, house(err)
	}
	return a.view(ctx, c, row)
}

// redeemable holds a receipt against the row that it was made from and the
// card as it is now.
func (a *Authority) redeemable(r store.Reader, row store.Request, rc vault.Receipt) error {
	if !row.Decided || row.Verdict != liuma.Right || row.ReceiptID != rc.ID {
		return liuma.FailField(liuma.CodeReceiptInvalid, "receipt", nil)
	}
	if !row.RedeemedAt.IsZero() {
		return liuma.FailField(liuma.CodeReceiptSpent, "receipt", nil)
	}
	card, err := a.checkedCard(r, row.Card)
	if err != nil {
		return err
	}
	standing := liuma.StandingOf(card.Physical, card.Frozen)
	usable := standing == liuma.StandingActive || standing == liuma.StandingSuspended && row.Evidence != ""
	if card.Version != row.Version || !usable {
		return liuma.FailField(liuma.CodeReceiptStale, "receipt", nil)
	}
	return nil
}

package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Redeem exchanges a receipt, once, and confirms that standing and version are still
// the same as at the verdict (I-10). A receipt that is checked offline shows only what
// was true when it was signed.
func (a *Authority) Redeem(ctx context.Context, c Caller, token string) (Verification, error) {
	if err := c.PermitChannel(); err != nil {
		return Verification{}, err
	}
	rc, err := vault.ParseReceipt(token, a.vault.ReceiptKeys(), a.issuer, c.Channel(), a.Latest())
	if err != nil {
		return Verification{}, liuma.FailField(liuma.CodeReceiptInvalid, "receipt", err)
	}
	var row store.Request
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		if row, err = tx.Request(c.Channel(), rc.BusinessNo); err != nil {
			return audit.Entry{}, err
		}
		if row.Ceremony != "" { // such a verdict is redeemed by its code alone (I-14)
			return audit.Entry{}, liuma.FailField(liuma.CodeReceiptInvalid, "receipt", nil)
		}
		// A receipt that was signed while the wall clock was ahead has a date in the
		// future, so its age is counted from its verdict (I-15).
		if a.Now().Sub(row.DecidedAt) >= a.PolicyFor(c, "").ReceiptTTL {
			return audit.Entry{}, liuma.FailField(liuma.CodeReceiptInvalid, "receipt", nil)
		}
		if err := a.Redeemable(tx, row, rc); err != nil {
			return audit.Entry{}, err
		}
		row.RedeemedAt = a.Now()
		return a.Entry(c.Actor(), audit.ReceiptRedeemed, row.Card, row.BusinessNo, "ok"), tx.UpdateRequest(row)
	})
	if errors.Is(err, store.ErrNotFound) {
		return Verification{}, liuma.FailField(liuma.CodeReceiptInvalid, "receipt", err)
	}
	if err == nil {
		err = a.Proved(ctx, row.Card)
	}
	if err != nil {
		return Verification{}, liuma.Outward(err)
	}
	return a.Answer(ctx, c, row)
}

// Proved is called by an act that relied on a card's row, after it has written the row
// and before it answers. It refuses if the row had been put back from an older copy, or
// if that cannot be known because this process has not used the card yet and too few
// keepers answer. Proofs that the act used up stay used (I-13).
func (a *Authority) Proved(ctx context.Context, card liuma.CardID) error {
	if err := a.quorum.Proved(ctx, card); err != nil {
		return liuma.Fail(liuma.CodeUnavailable, err)
	}
	return nil
}

// NotPutBack is Proved for acts that go on when too few keepers answer.
func (a *Authority) NotPutBack(ctx context.Context, card liuma.CardID) error {
	if err := a.quorum.Proved(ctx, card); errors.Is(err, keeper.ErrBehind) {
		return liuma.Fail(liuma.CodeUnavailable, err)
	}
	return nil
}

// Redeemable compares a receipt with the row that it was made from and with the card as
// it is now. If the link that the request came through has ended, the receipt is stale
// too.
func (a *Authority) Redeemable(r store.Reader, row store.Request, rc vault.Receipt) error {
	if !row.Decided || row.Verdict != liuma.Right || row.ReceiptID != rc.ID {
		return liuma.FailField(liuma.CodeReceiptInvalid, "receipt", nil)
	}
	if !row.RedeemedAt.IsZero() {
		return liuma.FailField(liuma.CodeReceiptSpent, "receipt", nil)
	}
	card, err := a.ReadCard(r, row.Card)
	if err != nil {
		return err
	}
	standing := card.Standing(a.Now())
	usable := standing == liuma.StandingActive || standing == liuma.StandingSuspended && row.Evidence != "" && !row.Alone
	if card.Version != row.Version || !usable {
		return liuma.FailField(liuma.CodeReceiptStale, "receipt", nil)
	}
	link, err := linkOf(r, row)
	if err == nil && row.Handle != "" && link == nil {
		err = liuma.FailField(liuma.CodeReceiptStale, "receipt", ErrUnlinked)
	}
	return err
}

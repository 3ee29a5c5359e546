package authority

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// What a verification takes that is not its card's is claimed first, each in a
// transaction of its own, so that the transactions which count the guess and store the
// verdict write one card and nothing else. A database that is spread over machines keeps
// such a transaction on one of them.

// claim takes what a guess needs beside its card: evidence is burnt first, then the
// business number is claimed. A guess with the number of an earlier one is answered
// before anything is burnt.
//
// A crash after the first leaves evidence that passes with this request alone, if it is
// sent again; a provider gives another. A crash after the last leaves a number that no
// request has, which the next request under it goes on with (I-11).
func (a *Authority) claim(ctx context.Context, q *Attempt) error {
	if q.Proof != nil && !q.ProofUsed {
		err := a.store.View(ctx, func(r store.Reader) error { return LookNumber(r, q.Row) })
		if err != nil {
			return err
		}
		if err := a.BurnEvidence(ctx, q.Proof, burntBy(q.Row)); err != nil {
			return err
		}
	}
	return a.claimNumber(ctx, q.Row.Channel, q.Row.BusinessNo, q.Row.Card, q.Looked)
}

// burntBy names a request for the evidence that it burns.
func burntBy(row store.Request) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %x", row.Channel, row.BusinessNo, row.Digest))
}

// ClaimNumber says where the request under a business number will be: with a card, or, of
// a request about none, with this process. It takes nothing: only the request's own row
// does (TakeNumber).
func (a *Authority) ClaimNumber(ctx context.Context, ch liuma.ChannelID, no liuma.BusinessNo, card liuma.CardID) error {
	return a.claimNumber(ctx, ch, no, card, false)
}

// claimNumber is ClaimNumber; looked says that the act has looked for a request under the
// number, in vain.
func (a *Authority) claimNumber(ctx context.Context, ch liuma.ChannelID, no liuma.BusinessNo, card liuma.CardID, looked bool) error {
	if !a.store.Spreads() || ofTry(no) {
		return nil // all rows lie together; or it lies with its ceremony
	}
	ctx = store.Expect(ctx, store.Expected{Channel: ch, Business: no, New: looked})
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, tx.TakeNumber(ch, no, card, a.Now())
	})
}

// ClaimHandle claims the handle of the link that a ceremony's code will make, before the
// transaction that makes it, and returns it. It is the same for a ceremony each time, and
// nobody guesses it. Empty where rows lie together: that transaction claims it.
//
// A crash after it leaves a claim of a card that has no such link, which leads nowhere:
// the card's own row says what links it has. The code, sent again, goes on with it.
func (a *Authority) ClaimHandle(ctx context.Context, ch liuma.ChannelID, card liuma.CardID, ceremony string) (store.Handle, error) {
	if !a.store.Spreads() {
		return "", nil
	}
	h := a.handleFor(ch, ceremony)
	return h, a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, tx.TakeHandle(ch, h, card)
	})
}

// ClaimHolder claims a holder for the card that an enrolment will make, before the
// transaction that makes it, and returns the card that the holder's claim names: that one is
// to be made, or is there. Where rows lie together nothing is claimed.
//
// A crash after it leaves a claim of a card that is not there. Nobody takes it for one that
// is, and the holder's next enrolment makes that card.
func (a *Authority) ClaimHolder(ctx context.Context, holder vault.Index, card liuma.CardID) (liuma.CardID, error) {
	if !a.store.Spreads() {
		return card, nil
	}
	var claimed liuma.CardID
	err := a.store.Update(ctx, func(tx store.Tx) (_ audit.Entry, err error) {
		claimed, err = tx.TakeHolder(holder, card)
		return audit.Entry{}, err
	})
	return claimed, err
}

// handleFor is the handle of the link that a ceremony makes.
func (a *Authority) handleFor(ch liuma.ChannelID, ceremony string) store.Handle {
	mac := a.vault.RowMAC("link", []byte(ch), []byte(ceremony))
	return handleOf([20]byte(mac[:20]))
}

// DropHandle drops the claim of a ceremony's handle where no link came of it: its code was
// refused, or not sent again after a crash. It belongs to the transaction that deletes the
// ceremony: a code is redeemed by writing the ceremony's row, so only one of the two is kept,
// and no other ceremony has that handle. A crash before the commit leaves both.
func (a *Authority) DropHandle(tx store.Tx, c store.Ceremony) error {
	makes := c.Action == liuma.ActionEnroll || c.Action == liuma.ActionLink
	if !a.store.Spreads() || !makes || c.Card.IsZero() {
		return nil
	}
	return tx.DropHandle(c.Channel, a.handleFor(c.Channel, c.ID), c.Card)
}

// BurnEvidence marks evidence as used before the request that it is for, and counts it to
// its provider's ration. That request may come with it again; a zero by may not. Where the
// ration is spent the evidence stays burnt, and each return of its request is counted, so
// that nothing passes uncounted. A nil proof is no evidence and is ignored.
func (a *Authority) BurnEvidence(ctx context.Context, proof *evidence.Proof, by [32]byte) error {
	if proof == nil {
		return nil
	}
	jti := a.vault.Index(vault.IndexEvidence, proof.Provider+"\x00"+proof.ID)
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, tx.BurnEvidence(proof.Provider, jti, a.clock.Read().MarkUntil(proof.Expires), by)
	})
	if errors.Is(err, store.ErrExists) {
		return liuma.FailField(liuma.CodeEvidenceUsed, "evidence", nil)
	}
	if err != nil {
		return err
	}
	// A crash here leaves one use of the provider's uncounted, of a request that did not
	// come about.
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, a.Spend(tx, Caller{Client: store.Client{ID: proof.Provider, Kind: store.ClientProvider}}, ActEvidence)
	})
}

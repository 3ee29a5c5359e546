package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Card tells a linked channel how a card stands. The only personal member is the
// masked name.
func (a *Authority) Card(ctx context.Context, c Caller, h store.Handle) (CardView, error) {
	if err := c.PermitChannel(); err != nil {
		return CardView{}, err
	}
	var card store.Card
	var link store.Link
	var name string
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		if link, err = r.LinkByHandle(c.Channel(), h); err != nil {
			return err
		}
		if card, err = a.ReadCard(r, link.Card); err != nil {
			return err
		}
		name, err = a.nameOf(r, card)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return CardView{}, liuma.FailField(liuma.CodeNotFound, "card", nil)
	}
	if err != nil {
		return CardView{}, liuma.Outward(err)
	}
	v := CardView{
		Card: h, Standing: card.Standing(a.Now()),
		PINSetAt: card.PINSetAt, PINAge: max(0, a.Now().Sub(card.PINSetAt)).Truncate(time.Second),
		LinkedAt: link.At, Region: card.Region, NameMasked: name,
	}
	if remind := a.PolicyOf(card, c.Channel(), a.PolicyFor(c, "")).RemindAfter; remind > 0 {
		v.RemindAt = card.PINSetAt.Add(remind)
	}
	return v, nil
}

// ReadCard reads a card. The store has checked its seal: somebody who can only write
// to the database cannot give a holder another holder's PIN. A row that was put back
// from an older copy is not read (I-13).
func (a *Authority) ReadCard(r store.Reader, id liuma.CardID) (store.Card, error) {
	card, err := r.Card(id)
	if err == nil && (card.Behind > 0 || a.quorum.Lost(id) > 0) {
		return store.Card{}, liuma.Fail(liuma.CodeUnavailable, fmt.Errorf("%w: %s", errBehind, id))
	}
	return card, err
}

// MarkEvidence marks evidence as used, in the transaction of the request that used
// it, and counts it to its provider's ration. For a nil proof it does nothing.
func (a *Authority) MarkEvidence(tx store.Tx, proof *evidence.Proof) error {
	if proof == nil {
		return nil
	}
	jti := a.vault.Index(vault.IndexEvidence, proof.Provider+"\x00"+proof.ID)
	err := tx.InsertEvidence(proof.Provider, jti, a.clock.Read().MarkUntil(proof.Expires))
	if errors.Is(err, store.ErrExists) {
		return liuma.FailField(liuma.CodeEvidenceUsed, "evidence", nil)
	}
	if err != nil {
		return err
	}
	return a.Spend(tx, Caller{Client: store.Client{ID: proof.Provider, Kind: store.ClientProvider}}, ActEvidence)
}

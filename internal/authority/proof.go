package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// facts opens what a card holds about its holder.
func (a *Authority) facts(card store.Card) (registry.Facts, error) {
	plain, err := a.Vault.Unseal(vault.CardFacts, card.ID[:], card.Sealed)
	if err != nil {
		return registry.Facts{}, liuma.Fail(liuma.CodeUnavailable, err)
	}
	defer clear(plain)
	f, err := registry.ParseFacts(plain)
	if err != nil {
		return registry.Facts{}, liuma.Fail(liuma.CodeUnavailable, err)
	}
	return f, nil
}

// checkEvidence checks evidence about the holder of a card; none is nil.
func (a *Authority) checkEvidence(ctx context.Context, token, challenge string, card store.Card, p policy.Policy) (*evidence.Proof, error) {
	if token == "" {
		return nil, nil
	}
	f, err := a.facts(card)
	if err != nil {
		return nil, err
	}
	return a.checkEvidenceOf(ctx, token, challenge, f.IDNumber, f.Name, p)
}

func (a *Authority) checkEvidenceOf(ctx context.Context, token, challenge, idNumber, name string, p policy.Policy) (*evidence.Proof, error) {
	proof, err := evidence.Check(token, func(id string) (store.Client, error) {
		return a.Client(ctx, id)
	}, evidence.Want{
		Audience: a.Issuer, Challenge: challenge, IDNumber: idNumber, Name: name,
		Now: a.now(), MaxAge: p.EvidenceMaxAge, AllowStandIn: p.AllowStandInEvidence,
	})
	if err != nil {
		return nil, atField(house(err), "evidence")
	}
	return &proof, nil
}

// markEvidence takes evidence out of use, in the transaction of what it was
// used for. nil is no evidence.
func (a *Authority) markEvidence(tx store.Tx, proof *evidence.Proof) error {
	if proof == nil {
		return nil
	}
	jti := a.Vault.Index(vault.IndexEvidence, proof.Provider+"\x00"+proof.ID)
	err := tx.InsertEvidence(proof.Provider, jti, proof.Expires)
	if errors.Is(err, store.ErrExists) {
		return liuma.FailField(liuma.CodeEvidenceUsed, "evidence", nil)
	}
	return err
}

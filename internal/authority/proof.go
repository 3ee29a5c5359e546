package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
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
func (a *Authority) checkEvidence(ctx context.Context, token, challenge string, card liuma.CardID, p policy.Policy) (*evidence.Proof, error) {
	if token == "" {
		return nil, nil
	}
	f, err := a.factsOf(ctx, card)
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

// id names the ceremony, or nothing.
func (h *hosted) id() string {
	if h == nil {
		return ""
	}
	return h.ceremony
}

// seat says by which device a guess comes, and what it asks for.
func (h *hosted) seat() (device string, reopen bool) {
	if h == nil {
		return "", false
	}
	return h.device, h.reopen
}

// boundSubject is the subject that a request's envelopes are bound to: as
// sent, or in a ceremony the ceremony, whose subject cannot change. The bytes
// stand in the page, so they must not hold a name or an ID number.
func boundSubject(h *hosted, s envelope.Subject) envelope.Subject {
	if h != nil {
		return envelope.Subject{Card: "ceremony:" + h.ceremony}
	}
	return s
}

// checkChallenge checks the challenge of a request at the native door. In a
// ceremony its place is taken by the ceremony and the number of the try.
func (a *Authority) checkChallenge(c Caller, h *hosted, challenge string) error {
	if h != nil {
		return nil
	}
	return a.Vault.CheckChallenge(c.channel(), challenge, a.now())
}

// proofFor gives the evidence of a request about a card: what the ceremony
// was pushed with, or what comes with the request.
func (a *Authority) proofFor(ctx context.Context, c Caller, h *hosted, token, challenge string, card liuma.CardID, p policy.Policy) (*evidence.Proof, error) {
	if err := a.checkChallenge(c, h, challenge); err != nil {
		return nil, err
	}
	if h == nil {
		return a.checkEvidence(ctx, token, challenge, card, p)
	}
	if h.proof == nil {
		return nil, nil
	}
	f, err := a.factsOf(ctx, card)
	if err != nil {
		return nil, err
	}
	if f.IDNumber != h.about {
		return nil, liuma.FailField(liuma.CodeEvidenceInvalid, "evidence", errors.New("about somebody else"))
	}
	return h.proof, nil
}

// enrollProof gives the evidence of an enrolment, which is never optional.
func (a *Authority) enrollProof(ctx context.Context, c Caller, q EnrollRequest, idNumber, name string, p policy.Policy) (*evidence.Proof, error) {
	if q.hosted != nil {
		if q.hosted.proof == nil || q.hosted.about != idNumber {
			return nil, &liuma.Error{Code: liuma.CodeEvidenceRequired}
		}
		return q.hosted.proof, nil
	}
	if q.Evidence == "" {
		return nil, a.withChallenge(c, &liuma.Error{Code: liuma.CodeEvidenceRequired})
	}
	return a.checkEvidenceOf(ctx, q.Evidence, q.Challenge, idNumber, name, p)
}

package ceremony

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// asking is one request for an act: a request at the native door, which does
// the act in one step, or one try of a ceremony at the hosted door. From here
// on both are handled by the same code (I-4).
type asking struct {
	act     Act
	caller  authority.Caller
	request authority.Request
	row     store.Request
	policy  policy.Policy
	// subject is the subject that the device bound its envelopes to.
	subject envelope.Subject
	// evidence says where the evidence for this act comes from.
	evidence witness
	// registered refuses a native client whose registration changed since the door
	// authenticated it. Acts call it in their first view.
	registered func(store.Reader) error
	// guard becomes the Guard of the attempt's hooks (authority.Hooks).
	guard func(r store.Reader, card store.Card) error

	// The members below are set for a try only.
	card      liuma.CardID // the card of the ceremony, zero if not known yet
	codePhone string       // at an enrolment: the number whose one-time code was right
	steps     policy.Steps // the variants that the ceremony began with
	numbered  bool         // the number of the physical card was right
	source    string       // the address that the PIN came from
	reopen    bool         // the holder wants to open the strangers' lane again, by a known link
}

// native makes the asking of a request at the native door.
func (s *Ceremonies) native(c authority.Caller, action liuma.Action, q authority.Request) (asking, error) {
	if err := c.Permit(action, q.Region); err != nil {
		return asking{}, err
	}
	p := s.engine.PolicyFor(c, q.Region)
	return asking{
		act: s.acts[action], caller: c, request: q, row: s.engine.NewRow(c, action, q, ""), policy: p, subject: q.Subject,
		evidence:   sent{s: s, caller: c, challenge: q.Challenge, token: q.Evidence, policy: p},
		registered: func(r store.Reader) error { return s.engine.StillRegistered(r, c) },
		guard:      func(store.Reader, store.Card) error { return nil },
	}, nil
}

// hosted reports whether the asking is a try of a ceremony, not a native
// request.
func (q asking) hosted() bool { return q.row.Ceremony != "" }

// attempt makes the engine's attempt on a card for the asking.
func (q asking) attempt(card liuma.CardID, guess pin.PIN, proof *evidence.Proof, h authority.Hooks) authority.Attempt {
	row := q.row
	row.Card = card
	if q.act.Linked {
		row.Handle = store.Handle(q.request.Subject.Card)
	}
	return authority.Attempt{Caller: q.caller, Row: row, PIN: guess, Policy: q.policy, Proof: proof,
		ProofUsed: q.hosted(), Thaws: q.act.Thaws, Reopen: q.reopen, Source: q.source, Hooks: h}
}

// open opens one envelope of the asking; field names it in an error. A PIN that is
// entered may be a passphrase whatever the policy says. So the answer tells nothing
// about the card's PIN, and holders who have a passphrase still get in where the policy
// no longer allows new ones. A new PIN may be a passphrase only where the policy allows
// one.
func (s *Ceremonies) open(ctx context.Context, q asking, role liuma.Role, e envelope.Envelope, field string) (pin.PIN, error) {
	entered := role == liuma.RoleCurrent || role == liuma.RoleOld
	return s.engine.OpenPIN(ctx, authority.Binding(q.caller, q.row.Action, role, q.subject, q.request), e, field, entered || q.policy.Passphrase)
}

// about returns the asking with the rules of both regions, the request's and the card's.
// It is called once the card is known; before that there is only the region that the
// channel named.
func (s *Ceremonies) about(q asking, card store.Card) asking {
	q.policy = s.policyOf(&q, card)
	return q
}

// policyOf is the policy of about alone.
func (s *Ceremonies) policyOf(q *asking, card store.Card) policy.Policy {
	return s.engine.PolicyOf(card, q.caller.Channel(), q.policy)
}

// witness is the source of evidence for an asking.
type witness interface {
	// about returns evidence about a card's holder, or nil if none came. It always
	// checks the challenge of a native request.
	about(r store.Reader, facts func() (registry.Facts, error)) (*evidence.Proof, error)
	// applicant returns the evidence for an enrolment, which always needs some.
	applicant(r store.Reader, idNumber, name string) (*evidence.Proof, error)
	// challenged checks the challenge of a request without looking at evidence.
	challenged() error
}

// sent is the evidence of a native request: a token that is checked now.
type sent struct {
	s                *Ceremonies
	caller           authority.Caller
	challenge, token string
	policy           policy.Policy
}

func (w sent) challenged() error {
	return w.s.vault.CheckChallenge(w.caller.Channel(), w.challenge, w.s.now())
}

func (w sent) about(r store.Reader, facts func() (registry.Facts, error)) (*evidence.Proof, error) {
	if err := w.challenged(); err != nil {
		return nil, err
	}
	if w.token == "" {
		return nil, nil
	}
	f, err := facts()
	if err != nil {
		return nil, err
	}
	return w.s.checkEvidence(r, w.token, w.challenge, f.IDNumber, f.Name, w.caller, w.policy)
}

func (w sent) applicant(r store.Reader, idNumber, name string) (*evidence.Proof, error) {
	if err := w.challenged(); err != nil {
		return nil, err
	}
	if w.token == "" {
		if err := w.s.linkedAlready(r, w.caller, idNumber, name); err != nil {
			return nil, err
		}
		return nil, w.s.engine.WithChallenge(w.caller, &liuma.Error{Code: liuma.CodeEvidenceRequired})
	}
	return w.s.checkEvidence(r, w.token, w.challenge, idNumber, name, w.caller, w.policy)
}

// pushed is the evidence of a try. It came with the ceremony's push, and was
// checked and marked as used then. In place of a challenge, envelopes are bound
// to the ceremony and the number of the try.
type pushed struct{ proof *EvidenceProof }

func (pushed) challenged() error { return nil }

func (w pushed) about(_ store.Reader, facts func() (registry.Facts, error)) (*evidence.Proof, error) {
	if w.proof == nil {
		return nil, nil
	}
	f, err := facts()
	if err != nil {
		return nil, err
	}
	if f.IDNumber != w.proof.IDNumber {
		return nil, liuma.FailField(liuma.CodeEvidenceInvalid, "evidence", errors.New("about somebody else"))
	}
	return w.proof.proof(), nil
}

func (w pushed) applicant(_ store.Reader, idNumber, _ string) (*evidence.Proof, error) {
	if w.proof == nil || w.proof.IDNumber != idNumber {
		return nil, &liuma.Error{Code: liuma.CodeEvidenceRequired}
	}
	return w.proof.proof(), nil
}

// checkEvidence checks an evidence provider's token about a person. Its age is also
// limited by the rules of the card's own region or, before there is a card, of the
// person's region.
func (s *Ceremonies) checkEvidence(r store.Reader, token, challenge, idNumber, name string, c authority.Caller, p policy.Policy) (*evidence.Proof, error) {
	holder := s.vault.Index(vault.IndexIDNumber, idNumber)
	card, err := r.CardByHolder(holder)
	if errors.Is(err, store.ErrNotFound) {
		var person store.Person
		person, _, err = s.registry.Of(r, holder)
		card.Region = person.Region
	}
	switch {
	case err == nil:
		p = s.engine.PolicyOf(card, c.Channel(), p)
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	proof, err := evidence.Check(token, r.Client, evidence.Want{
		Audience: s.issuer, Challenge: challenge, IDNumber: idNumber, Name: name,
		Now: s.engine.Wall(), High: s.now(), MaxAge: p.EvidenceMaxAge, AllowStandIn: p.AllowStandInEvidence,
	})
	if err != nil {
		return nil, liuma.AtField(liuma.Outward(err), "evidence")
	}
	return &proof, nil
}

package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// RefuseUnlinked answers a channel without a link: with the same refusal for every
// reason, at one pace, and nothing counted on any card. So a channel cannot learn by
// asking whether a person has a card, or how it stands.
func (a *Authority) RefuseUnlinked(ctx context.Context, c Caller, row store.Request, h Hooks) (Verification, error) {
	hold := a.Pace(ctx, c)
	v, err := a.RefuseNow(ctx, c, row, h)
	hold()
	return v, err
}

// RefuseNow stores the refusal of RefuseUnlinked; the caller paces the answer.
func (a *Authority) RefuseNow(ctx context.Context, c Caller, row store.Request, h Hooks) (Verification, error) {
	if err := a.ClaimNumber(ctx, row.Channel, row.BusinessNo, row.Card); err != nil {
		return a.Repeat(ctx, c, err)
	}
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		r := row
		Decide(&r, a.Now(), "", liuma.CodeRefused)
		if err := TakeNumber(tx, r); err != nil {
			return audit.Entry{}, err
		}
		ev, err := h.after(tx, &store.Card{}, &r, audit.AttemptDecided)
		row = r
		return a.DecidedEntry(c, ev, r), err
	})
	if err != nil {
		return a.Repeat(ctx, c, err)
	}
	return a.Answer(ctx, c, row)
}

// Pace starts the clock of a refusal. The function that it returns waits until a
// whole multiple of the pace has passed, so that the time of the answer does not show
// the reason.
func (a *Authority) Pace(ctx context.Context, c Caller) func() {
	start, step := a.clock.Boot(), a.PolicyFor(c, "").RefusalPace
	return func() {
		if step <= 0 {
			return
		}
		took := max(0, a.clock.Boot()-start)
		a.wait(ctx, step-took%step)
	}
}

// WithChallenge adds a fresh challenge to a demand for evidence, so that the
// channel can ask a provider for evidence at once. Other errors are returned
// unchanged.
func (a *Authority) WithChallenge(c Caller, err error) error {
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Code != liuma.CodeEvidenceRequired {
		return err
	}
	value, verr := a.vault.NewChallenge(c.Channel(), a.Now(), a.PolicyFor(c, "").ChallengeTTL)
	if verr != nil {
		return liuma.Outward(verr)
	}
	out := *e
	out.Challenge = value
	return &out
}

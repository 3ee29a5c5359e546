package ceremony

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
)

// rationOf is the ration that a channel's request for an action counts to, at either
// door. At the hosted door the push counts, and not the tries of a ceremony: a holder
// at the pad is not refused because of the channel.
func rationOf(action liuma.Action) authority.Act {
	if action == liuma.ActionLink {
		return authority.ActLink
	}
	return authority.ActVerification
}

// rationed runs a native request and counts it to its channel's ration. A repetition
// does not count, and is answered even when the ration is spent. A request that was
// refused without taking its business number does not count either.
func (s *Ceremonies) rationed(ctx context.Context, q asking, run func(*Ceremonies, context.Context, asking) (authority.Verification, error)) (authority.Verification, error) {
	taken, err := s.engine.Take(ctx, q.caller, rationOf(q.row.Action))
	if err != nil {
		return s.repeatedOr(ctx, q, err)
	}
	v, err := run(s, ctx, q)
	if err != nil && liuma.CodeOf(err) != liuma.CodeUnavailable || v.Repeated {
		taken.GiveBack()
	}
	return v, s.notYetInWall(err)
}

// notYetInWall turns the times in two refusals into the caller's time: of a PIN that
// does not count yet, and of a closed card. A page's times are turned with the page.
func (s *Ceremonies) notYetInWall(err error) error {
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Code != liuma.CodePINNotYet && e.Code != liuma.CodeCardClosed {
		return err
	}
	told := *e
	told.Until = s.engine.ToWall(e.Until)
	return &told
}

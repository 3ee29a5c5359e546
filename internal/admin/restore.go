package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// Errors of the acts on restored cards. With each of them nothing was changed.
var (
	ErrNotServing = errors.New("only a running server can ask the keepers: start 'liuma serve' first")
	ErrNoCard     = errors.New("no such card in the database; if keepers know it, its holder's next application takes it in")
	ErrKeepers    = errors.New("too few keepers told of the card, or they contradict one another: see 'liuma status' and try again")
)

// RaiseHead is done by the authority of the running server, which has the keepers.
func (a *Admin) RaiseHead(ctx context.Context, card liuma.CardID, reason audit.Reason) (authority.Raised, error) {
	if err := a.alone(ctx); err != nil {
		return authority.Raised{}, err
	}
	return a.raiseHead(ctx, card, reason)
}

func (a *Admin) raiseHead(ctx context.Context, card liuma.CardID, reason audit.Reason) (authority.Raised, error) {
	reason, err := a.withReason(reason)
	if err != nil {
		return authority.Raised{}, err
	}
	out, err := a.c.Server.Authority.RaiseHead(ctx, ActorOf(ctx), card, reason)
	switch e, _ := errors.AsType[*liuma.Error](err); {
	case errors.Is(err, store.ErrNotFound):
		return out, ErrNoCard
	case e != nil && e.Code == liuma.CodeUnavailable:
		return out, fmt.Errorf("%w: %w", ErrKeepers, err)
	}
	return out, err
}

// AcceptRestore does one step.
func (a *Admin) AcceptRestore(ctx context.Context, after liuma.CardID, reason audit.Reason) (authority.Accepted, error) {
	if err := a.alone(ctx); err != nil {
		return authority.Accepted{}, err
	}
	return a.acceptRestore(ctx, after, reason)
}

func (a *Admin) acceptRestore(ctx context.Context, after liuma.CardID, reason audit.Reason) (authority.Accepted, error) {
	reason, err := a.withReason(reason)
	if err != nil {
		return authority.Accepted{}, err
	}
	return a.c.Server.Authority.AcceptRestore(ctx, ActorOf(ctx), after, reason)
}

// withReason checks that there is a server and a reason; every caller must give one.
func (a *Admin) withReason(reason audit.Reason) (audit.Reason, error) {
	reason, err := audit.ParseReason(string(reason))
	if err == nil && a.c.Server == nil {
		err = ErrNotServing
	}
	return reason, err
}

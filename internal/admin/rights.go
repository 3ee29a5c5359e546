package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/vault"
)

// ErrNumber says that a text is no ID number.
var ErrNumber = errors.New("this is no ID number (18 characters, of which the last one checks the others), nor another document as TYPE:NUMBER, for example passport:DEU-C01X00T47")

// Held writes out what is held about a person; see Administration.
func (a *Admin) Held(ctx context.Context, number string, reason audit.Reason) (registry.Held, error) {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return registry.Held{}, err
	}
	id, err := parseNumber(number)
	if err != nil {
		return registry.Held{}, err
	}
	return a.c.Registry.Held(ctx, ActorOf(ctx), id, reason)
}

// ErasePerson is done by the authority of the running server, which has the keepers.
func (a *Admin) ErasePerson(ctx context.Context, number string, reason audit.Reason, trial bool) (authority.Erasure, error) {
	reason, err := a.withReason(reason)
	if err != nil {
		return authority.Erasure{}, err
	}
	id, err := parseNumber(number)
	if err != nil {
		return authority.Erasure{}, err
	}
	out, err := a.c.Server.Authority.ErasePerson(ctx, ActorOf(ctx), a.c.Vault.Index(vault.IndexIDNumber, id.Canonical()), reason, trial)
	if e, ok := errors.AsType[*liuma.Error](err); ok && e.Code == liuma.CodeUnavailable {
		return out, fmt.Errorf("%w: %w", ErrKeepers, err)
	}
	return out, err
}

// Minors counts the people under 18 on a day.
func (a *Admin) Minors(ctx context.Context, on time.Time, digits int, from string) (registry.Minors, error) {
	return a.c.Registry.Minors(ctx, on, digits, from)
}

// parseNumber reads an ID number, or any document as its text (passport:DEU-C01X00T47).
// Its error does not contain the typed text.
func parseNumber(number string) (registry.IDNumber, error) {
	id, err := registry.ParseIDNumber(number)
	if err != nil {
		return id, ErrNumber
	}
	return id, nil
}

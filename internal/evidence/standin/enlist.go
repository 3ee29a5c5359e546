package standin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// Errors that callers act on. With each of them nothing was changed.
var (
	// ErrReal means that the identifier belongs to a real provider, so no stand-in
	// may use it.
	ErrReal = errors.New("is a provider that is not registered as a stand-in")
	// ErrStopped means that an operator stopped this provider.
	ErrStopped = errors.New("is stopped")
	// ErrUnregistered means that the provider, or the key, is not registered.
	ErrUnregistered = errors.New("is not registered with this key")
)

// Registration says which provider a stand-in signs as.
type Registration struct {
	ID  string
	Key jose.JSONWebKey // public
	// Register allows registering a provider, or a key of it, that is not registered
	// yet.
	Register bool
}

// Enlist makes sure that evidence signed by the key counts as a registered
// stand-in's. It returns what it did for that: "" for nothing, "registered" or "key
// added". It never turns a real provider into a stand-in, and never resumes one that
// an operator stopped.
func Enlist(ctx context.Context, adm admin.Administration, r Registration) (done string, err error) {
	all, err := adm.Clients(ctx, store.ClientProvider)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(all, func(c store.Client) bool { return c.ID == r.ID })
	if i < 0 {
		if !r.Register {
			return "", fmt.Errorf("%s %w", r.ID, ErrUnregistered)
		}
		return "registered", adm.AddClient(ctx, admin.Client{
			ID: r.ID, Kind: store.ClientProvider, StandIn: true, Key: r.Key,
			Name: locale.Both(func(w *locale.Words) string { return w.Notice.StandIn() }),
		})
	}
	kids, err := admin.KeyIDs(all[i])
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", r.ID, err)
	case !all[i].StandIn:
		return "", fmt.Errorf("%s %w", r.ID, ErrReal)
	case all[i].Stopped:
		return "", fmt.Errorf("%s %w", r.ID, ErrStopped)
	case slices.Contains(kids, r.Key.KeyID):
		return "", nil
	case !r.Register:
		return "", fmt.Errorf("%s %w", r.ID, ErrUnregistered)
	}
	return "key added", adm.AddClientKey(ctx, store.ClientProvider, r.ID, r.Key)
}

package admin

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma/internal/store"
)

// ErrOthers says that other authorities share the database, each with a key file of its
// own: a key that this one alone has would seal what they cannot read, and sign what they
// do not publish.
var ErrOthers = errors.New("other authorities share this database, and do not get a new key by themselves: stop the server at all of them, run this at one, copy its vault.key to the others, and start them")

// unshared refuses a change of the key file beside a running server while another authority
// opens today's seal key, or asked for it. Without a server it is the operator who
// knows that the others are stopped: that is the way the error names.
func (a *Admin) unshared(ctx context.Context) error {
	if a.c.Server == nil {
		return nil
	}
	now := a.c.Clock.Now()
	return a.c.Store.View(ctx, func(r store.Reader) error {
		keys, err := r.SealKeys() // newest first
		if err != nil {
			return err
		}
		for _, k := range keys {
			if now.Before(k.MadeAt) {
				continue // the next one
			}
			if len(k.Wraps) > 1 && now.Before(k.RetireAt) {
				return ErrOthers
			}
			return nil
		}
		return nil
	})
}

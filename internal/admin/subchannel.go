package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// A channel of the first level may have sub-channels: a city's app under its province's.
// A sub-channel has a key of its own and may do no more than its parent. When the parent
// is stopped, its sub-channels are stopped in the same transaction.

// ErrParent says that the parent does not allow a sub-channel this.
var ErrParent = errors.New("the channel above does not allow this")

// underParent checks a new or resumed channel against the channel above it.
func underParent(r store.Reader, row store.Client) error {
	if row.Parent == "" {
		return nil
	}
	parent, err := r.Client(row.Parent)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && parent.Kind != store.ClientChannel:
		return fmt.Errorf("%w: %s", ErrUnknown, row.Parent)
	case err != nil:
		return err
	case parent.Parent != "":
		return fmt.Errorf("%w: %s is a sub-channel itself", ErrParent, parent.ID)
	case parent.Stopped:
		return fmt.Errorf("%w: %s is stopped", ErrParent, parent.ID)
	}
	for _, action := range row.Actions {
		if !slices.Contains(parent.Actions, action) {
			return fmt.Errorf("%w: %s has no %s", ErrParent, parent.ID, action)
		}
	}
	for _, region := range row.Regions {
		if !slices.ContainsFunc(parent.Regions, func(r liuma.Region) bool { return r.Contains(region) }) {
			return fmt.Errorf("%w: %s is not registered for %s", ErrParent, parent.ID, cmp.Or(string(region), "the nation"))
		}
	}
	return nil
}

// StopClient makes every door refuse the client, from its next request on. Stopping a
// channel stops its sub-channels too. A crash leaves all of them stopped, or none.
func (a *Admin) StopClient(ctx context.Context, kind store.ClientKind, id string) error {
	return a.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row, err := clientOf(tx, kind, id)
		if err != nil {
			return audit.Entry{}, err
		}
		all, err := tx.Clients()
		if err != nil {
			return audit.Entry{}, err
		}
		e := a.clientEntry(ctx, row, "stopped")
		for _, c := range all {
			if c.ID != row.ID && (c.Parent == "" || c.Parent != row.ID || c.Stopped) {
				continue
			}
			c.Stopped = true
			if err := tx.UpdateClient(c); err != nil {
				return audit.Entry{}, err
			}
			if c.ID != row.ID {
				e.Note += " with=" + c.ID
			}
		}
		return e, nil
	})
}

// ResumeClient lets a stopped client use the doors again. A sub-channel is resumed only
// while the channel above it is not stopped; resuming a channel does not resume its
// sub-channels. ErrParent.
func (a *Admin) ResumeClient(ctx context.Context, kind store.ClientKind, id string) error {
	return a.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row, err := clientOf(tx, kind, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := underParent(tx, row); err != nil {
			return audit.Entry{}, err
		}
		row.Stopped = false
		return a.clientEntry(ctx, row, "resumed"), tx.UpdateClient(row)
	})
}

// clientOf is a client of a kind. ErrUnknown.
func clientOf(r store.Reader, kind store.ClientKind, id string) (store.Client, error) {
	row, err := r.Client(id)
	// The counter's client belongs to the service: nobody may stop it or give it a key.
	if errors.Is(err, store.ErrNotFound) || err == nil && (row.Kind != kind || kind == store.ClientCounter) {
		return row, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	return row, err
}

package main

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// headsCmd is "liuma heads".
type headsCmd struct {
	Accept headsAcceptCmd `cmd:""`
}

// headsAcceptCmd is "liuma heads accept".
type headsAcceptCmd struct {
	reasonFlag
}

// Run accepts the database as it is.
func (a *headsAcceptCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma heads accept")
	if err != nil {
		return err
	}
	conf, err := c.load()
	if err != nil {
		return err
	}
	n, err := server.AcceptHeads(ctx, conf, reason, clock.System())
	switch {
	case server.InUse(err):
		return refuse(func(w *locale.Words) string { return w.Refused.HeadsInUse(c.Data) })
	case errors.Is(err, vault.ErrHeads):
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.HeadsRemove(why) })
	case err != nil:
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.HeadsNotAccepted(c.Data, why) })
	}
	return t.line(t.shown().HeadsAccepted(num(n)))
}

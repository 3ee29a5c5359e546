package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// headsCmd is "liuma heads".
type headsCmd struct {
	Accept headsAcceptCmd `cmd:"" help:"Take a database that was restored for good, though it is older than the file of heads, or there is no such file. The server must be stopped."`
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
	case errors.Is(err, sqlite.ErrInUse):
		return fmt.Errorf("%s is in use by another process; stop it first: what a server works with needs no such act", c.Data)
	case errors.Is(err, vault.ErrHeads):
		return fmt.Errorf("%w; remove the file, and try again", err)
	case err != nil:
		return fmt.Errorf("%s was not accepted: %w", c.Data, err)
	}
	_, err = fmt.Fprintf(t.out, "Took the database for good; its clients and seal keys have the version %d now. Look through 'liuma channel list' and the other clients: whatever was stopped since the backup is not stopped in it.\n", n)
	return err
}

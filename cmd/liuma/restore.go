package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
)

// cardCmd is "liuma card".
type cardCmd struct {
	Head cardHeadCmd `cmd:"" help:"Serve a card again whose row was restored from an older copy: bring it up to what the keepers have seen."`
}

// cardHeadCmd is "liuma card head".
type cardHeadCmd struct {
	Card string `required:"" placeholder:"ID" help:"The card, as the audit record and the log name it."`
	reasonFlag
}

// Run raises the head of one card.
func (a *cardHeadCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	card, err := liuma.ParseCardID(a.Card)
	if err != nil {
		return badUsage("liuma card head", "--card: %v", err)
	}
	reason, err := a.reason("liuma card head")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		raised, err := adm.RaiseHead(ctx, card, reason)
		if err != nil {
			return err
		}
		pin := "Its PIN is as it was."
		if raised.Taken {
			pin = fmt.Sprintf("The keepers had a later PIN, which it has now (version %d).", raised.Version)
		}
		_, err = fmt.Fprintf(t.out, "The card is served again: its row was raised from %d to %d. %s\n", raised.From, raised.To, pin)
		return err
	})
}

// restoreCmd is "liuma restore".
type restoreCmd struct {
	Backup restoreBackupCmd `cmd:"" name:"backup" default:"withargs" help:"Put a backup into the new or empty directory of --data, or examine it with --check. The word 'backup' may be left out."`
	Accept restoreAcceptCmd `cmd:"" help:"After a backup of the whole database was put back: bring every card up to what the keepers have seen."`
}

// restoreAcceptCmd is "liuma restore accept".
type restoreAcceptCmd struct {
	reasonFlag
}

// Run goes through all cards, step by step. An interrupted run is started again:
// the cards that are done stay so.
func (a *restoreAcceptCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma restore accept")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		var after liuma.CardID
		var cards, raised, failed int64
		for {
			step, err := adm.AcceptRestore(ctx, after, reason)
			if err != nil {
				return err
			}
			cards, raised, failed = cards+step.Cards, raised+step.Raised, failed+step.Failed
			if step.Done || step.Last == after {
				break
			}
			after = step.Last
		}
		if _, err := fmt.Fprintf(t.out, "Cards %d, brought up to the keepers %d, not done %d.\n", cards, raised, failed); err != nil {
			return err
		}
		if failed > 0 {
			return errors.New("some cards could not be compared with the keepers; see the server's log, and run this again")
		}
		return nil
	})
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
)

// keeperCmd is "liuma keeper".
type keeperCmd struct {
	Status keeperStatusCmd `cmd:"" help:"Say which keepers are whole and which are not, since when and why."`
	Repair keeperRepairCmd `cmd:"" help:"Bring a keeper back from the others: keys, rows and counts. It works beside a running server, which goes on serving, and with the server stopped; a repair that was cut off is begun again."`
}

// keeperStatusCmd is "liuma keeper status".
type keeperStatusCmd struct {
	JSON bool `name:"json" help:"Print one JSON array."`
}

// Run prints how the keepers stand.
func (a *keeperStatusCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		found, err := adm.Keepers(ctx)
		if err != nil {
			return err
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(found)
		}
		return printKeepers(t.out, found)
	})
}

// printKeepers prints a line for each keeper, and one more for each that is not
// whole.
func printKeepers(w io.Writer, list []admin.KeeperState) error {
	for _, k := range list {
		line := fmt.Sprintf("    %-12s sequence %d", k.ID, k.Sequence)
		switch k.State {
		case "":
			if k.Why != "" {
				line += ", not looked at: " + oneLine(k.Why)
			}
		case admin.KeeperWhole:
			line += ", whole"
		case admin.KeeperRepairing:
			line += fmt.Sprintf(", being repaired, %d rows so far", k.Rows)
		default:
			line += ", NOT WHOLE: " + k.State
			if k.Since != nil {
				line += " since " + k.Since.Format(time.RFC3339)
			}
			line += "\n      why        " + oneLine(k.Why) + "\n      next       " + nextFor(k)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// nextFor is the next step for a keeper that is not whole.
func nextFor(k admin.KeeperState) string {
	switch k.State {
	case "gone", "rolled_back":
		return fmt.Sprintf("look whether its disk is mounted; then 'liuma keeper repair %s --reason TEXT'", k.ID)
	case "clock":
		return "set the machine's clock right"
	}
	return fmt.Sprintf("see the log; if it stays, start the server anew or 'liuma keeper repair %s --reason TEXT'", k.ID)
}

// keeperRepairCmd is "liuma keeper repair".
type keeperRepairCmd struct {
	ID string `arg:"" help:"The keeper, as 'liuma keeper status' names it."`
	reasonFlag
}

// pollRepair is how often the command looks how far a repair is.
const pollRepair = 200 * time.Millisecond

// Run begins the repair and waits until it has ended. A running server goes on
// with it if the command is interrupted.
func (a *keeperRepairCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma keeper repair")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if err := adm.RepairKeeper(ctx, a.ID, reason); err != nil {
			return err
		}
		fmt.Fprintf(t.err, "Repairing %s; 'liuma keeper status' says how far it is.\n", a.ID)
		for {
			select {
			case <-ctx.Done():
				return errors.New("interrupted: a running server goes on with the repair, and 'liuma keeper status' says how far it is; without one, begin it again")
			case <-time.After(pollRepair):
			}
			list, err := adm.Keepers(ctx)
			if err != nil {
				return err
			}
			for _, k := range list {
				if k.ID == a.ID && k.State != admin.KeeperRepairing {
					return a.ended(t, k)
				}
			}
		}
	})
}

// ended says how the repair ended.
func (a *keeperRepairCmd) ended(t *terminal, k admin.KeeperState) error {
	if k.State != admin.KeeperWhole || k.Repaired == nil {
		return fmt.Errorf("%s was not repaired: %s", k.ID, oneLine(k.Why))
	}
	did := k.Repaired
	text := fmt.Sprintf("%s is whole again: %d rows taken in from %s", k.ID, did.Rows, strings.Join(did.From, " and "))
	if did.KeyFile {
		text += "; its key file was made anew from the others' share keys"
	}
	if did.NewLedger {
		text += "; its ledger was made anew"
	}
	if did.Aside != "" {
		text += fmt.Sprintf("; what was there lies in %s in its directory, and may be deleted", did.Aside)
	}
	_, err := fmt.Fprintln(t.out, text+".")
	return err
}

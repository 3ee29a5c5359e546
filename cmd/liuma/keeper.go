package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/locale"
)

// keeperCmd is "liuma keeper".
type keeperCmd struct {
	Status  keeperStatusCmd  `cmd:""`
	Repair  keeperRepairCmd  `cmd:""`
	Request keeperRequestCmd `cmd:""`
	Add     keeperAddCmd     `cmd:""`
}

// keeperStatusCmd is "liuma keeper status".
type keeperStatusCmd struct {
	JSON bool `name:"json"`
}

// Run prints the states of the keepers.
func (a *keeperStatusCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		found, err := adm.Keepers(ctx)
		if err != nil {
			return err
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(found)
		}
		return printKeepers(t, found)
	})
}

// printKeepers prints a line for each keeper, and more for each that has a fault or is on
// a machine of its own.
func printKeepers(t *terminal, list []admin.KeeperState) error {
	say := t.shown()
	for _, k := range list {
		line := say.KeeperSequence(num(k.Sequence))
		switch k.State {
		case "":
			if k.Why != "" {
				line = say.KeeperUnseen(num(k.Sequence), oneLine(k.Why))
			}
		case admin.KeeperWhole:
			line = say.KeeperWhole(num(k.Sequence))
		case admin.KeeperRepairing:
			line = say.KeeperRepairing(num(k.Sequence), num(k.Rows))
		default:
			line = say.KeeperBroken(num(k.Sequence), k.State)
			if k.Since != nil {
				line = say.KeeperBrokenSince(num(k.Sequence), k.Since.Format(time.RFC3339), k.State)
			}
			if word := t.words().Word("keeper", k.State); word != "" {
				line += "\n      " + padded(say.KeeperWhy(), 10) + " " + word
			}
			line += "\n      " + padded(say.KeeperCause(), 10) + " " + oneLine(k.Why) + "\n      " + padded(say.KeeperNext(), 10) + " " + nextFor(say, k)
		}
		if k.Remote != nil {
			line += "\n      " + padded(say.KeeperAt(), 10) + " " + farAway(say, k.Remote)
		}
		if err := t.note(k.ID, line); err != nil {
			return err
		}
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// farAway holds the facts about a keeper on a machine of its own.
func farAway(say locale.Shown, r *admin.RemoteKeeper) string {
	parts := []string{r.Address}
	if r.RoundTrip > 0 {
		parts = append(parts, say.KeeperRoundTrip(fmt.Sprintf("%.1f", r.RoundTrip)))
	}
	if r.Release != "" {
		parts = append(parts, say.KeeperRelease(r.Release))
	}
	if len(r.KeySets) > 0 {
		parts = append(parts, say.KeeperKeySets(strings.Trim(fmt.Sprint(r.KeySets), "[]"), num(r.InUse)))
	}
	if r.Until != nil {
		parts = append(parts, say.KeeperUntil(r.Until.Format(time.DateOnly)))
	}
	return strings.Join(parts, " · ")
}

// nextFor is the next step for a keeper with a fault.
func nextFor(say locale.Shown, k admin.KeeperState) string {
	switch keeper.Fault(k.State) {
	case keeper.NoShareKeys:
		return say.KeeperNextShareKeys()
	case keeper.Uncounted:
		return say.KeeperNextUncounted()
	default:
	}
	if k.Remote != nil {
		return nextForRemote(say, k)
	}
	switch k.State {
	case "gone", "rolled_back":
		return say.KeeperNextGone(k.ID)
	case "clock":
		return say.KeeperNextClock()
	}
	return say.KeeperNextOther(k.ID)
}

// nextForRemote is the next step for a keeper on a machine of its own; most of it is its
// administrator's.
func nextForRemote(say locale.Shown, k admin.KeeperState) string {
	switch keeper.Fault(k.State) {
	case keeper.Gone, keeper.RolledBack:
		return say.KeeperNextFarRepair()
	case keeper.ClockOff:
		return say.KeeperNextFarClock()
	case keeper.CertificateBad:
		return say.KeeperNextFarCertificate()
	case keeper.Stranger:
		return say.KeeperNextFarStranger()
	case keeper.DiskBad:
		return say.KeeperNextFarDisk()
	case keeper.Disagrees:
		return say.KeeperNextFarDisagrees()
	case keeper.Slow:
		return say.KeeperNextFarSlow()
	}
	return say.KeeperNextFarSilent(k.Remote.Address)
}

// keeperRepairCmd is "liuma keeper repair".
type keeperRepairCmd struct {
	ID string `arg:""`
	reasonFlag
}

// pollRepair is how often the command asks for the progress of a repair.
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
		fmt.Fprintln(t.err, t.shown().KeeperBegun(a.ID))
		for {
			select {
			case <-ctx.Done():
				return refuse(func(w *locale.Words) string { return w.Refused.KeeperInterrupted() })
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

// ended prints how the repair ended.
func (a *keeperRepairCmd) ended(t *terminal, k admin.KeeperState) error {
	if k.State != admin.KeeperWhole || k.Repaired == nil {
		return refuse(func(w *locale.Words) string { return w.Refused.KeeperNotRepaired(k.ID, oneLine(k.Why)) })
	}
	did, say := k.Repaired, t.shown()
	text := say.KeeperRepaired(k.ID, strings.Join(did.From, " "+say.AnyAnd()+" "), num(did.Rows))
	if did.KeyFile {
		text = say.KeeperKeyFile(text)
	}
	if did.NewLedger {
		text = say.KeeperNewLedger(text)
	}
	if did.Aside != "" {
		text = say.KeeperAside(text, did.Aside)
	}
	return t.line(say.KeeperRepairedEnd(text))
}

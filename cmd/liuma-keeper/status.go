package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/locale"
)

// status shows the state of the running keeper.
func status(f *flags) runner {
	asJSON := f.yes("json", f.say.FlagJson())
	return func(ctx context.Context, c *call) error {
		d, err := c.open()
		if err != nil {
			return err
		}
		s, err := d.Ask().Status(ctx)
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(c.out).Encode(s)
		}
		for _, r := range statusRows(c.say(), s) {
			if err := c.line(padded(r.label, 12) + r.said); err != nil {
				return err
			}
		}
		return nil
	}
}

// row is one line of a status.
type row struct{ label, said string }

// statusRows are the lines of a status.
func statusRows(say locale.KeeperCommand, s host.Status) []row {
	rows := []row{
		{say.StatusKeeper(), say.StatusOf(string(s.Keeper), s.Shape, fmt.Sprint(s.Member), s.Address)},
		{say.StatusState(), stateSaid(say, s.State)},
	}
	if s.State != host.Serves {
		rows = append(rows, row{say.StatusWhy(), s.Why}, row{"", nextSaid(say, s.State)})
	}
	rows = append(rows,
		row{say.StatusLedger(), say.StatusSequence(fmt.Sprint(s.Sequence), list(s.KeySets))},
		row{say.StatusSince(), moment(s.Began)},
		row{say.StatusDoor(), say.StatusUntil(moment(s.Door))},
		row{say.StatusIssuer(), say.StatusUntil(moment(s.Issuer.Until)) + "  " + s.Issuer.Fingerprint},
		row{say.StatusConnections(), orElse(counts(s.Connections), say.StatusNone())},
		row{say.StatusAsked(), orElse(counts(s.Asked), say.StatusNone())},
	)
	for _, c := range s.Callers {
		rows = append(rows, row{say.StatusCaller(), callerLine(say, c)})
	}
	for _, p := range s.Peers {
		rows = append(rows, row{say.StatusPeer(), string(p.Keeper) + "  " + p.Address + "  " + strings.Join(p.Roles, ",") + "  " + say.StatusUntil(moment(p.Until))})
	}
	if r := s.Repair; r != nil {
		rows = append(rows, row{say.StatusRepair(), repairSaid(say, *r)})
	}
	for _, w := range s.Warnings {
		rows = append(rows, row{say.StatusWarning(), warningSaid(say, w)})
	}
	return rows
}

// list writes numbers separated by commas.
func list[N any](numbers []N) string {
	var texts []string
	for _, n := range numbers {
		texts = append(texts, fmt.Sprint(n))
	}
	return strings.Join(texts, ",")
}

// counts writes numbers by name, in the order of the names.
func counts[N any](of map[string]N) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		texts = append(texts, fmt.Sprintf("%s %v", name, of[name]))
	}
	return strings.Join(texts, ", ")
}

func repairSaid(say locale.KeeperCommand, r host.RepairStatus) string {
	switch {
	case r.Ended.IsZero():
		return say.StatusRepairRuns(moment(r.Began), list(r.From))
	case r.Why != "":
		return say.StatusRepairFailed(moment(r.Ended), r.Why)
	}
	return say.StatusRepairDone(moment(r.Ended), fmt.Sprint(r.Rows), list(r.From))
}

// stateSaid returns the sentence for a state.
func stateSaid(say locale.KeeperCommand, s host.State) string {
	switch s {
	case host.Serves:
		return say.StateServes()
	case host.Gone:
		return say.StateGone()
	case host.RolledBack:
		return say.StateRolledBack()
	case host.Repairing:
		return say.StateRepairing()
	case host.Unrepaired:
		return say.StateUnrepaired()
	case host.Poisoned:
		return say.StatePoisoned()
	case host.Full:
		return say.StateFull()
	case host.ClockOff:
		return say.StateClock()
	case host.ShareKeys:
		return say.StateShareKeys()
	}
	return say.StateFaulty()
}

// nextSaid says what to do about a state.
func nextSaid(say locale.KeeperCommand, s host.State) string {
	switch s {
	case host.Gone:
		return say.NextGone()
	case host.RolledBack:
		return say.NextRolledBack()
	case host.Repairing:
		return say.NextRepairing()
	case host.Unrepaired:
		return say.NextUnrepaired()
	case host.Poisoned:
		return say.NextPoisoned()
	case host.Full:
		return say.NextFull()
	case host.ClockOff:
		return say.NextClock()
	case host.ShareKeys:
		return say.NextShareKeys()
	}
	return say.NextFaulty()
}

// warningSaid returns the sentence for a warning.
func warningSaid(say locale.KeeperCommand, w host.Warning) string {
	switch w {
	case host.DoorEnds:
		return say.WarningDoorEnds()
	case host.IssuerEnds:
		return say.WarningIssuerEnds()
	case host.CallerEnds:
		return say.WarningCallerEnds()
	case host.PeerEnds:
		return say.WarningPeerEnds()
	case host.FilesUnread:
		return say.WarningFilesUnread()
	case host.ClocksApart:
		return say.WarningClocksApart()
	case host.TimeLags:
		return say.WarningTimeLags()
	case host.NobodyAdmitted:
		return say.WarningNobody()
	}
	return string(w)
}

// padded fills a label with blanks to a number of columns; an ideograph takes two
// columns.
func padded(text string, to int) string {
	n := 0
	for _, r := range text {
		if n++; r >= 0x2e80 {
			n++
		}
	}
	return text + strings.Repeat(" ", max(1, to-n))
}

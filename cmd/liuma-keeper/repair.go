package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/locale"
)

// lookEvery is how often the command checks a repair's progress.
const lookEvery = 200 * time.Millisecond

// repair takes in the rows of the other keepers: in the running keeper, which serves
// nobody meanwhile, or in this process if none is running.
func repair(f *flags) runner {
	seen := f.text("seen", "0", f.say.FlagSeen())
	most := f.text("rows", "0", f.say.FlagRows())
	return func(ctx context.Context, c *call) error {
		sequence, err := strconv.ParseUint(*seen, 10, 64)
		if err != nil {
			return badValue("repair", "seen", *seen)
		}
		rows, err := strconv.ParseUint(*most, 10, 62)
		if err != nil {
			return badValue("repair", "rows", *most)
		}
		d, err := c.open()
		if err != nil {
			return err
		}
		var done host.RepairStatus
		switch err = d.Ask().Repair(ctx, sequence, rows); {
		case errors.Is(err, host.ErrNotServed):
			o := host.Options{Logger: slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))}
			if o.Custodian, err = c.custodian(d, o.Logger); err == nil {
				done, err = host.RepairStopped(ctx, d, o, sequence, rows)
			}
		case err == nil:
			done, err = await(ctx, d)
		}
		if err != nil {
			return err
		}
		if done.Why != "" {
			return refuse(func(w locale.KeeperCommand) string { return w.NoRepaired(done.Why) })
		}
		var from []string
		for _, id := range done.From {
			from = append(from, string(id))
		}
		lines := []string{c.say().KeysRepaired(strings.Join(from, ", "), fmt.Sprint(done.Rows))}
		if done.Aside != "" {
			lines = append(lines, c.say().KeysAside(done.Aside))
		}
		return c.line(strings.Join(lines, "\n"))
	}
}

// await waits until the running keeper's repair has ended. The repair also continues
// without this command.
func await(ctx context.Context, d *host.Dir) (host.RepairStatus, error) {
	for {
		s, err := d.Ask().Status(ctx)
		if err != nil {
			return host.RepairStatus{}, err
		}
		if s.Repair != nil && !s.Repair.Ended.IsZero() {
			return *s.Repair, nil
		}
		select {
		case <-ctx.Done():
			return host.RepairStatus{}, refuse(func(w locale.KeeperCommand) string { return w.NoRepairWait() })
		case <-time.After(lookEvery):
		}
	}
}

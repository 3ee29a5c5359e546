package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/locale"
)

// clockCmd is "liuma clock".
type clockCmd struct {
	Show   clockShowCmd   `cmd:""`
	Accept clockAcceptCmd `cmd:""`
}

// clockShowCmd is "liuma clock show".
type clockShowCmd struct {
	JSON bool `name:"json"`
}

// Run shows the times.
func (a *clockShowCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		s, err := adm.Clock(ctx)
		if err != nil {
			return err
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(s)
		}
		return printClock(t, s)
	})
}

func printClock(t *terminal, s admin.ClockState) error {
	const layout = "2006-01-02 15:04:05 MST"
	say := t.shown()
	err := errors.Join(t.line(padded(say.ClockMachine(), 15)+"  "+s.Wall.Format(layout)), t.line("  "+padded(say.ClockDatabase(), 14)+" "+beside(say, s.High, s.Wall, layout)))
	for _, k := range s.Keepers {
		if err == nil {
			err = t.line("  " + padded(k.ID, 14) + " " + beside(say, k.High, s.Wall, layout))
		}
	}
	if err == nil && s.Behind {
		err = t.line(say.ClockStopped())
	}
	return err
}

// beside shows a time and how far it is from the machine's clock.
func beside(say locale.Shown, at, wall time.Time, layout string) string {
	switch d := wall.Sub(at).Truncate(time.Second); {
	case d > 0:
		return say.ClockBehind(at.Format(layout), d.String())
	case d < 0:
		return say.ClockAhead(at.Format(layout), (-d).String())
	}
	return say.ClockSame()
}

// clockAcceptCmd is "liuma clock accept".
type clockAcceptCmd struct {
	reasonFlag
}

// Run accepts the machine's clock.
func (a *clockAcceptCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma clock accept")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		s, err := adm.AcceptClock(ctx, reason)
		switch {
		case errors.Is(err, clock.ErrNotAhead):
			return refuse(func(w *locale.Words) string { return w.Refused.ClockNothing() })
		case errors.Is(err, clock.ErrBehind):
			return refuse(func(w *locale.Words) string { return w.Refused.ClockBehind() })
		case err != nil:
			return err
		}
		if err := t.line(t.shown().ClockAccepted()); err != nil {
			return err
		}
		return printClock(t, s)
	})
}

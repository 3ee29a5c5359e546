package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/clock"
)

// clockCmd is "liuma clock".
type clockCmd struct {
	Show   clockShowCmd   `cmd:"" help:"Compare the machine's clock with the time that locks, waits and rations go by."`
	Accept clockAcceptCmd `cmd:"" help:"Move that time up to the machine's clock, of a running server and its keepers. It is recorded, and nothing takes it back: look at a second clock first."`
}

// clockShowCmd is "liuma clock show".
type clockShowCmd struct {
	JSON bool `name:"json" help:"Print one JSON object."`
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
		return printClock(t.out, s)
	})
}

func printClock(w io.Writer, s admin.ClockState) error {
	const layout = "2006-01-02 15:04:05 MST"
	_, err := fmt.Fprintf(w, "machine's clock  %s\n  database       %s\n", s.Wall.Format(layout), beside(s.High, s.Wall, layout))
	for _, k := range s.Keepers {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %-14s %s\n", k.ID, beside(k.High, s.Wall, layout))
		}
	}
	if err == nil && s.Behind {
		_, err = fmt.Fprintln(w, "NOTHING IS SERVED: the machine's clock is more than a minute behind. Set it right.")
	}
	return err
}

// beside shows a time and how far it is from the machine's clock.
func beside(at, wall time.Time, layout string) string {
	switch d := wall.Sub(at).Truncate(time.Second); {
	case d > 0:
		return fmt.Sprintf("%s, %s behind the machine's clock", at.Format(layout), d)
	case d < 0:
		return fmt.Sprintf("%s, %s ahead of the machine's clock", at.Format(layout), -d)
	}
	return "the same"
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
			return errors.New("there is nothing to accept: the machine's clock is not ahead; 'liuma clock show' compares them")
		case errors.Is(err, clock.ErrBehind):
			return errors.New("the machine's clock is behind the time that was kept, which never falls: set the machine's clock right")
		case err != nil:
			return err
		}
		if _, err := fmt.Fprintln(t.out, "Accepted and recorded."); err != nil {
			return err
		}
		return printClock(t.out, s)
	})
}

package main

import (
	"context"
	"log/slog"
	"strings"

	"github.com/liuma-pin/liuma/internal/keeper/host"
)

// serve runs the keeper until ctx ends.
func serve(f *flags) runner {
	level := f.text("log", "info", f.say.FlagLog())
	return func(ctx context.Context, c *call) error {
		var l slog.Level
		if err := l.UnmarshalText([]byte(strings.ToUpper(*level))); err != nil {
			return badValue("serve", "log", *level)
		}
		d, err := c.open()
		if err != nil {
			return err
		}
		logger := slog.New(slog.NewJSONHandler(c.err, &slog.HandlerOptions{Level: l}))
		custodian, err := c.custodian(d, logger)
		if err != nil {
			return err
		}
		h, err := host.Start(ctx, d, host.Options{Logger: logger, Release: release(), Custodian: custodian})
		if err != nil {
			return err
		}
		err = h.Serve(ctx, func(at host.Addresses) {
			said := c.say().SaidServing(string(d.Keeper), at.Door)
			if s := h.Status(ctx); s.State != host.Serves {
				said = c.say().SaidServingNot(string(d.Keeper), at.Door, stateSaid(c.say(), s.State)) + "\n" + nextSaid(c.say(), s.State)
			}
			if at.Metrics != "" {
				said += "\n" + c.say().SaidServingMetrics(at.Metrics)
			}
			_ = c.line(said) // a closed terminal does not stop a keeper
		})
		if err != nil {
			return err
		}
		return c.line(c.say().SaidStopped())
	}
}

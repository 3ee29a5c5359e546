package main

import (
	"context"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
)

// timeDigits is how many digits are read aloud of a clock.
const timeDigits = 12

// clockCommand says how the running keeper's times stand, and what is read aloud of this
// clock; with --accept it moves the kept time up to the clock, by two persons' word.
func clockCommand(f *flags) runner {
	accept := f.yes("accept", f.say.FlagAccept())
	heard := f.text("heard", "", f.say.FlagHeardTime())
	with := f.text("with", "", f.say.FlagWith())
	why := f.text("why", "", f.say.FlagWhy())
	return func(ctx context.Context, c *call) error {
		d, err := c.open()
		if err != nil {
			return err
		}
		if !*accept {
			return c.times(ctx, d)
		}
		for _, want := range []struct{ name, value string }{{"heard", *heard}, {"with", *with}, {"why", *why}} {
			if want.value == "" {
				return missing("clock", want.name)
			}
		}
		if err := whole(*heard, timeDigits); err != nil {
			return err
		}
		if err := d.Ask().AcceptClock(ctx, host.ClockAct{By: account(), With: keeper.ID(*with), Heard: *heard, Why: *why}); err != nil {
			return err
		}
		return c.line(c.say().SaidClockAccepted())
	}
}

// times says both times.
func (c *call) times(ctx context.Context, d *host.Dir) error {
	s, err := d.Ask().Status(ctx)
	if err != nil {
		return err
	}
	say := c.say()
	lines := []string{say.ClockSpoken(host.SpokenTime(time.Now()))}
	if s.Clock != nil {
		lines = append(lines, say.ClockTimes(moment(s.Clock.Wall), moment(s.Clock.High)))
		if s.Clock.Wall.Sub(s.Clock.High) > time.Minute {
			lines = append(lines, say.ClockLags())
		}
	}
	return c.line(strings.Join(lines, "\n"))
}

// account is who runs the command: of one that became the keeper's account by sudo, who
// they were before.
func account() string {
	if who := os.Getenv("SUDO_USER"); who != "" {
		return who
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "?"
}

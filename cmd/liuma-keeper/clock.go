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

// timeDigits is how many digits of a clock's time are read aloud.
const timeDigits = 12

// clockCommand shows the running keeper's times, and the digits of this clock to read
// aloud; with --accept it moves the ledger's time up to the clock, on the word of two
// persons.
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

// times shows both times.
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

// account returns the account that runs the command; for somebody who became the
// keeper's account by sudo, the account that they had before.
func account() string {
	if who := os.Getenv("SUDO_USER"); who != "" {
		return who
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "?"
}

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/locale"
)

// command is one command of the program.
type command struct {
	name  string
	about func(locale.KeeperCommand) string
	args  []string            // names of what stands beside the flags, as help writes them; one with an ellipsis is any number
	begin func(*flags) runner // declares the flags
}

// runner carries out a command, once its flags are read.
type runner func(context.Context, *call) error

// call is a command line that was read.
type call struct {
	*terminal
	args []string
	dir  string
	shut []func() error // called when the command ends, for example to close tokens; the last one first
}

// ran runs a command and closes what it opened.
func (c *call) ran(ctx context.Context, run runner) error {
	err := run(ctx, c)
	for i := len(c.shut) - 1; i >= 0; i-- {
		_ = c.shut[i]() // a token that fails to close undoes nothing
	}
	return err
}

// open reads the keeper's directory.
func (c *call) open() (*host.Dir, error) { return host.Open(c.dir) }

// commands lists all commands, in the order of help.
func commands() []command {
	return []command{
		{"init", locale.KeeperCommand.AboutInit, nil, initialise},
		{"serve", locale.KeeperCommand.AboutServe, nil, serve},
		{"status", locale.KeeperCommand.AboutStatus, nil, status},
		{"doctor", locale.KeeperCommand.AboutDoctor, nil, examine},
		{"admit", locale.KeeperCommand.AboutAdmit, []string{"FILE"}, admit},
		{"callers", locale.KeeperCommand.AboutCallers, nil, callers},
		{"dismiss", locale.KeeperCommand.AboutDismiss, []string{"NAME"}, dismiss},
		{"renew", locale.KeeperCommand.AboutRenew, nil, renew},
		{"request", locale.KeeperCommand.AboutRequest, nil, request},
		{"accept", locale.KeeperCommand.AboutAccept, []string{"FILE"}, accept},
		{"ceremony", locale.KeeperCommand.AboutCeremony, []string{"FILE…"}, ceremony},
		{"rotate", locale.KeeperCommand.AboutRotate, nil, rotate},
		{"replace", locale.KeeperCommand.AboutReplace, []string{"FILE…"}, replace},
		{"give", locale.KeeperCommand.AboutGive, []string{"FILE"}, give},
		{"spare", locale.KeeperCommand.AboutSpare, nil, spare},
		{"takeover", locale.KeeperCommand.AboutTakeover, []string{"FILE"}, takeover},
		{"clock", locale.KeeperCommand.AboutClock, nil, clockCommand},
		{"repair", locale.KeeperCommand.AboutRepair, nil, repair},
		{"version", locale.KeeperCommand.AboutVersion, nil, version},
		{"help", locale.KeeperCommand.AboutHelp, nil, help},
	}
}

// flags declares the flags of a command, each with its sentence.
type flags struct {
	set *flag.FlagSet
	say locale.KeeperCommand
}

func (f *flags) text(name, value, about string) *string { return f.set.String(name, value, about) }
func (f *flags) number(name, about string) *int         { return f.set.Int(name, 0, about) }
func (f *flags) yes(name, about string) *bool           { return f.set.Bool(name, false, about) }

// declare makes the flags and the runner of a command.
func (c command) declare(say locale.KeeperCommand) (f *flags, dir *string, r runner) {
	f = &flags{set: flag.NewFlagSet(c.name, flag.ContinueOnError), say: say}
	f.set.SetOutput(io.Discard)
	place := os.Getenv("LIUMA_KEEPER_DIR")
	if place == "" {
		place = "keeper"
	}
	dir = f.text("dir", place, say.FlagDir())
	return f, dir, c.begin(f)
}

// execute reads the command line and does what it says. Flags may stand before and after
// the other arguments.
func (c command) execute(ctx context.Context, args []string, t *terminal) error {
	f, dir, run := c.declare(t.say())
	given, rest := args, []string(nil)
	for {
		switch err := f.set.Parse(args); {
		case err == flag.ErrHelp: //nolint:errorlint // as documented
			return c.help(t)
		case err != nil:
			return c.misused(given)
		}
		if args = f.set.Args(); len(args) == 0 {
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	rest = joinHeard(f, rest)
	if len(c.args) == 1 && strings.HasSuffix(c.args[0], "…") {
		return (&call{terminal: t, args: rest, dir: *dir}).ran(ctx, run)
	}
	if len(rest) < len(c.args) {
		return wrong(func(w locale.KeeperCommand) string { return w.NoArgument(c.args[len(rest)], c.name) })
	}
	if len(rest) > len(c.args) {
		return c.misused(given)
	}
	return (&call{terminal: t, args: rest, dir: *dir}).ran(ctx, run)
}

// misused is the error for arguments that the command does not take.
func (c command) misused(given []string) error {
	return wrong(func(w locale.KeeperCommand) string { return w.NoArguments(strings.Join(given, " "), c.name) })
}

// usage returns how a command is written. Every command has flags.
func (c command) usage() string {
	words := []string{c.name}
	for _, a := range c.args {
		if strings.HasSuffix(a, "…") {
			a = "[" + a + "]"
		}
		words = append(words, a)
	}
	return strings.Join(append(words, "[--…]"), " ")
}

// help prints what the command does and its flags.
func (c command) help(t *terminal) error {
	f, _, _ := c.declare(t.say())
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n%s\n", t.say().UsageOf(c.usage()), c.about(t.say()), t.say().Flags())
	f.set.VisitAll(func(fl *flag.Flag) {
		name, about := "--"+fl.Name, fl.Usage
		if fl.DefValue != "" && fl.DefValue != "false" && fl.DefValue != "0" {
			about = t.say().FlagDefault(about, fl.DefValue)
		}
		fmt.Fprintf(&b, "  %-12s %s\n", name, about)
	})
	_, err := io.WriteString(t.out, b.String())
	return err
}

// help prints all commands.
func help(*flags) runner {
	return func(_ context.Context, c *call) error {
		var b strings.Builder
		fmt.Fprintf(&b, "%s\n\n%s\n\n%s\n", c.say().Description(), c.say().Usage(), c.say().Commands())
		for _, cmd := range commands() {
			fmt.Fprintf(&b, "  %-10s %s\n", cmd.name, cmd.about(c.say()))
		}
		fmt.Fprintf(&b, "\n%s\n", c.say().More())
		_, err := io.WriteString(c.out, b.String())
		return err
	}
}

// badValue is the error for a flag with an invalid value.
func badValue(command, name, value string) error {
	return wrong(func(w locale.KeeperCommand) string { return w.NoValue(name, strconv.Quote(value), command) })
}

// missing is the error for a required flag that is missing.
func missing(command, name string) error {
	return wrong(func(w locale.KeeperCommand) string { return w.NoMissing(name, command) })
}

// rolesOf reads roles separated by commas.
func rolesOf(command, text string) (roles wire.Role, err error) {
	if text == "" {
		return 0, missing(command, "role")
	}
	for _, name := range strings.Split(text, ",") {
		r, err := wire.RoleNamed(strings.TrimSpace(name))
		if err != nil {
			return 0, badValue(command, "role", text)
		}
		roles |= r
	}
	return roles, nil
}

// term reads a length of time: days, such as 400d, or a duration of Go.
func term(command, text string) (time.Duration, error) {
	var d time.Duration
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour //nolint:gosec // 16 bits
	} else {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d <= 0 {
		return 0, badValue(command, "for", text)
	}
	return d, nil
}

// moment writes a time for people: with the zone, to the second.
func moment(t time.Time) string { return t.Local().Format(time.RFC3339) }

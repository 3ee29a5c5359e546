// Command liuma is the whole service in one program: it makes a data directory,
// serves, administers, and plays a demo. It only wires: every rule is in a
// package under internal. It guarantees that an error is one line with the next
// step, and that the exit status tells failure (1) from a wrong command line
// (2) and from a fault that was found in the audit record (3). It trusts everybody who may run it with the data directory.
//
// Start here: cli, in main.go; each command has a file of its name.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma/internal/process"
)

// The exit statuses.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
	exitFound = 3 // 'liuma audit verify' found a fault in the record
)

// cli is the command line.
type cli struct {
	Data  string      `name:"data" default:"data" env:"LIUMA_DATA" placeholder:"DIR" help:"Data directory, as 'liuma init' made it."`
	About versionFlag `name:"version" help:"Print the version and end."`

	Demo       demoCmd       `cmd:"" help:"Play the main job on a fresh data directory, through the real door, and go on serving."`
	Init       initCmd       `cmd:"" help:"Make a data directory: configuration, keys, keepers and an empty database."`
	Serve      serveCmd      `cmd:"" help:"Serve the data directory until SIGINT or SIGTERM."`
	Status     statusCmd     `cmd:"" help:"Say how the data directory and the server that works with it stand."`
	Registry   registryCmd   `cmd:"" help:"The registry of physical cards, and the clients that report on them."`
	Region     regionCmd     `cmd:"" help:"The list of regions that an import and 'liuma channel add' go by."`
	Channel    channelCmd    `cmd:"" help:"The channels, their keys, regions and actions."`
	Hotline    hotlineCmd    `cmd:"" help:"The hotlines that freeze the cards of holders who call."`
	Evidence   evidenceCmd   `cmd:"" help:"The providers of evidence."`
	Texts      textsCmd      `cmd:"" help:"The codes and notices to bound phones, and what became of them."`
	Keys       keysCmd       `cmd:"" help:"The keys that receipts and ID tokens are signed with, and those of the vault."`
	Heads      headsCmd      `cmd:"" help:"The file that tells a database that was put back from the newest one."`
	Keeper     keeperCmd     `cmd:"" help:"The keepers of this directory: how they stand, and bringing back one that is gone."`
	Card       cardCmd       `cmd:"" help:"Acts on one card, each recorded with a reason."`
	Backup     backupCmd     `cmd:"" help:"Make a backup, beside the running server: the database and the configuration, and what else is asked for."`
	Restore    restoreCmd    `cmd:"" help:"Examine a backup, put it into a new directory, and do what follows."`
	Config     configCmd     `cmd:"" help:"The configuration file."`
	Clock      clockCmd      `cmd:"" help:"The time that locks, waits and rations go by, beside the machine's clock."`
	PIN        PINCmd        `cmd:"" name:"pin" help:"What may be a PIN."`
	Audit      auditCmd      `cmd:"" help:"The audit record: examine, show, export and digest it."`
	Bench      benchCmd      `cmd:"" help:"Measure what a verification costs on this machine."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
	Completion completionCmd `cmd:"" help:"Scripts that complete commands and flags in a shell."`
}

const description = `Liuma (六码) is the PIN authority for electronic social-security cards.

Start with 'liuma demo'. For real data: 'liuma init', then 'liuma registry import', 'liuma channel add', 'liuma evidence provider add' and 'liuma serve'. Parties, registry and keys can be changed while the server runs. docs/OPERATIONS.md describes every command and setting.

Exit status: 0 done, 1 failed, 2 wrong command line, 3 a fault in the audit record.`

// terminal holds the streams that commands read and write.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	// A second signal ends the process at once: the first one asks it to.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	t := &terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	// Every command, and before anything is read: most of them hold keys or PINs.
	if err := process.KeepPrivate(); err != nil {
		os.Exit(report(t, err))
	}
	os.Exit(run(ctx, os.Args[1:], t))
}

// exited unwinds out of the parser after it has printed help.
type exited struct{ status int }

// run is one command, from its arguments to its exit status.
func run(ctx context.Context, args []string, t *terminal) (status int) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(exited)
			if !ok {
				panic(r)
			}
			status = e.status
		}
	}()
	var c cli
	parser, err := kong.New(&c,
		kong.Name("liuma"), kong.Description(description), kong.Writers(t.out, t.err),
		kong.Exit(func(status int) { panic(exited{status}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(t, &c))
	if err != nil {
		return report(t, err) // the struct above is at fault; a test parses every command
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return report(t, &usageError{cause: err, command: commandOf(err)})
	}
	return report(t, parsed.Run())
}

// commandOf names the command that a usage error is about.
func commandOf(err error) string {
	e, ok := errors.AsType[*kong.ParseError](err)
	if !ok || e.Context == nil {
		return "liuma"
	}
	return strings.TrimSpace("liuma " + e.Context.Command())
}

// report prints an error as one line, and turns it into an exit status.
func report(t *terminal, err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(t.err, "liuma: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	if coder, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return coder.ExitCode()
	}
	return exitFail
}

// usageError is a wrong command line.
type usageError struct {
	cause   error
	command string
}

func (e *usageError) Error() string {
	command, _, _ := strings.Cut(e.command, " <")
	return fmt.Sprintf("%v; see '%s --help'", e.cause, command)
}

func (e *usageError) Unwrap() error { return e.cause }

// ExitCode tells it from a failure.
func (e *usageError) ExitCode() int { return exitUsage }

// badUsage is a usage error that the parser cannot see.
func badUsage(command, format string, args ...any) error {
	return &usageError{cause: fmt.Errorf(format, args...), command: command}
}

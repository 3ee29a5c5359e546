// Command liuma is the whole service in one program: it makes a data directory,
// serves, administers, and plays a demo. It only wires: every rule is in a
// package under internal. It guarantees that an error is one line with the next
// step, and that the exit status tells failure (1) from a wrong command line
// (2), from a fault that was found in the audit record (3), and from a server that another
// authority ended (4). It trusts everybody who may run it with the data directory.
//
// Start here: cli, in main.go; each command has a file of its name.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/locale"
)

// The exit statuses.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
	exitFound = 3 // 'liuma audit verify' found a fault in the record
	exitEnded = 4 // 'liuma serve' was ended by another authority, and is to be started again
)

// cli is the command line.
type cli struct {
	Data  string      `name:"data" default:"data" env:"LIUMA_DATA" placeholder:"DIR"`
	About versionFlag `name:"version"`

	Demo       demoCmd         `cmd:""`
	Init       initCmd         `cmd:""`
	Serve      serveCmd        `cmd:""`
	Status     statusCmd       `cmd:""`
	Alarms     alarmsCmd       `cmd:""`
	Doctor     doctorCmd       `cmd:""`
	Tally      tallyCmd        `cmd:""`
	Registry   registryCmd     `cmd:""`
	Person     personCmd       `cmd:""`
	Region     regionCmd       `cmd:""`
	Agency     agencyCmd       `cmd:""`
	Channel    channelCmd      `cmd:""`
	Hotline    hotlineCmd      `cmd:""`
	Evidence   evidenceCmd     `cmd:""`
	Texts      textsCmd        `cmd:""`
	Letters    lettersCmd      `cmd:""`
	Keys       keysCmd         `cmd:""`
	Heads      headsCmd        `cmd:""`
	Keeper     keeperCmd       `cmd:""`
	Card       cardCmd         `cmd:""`
	Backup     backupCmd       `cmd:""`
	Restore    restoreCmd      `cmd:""`
	Migrate    migrateStoreCmd `cmd:"" name:"migrate-store"`
	Config     configCmd       `cmd:""`
	Clock      clockCmd        `cmd:""`
	Staff      staffCmd        `cmd:""`
	Policy     policyCmd       `cmd:""`
	PIN        PINCmd          `cmd:"" name:"pin"`
	Audit      auditCmd        `cmd:""`
	Bench      benchCmd        `cmd:""`
	Version    versionCmd      `cmd:""`
	Completion completionCmd   `cmd:""`
}

// terminal holds the streams that commands read and write.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	lang     locale.Lang // of the sentences
}

// words are the sentences in the language of the terminal; English if no language is set.
func (t *terminal) words() *locale.Words { return locale.In(cmp.Or(t.lang, locale.English)) }

func main() {
	if len(os.Args) == 3 && os.Args[1] == posts.Argument {
		os.Exit(keeperOfDemo(os.Args[2]))
	}
	// A second signal ends the process at once; the first one asks it to end.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	t := &terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr, lang: locale.OfTerminal(os.Getenv)}
	// For every command, before anything is read, since most of them hold keys or PINs.
	if err := process.KeepPrivate(); err != nil {
		os.Exit(report(t, err))
	}
	os.Exit(run(ctx, os.Args[1:], t))
}

// keeperOfDemo is a keeper of 'liuma demo --keepers 3', which starts this program again for it.
func keeperOfDemo(dir string) int {
	if err := process.KeepPrivate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFail
	}
	return posts.Main(dir, os.Stdin, os.Stdout, os.Stderr)
}

// exited leaves the parser after it has printed help.
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
		kong.Name("liuma"), kong.Description(description(t.words())), kong.Writers(t.out, t.err),
		sayWhatCommandsDo(t.words()), kong.Help(t.printHelp),
		kong.Exit(func(status int) { panic(exited{status}) }),
		kong.ValueFormatter(explained),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(t, &c))
	if err != nil {
		return report(t, err) // the struct above is at fault; a test parses every command
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(joinHeard(args))
	if err != nil {
		return report(t, &usageError{cause: err, command: commandOf(err)})
	}
	return report(t, parsed.Run())
}

// commandOf names the command of a usage error.
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
	fmt.Fprintf(t.err, "liuma: %s\n", strings.ReplaceAll(t.told(err), "\n", "; "))
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
	return e.Told(locale.In(locale.English), nil)
}

func (e *usageError) Unwrap() error { return e.cause }

// ExitCode differs from that of a failure.
func (e *usageError) ExitCode() int { return exitUsage }

// Told is the error in a language.
func (e *usageError) Told(w *locale.Words, _ func(error) string) string {
	command, _, _ := strings.Cut(e.command, " <")
	return w.Refused.Usage(told(w, e.cause), command)
}

// wrongUse is a usage error that the parser cannot detect.
func wrongUse(command string, say func(*locale.Words) string) error {
	return &usageError{cause: refuse(say), command: command}
}

func wrongUseFor(command string, cause error, say func(w *locale.Words, why string) string) error {
	return &usageError{cause: refuseFor(cause, say), command: command}
}

// badUsage is a usage error whose sentence is not in the catalogue yet.
func badUsage(command, format string, args ...any) error {
	return &usageError{cause: fmt.Errorf(format, args...), command: command}
}

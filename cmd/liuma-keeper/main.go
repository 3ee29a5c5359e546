// Command liuma-keeper runs one keeper on a machine of its own: it makes the keeper's
// directory, serves, and admits and dismisses callers. It has no rules of its own: every
// rule is in a package under internal/keeper. It guarantees that an error is one line with
// the next step, that the exit status distinguishes a failure (1), a wrong command line (2)
// and findings of the doctor (3), and that it contains only the packages that a keeper
// needs: a test lists them. It trusts everybody who may run it with the keeper's directory.
//
// Start here: commands, in commands.go; each command is in the file with its name.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/locale"
)

// The exit statuses.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
	exitFound = 3 // the doctor found something
)

// terminal holds the streams that commands write, and the language of the sentences.
type terminal struct {
	out, err io.Writer
	words    *locale.Words
}

// say returns this command's sentences.
func (t *terminal) say() locale.KeeperCommand { return t.words.KeeperCommand }

// line prints a sentence.
func (t *terminal) line(said string) error {
	_, err := fmt.Fprintln(t.out, said)
	return err
}

func main() {
	// The first signal asks the process to end; a second one ends it at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	t := &terminal{out: os.Stdout, err: os.Stderr, words: locale.In(locale.OfTerminal(os.Getenv))}
	// Called before anything is read, because most commands handle keys.
	if err := process.KeepPrivate(); err != nil {
		os.Exit(report(t, err))
	}
	os.Exit(run(ctx, os.Args[1:], t))
}

// run runs one command, from its arguments to its exit status.
func run(ctx context.Context, args []string, t *terminal) int {
	if len(args) == 0 || args[0] == "--help" || args[0] == "-h" {
		args = []string{"help"}
	}
	if args[0] == "--version" {
		args = []string{"version"}
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return report(t, c.execute(ctx, args[1:], t))
		}
	}
	return report(t, wrong(func(w locale.KeeperCommand) string { return w.NoCommand(args[0]) }))
}

// report prints an error as one line, and turns it into an exit status.
func report(t *terminal, err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(t.err, "liuma-keeper: %s\n", strings.Join(strings.Fields(told(t.words, err)), " "))
	switch err.(type) { //nolint:errorlint // the outermost error, made by a command
	case *usageError:
		return exitUsage
	case *doctorError:
		return exitFound
	}
	return exitFail
}

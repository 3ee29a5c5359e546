package main

import (
	"flag"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/test/manpage"
)

var update = flag.Bool("update", false, "write the commands of deploy/man/liuma-keeper.1")

// manualCommands is the section of all commands and flags. These pages spell "…" in ASCII.
func manualCommands() *manpage.Commands {
	c := &manpage.Commands{}
	say := locale.In(locale.English).KeeperCommand
	entry := func(name, said string) {
		c.Entry(strings.ReplaceAll(name, "…", "..."), strings.ReplaceAll(said, "…", "..."))
	}
	for _, command := range commands() {
		entry(strings.Join(append([]string{"liuma-keeper", command.name}, command.args...), " "), command.about(say))
		c.Under(func() {
			f, _, _ := command.declare(say)
			f.set.VisitAll(func(fl *flag.Flag) { entry("--"+fl.Name, fl.Usage) })
		})
	}
	return c
}

// TestManualPage: the manual page has every command with its flags, as help says them.
// -update writes them.
func TestManualPage(t *testing.T) {
	manpage.Check(t, "../../deploy/man/liuma-keeper.1", manualCommands(), *update)
}

package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/test/manpage"
)

// manualCommands is the section of all commands and flags.
func manualCommands(parser *kong.Kong) *manpage.Commands {
	c := &manpage.Commands{}
	for _, leaf := range parser.Model.Leaves(true) {
		c.Entry("liuma "+strings.TrimSpace(leaf.Path()), leaf.Help)
		if len(leaf.Flags) == 0 && len(leaf.Positional) == 0 {
			continue
		}
		c.Under(func() {
			for _, p := range leaf.Positional {
				c.Entry(strings.ToUpper(p.Name), p.Help)
			}
			for _, f := range leaf.Flags {
				if !f.Hidden {
					c.Entry("--"+f.Name, f.Help)
				}
			}
		})
	}
	return c
}

// TestManualPage: the manual page has every command with its flags, as help says them, the
// program's environment and its exit statuses. -update writes the first.
func TestManualPage(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Name("liuma"), sayWhatCommandsDo(locale.In(locale.English)))
	if err != nil {
		t.Fatal(err)
	}
	page := manpage.Check(t, "../../deploy/man/liuma.1", manualCommands(parser), *update)
	for _, name := range []string{"LIUMA_DATA", "LIUMA_SESSION", "PGPASSFILE", "GOGC", "3 when"} {
		if !strings.Contains(page, name) {
			t.Errorf("the manual page does not say %s", name)
		}
	}
}

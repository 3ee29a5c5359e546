package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/locale"
)

var update = flag.Bool("update", false, "write the commands of deploy/man/liuma-keeper.1")

// roff writes a text as a line of a manual page.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ", "…", "...").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// manualCommands is the section of all commands and flags.
func manualCommands() string {
	var b strings.Builder
	say := locale.In(locale.English).KeeperCommand
	entry := func(name, said string) { fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(name), roff(said)) }
	for _, c := range commands() {
		entry(strings.Join(append([]string{"liuma-keeper", c.name}, c.args...), " "), c.about(say))
		b.WriteString(".RS\n")
		f, _, _ := c.declare(say)
		f.set.VisitAll(func(fl *flag.Flag) { entry("--"+fl.Name, fl.Usage) })
		b.WriteString(".RE\n")
	}
	return b.String()
}

// TestManualPage: the manual page has every command with its flags, as help says them.
// -update writes them.
func TestManualPage(t *testing.T) {
	const path = "../../deploy/man/liuma-keeper.1"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?s)(\.SH COMMANDS\n)(.*?)(\.SH ENVIRONMENT\n)`)
	found := section.FindStringSubmatchIndex(string(raw))
	if found == nil {
		t.Fatal("no section COMMANDS before ENVIRONMENT")
	}
	want := string(raw[:found[4]]) + manualCommands() + string(raw[found[5]:])
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil { //nolint:gosec // a page
			t.Fatal(err)
		}
		return
	}
	if string(raw) != want {
		t.Error("deploy/man/liuma-keeper.1 has other commands or flags than the program; write it with -update")
	}
}

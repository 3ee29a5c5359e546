package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma/locale"
)

// roff writes a text as a line of a manual page.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// manualCommands is the section of all commands and flags.
func manualCommands(parser *kong.Kong) string {
	var b strings.Builder
	entry := func(name, said string) { fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(name), roff(said)) }
	for _, leaf := range parser.Model.Leaves(true) {
		entry("liuma "+strings.TrimSpace(leaf.Path()), leaf.Help)
		if len(leaf.Flags) == 0 && len(leaf.Positional) == 0 {
			continue
		}
		b.WriteString(".RS\n")
		for _, p := range leaf.Positional {
			entry(strings.ToUpper(p.Name), p.Help)
		}
		for _, f := range leaf.Flags {
			if !f.Hidden {
				entry("--"+f.Name, f.Help)
			}
		}
		b.WriteString(".RE\n")
	}
	return b.String()
}

// TestManualPage: the manual page has every command with its flags, as help says them, the
// program's environment and its exit statuses. -update writes the first.
func TestManualPage(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Name("liuma"), sayWhatCommandsDo(locale.In(locale.English)))
	if err != nil {
		t.Fatal(err)
	}
	const path = "../../deploy/man/liuma.1"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?s)(\.SH COMMANDS\n)(.*?)(\.SH ENVIRONMENT\n)`)
	found := section.FindStringSubmatchIndex(string(raw))
	if found == nil {
		t.Fatal("no section COMMANDS before ENVIRONMENT")
	}
	want := string(raw[:found[4]]) + manualCommands(parser) + string(raw[found[5]:])
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil { //nolint:gosec // a page
			t.Fatal(err)
		}
		return
	}
	if string(raw) != want {
		t.Error("deploy/man/liuma.1 has other commands or flags than the program; write it with -update")
	}
	for _, name := range []string{"LIUMA_DATA", "LIUMA_SESSION", "PGPASSFILE", "GOGC", "3 when"} {
		if !strings.Contains(want, name) {
			t.Errorf("the manual page does not say %s", name)
		}
	}
}

// Package manpage holds the manual pages of deploy/man to the commands and flags of the
// programs.
//
// Start here: Commands and Check.
package manpage

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Commands is the section of all commands and flags. The zero value is empty.
type Commands struct{ b strings.Builder }

// Entry adds a command or a flag, and what help says of it.
func (c *Commands) Entry(name, said string) {
	fmt.Fprintf(&c.b, ".TP\n.B %s\n%s\n", roff(name), roff(said))
}

// Under has what f adds stand under the entry before it.
func (c *Commands) Under(f func()) {
	c.b.WriteString(".RS\n")
	f()
	c.b.WriteString(".RE\n")
}

// roff writes a text as a line of a manual page.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// Check holds the section COMMANDS of a page to the commands, or writes it with update. It
// returns the page as it should be.
func Check(t *testing.T, path string, c *Commands, update bool) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?s)(\.SH COMMANDS\n)(.*?)(\.SH ENVIRONMENT\n)`)
	found := section.FindStringSubmatchIndex(string(raw))
	if found == nil {
		t.Fatal("no section COMMANDS before ENVIRONMENT")
	}
	want := string(raw[:found[4]]) + c.b.String() + string(raw[found[5]:])
	if update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil { //nolint:gosec // a page
			t.Fatal(err)
		}
	} else if string(raw) != want {
		t.Errorf("deploy/man/%s has other commands or flags than the program; write it with -update", filepath.Base(path))
	}
	return want
}

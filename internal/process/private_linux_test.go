package process

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const childEnv = "LIUMA_TEST_PRIVATE"

// state spells what KeepPrivate changes.
func state(t *testing.T) string {
	t.Helper()
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("dumpable %d, core at most %d, never more than %d", dumpable, core.Cur, core.Max)
}

// TestKeepPrivate looks from within, in a process of its own: what it does
// cannot be undone.
func TestKeepPrivate(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		before := state(t)
		if err := KeepPrivate(); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("before: %s\nafter: %s\n", before, state(t))
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^TestKeepPrivate$")
	c.Env = append(os.Environ(), childEnv+"=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.Contains(string(out), "before: dumpable 1") {
		t.Errorf("the process was not dumpable before, so that nothing is shown: %s", out)
	}
	if !strings.Contains(string(out), "after: dumpable 0, core at most 0, never more than 0\n") {
		t.Errorf("the process is not private: %s", out)
	}
}

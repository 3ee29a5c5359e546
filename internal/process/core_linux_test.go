package process

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCoreLimitIsNotOurOwn: what KeepPrivate did to this process says nothing about the next
// program that the account starts.
func TestCoreLimitIsNotOurOwn(t *testing.T) {
	if os.Getenv("LIUMA_TEST_CORE") != "" {
		if err := KeepPrivate(); err != nil {
			t.Fatal(err)
		}
		limit, err := CoreLimit()
		fmt.Println("limit", limit > 0, err)
		return
	}
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &own); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ limit, want string }{{"0", "limit false <nil>"}, {"100", fmt.Sprint("limit ", own.Max >= 100<<10, " <nil>")}} {
		// The shell stays, as the one that started it.
		c := exec.Command("sh", "-c", "ulimit -S -c "+tt.limit+"; \"$0\" -test.run=TestCoreLimitIsNotOurOwn -test.v; true", os.Args[0])
		c.Env = append(os.Environ(), "LIUMA_TEST_CORE=1")
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("with %s: %v\n%s", tt.limit, err, out)
		}
	}
}

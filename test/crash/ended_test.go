package crash

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/server"
)

// name is what an authority is called among those on its database.
func (h *house) name(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(cmp.Or(h.dir, h.Dir), server.NameFile))
	must(t, err)
	return strings.TrimSpace(string(text))
}

// cut ends the connection on which an authority holds its locks, as the server does where it
// hears nothing of a machine.
func (p *several) cut(t *testing.T, h *house) {
	t.Helper()
	_, err := p.db.Exec(t.Context(), `SELECT pg_terminate_backend(l.pid) FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.objsubid = 2
		AND l.classid = 1281979758 AND l.objid::bigint = (SELECT number FROM authorities WHERE name = $1)`, h.name(t))
	must(t, err)
}

// suspend has the others end an authority whose process lives.
func (p *several) suspend(t *testing.T, h *house) {
	t.Helper()
	must(t, h.process.Process.Signal(syscall.SIGSTOP))
	p.cut(t, h)
	until(t, "another authority ended it", func() bool {
		var gone bool
		must(t, p.db.QueryRow(t.Context(), "SELECT process IS NULL FROM authorities WHERE name = $1", h.name(t)).Scan(&gone))
		return gone
	})
}

// ends waits for a process, and returns its exit status.
func (h *house) ends(t *testing.T) int {
	t.Helper()
	process := h.process
	h.process = nil
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	select {
	case err := <-ended:
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.ExitCode()
		}
		must(t, err)
		return 0
	case <-time.After(2 * time.Minute):
		_ = process.Process.Kill()
		t.Fatal("it never ended")
		return 0
	}
}

// TestEndedWhileItLived: an authority was suspended until the others ended it. When it wakes it
// gives no verdict, says in its log what befell it, and ends with an exit status of its own, so
// that whoever watches it starts it again; it serves then as before, and 'liuma doctor' tells of
// it. So it does if it is killed on the way. What ends in order is not told of.
func TestEndedWhileItLived(t *testing.T) {
	p := newSeveral(t, 2, 2)
	first, second := p.at[0], p.at[1]
	first.holders = append(first.holders, first.newHolder(first.People[0]))
	first.start(t)
	second.start(t)
	first.enrollAll(t)
	h := first.holders[0]

	p.suspend(t, second)
	if v := h.ask(t, first, h.pin); v != "right" {
		t.Errorf("at the one that is left: %s", v)
	}
	must(t, second.process.Process.Signal(syscall.SIGCONT))
	if code := second.ends(t); code != 4 {
		t.Errorf("it ended with status %d, and not 4", code)
	}
	if !strings.Contains(second.said.String(), "ANOTHER AUTHORITY ENDED THIS ONE") {
		t.Errorf("its log: %s", second.said)
	}
	doctor := func() string {
		out, _ := exec.CommandContext(t.Context(), second.binary, "doctor", "--json", "--data", second.dir).Output() // other findings make it fail
		return string(out)
	}
	second.start(t)
	if !strings.Contains(doctor(), `"check":"ended"`) {
		t.Errorf("the doctor says: %s", doctor())
	}
	if v := h.ask(t, second, h.pin); v != "right" {
		t.Errorf("at the one that was started again: %s", v)
	}

	p.suspend(t, second) // once more, and killed as it wakes
	must(t, second.process.Process.Signal(syscall.SIGCONT))
	second.kill(t)
	second.start(t)
	for _, at := range p.at {
		if v := h.ask(t, at, h.pin); v != "right" {
			t.Errorf("after it was killed: %s", v)
		}
	}
	until(t, "the record tells of both ends", func() bool { return p.count(t, "SELECT count(*) FROM audit WHERE event = 'authority.ended'") == 2 })

	at, err := server.LastEnded(second.config)
	must(t, err)
	p.cut(t, second) // it lives, and takes its locks again
	time.Sleep(3 * time.Second)
	if v := h.ask(t, second, h.pin); v != "right" {
		t.Errorf("after its connection was lost: %s", v)
	}
	must(t, second.process.Process.Signal(syscall.SIGTERM))
	if code := second.ends(t); code != 0 {
		t.Errorf("it was stopped, and ended with status %d", code)
	}
	if now, err := server.LastEnded(second.config); err != nil || !now.Equal(at) {
		t.Errorf("who was stopped is told of as ended: %v, %v", now, err)
	}
}

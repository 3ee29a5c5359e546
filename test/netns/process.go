//go:build linux

package netns

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/liuma-pin/liuma/test/printed"
)

// Log takes what a program says, through its restarts. It is safe for concurrent use; the
// zero Log is empty.
type Log struct{ printed.Log }

// Keep writes all of it to a file.
func (l *Log) Keep(path string) error { return os.WriteFile(path, []byte(l.String()), 0o600) }

// Process is a program that runs at a site. One goroutine uses it.
type Process struct {
	cmd   *exec.Cmd
	ended chan error // holds how it ended, once
}

// Serve starts a program at the site, and waits until a line of its output has a text, at
// most for patience. What it says besides goes to log. It dies with this process.
func (s *Site) Serve(log *Log, text string, patience time.Duration, program string, args ...string) (*Process, error) {
	cmd := exec.Command(program, args...)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.Start(cmd); err != nil {
		return nil, err
	}
	up, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		var once sync.Once
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), text) {
				once.Do(func() { close(up) })
			}
		}
		ended <- cmd.Wait()
	}()
	select {
	case <-up:
		return &Process{cmd, ended}, nil
	case err := <-ended:
		return nil, fmt.Errorf("it ended: %w", err)
	case <-time.After(patience):
		_ = cmd.Process.Kill() // it may have ended by itself
		return nil, errors.New("it does not start")
	}
}

// Signal sends a signal; the process may have ended by itself.
func (p *Process) Signal(with syscall.Signal) { _ = p.cmd.Process.Signal(with) }

// Kill ends the process as a power cut would, and waits for its end.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// End ends the process by a signal. It reports false where the process had to be killed,
// since it did not end within patience.
func (p *Process) End(with syscall.Signal, patience time.Duration) bool {
	p.Signal(with)
	select {
	case <-p.ended:
		return true
	case <-time.After(patience):
		p.Kill()
		return false
	}
}

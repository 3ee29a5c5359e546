// Package administrations walks through the shape for production as docs/OPERATIONS.md
// has it: three administrations with a keeper each, and the authority. It guarantees that
// the commands that stand there are those that work, in that order. It trusts the two
// programs that it builds. The addresses alone are others, and what systemctl does is done
// by hand.
//
// Start here: TestWalk.
package administrations

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/test/port"
	"github.com/liuma-pin/liuma/test/printed"
)

// machine is one of the four, with a home of its own.
type machine struct {
	t       *testing.T
	name    string
	home    string
	bin     string
	said    []string // by its commands
	address string
	serving *exec.Cmd
	log     *printed.Log
}

func (m *machine) place() string {
	if m.name == "s" {
		return filepath.Join(m.home, "data")
	}
	return filepath.Join(m.home, "keeper")
}

func (m *machine) command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", line) // the shell reads the quotes, as a person's does
	cmd.Dir = m.home
	cmd.Env = append(os.Environ(), "PATH="+m.bin+":"+os.Getenv("PATH"), "LC_ALL=C", "LIUMA_KEEPER_DIR="+m.place(), "LIUMA_DATA="+m.place())
	return cmd
}

func (m *machine) runs(line string) string {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	out, err := m.command(ctx, line).CombinedOutput()
	m.said = append(m.said, string(out))
	if err != nil {
		m.t.Fatalf("%s$ %s: %v\n%s", m.name, line, err, out)
	}
	return string(out)
}

// starts begins to serve, as systemctl has the unit do.
func (m *machine) starts() {
	m.t.Helper()
	line, ready := "exec liuma-keeper serve", "listens at"
	if m.name == "s" {
		line, ready = "exec liuma serve --listen 127.0.0.1:0", "\"msg\":\"serving\""
	}
	m.log = &printed.Log{}
	m.serving = m.command(context.Background(), line)
	m.serving.Stdout, m.serving.Stderr = m.log, m.log
	if err := m.serving.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.awaits("to serve", func() bool { return strings.Contains(m.log.String(), ready) })
}

func (m *machine) stops() {
	if m.serving != nil {
		_ = m.serving.Process.Signal(os.Interrupt) // it may have ended
		_ = m.serving.Wait()
		m.serving = nil
	}
}

func (m *machine) awaits(what string, so func() bool) {
	m.t.Helper()
	for end := time.Now().Add(3 * time.Minute); !so(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("%s waited for %s\n%s\n%v", m.name, what, m.log, m.said[max(0, len(m.said)-2):])
		}
	}
}

// read is the last number of so many digits on the screen.
func (m *machine) read(digits int) string {
	m.t.Helper()
	for i := len(m.said) - 1; i >= 0; i-- {
		all := groups().FindAllString(m.said[i], -1)
		for j := len(all) - 1; j >= 0; j-- {
			if len(strings.ReplaceAll(all[j], " ", "")) == digits {
				return all[j]
			}
		}
	}
	m.t.Fatalf("%s has no %d digits to read", m.name, digits)
	return ""
}

func groups() *regexp.Regexp { return regexp.MustCompile(`\b[0-9]{4}(?: [0-9]{4})+\b`) }

// find is a file that is to be carried: in the home, or where the program put it.
func (m *machine) find(file string) string {
	m.t.Helper()
	for _, dir := range []string{m.home, filepath.Join(m.place(), "carry"), filepath.Join(m.place(), "keepers")} {
		if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
			return filepath.Join(dir, file)
		}
	}
	m.t.Fatalf("%s has no file %s", m.name, file)
	return ""
}

// steps are the lines of the fenced blocks of a section.
func steps(t *testing.T, file, section string) (lines []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", file))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(raw), "\n## "+section+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	if !found {
		t.Fatalf("%s has no section %s", file, section)
	}
	within := false
	for line := range strings.Lines(rest) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			within = !within
		case within:
			lines = append(lines, line)
		}
	}
	return lines
}

// The Chinese document has the same commands.
func TestBothLanguages(t *testing.T) {
	en, zh := strings.Join(steps(t, "OPERATIONS.md", "Three administrations"), "\n"), strings.Join(steps(t, "OPERATIONS.zh-CN.md", "三家单位"), "\n")
	if en != zh {
		t.Errorf("the commands differ:\n%s\n---\n%s", en, zh)
	}
}

// walk is the four machines, and what the next command hears.
type walk struct {
	t        *testing.T
	machines map[string]*machine
	heard    string
	fresh    bool // k2 is a new machine that was not repaired
}

// Every command of the section, as it stands there, with the states in between.
func TestWalk(t *testing.T) {
	bin := t.TempDir()
	for _, program := range []string{"liuma", "liuma-keeper"} {
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", bin, "../../cmd/"+program).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	w := &walk{t: t, machines: map[string]*machine{}}
	for _, name := range []string{"k1", "k2", "k3", "s"} {
		m := &machine{t: t, name: name, bin: bin, home: t.TempDir(), address: free(t), log: &printed.Log{}}
		w.machines[name] = m
		t.Cleanup(m.stops)
	}
	for _, line := range steps(t, "OPERATIONS.md", "Three administrations") {
		w.step(line)
	}
	w.stands("whole", 3)
	s := w.machines["s"]
	s.awaits("the second key set", func() bool { return strings.Count(s.runs("liuma keeper status"), "key sets 1 2 (new PINs: 2)") == 3 })
}

func free(t *testing.T) string {
	t.Helper()
	at, release, err := port.Take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return at
}

func (w *walk) step(line string) {
	w.t.Helper()
	if found := regexp.MustCompile(`^# (\w+) → ([\w ]+): (.+)$`).FindStringSubmatch(line); found != nil {
		w.carry(w.machines[found[1]], strings.Fields(found[2]), strings.Fields(found[3]))
		return
	}
	if found := regexp.MustCompile(`^# (\w+) ☎ (\d+)$`).FindStringSubmatch(line); found != nil {
		n, _ := strconv.Atoi(found[2]) // digits
		w.heard = w.machines[found[1]].read(n)
		return
	}
	found := regexp.MustCompile(`^(k1|k2|k3|s)\$ (liuma.*|systemctl .*)$`).FindStringSubmatch(line)
	if found == nil {
		w.t.Fatalf("a line that is no step: %q", line)
	}
	w.does(w.machines[found[1]], found[2])
}

func (w *walk) carry(from *machine, to, files []string) {
	w.t.Helper()
	for _, f := range files {
		data, err := os.ReadFile(from.find(f))
		for _, name := range to {
			if err == nil {
				err = os.WriteFile(filepath.Join(w.machines[name].home, f), data, 0o600)
			}
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *walk) does(m *machine, line string) {
	w.t.Helper()
	line = strings.ReplaceAll(strings.ReplaceAll(line, m.name+".example:7601", m.address), "…", w.heard)
	switch {
	case strings.HasPrefix(line, "systemctl start"):
		m.starts()
		if w.fresh && m.name == "k2" {
			w.stands("gone", 1)
		}
	case strings.HasPrefix(line, "systemctl restart"):
		m.stops()
		m.starts()
	case strings.HasSuffix(line, "--lost"): // its machine is gone, with all that was there
		m.stops()
		if err := errors.Join(os.RemoveAll(m.home), os.Mkdir(m.home, 0o700)); err != nil {
			w.t.Fatal(err)
		}
		w.stands("whole", 2)
		w.fresh = true
		m.runs(line)
	default:
		m.runs(line)
	}
	switch {
	case line == "liuma-keeper repair":
		m.awaits("its repair", func() bool { return strings.Contains(m.runs("liuma-keeper status"), "it serves") })
	case line == "liuma keeper status" && w.machines["s"].serving != nil:
		w.stands("whole", 3)
	case line == "liuma-keeper status":
		m.awaits("its service", func() bool { return strings.Contains(m.runs("liuma-keeper status"), "it serves") })
	}
}

// stands waits until the authority says of so many keepers how they are.
func (w *walk) stands(how string, count int) {
	w.t.Helper()
	s := w.machines["s"]
	s.awaits(fmt.Sprintf("%d keepers %s", count, how), func() bool {
		out := s.runs("liuma keeper status")
		n := strings.Count(out, ", whole")
		if how != "whole" {
			n = strings.Count(out, "NOT WHOLE: "+how)
		}
		return n == count
	})
}

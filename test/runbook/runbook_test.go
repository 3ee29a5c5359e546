// Package runbook restores a PostgreSQL server as docs/POSTGRES.md says: it types the
// commands of "Backup" in their order, on a real server with an archive of its log, and an
// authority whose keepers stay as they are. It guarantees that these commands work, and
// that a restore gives nobody a guess and every honest holder their PIN. It trusts the
// server's programs. Paths alone are others, and what systemctl does is done by hand.
//
// Start here: TestRunbook.
package runbook

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/test/printed"
)

// house is a server, an authority on it, and the cards that things happen to.
type house struct {
	*testkit.Env
	t       *testing.T
	on      *pgtest.Cluster
	bin     string
	moment  string // to go back to
	channel authority.Caller
	cards   map[string]store.Handle
	pins    map[string]string
	serving *exec.Cmd
	lost    bool // the server was lost, and not stopped
	starts  func()
}

func newHouse(t *testing.T) *house {
	h := &house{t: t, bin: t.TempDir(), on: pgtest.Begin(t), cards: map[string]store.Handle{}, pins: map[string]string{}}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", h.bin, "../../cmd/liuma").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dsn := h.on.Make(t, "liuma")
	h.Env = testkit.New(t, testkit.Options{Shape: "2/3", Clock: testkit.RunningClock(0), Wait: func(context.Context, time.Duration) {},
		Configure: func(c *config.Config) { c.Database = dsn }})
	h.channel = h.Channel("gov-app")
	h.sh("mkdir /srv/archive /srv/backup")
	t.Cleanup(h.stop)
	return h
}

// place is where a path of the documents is here.
func (h *house) place(line string) string {
	return strings.NewReplacer("/var/lib/postgresql/15/main", h.on.Data(), "/srv/archive", filepath.Join(h.on.Socket(), "archive"),
		"/srv/backup", filepath.Join(h.on.Socket(), "backup"), "2026-03-01 12:00:00+08", h.moment).Replace(line)
}

// sh is a line on the server's machine.
func (h *house) sh(line string) string {
	h.t.Helper()
	out, err := h.on.Shell(h.place(line)).CombinedOutput()
	if err != nil {
		h.t.Fatalf("db$ %s: %v\n%s", line, err, out)
	}
	return string(out)
}

// liuma is a line on the authority's machine.
func (h *house) liuma(line string) string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Env = append(os.Environ(), "PATH="+h.bin+":"+os.Getenv("PATH"), "LC_ALL=C", "LIUMA_DATA="+h.Dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("s$ %s: %v\n%s", line, err, out)
	}
	return string(out)
}

// serve runs the real server, as systemctl has the unit do.
func (h *house) serve() {
	h.t.Helper()
	said := &printed.Log{}
	h.serving = exec.Command(filepath.Join(h.bin, "liuma"), "--data", h.Dir, "serve", "--listen", "127.0.0.1:0")
	h.serving.Stdout, h.serving.Stderr = said, said
	must(h.t, h.serving.Start())
	for end := time.Now().Add(2 * time.Minute); !strings.Contains(said.String(), `"msg":"serving"`); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("does not serve\n%s", said)
		}
	}
}

func (h *house) stop() {
	if h.serving != nil {
		_ = h.serving.Process.Signal(os.Interrupt) // it may have ended
		_ = h.serving.Wait()
		h.serving = nil
	}
}

// does runs the fenced commands of a part of the section "Backup".
func (h *house) does(heading string, number int) {
	h.t.Helper()
	for _, line := range steps(h.t, heading, number) {
		switch who, command, _ := strings.Cut(line, "$ "); {
		case strings.HasSuffix(line, "systemctl restart postgresql"):
			must(h.t, errors.Join(h.on.Stop("fast"), h.on.Start()))
		case strings.HasSuffix(line, "systemctl stop postgresql"):
			if !h.lost {
				must(h.t, h.on.Stop("fast"))
			}
		case strings.HasSuffix(line, "systemctl start postgresql"):
			must(h.t, h.on.Start())
		case strings.HasSuffix(line, "systemctl stop liuma"):
			h.Close()
		case strings.HasSuffix(line, "systemctl start liuma"):
			h.starts()
			h.serve()
		case who == "db":
			h.sh(command)
		case (who == "s" || who == "s2") && strings.HasPrefix(command, "liuma "):
			if strings.HasPrefix(command, "liuma heads accept") {
				h.tooOld()
			}
			h.liuma(command)
		default:
			h.t.Fatalf("a line that is no step: %q", line)
		}
	}
	h.stop()
}

// steps are the lines of a fenced block under a heading, counted from 0.
func steps(t *testing.T, heading string, number int) (lines []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "POSTGRES.md"))
	must(t, err)
	_, rest, found := strings.Cut(string(raw), "\n"+heading+"\n")
	if !found {
		t.Fatalf("no heading %q", heading)
	}
	rest = regexp.MustCompile(`(?m)^##+ `).Split(rest, 2)[0]
	blocks := strings.Split(rest, "\n```\n")
	if len(blocks) <= 2*number+1 {
		t.Fatalf("%s has no block %d", heading, number)
	}
	return strings.Split(blocks[2*number+1], "\n")
}

// tooOld: heads says that the database is an old one, and nothing is opened.
func (h *house) tooOld() {
	h.t.Helper()
	c, err := config.Load(h.Dir)
	must(h.t, err)
	s, err := server.Open(h.t.Context(), c, server.Options{})
	if !errors.Is(err, store.ErrOldDatabase) {
		h.t.Errorf("the restored database is opened before somebody took it for good: %v", err)
	}
	if err == nil {
		must(h.t, s.Close())
	}
}

func (h *house) enroll(name string, person int, pin string) {
	h.t.Helper()
	h.cards[name], h.pins[name] = h.Enroll(h.channel, h.People[person], pin), pin
}

func (h *house) change(name, pin string) {
	h.t.Helper()
	if v := h.Change(h.channel, h.cards[name], h.pins[name], pin); v.Verdict != liuma.Right {
		h.t.Fatalf("change of %s: %+v", name, v)
	}
	h.pins[name] = pin
}

// answer is the verdict about a PIN, or the code of its refusal.
func (h *house) answer(name, pin string) string {
	h.t.Helper()
	v, err := h.Authority().Verify(context.Background(), h.channel, h.VerifyRequest(h.channel, h.cards[name], pin))
	switch known, ok := errors.AsType[*liuma.Error](err); {
	case err == nil && v.Code != "":
		return string(v.Code)
	case err == nil:
		return string(v.Verdict)
	case ok:
		return string(known.Code)
	}
	h.t.Fatal(err)
	return ""
}

func (h *house) wants(what, name, pin, want string) {
	h.t.Helper()
	if got := h.answer(name, pin); got != want {
		h.t.Errorf("%s: %s is %q, want %q", what, name, got, want)
	}
}

// wrong gives wrong PINs.
func (h *house) wrong(name string, n int) {
	h.t.Helper()
	for range n {
		h.answer(name, "907050")
	}
}

// ask asks the server's postgres database for one value.
func (h *house) ask(query string) (text string) {
	h.t.Helper()
	c, err := pgx.Connect(h.t.Context(), h.on.DSN("postgres"))
	must(h.t, err)
	must(h.t, errors.Join(c.QueryRow(h.t.Context(), query).Scan(&text), c.Close(context.Background())))
	return text
}

// archived waits until all that was written so far is in the archive.
func (h *house) archived() {
	h.t.Helper()
	file := h.ask("SELECT pg_walfile_name(pg_switch_wal())")
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err := os.Stat(h.place("/srv/archive/" + file)); err == nil {
			return
		}
		if time.Now().After(end) {
			h.t.Fatalf("%s is not archived", file)
		}
	}
}

// load gives a right PIN again and again, until stop.
func (h *house) load() (stop func() int) {
	quit, n := make(chan struct{}), 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-quit:
				return
			default:
				h.wants("under load", "busy", h.pins["busy"], "right")
				n++
			}
		}
	})
	return func() int { close(quit); wg.Wait(); return n }
}

// TestRunbook: a base backup under load; the server lost with what was not archived, and
// restored; and then taken back to an earlier moment.
func TestRunbook(t *testing.T) {
	h := newHouse(t)
	h.does("## Backup", 0)
	for i, name := range []string{"still", "guessed", "changed", "renewed", "busy"} {
		h.enroll(name, i, "83516"+string(rune('2'+i)))
	}
	stop := h.load()
	h.does("## Backup", 1)
	if n := stop(); n == 0 {
		t.Fatal("there was no load")
	}
	h.change("changed", "605193")
	h.wrong("guessed", 3)
	h.moment = h.ask("SELECT now()::text")
	time.Sleep(10 * time.Millisecond) // the moment is over
	h.change("renewed", "716204")
	h.wrong("guessed", 2)
	h.enroll("late", 5, "492715")
	h.archived()
	// What only the lost disk and the keepers have.
	h.change("changed", "827315")
	h.wrong("guessed", 1)
	h.Channel("stopped-since")
	h.backToTheEnd()
	h.dumped()
	h.backToTheMoment()
}

// backToTheEnd loses the server, with its disk.
func (h *house) backToTheEnd() {
	must(h.t, h.on.Kill())
	h.lost = true
	h.starts = func() {
		h.Open()
		h.wants("before the restore is accepted", "still", h.pins["still"], "right")
		h.wants("before the restore is accepted", "changed", h.pins["changed"], "unavailable")
		h.wants("before the restore is accepted", "changed", "605193", "unavailable")
		h.wants("before the restore is accepted", "guessed", h.pins["guessed"], "unavailable")
		h.Close()
	}
	h.does("### Runbook: the server is lost", 0)
	h.does("### Runbook: the server is lost", 1)
	h.lost = false
	h.Open()
	h.accepted("after the server was lost")
	h.wants("after the server was lost", "late", h.pins["late"], "right")
	h.Channel("stopped-again") // heads is above what the next restore brings
}

// accepted: PINs, guesses and locks are the keepers'.
func (h *house) accepted(when string) {
	h.t.Helper()
	for _, name := range []string{"still", "changed", "renewed", "busy"} {
		h.wants(when, name, h.pins[name], "right")
	}
	h.wants(when, "changed", "605193", "wrong_pin")
	h.wants(when, "guessed", h.pins["guessed"], "locked") // six, whichever of them the database lost
	if err := h.Authority().Ready(h.t.Context()); err != nil {
		h.t.Errorf("%s: %v", when, err)
	}
}

// dumped tries a logical dump, in a database of its own.
func (h *house) dumped() {
	h.Close()
	before, err := config.Load(h.Dir)
	must(h.t, err)
	for _, line := range steps(h.t, "## Backup", 2) {
		h.sh(strings.TrimPrefix(line, "db$ "))
	}
	must(h.t, config.MoveDatabase(h.Dir, h.on.DSN("liuma_from_dump"), ""))
	h.Open()
	h.accepted("from a dump")
	h.Close()
	must(h.t, config.MoveDatabase(h.Dir, before.Database, ""))
	h.Open()
}

// backToTheMoment goes back on purpose.
func (h *house) backToTheMoment() {
	h.archived()
	h.starts = func() {
		h.Open()
		h.wants("before the moment is accepted", "guessed", h.pins["guessed"], "unavailable")
		h.wants("before the moment is accepted", "renewed", h.pins["renewed"], "unavailable")
		h.Close()
	}
	h.does("### Runbook: back to an earlier moment", 0)
	h.Open()
	h.accepted("back at the moment")
	if got := h.answer("late", h.pins["late"]); got == "right" {
		h.t.Error("a card of after the moment is there")
	}
	v, err := h.Authority().Enroll(h.t.Context(), h.channel, h.EnrollRequest(h.channel, h.People[5], "385927"))
	if err == nil && v.Verdict == liuma.Right {
		h.t.Errorf("a card that keepers know was enrolled anew: %+v", v)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

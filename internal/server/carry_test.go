package server_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/testkit"
)

func silent(postgres.Carrying) {}

// carriable is a directory whose database is a file that no process works with.
type carriable struct {
	*testkit.Env
	channel authority.Caller
	cards   []store.Handle
	c, to   config.Config
}

func newCarriable(t *testing.T) carriable {
	t.Helper()
	testkit.FileOnly(t)
	e := carriable{Env: testkit.New(t, testkit.Options{})}
	e.channel = e.Channel("zj-hrss")
	for _, f := range e.People[:3] {
		e.cards = append(e.cards, e.Enroll(e.channel, f, "835162"))
	}
	if _, err := e.System.Record.Digest(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Close()
	var err error
	if e.c, err = config.Load(e.Dir); err != nil {
		t.Fatal(err)
	}
	e.to = e.c
	e.to.Database = pgtest.New(t, nil)
	return e
}

// serves opens the directory on the new database and has holders give their PINs: a
// keeper refuses a card that looks put back.
func (e carriable) serves(t *testing.T) {
	t.Helper()
	if err := config.MoveDatabase(e.Dir, e.to.Database, ""); err != nil {
		t.Fatal(err)
	}
	e.Open()
	for _, card := range e.cards {
		if v := e.Verify(e.channel, card, "835162"); v.Verdict != liuma.Right {
			t.Errorf("after the move: %+v", v)
		}
	}
}

func execOn(t *testing.T, dsn, text string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), text)
	if err := errors.Join(err, conn.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
}

// TestCarry: everything that was in the file is on the server, holders go on with their
// PINs, the file is as it was, and a database that was served is not carried into.
func TestCarry(t *testing.T) {
	e := newCarriable(t)
	before, err := os.ReadFile(e.c.Database)
	if err != nil {
		t.Fatal(err)
	}
	compared := map[string]bool{}
	if err := server.Carry(t.Context(), e.c, e.to, func(p postgres.Carrying) {
		compared[p.Table] = p.Checking
	}); err != nil {
		t.Fatal(err)
	}
	if !compared["cards"] || !compared["audit"] || !compared["starts"] {
		t.Errorf("compared %v", compared)
	}
	if err := server.Carry(t.Context(), e.c, e.to, silent); err != nil {
		t.Errorf("once more, before anybody opened it: %v", err)
	}
	if after, err := os.ReadFile(e.c.Database); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed: %v", err)
	}
	e.serves(t)
	if err := server.Carry(t.Context(), e.c, e.to, silent); !errors.Is(err, postgres.ErrInUse) {
		t.Errorf("into a database that is served: %v", err)
	}
	e.Close()
	if err := server.Carry(t.Context(), e.c, e.to, silent); !errors.Is(err, postgres.ErrNotEmpty) {
		t.Errorf("into a database that was served: %v", err)
	}
	if err := server.Carry(t.Context(), e.to, e.to, silent); !errors.Is(err, server.ErrOnServer) {
		t.Errorf("from a server: %v", err)
	}
}

// TestCarryRefuses: a file that is served, rows that fail their seals on either side, rows
// that somebody put into the target, and another authority's unfinished rows.
func TestCarryRefuses(t *testing.T) {
	e := newCarriable(t)
	e.Open()
	if err := server.Carry(t.Context(), e.c, e.to, silent); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("from a file that is served: %v", err)
	}
	e.Close()
	half, stop := context.WithCancel(t.Context())
	err := server.Carry(half, e.c, e.to, func(p postgres.Carrying) {
		if p.Table == "cards" && p.Rows > 0 {
			stop()
		}
	})
	if err == nil {
		t.Fatal("was not interrupted")
	}
	// Nobody takes the half for the whole.
	if _, err := server.OpenData(t.Context(), e.to, server.Options{}); !errors.Is(err, postgres.ErrUnfinished) {
		t.Errorf("half a database: %v, want %v", err, postgres.ErrUnfinished)
	}
	if err := server.Init(t.Context(), filepath.Join(t.TempDir(), "other"), e.to); !errors.Is(err, postgres.ErrNotEmpty) {
		t.Errorf("another authority on half a database: %v", err)
	}
	other := newCarriable(t)
	into := other.to
	into.Database = e.to.Database
	if err := server.Carry(t.Context(), other.c, into, silent); !errors.Is(err, postgres.ErrOtherSource) {
		t.Errorf("another authority's unfinished rows: %v", err)
	}
	execOn(t, e.to.Database, "UPDATE cards SET rev = rev - 1")
	if err := server.Carry(t.Context(), e.c, e.to, silent); !errors.Is(err, postgres.ErrDiffers) {
		t.Errorf("rows that were altered on the server: %v", err)
	}
	// The file went on: what was carried is dropped, and carried anew.
	e.Open()
	e.Verify(e.channel, e.cards[0], "835162")
	e.Close()
	if err := server.Carry(t.Context(), e.c, e.to, silent); err != nil {
		t.Fatal(err)
	}
	e.serves(t)
	other.Open()
	other.SQL("UPDATE cards SET body = x'00'")
	other.Close()
	if err := server.Carry(t.Context(), other.c, other.to, silent); !errors.Is(err, store.ErrSeal) {
		t.Errorf("from a file with altered rows: %v", err)
	}
}

// Variables of the process that is killed.
const (
	carryDir = "LIUMA_TEST_CARRY_DIR"
	carryTo  = "LIUMA_TEST_CARRY_TO"
)

// TestCarryChild is the process that TestCarryKilled kills.
func TestCarryChild(t *testing.T) {
	if os.Getenv(carryDir) == "" {
		t.Skip("for TestCarryKilled")
	}
	c, err := config.Load(os.Getenv(carryDir))
	if err != nil {
		t.Fatal(err)
	}
	to := c
	to.Database = os.Getenv(carryTo)
	if err := server.Carry(t.Context(), c, to, func(postgres.Carrying) { time.Sleep(2 * time.Millisecond) }); err != nil {
		t.Fatal(err)
	}
}

// TestCarryKilled kills the process at later and later moments, until it comes through.
func TestCarryKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes")
	}
	e := newCarriable(t)
	killed := 0
	for after := 100 * time.Millisecond; ; after += max(60*time.Millisecond, after/5) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCarryChild$")
		cmd.Env = append(os.Environ(), carryDir+"="+e.Dir, carryTo+"="+e.to.Database)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		if kill.Stop() {
			if err != nil {
				t.Fatalf("after %d kills: %v\n%s", killed, err, &said)
			}
			break
		}
		killed++
	}
	t.Logf("killed %d times", killed)
	e.serves(t)
}

package server_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

func silent(postgres.Carrying) {}

// carriable is a directory of a file, with people, cards and many clients, that no
// process works with, and its configuration with the database on a server.
func carriable(t *testing.T) (e *testkit.Env, c, to config.Config) {
	t.Helper()
	testkit.FileOnly(t)
	e = testkit.New(t, testkit.Options{})
	ch := e.Channel("zj-hrss")
	for _, f := range e.People[:3] {
		e.Verify(ch, e.Enroll(ch, f, "835162"), "835162")
	}
	if err := e.System.Record.Digest(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Close()
	c = e.Config
	to = c
	to.Database = pgtest.New(t, nil)
	return e, c, to
}

func sqlOn(t *testing.T, dsn, text string, into ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if len(into) == 0 {
		_, err = conn.Exec(t.Context(), text)
	} else {
		err = conn.QueryRow(t.Context(), text).Scan(into...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestCarry: everything that was in the file is on the server, no card looks put back,
// holders go on with their PINs, and the file is as it was.
func TestCarry(t *testing.T) {
	e, c, to := carriable(t)
	before, err := os.ReadFile(c.Database)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	if err := server.Carry(t.Context(), c, to, func(p postgres.Carrying) { seen[p.Table] = seen[p.Table] || p.Checking && p.Rows == p.Of }); err != nil {
		t.Fatal(err)
	}
	if !seen["cards"] || !seen["audit"] {
		t.Errorf("progress told of %v", seen)
	}
	after, err := os.ReadFile(c.Database)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed: %v", err)
	}
	if err := server.Carry(t.Context(), c, to, silent); err != nil {
		t.Errorf("once more, before anybody opened it: %v", err)
	}
	system, err := server.Open(t.Context(), to, server.Options{Machine: e.Machine()})
	if err != nil {
		t.Fatal(err)
	}
	err = system.Store.View(t.Context(), func(r store.Reader) error {
		for _, f := range e.People[:3] {
			if _, err := r.CardOf(e.System.Vault.Index("holder", []byte(f.ID))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := system.Close(); err != nil {
		t.Error(err)
	}
	if err := server.Carry(t.Context(), c, to, silent); !errors.Is(err, postgres.ErrNotEmpty) {
		t.Errorf("into a database that was served: %v", err)
	}
}

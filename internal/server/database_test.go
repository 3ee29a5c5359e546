package server_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
)

// TestDatabaseOnAServer: one line of the configuration puts the database on a server, for
// one authority at a time; what is for a file says so.
func TestDatabaseOnAServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	c := config.Default()
	c.Database = pgtest.New(t, nil)
	if err := server.Init(t.Context(), dir, c); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Errorf("config check: %v", err)
	}
	if got := server.RegionsFile(c); filepath.Dir(got) != dir {
		t.Errorf("the list of regions is looked for at %s", got)
	}
	system, err := server.Open(t.Context(), c, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := system.Backup(t.Context(), filepath.Join(t.TempDir(), "copy.db")); !errors.Is(err, server.ErrNoFile) {
		t.Errorf("a backup: %v, want %v", err, server.ErrNoFile)
	}
	if _, err := server.OpenData(t.Context(), c, server.Options{}); !server.InUse(err) {
		t.Errorf("a second process: %v", err)
	}
	if err := system.Close(); err != nil {
		t.Error(err)
	}
	again, err := server.OpenData(t.Context(), c, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	d := config.Default()
	d.Database = c.Database
	// The second authority has keys of its own, and would read nothing of what is there.
	if system, err = server.Open(t.Context(), c, server.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := system.Close(); err != nil {
		t.Error(err)
	}
	if err := server.Init(t.Context(), other, d); !errors.Is(err, postgres.ErrNotEmpty) {
		t.Errorf("another authority on the same database: %v, want %v", err, postgres.ErrNotEmpty)
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("a directory was made for it all the same")
	}
}

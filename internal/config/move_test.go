package config_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/config"
)

// TestMoveDatabase: the lines of the database change, and no other byte; the file keeps
// its mode, and a second change works as the first did.
func TestMoveDatabase(t *testing.T) {
	const address = "postgres://liuma@127.0.0.1/liuma?sslmode=disable&application_name=a:#b"
	dir := t.TempDir()
	if err := config.Write(dir, config.Default()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, config.FileName)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := config.MoveDatabase(dir, address, "/etc/liuma/database.password"); err != nil {
			t.Fatal(err)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	back := strings.Replace(string(after), config.DatabaseLines(address, "/etc/liuma/database.password"), "database: liuma.db\n", 1)
	if back != string(before) {
		t.Errorf("more than the lines of the database changed:\n%s", after)
	}
	c, err := config.Load(dir)
	if err != nil || c.Database != address || c.DatabasePassword != "/etc/liuma/database.password" {
		t.Errorf("reads as %q, %q, %v", c.Database, c.DatabasePassword, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.partial")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	// Lines that a person wrote in another way are left to a person.
	odd := bytes.Replace(before, []byte("database: liuma.db\n"), []byte("database: >-\n  liuma.db\n"), 1)
	if err := os.WriteFile(path, odd, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.MoveDatabase(dir, address, ""); !errors.Is(err, config.ErrLines) {
		t.Errorf("odd lines: %v, want %v", err, config.ErrLines)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, odd) {
		t.Errorf("was changed all the same: %v", err)
	}
}

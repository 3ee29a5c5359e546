// Package mishap does harm to a database file while a server has it open: files
// are moved, the disk becomes full. It guarantees that the tests of both SQLite
// packages, the authority's and the ledger's, use the same mishaps. It trusts
// nothing, and no program imports it.
//
// Start here: Moves, then SmallDisk.
package mishap

import (
	"errors"
	"os"
	"path/filepath"
)

// Move takes files away from an open database, or replaces them. putBack
// restores the old names.
type Move func(path string) (putBack func() error, err error)

// Moves lists, by name, the moves that a database must notice. The database
// must be in a directory of its own, because that is moved as well.
func Moves() map[string]Move {
	moves := map[string]Move{
		"directory renamed":  func(path string) (func() error, error) { return away(filepath.Dir(path)) },
		"directory replaced": replaceDirectory,
	}
	for name, suffix := range map[string]string{"database": "", "log": "-wal", "index of the log": "-shm", "lock": ".lock"} {
		moves[name+" removed"] = func(path string) (func() error, error) { return remove(path + suffix) }
		moves[name+" renamed"] = func(path string) (func() error, error) { return away(path + suffix) }
		moves[name+" replaced"] = func(path string) (func() error, error) { return replace(path + suffix) }
	}
	return moves
}

func keptAs(path string) string { return path + ".kept" }

// away renames a file or a directory.
func away(path string) (func() error, error) {
	return func() error { return os.Rename(keptAs(path), path) }, os.Rename(path, keptAs(path))
}

// remove keeps the file under another name only so that it can be put back: a
// process that has it open sees no difference.
func remove(path string) (func() error, error) {
	err := errors.Join(os.Link(path, keptAs(path)), os.Remove(path))
	return func() error { return os.Rename(keptAs(path), path) }, err
}

// replace renames a copy over the file, as restoring a backup does.
func replace(path string) (func() error, error) {
	err := errors.Join(os.Link(path, keptAs(path)), copyFile(path, path+".copy"), os.Rename(path+".copy", path))
	return func() error { return os.Rename(keptAs(path), path) }, err
}

func replaceDirectory(path string) (func() error, error) {
	dir := filepath.Dir(path)
	if _, err := away(dir); err != nil {
		return nil, err
	}
	err := os.CopyFS(dir, os.DirFS(keptAs(dir)))
	return func() error { return errors.Join(os.RemoveAll(dir), os.Rename(keptAs(dir), dir)) }, err
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

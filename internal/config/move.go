package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"

	"github.com/liuma-pin/liuma/internal/sqlitefile"
)

// ErrLines is returned where the file's lines about the database are not as Write makes
// them, so that a person changes them.
var ErrLines = errors.New("config: the lines of the database are not plain ones; change them by hand")

// DatabaseLines are the lines of a configuration that name its database.
func DatabaseLines(database, passwordFile string) string {
	lines := "database: " + strconv.Quote(database) + "\n"
	if passwordFile != "" {
		lines += "database_password_file: " + strconv.Quote(passwordFile) + "\n"
	}
	return lines
}

// MoveDatabase changes the lines of the database in the file, and no other byte. The file is
// replaced as a whole: a crash leaves the one or the other. ErrLines: nothing was changed.
func MoveDatabase(dir, database, passwordFile string) error {
	path, err := filepath.EvalSymlinks(filepath.Join(dir, FileName))
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	moved, err := moved(old, database, passwordFile)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), FileName+".*.partial")
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	_, err = f.Write(moved)
	if err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("config: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return sqlitefile.SyncDir(filepath.Dir(path))
}

// moved is the file with its lines of the database replaced.
func moved(old []byte, database, passwordFile string) ([]byte, error) {
	var out []byte
	done := false
	for line := range bytes.Lines(old) {
		switch {
		case bytes.HasPrefix(line, []byte("database_password_file:")):
			continue
		case bytes.HasPrefix(line, []byte("database:")) && !done:
			out, done = append(out, DatabaseLines(database, passwordFile)...), true
			continue
		}
		out = append(out, line...)
	}
	if !done {
		if len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, '\n')
		}
		out = append(out, DatabaseLines(database, passwordFile)...)
	}
	want, err := Parse(old)
	if err != nil {
		return nil, err
	}
	got, err := Parse(out)
	want.Database, want.DatabasePassword = database, passwordFile
	if err != nil || !reflect.DeepEqual(got, want) {
		return nil, ErrLines
	}
	return out, nil
}

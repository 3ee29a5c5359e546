package config

import (
	"bytes"
	"errors"
	"strconv"
)

// ErrLines is returned if the file's lines about the database are not in the form that
// Write makes, so that a person must change them.
var ErrLines = errors.New("config: the lines of the database are not plain ones; change them by hand")

// DatabaseLines returns the lines of a configuration that name its database.
func DatabaseLines(database, passwordFile string) string {
	lines := "database: " + strconv.Quote(database) + "\n"
	if passwordFile != "" {
		lines += "database_password_file: " + strconv.Quote(passwordFile) + "\n"
	}
	return lines
}

// MoveDatabase changes the lines of the database in the file in dir, and no other byte.
// If it returns ErrLines, nothing was changed.
func MoveDatabase(dir, database, passwordFile string) error {
	return rewrite(dir, ErrLines, func(old []byte, want *Config) ([]byte, error) {
		want.Database, want.DatabasePassword = database, passwordFile
		return moved(old, DatabaseLines(database, passwordFile)), nil
	})
}

// moved returns the file with the lines of the database replaced.
func moved(old []byte, lines string) (out []byte) {
	done := false
	for line := range bytes.Lines(old) {
		switch {
		case bytes.HasPrefix(line, []byte("database_password_file:")):
			continue
		case bytes.HasPrefix(line, []byte("database:")) && !done:
			out, done = append(out, lines...), true
			continue
		}
		out = append(out, line...)
	}
	if done {
		return out
	}
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return append(out, lines...)
}

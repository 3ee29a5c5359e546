package postgres

import (
	"context"
	"io/fs"
	"path"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"
)

// Later is a configuration of a release that has more migrations.
func Later(t testing.TB, c Config, more map[string]string) Config {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range Migrations(t) {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, text := range more {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	c.migrations = files
	return c
}

// Needed is the newest migration that programs must know which go on while those of a
// configuration after current run.
func Needed(c Config, current int64) (need int64, nobody bool, err error) {
	names, err := fs.Glob(c.migrations, "*.sql")
	if err != nil {
		return 0, false, err
	}
	var sources []*goose.Source
	for _, name := range names {
		n, err := goose.NumericComponent(path.Base(name))
		if err != nil {
			return 0, false, err
		}
		sources = append(sources, &goose.Source{Path: name, Version: n})
	}
	return needed(c.migrations, sources, current)
}

// Setting is a setting of the connections that write.
func Setting(s *Store, name string) (value string, err error) {
	err = s.writers.QueryRow(context.Background(), "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

// Migrations are the texts of the migrations that migrate runs, by name.
func Migrations(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name()] = string(text)
	}
	return out
}

package postgres

import (
	"context"
	"testing"
)

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

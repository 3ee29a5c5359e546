package postgres

import (
	"context"
	"embed"
)

// Migrations are the files that migrate runs.
func Migrations() embed.FS { return migrations }

// Setting is a setting of the connections that write.
func Setting(s *Store, name string) (value string, err error) {
	err = s.writers.QueryRow(context.Background(), "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

package postgres

import "context"

// Setting is a setting of the connections that write.
func Setting(s *Store, name string) (value string, err error) {
	err = s.writers.QueryRow(context.Background(), "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

package config

import (
	"errors"

	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/locale"
)

// OnServer reports whether the database is on a PostgreSQL server instead of in a file.
func (c Config) OnServer() bool { return postgres.IsDSN(c.Database) }

// DatabaseSecret reads the password of the database; nil if no file is configured. The
// caller wipes it.
func (c Config) DatabaseSecret() ([]byte, error) {
	if c.DatabasePassword == "" {
		return nil, nil
	}
	return ReadSecret(c.DatabasePassword)
}

func (c Config) validateDatabase() error {
	if !c.OnServer() {
		if c.DatabasePassword != "" {
			return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigDatabaseFile() })
		}
		return nil
	}
	// The address is not shown, because it may contain a password.
	switch err := postgres.CheckDSN(c.Database); {
	case errors.Is(err, postgres.ErrPassword):
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigDatabasePassword() })
	case errors.Is(err, postgres.ErrNotPrivate):
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigDatabaseNetwork() })
	case err != nil:
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigDatabase() })
	}
	return nil
}

package server

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
)

// Errors of Carry.
var (
	// ErrOnServer means that the database is on a server already.
	ErrOnServer = errors.New("server: the database is on a PostgreSQL server already")
	// ErrOlderFile means that the file was written by an earlier release.
	ErrOlderFile = errors.New("server: the file of the database is of an earlier release; start the server once with this one, stop it, and try again")
)

// Carry copies the database of a directory from its SQLite file to the server that the
// configuration to names; in all else to is like c. Carry only reads the file, and holds its
// lease so that no authority works with it meanwhile. Neither the configuration nor the file of
// heads changes. If it is interrupted, call it again. It calls progress after each page.
func Carry(ctx context.Context, c, to config.Config, progress func(postgres.Carrying)) (err error) {
	if c.OnServer() {
		return ErrOnServer
	}
	if !to.OnServer() {
		return postgres.ErrDSN
	}
	if _, err := os.Stat(c.Database); err != nil {
		return err // checked first: taking the lease would make an empty file
	}
	var open closers
	defer func() { err = errors.Join(err, open.close()) }()
	file, err := sqlitefile.Take(c.Database)
	if err != nil {
		return err
	}
	open.add(file.Release)
	v, err := openVaultOf(c, &open)
	if err != nil {
		return err
	}
	from, err := sqlite.OpenCopy(c.Database, sqlite.Config{Seal: v})
	if err != nil {
		return err
	}
	open.add(from.Close)
	switch schema, err := from.Schema(); {
	case err != nil:
		return err
	case schema < sqlite.Newest():
		return ErrOlderFile
	}
	if err := from.Sound(); err != nil {
		return err
	}
	found, err := from.Examine(ctx)
	if err == nil {
		err = postgres.Refused(found)
	}
	if err != nil {
		return fmt.Errorf("the file: %w", err)
	}
	password, err := to.DatabaseSecret()
	if err != nil {
		return err
	}
	defer clear(password)
	return postgres.Carry(ctx, postgres.Config{DSN: to.Database, Password: password, Seal: v}, from, progress)
}

package server

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
)

// ErrNoFile is returned if an act needs the database's file, but the database is on a
// server.
var ErrNoFile = errors.New("server: the database is on a PostgreSQL server, and not a file")

// ErrInside means that several authorities work with the database, but this authority's
// keepers run inside its own process.
var ErrInside = errors.New("server: keepers inside the process belong to one authority, which has the database to itself; with several authorities each keeper is on a machine of its own")

// database says how an opened database seals its rows, and which functions it
// calls.
type database struct {
	seal      rows.Sealer
	alarm     func(table string, err error)
	committed func(card liuma.CardID, read, head uint64)
	stands    func(card liuma.CardID, rev uint64) error
	wrote     func(card liuma.CardID) uint64
	head      rows.SharedHead
	batched   func(updates int) // called after commits to a database file; may be nil
	// name is this authority's name among others; empty if the process has the database to
	// itself.
	name  string
	ended func(store.Peer)
	lost  func() // called once where another authority ended this one; may be nil
	// before, if set, is called before anything that a root key seals is read.
	before func(context.Context, store.Store) error
	prove  func(ctx context.Context, card liuma.CardID, read uint64, now func(context.Context) (uint64, error)) error
}

// open opens the database that a configuration names: a file, or one on a server.
func (d database) open(ctx context.Context, c config.Config) (store.Store, error) {
	if !c.OnServer() {
		return orNil(sqlite.Open(ctx, c.Database, sqlite.Config{Seal: d.seal, Alarm: d.alarm, Committed: d.committed, Stands: d.stands, Head: d.head, Batched: d.batched}))
	}
	password, err := c.DatabaseSecret()
	if err != nil {
		return nil, err
	}
	defer clear(password)
	conf := postgres.Config{DSN: c.Database, Password: password, Name: d.name, Release: process.Release(), Ended: d.ended, Lost: d.lost,
		Seal: d.seal, Alarm: d.alarm, Committed: d.committed, Stands: d.stands, Wrote: d.wrote, Head: d.head, Before: d.before}
	if d.name != "" {
		conf.Prove = d.prove
	}
	return orNil(postgres.Open(ctx, conf))
}

// vacant refuses a database server that does not answer, or a database that already
// holds a record. Init calls it before it makes any key, so that a second try can use
// the same directory.
func vacant(ctx context.Context, c config.Config) error {
	if !c.OnServer() {
		return nil
	}
	password, err := c.DatabaseSecret()
	if err != nil {
		return err
	}
	defer clear(password)
	return postgres.Vacant(ctx, postgres.Config{DSN: c.Database, Password: password})
}

// orNil keeps a nil pointer out of an interface.
func orNil[S store.Store](s S, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// InUse reports whether err means that another process works with the database.
func InUse(err error) bool {
	return errors.Is(err, sqlite.ErrInUse) || errors.Is(err, postgres.ErrInUse)
}

// Backup writes a consistent copy of the database to a new file. It returns ErrNoFile
// if the database is on a server, which must be backed up with the server's own tools.
func (d *Data) Backup(ctx context.Context, path string) error {
	if s, ok := d.Database.(*sqlite.Store); ok {
		return s.Backup(ctx, path)
	}
	return ErrNoFile
}

// bytes returns the size of the database, or zero if it is not known.
func (d *Data) bytes(ctx context.Context) int64 {
	switch s := d.Database.(type) {
	case *sqlite.Store:
		return s.Size()
	case *postgres.Store:
		n, err := s.Size(ctx)
		if err != nil {
			return 0
		}
		return n
	}
	return 0
}

// home returns the directory of the files that belong beside the database: the
// directory of the database's file or, with a database server, the directory of the
// vault's key.
func home(c config.Config) string {
	if c.OnServer() {
		return filepath.Dir(c.Vault)
	}
	return filepath.Dir(c.Database)
}

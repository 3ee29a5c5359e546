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

// ErrNoFile is returned where a file of the database is wanted, and it is on a server.
var ErrNoFile = errors.New("server: the database is on a PostgreSQL server, and not a file")

// ErrInside says that others work with the database, and this authority's keepers are in
// its process.
var ErrInside = errors.New("server: keepers inside the process belong to one authority, which has the database to itself; with several authorities each keeper is on a machine of its own")

// database says how an opened database seals and whom it tells.
type database struct {
	seal      rows.Sealer
	alarm     func(table string, err error)
	committed func(card liuma.CardID, read, head uint64)
	stands    func(card liuma.CardID, rev uint64) error
	wrote     func(card liuma.CardID) uint64
	head      rows.SharedHead
	batched   func(updates int) // hears of commits of a file; nil: nobody
	// name is the authority's among others; empty: the process has the database to itself.
	name  string
	ended func(store.Peer)
	// before, if set, is called before anything is read that a root key seals.
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
	conf := postgres.Config{DSN: c.Database, Password: password, Name: d.name, Release: process.Release(), Ended: d.ended,
		Seal: d.seal, Alarm: d.alarm, Committed: d.committed, Stands: d.stands, Wrote: d.wrote, Head: d.head, Before: d.before}
	if d.name != "" {
		conf.Prove = d.prove
	}
	return orNil(postgres.Open(ctx, conf))
}

// vacant refuses a database on a server that does not answer, or that holds a record
// already, before any key is made: the second try needs no other directory.
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

// InUse reports that another process works with a database.
func InUse(err error) bool {
	return errors.Is(err, sqlite.ErrInUse) || errors.Is(err, postgres.ErrInUse)
}

// Backup writes a consistent copy of the database to a new file. ErrNoFile: it is on a
// server, which has its own ways.
func (d *Data) Backup(ctx context.Context, path string) error {
	if s, ok := d.Database.(*sqlite.Store); ok {
		return s.Backup(ctx, path)
	}
	return ErrNoFile
}

// bytes is the size of the database; zero: not known.
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

// home is the directory that files beside the database stand in: that of its file, or
// where it is on a server that of the vault's key.
func home(c config.Config) string {
	if c.OnServer() {
		return filepath.Dir(c.Vault)
	}
	return filepath.Dir(c.Database)
}

package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/locale"
)

// migrateStoreCmd is "liuma migrate-store".
type migrateStoreCmd struct {
	To           string `arg:"" name:"address"`
	PasswordFile string `name:"database-password-file" placeholder:"FILE"`
	Print        bool   `name:"print"`
}

// Run moves the database to the server. The configuration is changed at the very end.
func (a *migrateStoreCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	to := conf
	to.Database = a.To
	if to.DatabasePassword, err = absolute(a.PasswordFile); err != nil {
		return err
	}
	if !to.OnServer() {
		return wrongUse("liuma migrate-store", func(w *locale.Words) string { return w.Refused.ConfigDatabase() })
	}
	if err := to.Validate(); err != nil {
		return err
	}
	if err := a.carry(ctx, t, conf, to); err != nil {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return refuse(func(w *locale.Words) string { return w.Refused.MigrateNone(conf.Database) })
		case errors.Is(err, sqlite.ErrInUse):
			return refuse(func(w *locale.Words) string { return w.Refused.DataInUse(c.Data) })
		}
		return err
	}
	if err := t.line(t.shown().MigrateDone(postgres.Name(a.To))); err != nil {
		return err
	}
	file, lines := filepath.Join(c.Data, config.FileName), config.DatabaseLines(a.To, to.DatabasePassword)
	if !a.Print {
		err = config.MoveDatabase(c.Data, a.To, to.DatabasePassword)
	}
	switch {
	case a.Print, errors.Is(err, config.ErrLines):
		return t.line(t.shown().MigrateByHand(file) + "\n\n" + strings.TrimSpace(lines))
	case err != nil:
		return err
	}
	return t.line(t.shown().MigrateConfigured(file, conf.Database))
}

// carry shows the progress: a bar for each table if a person is watching.
func (a *migrateStoreCmd) carry(ctx context.Context, t *terminal, from, to config.Config) error {
	var at postgres.Carrying
	var bar *progress.Bar
	done := func() {
		if bar != nil {
			bar.Done()
		}
	}
	defer func() { done() }()
	return server.Carry(ctx, from, to, func(p postgres.Carrying) {
		if p.Of == 0 {
			return
		}
		if p.Table != at.Table || p.Checking != at.Checking {
			done()
			label := t.shown().MigrateCopying(p.Table)
			if p.Checking {
				label = t.shown().MigrateChecking(p.Table)
			}
			bar = progress.Count(t.err, label, p.Of, isTerminal(t.err))
		}
		at = p
		bar.Set(p.Rows)
	})
}

package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	admindoor "github.com/liuma-pin/liuma/internal/door/admin"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// load reads the configuration of the data directory.
func (c *cli) load() (config.Config, error) {
	conf, err := config.Load(c.Data)
	if errors.Is(err, fs.ErrNotExist) {
		return conf, refuseFor(err, func(w *locale.Words, _ string) string { return w.Refused.DataNone(c.Data, config.FileName) })
	}
	if err != nil {
		return conf, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.DataConfig(why) })
	}
	return conf, nil
}

// administer runs f on the administration of the data directory: the running
// server's, or one of its own.
func (c *cli) administer(ctx context.Context, t *terminal, f func(admin.Administration) error) (err error) {
	conf, err := c.load()
	if err != nil {
		return err
	}
	a, err := server.Administer(ctx, server.AdministerConfig{Dir: c.Data, Config: conf, Origin: from()})
	if errors.Is(err, sqlite.ErrInUse) {
		return &inUseError{c.Data}
	}
	if err != nil {
		return explainOpen(c.Data, err)
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return f(a)
}

// inUseError says that another process holds the data directory and does not
// answer at its socket.
type inUseError struct{ dir string }

func (e *inUseError) Error() string {
	return e.Told(locale.In(locale.English), nil)
}

// Told is the error in a language.
func (e *inUseError) Told(w *locale.Words, _ func(error) string) string {
	return w.Refused.DataInUseSilent(e.dir, admindoor.SocketName)
}

func (e *inUseError) Unwrap() error { return sqlite.ErrInUse }

// explainOpen adds the next step to the error of a data directory that cannot be opened.
func explainOpen(dir string, err error) error {
	switch {
	case errors.Is(err, sqlite.ErrInUse):
		return refuse(func(w *locale.Words) string { return w.Refused.DataInUse(dir) })
	case errors.Is(err, postgres.ErrInUse):
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.DataInUseServer(dir, why) })
	case errors.Is(err, ledger.ErrLeased):
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.DataLeased(dir, why) })
	case errors.Is(err, keeper.ErrTooFew):
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.DataTooFew(dir, why) })
	case errors.Is(err, sqlite.ErrTooNew), errors.Is(err, postgres.ErrTooNew):
		return refuse(func(w *locale.Words) string { return w.Refused.DataTooNew(dir) })
	case errors.Is(err, store.ErrOldDatabase), errors.Is(err, vault.ErrNoHeads):
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.DataOld(dir, why) })
	case errors.Is(err, vault.ErrHeads):
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.DataHeads(dir, why) })
	}
	return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.DataClosed(dir, why) })
}

// onFile refuses a command that works with a database file, if the database is on a server.
func (c *cli) onFile(conf config.Config) error {
	if !conf.OnServer() {
		return nil
	}
	return refuseFor(server.ErrNoFile, func(w *locale.Words, _ string) string { return w.Refused.DataServer(c.Data) })
}

// create makes a file that must not exist yet. done keeps it after success, and removes it
// otherwise.
func create(path string, mode fs.FileMode) (f *os.File, done func(error) error, err error) {
	f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil, nil, refuse(func(w *locale.Words) string { return w.Refused.DataExists(path) })
	}
	if err != nil {
		return nil, nil, err
	}
	return f, func(err error) error {
		if err == nil {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
		if err != nil {
			return errors.Join(err, os.Remove(path))
		}
		return nil
	}, nil
}

// maxKeyFile is the largest key file, in bytes.
const maxKeyFile = 64 << 10

// readKey reads the public key of a client.
func readKey(path string) (raw []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.DataKeyFile(why) })
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
		return nil, refuse(func(w *locale.Words) string { return w.Refused.DataKeyFileSize(filepath.Base(path), num(maxKeyFile)) })
	}
	return os.ReadFile(path)
}

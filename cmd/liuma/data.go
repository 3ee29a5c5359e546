package main

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// load reads the configuration of the data directory.
func (c *cli) load() (config.Config, error) {
	conf, err := config.Load(c.Data)
	if errors.Is(err, fs.ErrNotExist) {
		return conf, fmt.Errorf("%s is not a data directory (it has no %s); make one with 'liuma init DIR', or name one with --data or LIUMA_DATA", c.Data, config.FileName)
	}
	return conf, err
}

// administer runs f on the administration of the data directory: the running
// server's, or one of its own.
func (c *cli) administer(ctx context.Context, t *terminal, f func(admin.Administration) error) (err error) {
	conf, err := c.load()
	if err != nil {
		return err
	}
	a, err := server.Administer(ctx, server.AdministerConfig{Dir: c.Data, Config: conf})
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
	return fmt.Sprintf("%s is in use by another process, which does not answer at %s: it may be starting or stopping, or another command may be at work; wait a moment and try again, and see the server's log if that does not help",
		e.dir, admindoor.SocketName)
}

func (e *inUseError) Unwrap() error { return sqlite.ErrInUse }

// explainOpen adds the next step to the error of a data directory that does not
// open.
func explainOpen(dir string, err error) error {
	switch {
	case errors.Is(err, sqlite.ErrInUse):
		return fmt.Errorf("%s is in use by another process; stop 'liuma serve' there, or wait until the other command is done, and try again", dir)
	case errors.Is(err, ledger.ErrLeased):
		return fmt.Errorf("%s does not open: another process has the directory of a keeper; stop it, and try again: %w", dir, err)
	case errors.Is(err, keeper.ErrTooFew):
		return fmt.Errorf("%s does not open: %w. Look whether their disks are mounted; if they are lost, restore those directories, with the database of the same moment, from a backup ('Lost keepers' in docs/OPERATIONS.md)", dir, err)
	case errors.Is(err, sqlite.ErrTooNew):
		return fmt.Errorf("%s was written by a later release of liuma; use that release, or restore a backup", dir)
	case errors.Is(err, store.ErrOldDatabase), errors.Is(err, vault.ErrNoHeads):
		return fmt.Errorf("%s does not open: %w. If you restored it on purpose, record that with 'liuma heads accept --reason TEXT'; if not, somebody put an old database back or took the file away: restore the newest backup, and see docs/OPERATIONS.md", dir, err)
	case errors.Is(err, vault.ErrHeads):
		return fmt.Errorf("%s does not open: %w. Restore the file from the newest backup; without one, remove it and see 'liuma heads accept --help'", dir, err)
	}
	return fmt.Errorf("%s does not open: %w", dir, err)
}

// create makes a file that must not exist yet. done keeps it if the command
// went well, and removes it otherwise.
func create(path string, mode fs.FileMode) (f *os.File, done func(error) error, err error) {
	f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil, nil, fmt.Errorf("%s exists already; choose another name, or remove it first", path)
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

// maxKeyFile bounds the size of a key file, in bytes.
const maxKeyFile = 64 << 10

// readKey reads the public key of a client.
func readKey(path string) (raw []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
		return nil, fmt.Errorf("key file %s: not a file of at most %d bytes", filepath.Base(path), maxKeyFile)
	}
	return os.ReadFile(path)
}

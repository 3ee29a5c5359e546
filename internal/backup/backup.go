// Package backup makes backups of a data directory, beside the server that
// works with it, examines them, and puts them into a new directory.
//
// It guarantees that a backup shows one moment: the database is one snapshot,
// and keepers, if requested, are copied after it, so that no keeper is behind
// the sequence that the database remembers; that a directory with a backup's
// name is a whole backup, because it gets its name last; that nothing is ever
// overwritten; that only their owner can read the files; and that the keys
// which open a backup, and the keepers, are in it only if requested. The file
// of heads is never in it: it exposes an old database (I-13), and could not do
// that if it were restored together with the database.
//
// It trusts everybody who may read the data directory.
//
// Start here: Make, then Check in check.go and Restore in restore.go.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Errors that callers act on.
var (
	// ErrExists means that the place of a new backup, or of a restored
	// directory, is not empty. Nothing was changed.
	ErrExists = errors.New("backup: there is something already")
	// ErrNotWhole means that a directory is no backup, or an interrupted one.
	ErrNotWhole = errors.New("backup: not a whole backup")
	// ErrDamaged means that files differ from what was written.
	ErrDamaged = errors.New("backup: damaged")
	// ErrNoVault means that a backup has no vault key, and that no other was
	// named.
	ErrNoVault = errors.New("backup: no vault key")
)

// partial is the suffix of a backup's name while the backup is being made.
const partial = ".partial"

// Plan says what to make a backup of. Data, Config and To are required.
type Plan struct {
	Data    string        // the data directory
	Config  config.Config // the directory's configuration
	To      string        // the new directory
	Vault   bool          // include the vault key: then whoever has the backup can read personal data
	Keepers bool          // include the keepers: together with the vault key, every PIN can be found
	Token   vault.Token   // the token that the vault key is sealed to, if any
	Release string        // release of this program
	Now     func() time.Time
}

// Make makes a backup. Either the directory's server goes on working, or the
// caller holds the directory's lease. It returns ErrExists if the place is
// taken. After an error no backup is left, not even a part of one; a crash
// leaves a directory with the suffix .partial.
func Make(ctx context.Context, p Plan) (m Manifest, err error) {
	p.To = filepath.Clean(p.To)
	stage := p.To + partial
	if err := vacant(p.To); err != nil {
		return m, err
	}
	if err := os.Mkdir(stage, 0o700); errors.Is(err, fs.ErrExist) {
		return m, fmt.Errorf("%w: %s is being made, or was left by one that was interrupted; remove it then", ErrExists, stage)
	} else if err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("backup: %w", err), os.RemoveAll(stage))
		}
	}()
	m = Manifest{Format: format, Made: p.Now().UTC().Truncate(time.Second), Release: p.Release, Issuer: p.Config.Issuer, Shape: p.Config.Keepers.Shape}
	names, err := p.gather(ctx, stage)
	if err != nil {
		return m, err
	}
	if err := m.describe(ctx, stage, vault.KeyFile{Path: p.Config.Vault, Token: p.Token}); err != nil {
		return m, err
	}
	for _, name := range names {
		f, err := sum(stage, name)
		if err != nil {
			return m, err
		}
		m.Files = append(m.Files, f)
	}
	if err := m.write(stage); err != nil {
		return m, err
	}
	// The last step gives the directory its name.
	if err := errors.Join(vacant(p.To), ctx.Err()); err != nil {
		return m, err
	}
	if err := os.Rename(stage, p.To); err != nil {
		return m, err
	}
	return m, diskfile.SyncDir(filepath.Dir(p.To))
}

func vacant(path string) error {
	_, err := os.Lstat(path)
	if err == nil {
		return fmt.Errorf("%w: %s; choose another name", ErrExists, path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// gather copies the files and returns their names. The database goes first, so
// that the vault key and the keepers are never older: a keeper stops if its
// ledger is older than the database remembers.
func (p Plan) gather(ctx context.Context, stage string) ([]string, error) {
	names := []string{databaseFile, config.FileName}
	if err := sqlitefile.Snapshot(ctx, p.Config.Database, filepath.Join(stage, databaseFile)); err != nil {
		return nil, err
	}
	if err := copyFile(filepath.Join(p.Data, config.FileName), filepath.Join(stage, config.FileName)); err != nil {
		return nil, err
	}
	if p.Vault {
		names = append(names, vaultFile)
		if err := copyFile(p.Config.Vault, filepath.Join(stage, vaultFile)); err != nil {
			return nil, err
		}
	}
	if !p.Keepers {
		return names, nil
	}
	for i, from := range p.Config.Keepers.Directories {
		to := filepath.Join(stage, filepath.FromSlash(keeperName(i+1, "")))
		if err := os.MkdirAll(to, 0o700); err != nil {
			return nil, err
		}
		if err := copyFile(filepath.Join(from, keeperFile), filepath.Join(to, keeperFile)); err != nil {
			return nil, err
		}
		if err := sqlitefile.Snapshot(ctx, filepath.Join(from, ledgerFile), filepath.Join(to, ledgerFile)); err != nil {
			return nil, err
		}
		names = append(names, keeperName(i+1, keeperFile), keeperName(i+1, ledgerFile))
	}
	return names, nil
}

// describe reads the manifest's facts about the database from the copy.
func (m *Manifest) describe(ctx context.Context, stage string, key vault.KeyFile) (err error) {
	v, err := key.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	c, err := sqlite.OpenCopy(filepath.Join(stage, databaseFile), sqlite.Config{Seal: v})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	m.Database, err = databaseOf(ctx, c)
	return err
}

// databaseOf reads a database's facts from its sealed rows.
func databaseOf(ctx context.Context, c *sqlite.Copy) (d Database, err error) {
	if d.Schema, err = c.Schema(); err != nil {
		return d, err
	}
	err = c.View(ctx, func(r store.Reader) error {
		var kept clock.State
		var last store.Digest
		var errs [4]error
		d.Clients, errs[0] = r.Shared()
		d.Cards, errs[1] = r.CountCards()
		kept, errs[2] = r.Clock()
		d.Time = kept.High.UTC()
		if last, errs[3] = r.LastDigest(); errors.Is(errs[3], store.ErrNotFound) {
			errs[3] = nil
		}
		d.Digest = last.Number
		return errors.Join(errs[:]...)
	})
	return d, err
}

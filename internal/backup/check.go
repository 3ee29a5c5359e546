package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Question says what to check. Dir is required.
type Question struct {
	Dir string // the backup
	// Vault is a key file. Default: the backup's own, or that of Against.
	Vault string
	// Token is the token that the key file is sealed to, if it is.
	Token vault.Token
	// Against is the configuration of the data directory whose keepers and file
	// of heads the backup would be put beside; nil compares with the keepers of
	// the backup, if it has any.
	Against *config.Config
}

// Report is what a check found.
type Report struct {
	Manifest Manifest
	Damage   error // files that are not what was written; nothing further was looked at
	Rows     int64 // sealed rows
	Refused  []rows.Examined
	Record   audit.Examined
	Finding  *audit.Finding // the first fault of the record
	Beside   *Beside        // nil: there was nothing to compare with
}

// Sound reports whether the backup is what was written.
func (r Report) Sound() bool { return r.Damage == nil && len(r.Refused) == 0 && r.Finding == nil }

// Check examines a backup: its checksums, the structure of its database, the
// seals of all rows, the chain of the record, and how it would stand beside the
// keepers and the file of heads that there are. It changes nothing. An error says
// that it could not be examined; what is wrong with it is in the Report.
// Errors: ErrNotWhole, ErrNoVault, sqlite.ErrTooNew.
func Check(ctx context.Context, q Question) (r Report, err error) {
	if r.Manifest, err = ReadManifest(q.Dir); err != nil {
		return r, err
	}
	if r.Damage = r.Manifest.compare(q.Dir); r.Damage != nil {
		return r, nil
	}
	key := q.keyFile(r.Manifest)
	if key == "" {
		return r, ErrNoVault
	}
	v, err := vault.KeyFile{Path: key, Token: q.Token}.Open()
	if err != nil {
		return r, fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	c, schema, done, err := open(ctx, filepath.Join(q.Dir, databaseFile), v)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if r.Damage = c.Sound(); r.Damage != nil {
		return r, nil
	}
	if err := r.seals(ctx, c); err != nil || len(r.Refused) > 0 {
		return r, err
	}
	// What decides below is what the database says, in sealed rows; the manifest
	// can be written by anybody.
	said := r.Manifest.Database
	if r.Manifest.Database, err = databaseOf(ctx, c); err != nil {
		return r, err
	}
	r.Manifest.Schema = schema
	if said != r.Manifest.Database {
		r.Damage = fmt.Errorf("%w: %s describes another database", ErrDamaged, ManifestFile)
		return r, nil
	}
	if err := r.chain(ctx, c, v, q); err != nil {
		return r, err
	}
	r.Beside, err = q.beside(ctx, c, v, r.Manifest)
	return r, err
}

// open opens the database of a backup. One that an older release wrote is
// brought up to date first, as the first start after a restore does, in a scratch
// copy beside the temporary files; done removes it. A crash leaves that copy,
// which holds what the backup holds, readable by its owner only.
func open(ctx context.Context, path string, v *vault.Vault) (c *sqlite.Copy, schema int64, done func() error, err error) {
	if c, err = sqlite.OpenCopy(path, sqlite.Config{Seal: v}); err != nil {
		return nil, 0, nil, err
	}
	schema, err = c.Schema()
	if err == nil && schema == sqlite.Newest() {
		return c, schema, c.Close, nil
	}
	if err = errors.Join(err, c.Close()); err != nil {
		return nil, 0, nil, err
	}
	scratch, err := os.MkdirTemp("", "liuma-check-")
	if err != nil {
		return nil, 0, nil, fmt.Errorf("backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(scratch))
		}
	}()
	moved := filepath.Join(scratch, databaseFile)
	if err = copyFile(path, moved); err != nil {
		return nil, 0, nil, fmt.Errorf("backup: %w", err)
	}
	db, err := sqlite.Open(ctx, moved, sqlite.Config{Seal: v})
	if err == nil {
		err = db.Close()
	}
	if err == nil {
		c, err = sqlite.OpenCopy(moved, sqlite.Config{Seal: v})
	}
	return c, schema, func() error { return errors.Join(c.Close(), os.RemoveAll(scratch)) }, err
}

// keyFile is the vault key to check with; empty if there is none.
func (q Question) keyFile(m Manifest) string {
	switch {
	case q.Vault != "":
		return q.Vault
	case m.Has(vaultFile):
		return filepath.Join(q.Dir, vaultFile)
	case q.Against != nil:
		return q.Against.Vault
	}
	return ""
}

func (r *Report) seals(ctx context.Context, c *sqlite.Copy) error {
	tables, err := c.Examine(ctx)
	for _, t := range tables {
		r.Rows += t.Rows
		if t.Refused > 0 {
			r.Refused = append(r.Refused, t)
		}
	}
	return err
}

// chain examines the record as 'liuma audit verify' does. The record is as of the
// time that the database kept last: digests that were shipped later are not
// missing in it.
func (r *Report) chain(ctx context.Context, c *sqlite.Copy, v *vault.Vault, q Question) error {
	// No keys: older digests may be signed with one that was dropped since. Each names
	// the hash of the one before, so the signature of the newest vouches for all.
	var how audit.ExamineConfig
	if q.Against != nil && q.Against.Digests != "" {
		if _, err := os.Stat(q.Against.Digests); err == nil {
			if how.Shipped, err = record.ReadDirectory(q.Against.Digests); err != nil {
				return err
			}
		}
	}
	asOf := r.Manifest.Time.Add(-time.Millisecond)
	d, err := record.New(record.Config{Store: readOnly{Copy: c}, Signer: v, Issuer: r.Manifest.Issuer, Now: func() time.Time { return asOf }})
	if err != nil {
		return err
	}
	in, out := io.Pipe()
	made := make(chan error, 1)
	go func() {
		err := d.Export(ctx, record.Query{}, out)
		out.CloseWithError(err)
		made <- err
	}()
	r.Record, err = audit.Examine(in, how)
	in.CloseWithError(io.ErrClosedPipe)
	export := <-made
	if err == nil {
		err = d.Signed(ctx)
	}
	var finding *audit.Finding
	if errors.As(err, &finding) {
		r.Finding = finding
		return nil
	}
	if err == nil && !errors.Is(export, io.ErrClosedPipe) {
		err = export
	}
	return err
}

// readOnly is a copy as a store, for what only reads.
type readOnly struct {
	store.Among // none: nobody else works with a copy
	*sqlite.Copy
}

func (readOnly) Update(context.Context, func(store.Tx) (audit.Entry, error)) error {
	return errors.New("backup: a copy is not written to")
}

func (readOnly) Spreads() bool { return false }

func (readOnly) Draft(store.Person) (store.Draft, error) {
	return nil, errors.New("backup: a copy is not written to")
}

// exists reports whether there is a file.
func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

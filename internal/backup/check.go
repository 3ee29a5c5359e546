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
	// Token is the token that the key file is sealed to, if any.
	Token vault.Token
	// Against is the configuration of the data directory whose keepers and file of
	// heads would be used with the backup; nil compares with the backup's own keepers,
	// if it has any.
	Against *config.Config
}

// Report is what a check found.
type Report struct {
	Manifest Manifest
	Damage   error // files that differ from what was written; then nothing more was checked
	Rows     int64 // sealed rows
	Refused  []rows.Examined
	Record   audit.Examined
	Finding  *audit.Finding // the first fault of the audit record
	Beside   *Beside        // nil: there was nothing to compare with
}

// Sound reports whether the backup is as it was written.
func (r Report) Sound() bool { return r.Damage == nil && len(r.Refused) == 0 && r.Finding == nil }

// Check examines a backup: its checksums, the structure of its database, the seals of
// all rows, the chain of the audit record, and how the backup compares with the
// existing keepers and file of heads. It changes nothing. An error means that the
// backup could not be examined; its faults are in the Report. Errors: ErrNotWhole,
// ErrNoVault, sqlite.ErrTooNew.
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
	// The checks below use the database's own facts, from sealed rows; anybody could
	// have written the manifest.
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

// open opens a backup's database. If an older release wrote it, open first brings a
// scratch copy up to date, in the directory for temporary files, as the first start
// after a restore would do with the original; done removes the copy. A crash leaves the
// copy, which holds the same data as the backup and is readable by its owner only.
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

// keyFile returns the vault key to check with; empty if there is none.
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

// chain examines the audit record as 'liuma audit verify' does, as of the time that the
// database kept last: digests that were shipped later need not be in it.
func (r *Report) chain(ctx context.Context, c *sqlite.Copy, v *vault.Vault, q Question) error {
	// No keys: older digests may be signed with a key that was dropped since. Each
	// digest has the hash of the one before it, so the signature of the newest proves
	// all of them.
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

// readOnly is a copy in the form of a store, for code that only reads.
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

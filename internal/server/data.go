package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Data is an opened data directory: configuration, database, vault and
// registry, but no keepers. It holds the directory's lease until it is closed.
type Data struct {
	Config   config.Config
	Store    store.Store
	Database store.Store // behind Store, without the checks that Store adds
	Vault    *vault.Vault
	Registry *registry.Registry
	Agencies *agency.Book
	Record   *record.Digester // of the audit record
	Clock    *clock.Clock     // the database's time
	Policy   *edition.Editions
	Letters  *letter.Letters  // the print queue
	Keyring  *keyring.Keyring // how keys are handed over between authorities
	closers  closers
	opened   atomic.Bool // everything above has been opened
	// heads is told of every card whose row was written, once the keepers are
	// opened.
	heads atomic.Pointer[keeper.Quorum]
	lost  chan struct{} // closed when another authority has ended this one
	// refused returns, for each table, when one of its rows was first refused.
	refused func() map[string]time.Time
}

// committed tells the keepers the new head of a card's row (I-13). Before the
// keepers are opened nothing is told: the card's next request carries its head.
func (d *Data) committed(card liuma.CardID, read, head uint64) {
	if q := d.heads.Load(); q != nil {
		q.Head(card, read, head)
	}
}

// stands refuses a card's row that is older than one that this process wrote.
func (d *Data) stands(card liuma.CardID, rev uint64) error {
	if q := d.heads.Load(); q != nil {
		return q.Stands(card, rev)
	}
	return nil
}

// wrote returns the newest revision of a card's row that this process knows of.
func (d *Data) wrote(card liuma.CardID) uint64 {
	if q := d.heads.Load(); q != nil {
		return q.Wrote(card)
	}
	return 0
}

type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

// close runs the closers in reverse order, each of them once.
func (c *closers) close() error {
	var errs []error
	for i := len(*c) - 1; i >= 0; i-- {
		errs = append(errs, (*c)[i]())
	}
	*c = nil
	return errors.Join(errs...)
}

// Close closes everything that was opened, also everything that a System
// opened; running requests end with an error.
func (d *Data) Close() error { return d.closers.close() }

// Init makes a data directory: configuration, vault key, keepers and empty
// database. It refuses a directory that already has a configuration. A crash
// half way leaves a directory with keys and without a configuration, which Init
// refuses to complete, so that no key is ever made twice for the same data.
func Init(ctx context.Context, dir string, c config.Config) error {
	if err := errors.Join(c.Validate(), vacant(ctx, c)); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if len(there) > 0 {
		return fmt.Errorf("init: %s is not empty; choose a new directory", dir)
	}
	in := func(p string) string {
		if filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(dir, p)
	}
	if err := vault.Create(in(c.Vault)); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if c.Texts.Driver == config.DriverWebhook {
		if err := config.CreateSecret(in(c.Texts.Webhook.SecretFile)); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("init: %w", err)
		}
	}
	if err := newKeepers(ctx, in, c.Keepers); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := newDatabase(ctx, c.In(dir)); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	return config.Write(dir, c)
}

// newKeepers makes the keepers inside this process. Keepers on other machines are made
// on those machines.
func newKeepers(ctx context.Context, in func(string) string, c config.Keepers) error {
	if c.AreRemote() {
		return nil
	}
	shape, err := c.SplitShape()
	if err != nil {
		return err
	}
	dirs := make([]string, len(c.Directories))
	for i, d := range c.Directories {
		dirs[i] = in(d)
	}
	_, err = keeper.CreateQuorum(ctx, dirs, shape)
	return err
}

// newDatabase makes an empty database, and the file of heads beside the key.
func newDatabase(ctx context.Context, c config.Config) error {
	v, err := vault.Open(c.Vault)
	if err != nil {
		return err
	}
	if _, err := vault.CreateHeads(v, filepath.Dir(c.Vault)); err != nil {
		return errors.Join(err, v.Close())
	}
	db, err := database{seal: v}.open(ctx, c)
	if err != nil {
		return errors.Join(err, v.Close())
	}
	return errors.Join(db.Close(), v.Close())
}

// OpenData opens a data directory without serving it. Errors: one for which InUse
// reports true, if another process has the directory; vault.ErrNoHeads if there is no
// file of heads; store.ErrOldDatabase if the database is older than that file says.
// AcceptHeads resolves the last two.
//
// If the database is on a server, no authority may work with it at the same time.
func OpenData(ctx context.Context, c config.Config, o Options) (*Data, error) {
	return openData(ctx, c, o, "")
}

// openData is OpenData for an authority that has a name among others; with an
// empty name it has the database to itself.
func openData(ctx context.Context, c config.Config, o Options, name string) (_ *Data, err error) {
	o.fill()
	d := &Data{Config: c, lost: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if err := d.openVault(o); err != nil {
		return nil, err
	}
	heads, err := vault.OpenHeads(d.Vault, filepath.Dir(c.Vault))
	if err != nil {
		return nil, err
	}
	own := cmp.Or(name, nameThere(c))
	alarm := newRowAlarm(o.Logger, func() time.Time { return d.Clock.Now() })
	d.refused = alarm.refused
	db, err := database{seal: d.Vault, alarm: alarm.raise, committed: d.committed, stands: d.stands, wrote: d.wrote, head: heads.Of(sharedHead),
		batched: o.committed(), name: name, ended: d.ended(o), lost: d.wasEnded(o), prove: d.prove,
		before: func(ctx context.Context, s store.Store) error {
			return keyring.CatchUp(ctx, s, d.Vault, heads, own, o.Logger)
		}}.open(ctx, c)
	if err != nil {
		return nil, err
	}
	d.Store, d.Database = db, db
	d.closers.add(db.Close)
	if err := upToDate(ctx, db, heads); err != nil {
		return nil, err
	}
	if d.Clock, err = openClock(ctx, db, o.Machine); err != nil {
		return nil, err
	}
	d.closers.add(func() error { return d.keepTime(ctx) })
	d.closers.add(alarm.record(db))
	if lag := d.Clock.Read().Lag(); lag > clock.MaxBehind {
		o.Logger.WarnContext(ctx, "the kept time is behind the machine's clock: locks and waits end that much later; see 'liuma clock show'", "by", lag)
	}
	d.Store = o.measuredStore(db)
	if o.BetweenStore != nil {
		d.Store = o.BetweenStore(d.Store)
	}
	if err := d.openBooks(c, o, heads, own); err != nil {
		return nil, err
	}
	if d.Agencies, err = agency.Open(ctx, agency.Config{Store: d.Store, Now: d.Clock.Now, Logger: o.Logger,
		Regions: func() (*directory.Regions, error) { return Regions(c) }}); err != nil {
		return nil, err
	}
	if d.Letters, err = letter.New(letter.Config{Store: d.Store, Vault: d.Vault, Registry: d.Registry, Hotline: c.Hotline, Sender: c.Letters.Sender(),
		ReturnTo: c.Letters.ReturnTo, Agencies: d.Agencies, Now: d.Clock.Now, ToWall: func(t time.Time) time.Time { return t.Add(d.Clock.Wall().Sub(d.Clock.Now())) }}); err != nil {
		return nil, err
	}
	d.Record, err = record.New(record.Config{Store: d.Store, Signer: d.Vault, Issuer: c.Issuer, Now: d.Clock.Now, Directory: c.Digests,
		Keep: c.Retention.Record.Duration(), Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	d.Policy, err = d.openPolicy(ctx, o)
	d.opened.Store(err == nil)
	return d, err
}

// openBooks makes the keyring and the registry.
func (d *Data) openBooks(c config.Config, o Options, heads *vault.Heads, name string) (err error) {
	if d.Keyring, err = keyring.New(keyring.Config{Store: d.Store, Vault: d.Vault, Heads: heads, Name: name, Now: d.Clock.Now, Logger: o.Logger}); err != nil {
		return err
	}
	d.Registry, err = registry.New(registry.Config{
		Store: d.Store, Vault: d.Vault, Now: d.Clock.Now, Logger: o.Logger, Regions: func() (*directory.Regions, error) { return Regions(c) },
	})
	return err
}

// RegionsFile is the path of the operator's list of regions. The file is
// optional.
func RegionsFile(c config.Config) string {
	return filepath.Join(home(c), directory.File)
}

// Regions reads the list of regions that an authority uses.
func Regions(c config.Config) (*directory.Regions, error) { return directory.Open(RegionsFile(c)) }

// keepTime saves the time at an orderly end. If that fails, the time that
// Maintain saved last remains.
func (d *Data) keepTime(ctx context.Context) error {
	err := d.Database.Update(context.WithoutCancel(ctx), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, tx.SaveClock(d.Clock.State())
	})
	if errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrUndecided) || errors.Is(err, store.ErrUnreachable) {
		return nil // logged when it happened
	}
	return err
}

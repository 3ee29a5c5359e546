// Package server puts the rooms together from a configuration: one process
// with its database, its vault and the keepers inside it. It guarantees that
// what was opened is closed again in reverse order, also when opening fails
// half way, and that the doors open only after recovery. It trusts the
// configuration, and it decides nothing: every rule lives in the rooms.
//
// DESIGN sections 6 and 8 (demo and small region).
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/door/api"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Options are what a configuration file cannot say.
type Options struct {
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: discard
	// Policy replaces the national policy. Tests shorten its times with it.
	Policy *policy.Policy
	// Rules replaces the layers of policy, and Policy with them. Tests give
	// regions rules of their own with it.
	Rules authority.Rules
	// Wait replaces the timer that paces refusals.
	Wait func(context.Context, time.Duration)
	// Texts takes codes and notices to phones, whatever the configuration says.
	Texts notify.Driver
	// Outbox replaces the outbox itself, for tests that look at texts before
	// they are sent.
	Outbox func(*Office) authority.Outbox
	// BetweenStore and BetweenKeeper let tests put faults between the rooms.
	BetweenStore  func(store.Store) store.Store
	BetweenKeeper func(keeper.Keeper) keeper.Keeper
}

func (o *Options) fill() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Office is what commands need that administer without serving: database,
// vault and registry, but no keepers. Several may be open at once, also
// beside a serving System.
type Office struct {
	Config   config.Config
	Store    store.Store
	Database *sqlite.Store // what Store is kept in, for backups
	Vault    *vault.Vault
	Registry *registry.Registry
	closers  closers
}

// System is a whole authority in one process.
type System struct {
	*Office
	Keepers    []keeper.Keeper
	Quorum     *keeper.Quorum
	Authority  *authority.Authority
	Ceremonies *ceremony.Ceremonies // the acts over Authority
	Door       *http.Server         // of channels and registries
	Hosted     *http.Server         // of holders' browsers; nil unless configured
	Gateway    *http.Server         // of the gateway of texts; nil unless configured
	Outbox     *notify.Outbox       // of texts to phones; nil unless configured
	Inbox      *notify.Inbox        // what the outbox sends to; nil unless so configured
	options    Options
	// alarmed is where alarms go once the authority is there.
	alarmed atomic.Pointer[authority.Authority]
}

type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

// close runs the closers in reverse order, each once.
func (c *closers) close() error {
	var errs []error
	for i := len(*c) - 1; i >= 0; i-- {
		errs = append(errs, (*c)[i]())
	}
	*c = nil
	return errors.Join(errs...)
}

// Close stops everything. Requests under way end with an error.
func (o *Office) Close() error { return o.closers.close() }

// Init makes a data directory: configuration, vault key, keepers and empty
// database. It refuses a directory that already has a configuration. A crash
// half way leaves a directory without one, which Init refuses to build on, so
// that no key is ever made twice for the same data.
func Init(ctx context.Context, dir string, c config.Config) error {
	if err := c.Validate(); err != nil {
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
	shape, err := c.Keepers.SplitShape()
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	dirs := make([]string, len(c.Keepers.Directories))
	for i, d := range c.Keepers.Directories {
		dirs[i] = in(d)
	}
	if _, err := keeper.CreateQuorum(ctx, dirs, shape); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	db, err := sqlite.Open(ctx, in(c.Database), sqlite.Config{})
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	return config.Write(dir, c)
}

// OpenOffice opens what administration needs.
func OpenOffice(ctx context.Context, c config.Config, o Options) (_ *Office, err error) {
	o.fill()
	off := &Office{Config: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, off.Close())
		}
	}()
	if off.Vault, err = vault.Open(c.Vault); err != nil {
		return nil, err
	}
	off.closers.add(off.Vault.Close)
	db, err := sqlite.Open(ctx, c.Database, sqlite.Config{})
	if err != nil {
		return nil, err
	}
	off.Store, off.Database = db, db
	off.closers.add(db.Close)
	if o.BetweenStore != nil {
		off.Store = o.BetweenStore(db)
	}
	off.Registry, err = registry.New(registry.Config{Store: off.Store, Vault: off.Vault, Now: o.Now, Logger: o.Logger})
	return off, err
}

// Open opens a whole system and recovers what an earlier process left.
func Open(ctx context.Context, c config.Config, o Options) (_ *System, err error) {
	o.fill()
	off, err := OpenOffice(ctx, c, o)
	if err != nil {
		return nil, err
	}
	s := &System{Office: off, options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.openKeepers(ctx); err != nil {
		return nil, err
	}
	if err := s.openAuthority(ctx); err != nil {
		return nil, err
	}
	door := api.Config{Authority: s.Front(), Audience: c.Issuer, Now: o.Now, Logger: o.Logger}
	if s.Outbox != nil {
		door.TextsBehind = s.Outbox.Behind
	}
	s.Door, err = api.NewServer(door)
	if err != nil {
		return nil, err
	}
	if c.Hosted.Listen != "" {
		if s.Hosted, err = s.hostedDoor(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *System) openKeepers(ctx context.Context) error {
	var common []uint32 // key sets that every keeper holds
	for i, dir := range s.Config.Keepers.Directories {
		n, err := keeper.OpenNode(ctx, dir, keeper.OpenConfig{Limits: ledger.NationalLimits(), Now: s.options.Now, Logger: s.options.Logger})
		if err != nil {
			return err
		}
		s.closers.add(n.Close)
		if i == 0 {
			common = n.KeySets()
		}
		common = slices.DeleteFunc(common, func(id uint32) bool { return !slices.Contains(n.KeySets(), id) })
		var k keeper.Keeper = n
		if s.options.BetweenKeeper != nil {
			k = s.options.BetweenKeeper(k)
		}
		s.Keepers = append(s.Keepers, k)
	}
	if len(common) == 0 {
		return errors.New("server: the keepers share no key set; their directories do not belong together")
	}
	seen := map[keeper.ID]uint64{}
	err := s.Store.View(ctx, func(r store.Reader) error {
		saved, err := r.KeepersSeen()
		for id, seq := range saved {
			seen[keeper.ID(id)] = seq
		}
		return err
	})
	if err != nil {
		return err
	}
	shape, err := s.Config.Keepers.SplitShape()
	if err != nil {
		return err
	}
	s.Quorum, err = keeper.NewQuorum(keeper.QuorumConfig{
		Keepers: s.Keepers, Shape: shape, KeySet: slices.Max(common), Now: s.options.Now,
		Random: rand.Reader, Seen: seen, Alarm: s.alarm, Logger: s.options.Logger,
	})
	if err == nil {
		s.closers.add(s.Quorum.Close)
	}
	return err
}

// alarm hands a keeper's fault to the authority's record, off the path of the
// request that met it.
func (s *System) alarm(al keeper.Alarm) {
	a := s.alarmed.Load()
	if a == nil {
		s.options.Logger.Error("keeper alarm during start", "keeper", al.Keeper, "what", al.Fault)
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		a.RecordAlarm(ctx, al)
	}()
}

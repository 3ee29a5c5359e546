package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/config"
	admindoor "github.com/liuma-pin/liuma/internal/door/admin"
)

// admin makes the administration of an opened data directory; server is nil if
// this process does not serve it.
func (d *Data) admin(server *admin.Server, keepers admin.Upkeep, logger *slog.Logger) (*admin.Admin, error) {
	return admin.New(admin.Config{
		Store: d.Store, Registry: d.Registry, Agencies: d.Agencies, Record: d.Record, Vault: d.Vault, Clock: d.Clock, Policy: d.Policy, Letters: d.Letters,
		Issuer: d.Config.Issuer, Shape: d.Config.Keepers.Shape, TextsDriver: d.Config.Texts.Driver, TextsVoice: d.Config.Texts.Voice(),
		DatabaseBytes: d.bytes, Retention: admin.Retention{Requests: int(d.Config.Retention.Requests),
			Ceremonies: int(d.Config.Retention.Ceremonies), Record: int(d.Config.Retention.Record)},
		Server: server, Alone: server == nil, Upkeep: keepers, Logger: logger, Console: d.Config.ConsoleAddress(), Refused: d.refused,
		Keyring: d.Keyring,
	})
}

// forAdmin gives administration the parts of the running system.
func (s *System) forAdmin() *admin.Server {
	out := &admin.Server{Since: s.Clock.Wall(), Authority: s.Authority, Quorum: s.Quorum, Keepers: s, Doors: s, Counter: s.Counter}
	// A nil pointer in an interface would not be nil.
	if s.Outbox != nil {
		out.Outbox = s.Outbox
	}
	if s.Inbox != nil {
		out.Inbox = s.Inbox
	}
	return out
}

// ServeAdmin opens the administration door at the data directory's socket,
// beside the other doors, until shut is called or ctx ends. If the door cannot
// be opened the server runs without it: the wrong mode of a directory must not
// stop the service for holders.
func (s *System) ServeAdmin(ctx context.Context, dir string) (shut func()) {
	logger := s.options.Logger
	door, err := admindoor.Open(ctx, admindoor.Config{Dir: dir, Admin: s.Admin.Guarded(), Drain: time.Duration(s.Config.Drain), Logger: logger})
	if err != nil {
		logger.WarnContext(ctx, "no operator door: commands on this directory have to wait until the server is stopped", "err", err)
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := door.Serve(ctx); err != nil {
			logger.ErrorContext(ctx, "operator door", "err", err)
		}
	})
	return func() { stop(); serving.Wait() }
}

// AdministerConfig configures Administer; Dir and Config are required.
type AdministerConfig struct {
	Dir     string        // the data directory
	Config  config.Config // the directory's configuration
	Machine clock.Machine // default: this machine
	Logger  *slog.Logger  // default: discard
	// Origin is the caller's place: it decides what the caller may do here, and which
	// actor the audit record names. A running server does not believe it: it asks its
	// kernel which account called.
	Origin admin.Origin
	// Patience is how long Administer waits while another process holds the
	// directory and does not answer: a server that is starting, or a command
	// that is almost done. Default 2 s.
	Patience time.Duration
}

func (c *AdministerConfig) fill() error {
	if c.Dir == "" || c.Config.Database == "" {
		return errors.New("server: administer: want Dir and Config")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Patience == 0 {
		c.Patience = 2 * time.Second
	}
	return nil
}

// Administration is an admin.Administration that must be closed.
type Administration struct {
	admin.Administration
	close func() error
}

// Close releases the directory, or closes the connection to its server.
func (a *Administration) Close() error { return a.close() }

// Administer connects to the server of a data directory or, if there is none, opens
// the directory itself. If InUse reports true for the error, another process has the
// directory and does not answer at the administration door.
func Administer(ctx context.Context, c AdministerConfig) (*Administration, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	for until := time.Now().Add(c.Patience); ; {
		remote, err := admindoor.Dial(ctx, c.Dir)
		if err == nil {
			remote.As(c.Origin.Session)
			return &Administration{Administration: remote, close: remote.Close}, nil
		}
		if !errors.Is(err, admindoor.ErrNoDoor) {
			return nil, err
		}
		a, err := administerHere(ctx, c)
		if err == nil || !InUse(err) || time.Now().After(until) {
			return a, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func administerHere(ctx context.Context, c AdministerConfig) (*Administration, error) {
	o := Options{Machine: c.Machine, Logger: c.Logger}
	data, err := OpenData(ctx, c.Config, o)
	if err != nil {
		return nil, err
	}
	o.fill()
	a, err := data.admin(nil, data.upkeep(o), c.Logger)
	if err != nil {
		return nil, errors.Join(err, data.Close())
	}
	return &Administration{Administration: a.GuardedFrom(c.Origin), close: data.Close}, nil
}

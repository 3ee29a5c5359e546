// Package world makes a whole authority and its surroundings, for trials: a
// data directory, the system that is assembled from it, people in its registry,
// an evidence provider, clients with their keys, phones, a clock that can be
// moved, and listeners for the doors. Tests, the demo and the bench all begin
// here. It guarantees that everything is the real thing, made as an operator
// would make it, except the parts that Config replaces, the clock, and the
// evidence provider, which signs any statement. It trusts its callers: a world
// is for invented people only.
//
// It does not import testing, since the demo is part of the program; package
// testkit is its side for tests.
//
// Start here: New.
package world

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/server"
)

// Config describes a world. Dir and Clock are required.
type Config struct {
	// Dir is where the data directory is made; it must be empty or absent.
	Dir   string
	Clock *Clock
	// Shape of the keepers: "1/1", "2/3" or "3/5"; default 1/1.
	Shape string
	// House, if set, is where the keepers are, in the place of Shape: the authority joins
	// them. Whoever made it closes it.
	House House
	// Configure, if set, changes the configuration before the directory is made.
	Configure func(*config.Config) error
	// Native and Hosted, if set, are where the doors answer after Serve; there
	// is no Hosted without Native. New takes them over, and closes them when it
	// fails. Hosted's address is the issuer unless Configure chooses another.
	Native, Hosted net.Listener
	// Console, if set, is where the staff console answers after Serve, at
	// http://localhost and its port; it needs Hosted.
	Console net.Listener
	// Gateway, if set, stands before Inbox.
	Gateway func(notify.Driver) notify.Driver
	// Phones turns messages on; they go to Inbox.
	Phones bool
	// Init makes the data directory; by default server.Init, as an operator would.
	Init func(ctx context.Context, dir string, c config.Config) error
	// Server holds further options for opening the system. Its Now is replaced
	// by Clock's, and its Texts by Inbox if Phones is set.
	Server server.Options
}

// House is keepers on addresses of their own (package keepers).
type House interface {
	// Settings are what the configuration of an authority says that has joined.
	Settings() config.Keepers
	// Join has an authority admitted at every keeper, with the files in its directory.
	Join(dir string) error
}

// World is a system and who is around it. Opening, serving and closing are for
// one goroutine; all else is safe for concurrent use.
type World struct {
	Dir    string // the data directory
	Clock  *Clock
	System *server.System // nil while it is closed
	// Inbox is every phone there is; it stays over Close and Open. Nil without
	// Config.Phones.
	Inbox *notify.Inbox
	// Provider is the evidence provider; nil where the configuration allows no
	// stand-in.
	Provider *evidence.Signer

	c       Config
	issuer  string
	api     string   // empty without Config.Native
	serving *serving // nil while the doors are shut
}

type serving struct {
	stop  context.CancelFunc
	ended chan error // the result of Serve, once
}

// New makes the data directory, opens the system and registers the provider.
func New(ctx context.Context, c Config) (_ *World, err error) {
	w := &World{Dir: c.Dir, Clock: c.Clock, c: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if c.Dir == "" || c.Clock == nil || c.Hosted != nil && c.Native == nil {
		return nil, errors.New("world: config: want Dir and Clock, and Native where there is Hosted")
	}
	conf, err := c.configuration()
	if err != nil {
		return nil, fmt.Errorf("world: %w", err)
	}
	if c.Native != nil {
		w.api = "http://" + c.Native.Addr().String()
	}
	if c.Phones {
		w.Inbox = notify.NewInbox(c.Clock.Now)
		w.c.Server.Texts = w.Inbox
		if c.Gateway != nil {
			w.c.Server.Texts = c.Gateway(w.Inbox)
		}
	}
	w.c.Server.Machine = c.Clock
	if c.Init == nil {
		c.Init = server.Init
	}
	if err := c.Init(ctx, c.Dir, conf); err != nil {
		return nil, err
	}
	if c.House != nil {
		if err := c.House.Join(c.Dir); err != nil {
			return nil, err
		}
	}
	if err := w.Open(ctx); err != nil {
		return nil, err
	}
	w.issuer = w.System.Config.Issuer
	if conf.AllowStandIn {
		if err := w.addProvider(ctx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// configuration is the configuration in the data directory.
func (c Config) configuration() (config.Config, error) {
	conf := config.Default()
	conf.AllowStandIn = true
	if c.Shape != "" {
		conf.Keepers.Shape = c.Shape
	}
	shape, err := conf.Keepers.SplitShape()
	if err != nil {
		return config.Config{}, err
	}
	conf.Keepers.Directories = config.DefaultDirectories(shape)
	if c.House != nil {
		conf.Keepers = c.House.Settings()
	}
	if c.Native != nil {
		conf.Channel.Listen = c.Native.Addr().String()
	}
	if c.Hosted != nil {
		conf.Hosted.Listen = c.Hosted.Addr().String()
		conf.Issuer = "http://" + conf.Hosted.Listen
	}
	if c.Console != nil {
		conf.ConsoleDoor.Listen = c.Console.Addr().String()
	}
	if c.Configure != nil {
		err = c.Configure(&conf)
	}
	return conf, err
}

// Open opens the system; again after Close, on the same data. The listeners
// ended with the first Close.
func (w *World) Open(ctx context.Context) error {
	conf, err := config.Load(w.Dir)
	if err != nil {
		return err
	}
	w.System, err = server.Open(ctx, conf, w.c.Server)
	return err
}

// Serve opens the doors, until Close; it needs Config.Native. A handler in
// front of a door, such as one that watches it, must be set before.
func (w *World) Serve() error {
	if w.c.Native == nil || w.System == nil {
		return errors.New("world: nothing to serve, or nowhere to")
	}
	ctx, stop := context.WithCancel(context.Background())
	w.serving = &serving{stop: stop, ended: make(chan error, 1)}
	native, hosted, console := w.c.Native, w.c.Hosted, w.c.Console
	w.c.Native, w.c.Hosted, w.c.Console = nil, nil, nil // the servers close them
	system, ended := w.System, w.serving.ended
	go func() { ended <- system.Serve(ctx, native, hosted, nil, console) }()
	return nil
}

// Wait returns when ctx ends, or with the error of a door that failed. It is
// for a world that serves.
func (w *World) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-w.serving.ended:
		w.serving.ended <- err
		return err
	}
}

// Close shuts the doors and closes the system.
func (w *World) Close() error {
	var err error
	if w.serving != nil {
		w.serving.stop()
		err = <-w.serving.ended
		w.serving = nil
	}
	for _, ln := range []net.Listener{w.c.Native, w.c.Hosted, w.c.Console} {
		if ln != nil {
			err = errors.Join(err, ln.Close())
		}
	}
	w.c.Native, w.c.Hosted, w.c.Console = nil, nil, nil
	if w.System != nil {
		err = errors.Join(err, w.System.Close())
		w.System = nil
	}
	return err
}

// Issuer is the authority's name, which evidence and tokens are addressed to.
func (w *World) Issuer() string { return w.issuer }

// API is the address of the native door; empty where it has no listener.
func (w *World) API() string { return w.api }

// Loopback opens a listener on a free port of this machine.
func Loopback() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

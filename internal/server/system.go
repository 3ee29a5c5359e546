// Package server builds an authority from a configuration: one process with its database,
// its vault, and its keepers, which run inside the process or are reached on other
// machines. For administration it opens a data directory without serving it (Data); on top
// of that it opens a whole system (System) and serves the system's doors.
//
// It guarantees that everything it opened is closed again in reverse order, also when
// opening fails half way; that the doors open only after recovery; and that one process at
// a time has a data directory. Several authorities, each with a directory of its own, may
// serve one PostgreSQL database (among.go, duties.go). It trusts the configuration, and
// makes no decisions of its own: every rule lives in the other rooms.
//
// Start here: Open, in system.go.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/door/api"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
	"github.com/liuma-pin/liuma/internal/metrics"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Options are settings that a configuration file cannot hold.
type Options struct {
	Machine clock.Machine // the clocks to use; default: this machine
	Logger  *slog.Logger  // default: discard
	// Policy replaces the national policy. Tests shorten its times with it.
	Policy *policy.Policy
	// Rules replaces all layers of policy, also Policy. Tests give regions
	// their own rules with it.
	Rules authority.Rules
	// Wait replaces the timer that delays refusals.
	Wait func(context.Context, time.Duration)
	// Texts replaces the configured driver of messages.
	Texts notify.Driver
	// Outbox replaces the outbox itself, for tests that look at messages before
	// they are sent.
	Outbox func(*Data) authority.Outbox
	// Token replaces the token of the configuration; for tests.
	Token vault.Token
	// BetweenStore and BetweenKeeper let tests inject faults between the
	// packages.
	BetweenStore  func(store.Store) store.Store
	BetweenKeeper func(keeper.Keeper) keeper.Keeper
	// WatchKeepers is how often keepers on other machines are looked at; default 5 s.
	WatchKeepers time.Duration
	// DialKeepers makes the connections to keepers on other machines; for tests.
	DialKeepers func(ctx context.Context, network, address string) (net.Conn, error)
	// LookEvery is the least time between two looks at the state of the system that
	// collectors of metrics cause; default 5 s.
	LookEvery time.Duration

	metrics *metrics.Metrics // set by Open; nil if no listener is configured
}

func (o *Options) fill() {
	if o.WatchKeepers == 0 {
		o.WatchKeepers = 5 * time.Second
	}
	if o.Machine == nil {
		o.Machine = clock.System()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// System is an opened authority in one process.
type System struct {
	*Data
	Keepers    []keeper.Keeper
	Quorum     *keeper.Quorum
	Authority  *authority.Authority
	Ceremonies *ceremony.Ceremonies // the acts that use Authority
	Counter    *counter.Counter     // tickets of clerks, for Ceremonies and Admin
	Admin      *admin.Admin         // administration of this directory
	Door       *http.Server         // the native door
	Hosted     *http.Server         // of holders' browsers; nil unless configured
	Gateway    *http.Server         // delivery reports; nil unless configured
	Console    *http.Server         // for members of staff; nil unless configured
	Outbox     *notify.Outbox       // of messages to phones; nil unless configured
	Inbox      *notify.Inbox        // keeps the outbox's messages; nil unless so configured
	codeWays   []liuma.CodeWay      // the ways in which Outbox sends one-time codes
	duties     *duties              // jobs done for all authorities on the database
	seats      *keeper.Seats        // behind Keepers; nil if they are on other machines
	remote     *remote.Keepers      // behind Keepers; nil if they are in this process
	options    Options
	readiness  door.Readiness // whether verdicts can be given, for all doors but the native one
	keeping    door.Readiness // whether acts that need no keeper can be done
	// The limits of each door; zero for a door that is not configured.
	channelBounds, hostedBounds, gatewayBounds, consoleBounds bounded
	// alarmed is the authority that records the keepers' alarms, once it is
	// made.
	alarmed atomic.Pointer[authority.Authority]
	found   []keeper.Condition // of each keeper when it was opened
}

// Open opens a whole system and recovers from an earlier process's crash.
func Open(ctx context.Context, c config.Config, o Options) (_ *System, err error) {
	o.fill()
	o.metrics = newMetrics(c)
	name, err := nameOf(c)
	if err != nil {
		return nil, err
	}
	data, err := openData(ctx, c, o, name)
	if errors.Is(err, postgres.ErrInUse) && !c.Keepers.AreRemote() {
		err = fmt.Errorf("%w: %w", ErrInside, err)
	}
	if err != nil {
		return nil, err
	}
	s := &System{Data: data, options: o}
	s.Vault.PublishFirst(s.Clock.Now)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	s.duties = openDuties(ctx, s.Database, o.Logger)
	s.beside(s.duties.keep)
	if err := s.openBounds(); err != nil {
		return nil, err
	}
	if err := s.openKeepers(ctx); err != nil {
		return nil, err
	}
	if err := s.openAuthority(ctx); err != nil {
		return nil, err
	}
	s.tellTrouble(ctx)
	if s.Admin, err = data.admin(s.forAdmin(), s.upkeep(), o.Logger); err != nil {
		return nil, err
	}
	s.beside(s.duties.while(store.DutyReseal, s.Admin.Reseal)...)
	if s.remote != nil {
		s.beside(s.watchKeepers)
	}
	s.lookForMetrics()
	native := api.Config{Authority: s.Front(), Issuer: c.Issuer, Now: s.Clock.Wall, Latest: s.Clock.Latest, Logger: o.Logger,
		InFlight: s.channelBounds.inFlight, Hotline: c.Hotline, Agencies: s.Agencies}
	native.KeepersDegraded = s.Quorum.Degraded
	if s.Outbox != nil {
		native.TextsBehind = s.Outbox.Behind
	}
	s.Door, err = api.NewServer(native)
	if err != nil {
		return nil, err
	}
	if err := s.browserDoors(); err != nil {
		return nil, err
	}
	s.guard()
	if err := s.join(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// browserDoors makes the doors of holders and staff that are configured.
func (s *System) browserDoors() (err error) {
	if s.Config.Hosted.Listen != "" {
		if s.Hosted, err = s.hostedDoor(); err != nil {
			return err
		}
	}
	if s.Config.ConsoleDoor.Listen != "" {
		s.Console, err = s.consoleDoor()
	}
	return err
}

// alarm lets the authority record a keeper's alarm, without delaying the
// request that found it.
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

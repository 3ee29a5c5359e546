// Package server builds an authority from a configuration: one process with its
// database, its vault and the keepers inside it. It opens a data directory
// without serving it (Data), for administration, puts a whole system on top of
// it (System), and serves that system's doors.
//
// It guarantees that everything it opened is closed again in reverse order,
// also when opening fails half way; that the doors open only after recovery;
// and that one process at a time has a data directory. It trusts the
// configuration, and makes no decisions of its own: every rule lives in the
// other rooms.
//
// Start here: Open, in system.go.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/door/api"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// Options are settings that a configuration file cannot hold.
type Options struct {
	Machine clock.Machine // whose clocks are gone by; default: this machine
	Logger  *slog.Logger  // default: discard
	// Policy replaces the national policy. Tests shorten its times with it.
	Policy *policy.Policy
	// Rules replaces the layers of policy, and Policy with them. Tests give
	// regions rules of their own with it.
	Rules authority.Rules
	// Wait replaces the timer that paces refusals.
	Wait func(context.Context, time.Duration)
	// Texts replaces the configured driver of messages.
	Texts notify.Driver
	// Outbox replaces the outbox itself, for tests that look at messages before
	// they are sent.
	Outbox func(*Data) authority.Outbox
	// BetweenStore and BetweenKeeper let tests put faults between the rooms.
	BetweenStore  func(store.Store) store.Store
	BetweenKeeper func(keeper.Keeper) keeper.Keeper
}

func (o *Options) fill() {
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
	Ceremonies *ceremony.Ceremonies // the acts over Authority
	Admin      *admin.Admin         // administration of this directory
	Door       *http.Server         // the native door
	Hosted     *http.Server         // of holders' browsers; nil unless configured
	Gateway    *http.Server         // delivery reports; nil unless configured
	Outbox     *notify.Outbox       // of messages to phones; nil unless configured
	Inbox      *notify.Inbox        // keeps the outbox's messages; nil unless so configured
	nodes      []*keeper.Node       // behind Keepers
	codeWays   []liuma.CodeWay      // in which Outbox sends one-time codes
	options    Options
	// What each door takes at once; zero for one that is not configured.
	channelBounds, hostedBounds, gatewayBounds bounded
	// alarmed gets the keepers' alarms, once the authority is made.
	alarmed atomic.Pointer[authority.Authority]
}

// Open opens a whole system and recovers from an earlier process's crash.
func Open(ctx context.Context, c config.Config, o Options) (_ *System, err error) {
	o.fill()
	data, err := OpenData(ctx, c, o)
	if err != nil {
		return nil, err
	}
	s := &System{Data: data, options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.openBounds(); err != nil {
		return nil, err
	}
	if err := s.openKeepers(ctx); err != nil {
		return nil, err
	}
	if err := s.openAuthority(ctx); err != nil {
		return nil, err
	}
	if s.Admin, err = data.admin(s.forAdmin(), o.Logger); err != nil {
		return nil, err
	}
	s.beside(s.Admin.Reseal)
	door := api.Config{Authority: s.Front(), Issuer: c.Issuer, Now: s.Clock.Wall, Latest: s.Clock.Latest, Logger: o.Logger,
		InFlight: s.channelBounds.inFlight}
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
	s.guard()
	return s, nil
}

func (s *System) openKeepers(ctx context.Context) error {
	var common []uint32 // key sets that every keeper holds
	for i, dir := range s.Config.Keepers.Directories {
		n, err := keeper.OpenNode(ctx, dir, keeper.OpenConfig{Limits: ledger.NationalLimits(), Machine: s.options.Machine, Logger: s.options.Logger})
		if err != nil {
			return err
		}
		s.nodes = append(s.nodes, n)
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
		Keepers: s.Keepers, Shape: shape, KeySet: slices.Max(common), Now: s.Clock.Wall,
		Random: rand.Reader, Seen: seen, Alarm: s.alarm, Logger: s.options.Logger,
	})
	if err == nil {
		s.closers.add(s.Quorum.Close)
		s.heads.Store(s.Quorum)
	}
	return err
}

// alarm records a keeper's alarm at the authority, without delaying the request
// that met it.
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

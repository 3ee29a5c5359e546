package server

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
)

const (
	// lookTime is how long a keeper on another machine has to answer when its
	// state is asked for.
	lookTime = 3 * time.Second
	// quietFor is how long such a keeper must be silent before an alarm is recorded: a
	// restart or a short loss of the network is no alarm.
	quietFor = 10 * time.Second
)

// openRemote opens the keepers that are on other machines. Wrong settings stop the start.
// Keepers that cannot be reached do not, however many they are: the service is not ready
// then, and becomes ready by itself.
func (s *System) openRemote(ctx context.Context) ([]keeper.Keeper, uint32, error) {
	found, err := s.Config.Keepers.OpenRemote(config.RemoteOptions{Machine: s.Clock.Start(), Dial: s.options.DialKeepers, Logger: s.options.Logger})
	if err != nil {
		return nil, 0, err
	}
	s.remote = found
	s.closers.add(found.Close)
	look(ctx, found)
	return found.Keepers(), found.KeySet(), nil
}

func look(ctx context.Context, k *remote.Keepers) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	k.Look(ctx)
}

// witnesses returns the clocks of keepers on other machines; nil if the keepers run in
// this process, because they share its clock.
func (s *System) witnesses() func(context.Context) ([]time.Time, int) {
	if s.remote == nil {
		return nil
	}
	return func(ctx context.Context) ([]time.Time, int) {
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		return s.remote.Clocks(ctx)
	}
}

// watchKeepers looks at the keepers on other machines for as long as the system is open:
// which key set new PINs are made with, which keepers do not serve, and which serve
// again.
func (s *System) watchKeepers(ctx context.Context) {
	told := map[keeper.ID]keeper.Fault{}
	for _, c := range s.found {
		told[c.ID] = c.Fault // as found at the start
	}
	t := time.NewTicker(s.options.WatchKeepers)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		look(ctx, s.remote)
		if set := s.remote.KeySet(); set != s.Quorum.KeySet() {
			s.Quorum.SetKeySet(set)
		}
		for _, c := range s.Quorum.Conditions(ctx) {
			if ctx.Err() == nil {
				s.tellChange(ctx, c, told)
			}
		}
	}
}

// tellChange records that a keeper has stopped serving, once each time. Faults for
// which the quorum raises an alarm itself are not recorded twice.
func (s *System) tellChange(ctx context.Context, c keeper.Condition, told map[keeper.ID]keeper.Fault) {
	if c.Fault == keeper.Disagrees {
		c.Fault = "" // it serves, and each differing answer raised an alarm of its own
	}
	switch {
	case c.Fault == told[c.ID]:
	case c.Fault == "":
		s.options.Logger.WarnContext(ctx, "a keeper serves again", "keeper", string(c.ID), "after", string(told[c.ID]))
		told[c.ID] = ""
	case (c.Fault == keeper.Silent || c.Fault == keeper.Slow) && s.Clock.Wall().Sub(c.Since) < quietFor:
	case c.Fault == keeper.Slow:
		told[c.ID] = c.Fault
		s.options.Logger.WarnContext(ctx, "a keeper is slow: see 'liuma keeper status'", "keeper", string(c.ID), "since", c.Since)
		s.Authority.RecordAlarm(ctx, keeper.Alarm{Keeper: c.ID, Fault: c.Fault})
	default:
		told[c.ID] = c.Fault
		s.options.Logger.ErrorContext(ctx, "A KEEPER DOES NOT SERVE: while the others do, see 'liuma keeper status' for what to do",
			"keeper", string(c.ID), "fault", string(c.Fault), "why", c.Why)
		if !c.Fault.Raised() {
			s.Authority.RecordAlarm(ctx, keeper.Alarm{Keeper: c.ID, Fault: c.Fault})
		}
	}
}

// upkeep returns administration's view of the keepers of a running system.
func (s *System) upkeep() admin.Upkeep {
	if s.remote != nil {
		return &remoteUpkeep{data: s.Data, logger: s.options.Logger, quorum: s.Quorum, keepers: s.remote}
	}
	return &upkeep{data: s.Data, options: s.options, seats: s.seats, quorum: s.Quorum}
}

// upkeep returns administration's view of the keepers of a directory that this
// process does not serve.
func (d *Data) upkeep(o Options) admin.Upkeep {
	if d.Config.Keepers.AreRemote() {
		return &remoteUpkeep{data: d, logger: o.Logger}
	}
	return &upkeep{data: d, options: o}
}

// remoteUpkeep is administration's view of keepers on other machines. They are
// maintained on those machines; here only their state is reported.
type remoteUpkeep struct {
	data   *Data
	logger *slog.Logger
	quorum *keeper.Quorum // nil if this process does not serve

	mu      sync.Mutex
	keepers *remote.Keepers // guarded by mu: nil if this process does not serve and has not looked yet
}

// opened returns the keepers. A process that does not serve connects to them when they
// are first asked for, and keeps the connections as long as the directory is open.
func (u *remoteUpkeep) opened() (*remote.Keepers, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.keepers == nil {
		found, err := u.data.Config.Keepers.OpenRemote(config.RemoteOptions{Machine: u.data.Clock.Start(), Logger: u.logger})
		if err != nil {
			return nil, err
		}
		u.keepers = found
		u.data.closers.add(found.Close)
	}
	return u.keepers, nil
}

// Keepers implements admin.Upkeep. If the keepers' settings cannot be used, their state is
// given as unknown, and the rest of the status is still reported.
func (u *remoteUpkeep) Keepers(ctx context.Context) ([]admin.KeeperState, error) {
	found, err := u.opened()
	if err != nil {
		out := []admin.KeeperState{}
		for _, r := range u.data.Config.Keepers.Remote {
			out = append(out, admin.KeeperState{ID: r.ID, Why: err.Error(), Remote: &admin.RemoteKeeper{Address: r.Address}})
		}
		return out, nil
	}
	var conditions []keeper.Condition
	if u.quorum != nil {
		conditions = u.quorum.Conditions(ctx)
	} else if conditions, err = u.ask(ctx, found); err != nil {
		return nil, err
	}
	out := make([]admin.KeeperState, len(conditions))
	for i, s := range found.States() {
		out[i] = stateOf(conditions[i])
		until := s.Until.UTC()
		out[i].Remote = &admin.RemoteKeeper{Member: s.Member, Address: s.Address, Until: &until,
			RoundTrip: float64(s.RoundTrip.Microseconds()) / 1000, Release: s.Release, KeySets: s.KeySets, InUse: found.KeySet()}
	}
	return out, nil
}

// ask asks the keepers for their state, without a quorum.
func (u *remoteUpkeep) ask(ctx context.Context, found *remote.Keepers) ([]keeper.Condition, error) {
	seen, err := u.data.keepersSeen(ctx)
	if err != nil {
		return nil, err
	}
	look(ctx, found)
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	out := make([]keeper.Condition, len(found.Keepers()))
	var all sync.WaitGroup
	for i, k := range found.Keepers() {
		all.Go(func() { out[i] = keeper.ConditionOf(ctx, k, u.data.Clock.Wall(), seen[k.ID()]) })
	}
	all.Wait()
	return out, nil
}

// Repair implements admin.Upkeep. It always refuses: a keeper on another
// machine is repaired there.
func (u *remoteUpkeep) Repair(_ context.Context, id string, _ audit.Reason) error {
	if !slices.ContainsFunc(u.data.Config.Keepers.Remote, func(r config.RemoteKeeper) bool { return r.ID == id }) {
		return fmt.Errorf("%w: %q", admin.ErrNoKeeper, id)
	}
	return admin.ErrElsewhere
}

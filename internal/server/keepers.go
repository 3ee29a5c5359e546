package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
)

// openSeats opens the keepers of a data directory.
func (d *Data) openSeats(ctx context.Context, o Options) (*keeper.Seats, error) {
	shape, err := d.Config.Keepers.SplitShape()
	if err != nil {
		return nil, err
	}
	return keeper.OpenSeats(ctx, d.Config.Keepers.Directories, shape,
		keeper.OpenConfig{Limits: ledger.NationalLimits(), Machine: o.Machine, Logger: o.Logger, Wrote: o.wrote()})
}

// keepersSeen returns the highest ledger sequence that was saved for each
// keeper.
func (d *Data) keepersSeen(ctx context.Context) (map[keeper.ID]uint64, error) {
	seen := map[keeper.ID]uint64{}
	err := d.Database.View(ctx, func(r store.Reader) error {
		saved, err := r.KeepersSeen()
		for id, seq := range saved {
			seen[keeper.ID(id)] = seq
		}
		return err
	})
	return seen, err
}

// openKeepers opens a quorum over the keepers. It asks each keeper at once, with the
// sequence that was saved for it: a keeper whose ledger was put back must stop before
// its own new writes raise its sequence that far again.
func (s *System) openKeepers(ctx context.Context) error {
	open := s.openHere
	if s.Config.Keepers.AreRemote() {
		open = s.openRemote
	}
	found, keySet, err := open(ctx)
	if err != nil {
		return err
	}
	for _, k := range found {
		k = s.options.measuredKeeper(k)
		if s.options.BetweenKeeper != nil {
			k = s.options.BetweenKeeper(k)
		}
		s.Keepers = append(s.Keepers, k)
	}
	seen, err := s.keepersSeen(ctx)
	if err != nil {
		return err
	}
	shape, err := s.Config.Keepers.SplitShape()
	if err != nil {
		return err
	}
	s.Quorum, err = keeper.NewQuorum(keeper.QuorumConfig{
		Keepers: s.Keepers, Shape: shape, KeySet: keySet, Now: s.Clock.Wall,
		Random: rand.Reader, Seen: seen, Alarm: s.alarm, Row: s.rowNow(), Logger: s.options.Logger,
	})
	if err != nil {
		return err
	}
	s.closers.add(s.Quorum.Close)
	s.heads.Store(s.Quorum)
	s.found = s.Quorum.Conditions(ctx)
	return nil
}

// openHere opens the keepers of this process. A keeper that is gone is left out and
// logged; with too few keepers nothing opens.
func (s *System) openHere(ctx context.Context) ([]keeper.Keeper, uint32, error) {
	seats, err := s.openSeats(ctx, s.options)
	if err != nil {
		return nil, 0, err
	}
	s.seats = seats
	s.closers.add(seats.Close)
	if err := seats.Enough(); err != nil {
		return nil, 0, err
	}
	common := seats.KeySets()
	if len(common) == 0 {
		return nil, 0, errors.New("server: the keepers share no key set; their directories do not belong together")
	}
	return seats.Keepers(), slices.Max(common), nil
}

// tellTrouble records, once for each start, the keepers that did not serve when
// they were opened. If the disk has no room for the entry, only the log has it.
func (s *System) tellTrouble(ctx context.Context) {
	for _, c := range s.found {
		if c.Fault == "" {
			continue
		}
		s.options.Logger.ErrorContext(ctx, "A KEEPER DOES NOT SERVE: while the others do, see 'liuma keeper status' for what to do",
			"keeper", string(c.ID), "fault", string(c.Fault), "why", c.Why)
		s.Authority.RecordAlarm(ctx, keeper.Alarm{Keeper: c.ID, Fault: c.Fault})
	}
}

// upkeep is administration's side of the keepers inside this process.
type upkeep struct {
	data    *Data
	options Options
	quorum  *keeper.Quorum // nil if this process does not serve

	mu    sync.Mutex
	seats *keeper.Seats                       // guarded by mu: nil if this process does not serve and has not looked yet
	did   map[keeper.ID]*admin.KeeperRepaired // guarded by mu
}

// opened returns the seats. A process that does not serve opens them when they
// are first asked for, and keeps them open as long as the directory.
func (u *upkeep) opened(ctx context.Context) (*keeper.Seats, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.seats == nil {
		seats, err := u.data.openSeats(ctx, u.options)
		if err != nil {
			return nil, err
		}
		u.seats = seats
		u.data.closers.add(seats.Close)
	}
	return u.seats, nil
}

// seen returns the highest ledger sequences that the database or the running
// quorum knows of the keepers.
func (u *upkeep) seen(ctx context.Context) (map[keeper.ID]uint64, error) {
	seen, err := u.data.keepersSeen(ctx)
	if err == nil && u.quorum != nil {
		for id, seq := range u.quorum.Seen() {
			seen[id] = max(seen[id], seq)
		}
	}
	return seen, err
}

// Keepers implements admin.Upkeep. If the keepers cannot be opened, their state
// is given as unknown, and the rest of the status is still reported.
func (u *upkeep) Keepers(ctx context.Context) ([]admin.KeeperState, error) {
	seen, err := u.seen(ctx)
	if err != nil {
		return nil, err
	}
	seats, err := u.opened(ctx)
	if err != nil {
		out := []admin.KeeperState{}
		for i := range u.data.Config.Keepers.Directories {
			out = append(out, admin.KeeperState{ID: string(keeper.IDOf(i + 1)), Why: err.Error()})
		}
		return out, nil
	}
	repairing, rows := seats.UnderWay()
	var found []keeper.Condition
	if u.quorum != nil {
		found = u.quorum.Conditions(ctx)
	} else {
		found = seats.Conditions(ctx, u.data.Clock.Wall(), seen)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []admin.KeeperState
	for _, c := range found {
		k := stateOf(c)
		k.Repaired = u.did[c.ID]
		if c.ID == repairing {
			k.State, k.Since, k.Why, k.Rows = admin.KeeperRepairing, nil, "", rows
		}
		out = append(out, k)
	}
	return out, nil
}

// stateOf translates a keeper's condition for administration.
func stateOf(c keeper.Condition) admin.KeeperState {
	k := admin.KeeperState{ID: string(c.ID), Sequence: c.Sequence, State: admin.KeeperWhole}
	if c.Fault != "" {
		since := c.Since.UTC()
		k.State, k.Since, k.Why = string(c.Fault), &since, strings.TrimPrefix(c.Why.Error(), keeper.ErrGone.Error()+": ")
	}
	return k
}

// Repair implements admin.Upkeep. It records the beginning of the repair before
// it changes anything, and the end of the repair before it reports that end.
//
// A crash in between leaves an entry for the beginning and none for the end,
// and the keeper gone until it is repaired again (Repair.Run says in which
// state).
func (u *upkeep) Repair(ctx context.Context, id string, reason audit.Reason) error {
	seats, err := u.opened(ctx)
	if err != nil {
		return err
	}
	seen, err := u.seen(ctx)
	if err != nil {
		return err
	}
	r, err := seats.BeginRepair(ctx, keeper.ID(id), seen)
	switch {
	case errors.Is(err, keeper.ErrNoKeeper):
		return fmt.Errorf("%w: %q", admin.ErrNoKeeper, id)
	case errors.Is(err, keeper.ErrUnderWay):
		return admin.ErrRepairing
	case errors.Is(err, keeper.ErrPeers):
		return fmt.Errorf("%w (%w)", admin.ErrPeers, err)
	case err != nil:
		return err
	}
	if err := u.tell(ctx, "begun", reason.Note("keeper="+id), nil); err != nil {
		r.Drop()
		return err
	}
	u.options.Logger.ErrorContext(ctx, "an operator has a keeper repaired from the others", "keeper", id, "reason", reason)
	go u.run(context.WithoutCancel(ctx), r, keeper.ID(id), reason)
	return nil
}

// run does the repair and records its end. ctx carries the name of the person
// who started the repair; it is never cancelled.
func (u *upkeep) run(ctx context.Context, r *keeper.Repair, id keeper.ID, reason audit.Reason) {
	defer r.Drop()
	log := u.options.Logger
	did, err := r.Run()
	if err != nil {
		log.ErrorContext(ctx, "keeper not repaired", "keeper", string(id), "err", err)
		if err := u.tell(ctx, "failed", reason.Note("keeper="+string(id)), nil); err != nil {
			log.ErrorContext(ctx, "not recorded that a keeper was not repaired", "keeper", string(id), "err", err)
		}
		return
	}
	out := &admin.KeeperRepaired{At: u.data.Clock.Wall().UTC(), Rows: did.Rows, KeyFile: did.KeyFile, NewLedger: did.NewLedger, Aside: did.Aside}
	for _, from := range did.From {
		out.From = append(out.From, string(from))
	}
	words := fmt.Sprintf("keeper=%s from=%s rows=%d key_file=%t new_ledger=%t", id, strings.Join(out.From, ","), did.Rows, did.KeyFile, did.NewLedger)
	// The new sequence is saved with the entry, so a ledger from before the repair
	// counts as rolled back from now on.
	if err := u.tell(ctx, "ok", reason.Note(words), map[string]uint64{string(id): did.Sequence}); err != nil {
		log.ErrorContext(ctx, "not recorded that a keeper was repaired", "keeper", string(id), "err", err)
	}
	log.WarnContext(ctx, "keeper repaired", "keeper", string(id), "from", out.From, "rows", did.Rows, "key_file", did.KeyFile, "new_ledger", did.NewLedger)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.did == nil {
		u.did = map[keeper.ID]*admin.KeeperRepaired{}
	}
	u.did[id] = out
}

// tell writes an entry, and with it saves the keepers' sequences in seen.
func (u *upkeep) tell(ctx context.Context, outcome, note string, seen map[string]uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return u.data.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		e := audit.Entry{At: u.data.Clock.Now().UTC(), Actor: admin.ActorOf(ctx), Event: audit.KeeperRepaired, Outcome: outcome, Note: note}
		if seen == nil {
			return e, nil
		}
		return e, tx.SaveKeepersSeen(seen)
	})
}

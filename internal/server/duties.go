package server

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
)

const (
	// dutyFor is how long an authority keeps a duty that it does not renew, and dutyEvery
	// how often it renews. So the duty of an authority that died passes to another within
	// seconds.
	dutyFor   = 8 * time.Second
	dutyEvery = 2 * time.Second
	// dutySpare is how much earlier than the database this process considers its duty
	// ended, so that two authorities do not both think that they have it.
	dutySpare = time.Second
	// dutyDeaf is how long the database may fail to say who has the duties before this
	// process is no longer ready: ten rounds, because a failover of the database may take
	// that long.
	dutyDeaf = 10 * dutyEvery
)

// duties are the jobs that this process does for all authorities on the database. A
// process that was suspended may go on with a duty for a moment after another took it.
// That does no harm: before a job writes, it checks that the rows that it read have not
// changed.
type duties struct {
	among  store.Among
	logger *slog.Logger
	names  []store.Duty

	mu   sync.Mutex
	held map[store.Duty]time.Time // guarded by mu: the end of each duty, by the machine's boot clock
	told time.Time                // guarded by mu: when the database last answered for all duties
}

// openDuties takes the duties that no other authority has.
func openDuties(ctx context.Context, among store.Among, logger *slog.Logger) *duties {
	d := &duties{among: among, logger: logger, held: map[store.Duty]time.Time{},
		names: []store.Duty{store.DutyOutbox, store.DutyDigests, store.DutyUpkeep, store.DutyRetention, store.DutyReseal}}
	d.take(ctx)
	return d
}

// has reports whether this process has a duty now.
func (d *duties) has(name store.Duty) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.held[name])
}

// heard returns an error if the database has not answered for dutyDeaf who has the duties:
// then it may be that no authority does those jobs.
func (d *duties) heard() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if silent := time.Since(d.told); silent > dutyDeaf {
		return fmt.Errorf("server: not heard for %s whose the duties are", silent.Truncate(time.Second))
	}
	return nil
}

func (d *duties) take(ctx context.Context) {
	all, at := true, time.Now()
	defer func() {
		if all {
			d.mu.Lock()
			d.told = at
			d.mu.Unlock()
		}
	}()
	for _, name := range d.names {
		began := time.Now()
		got, err := d.among.TakeDuty(ctx, name, dutyFor)
		if err != nil && ctx.Err() == nil {
			d.logger.WarnContext(ctx, "not known whether a duty is this authority's", "duty", name, "err", err)
		}
		if err != nil {
			all = false
			continue // the duty ends when its time is over
		}
		d.mu.Lock()
		_, had := d.held[name]
		if got {
			d.held[name] = began.Add(dutyFor - dutySpare)
		} else {
			delete(d.held, name)
		}
		d.mu.Unlock()
		if had != got && d.among.Self().Name != "" {
			d.logger.InfoContext(ctx, "a duty for all authorities", "duty", name, "here", got)
		}
	}
}

// keep takes and keeps duties until ctx ends, and then gives them back.
func (d *duties) keep(ctx context.Context) {
	t := time.NewTicker(dutyEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			d.take(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), dutyEvery)
			defer cancel()
			for _, name := range d.names {
				_ = d.among.DropDuty(last, name) // on an error the duty ends when its time is over
			}
			return
		}
	}
}

// while wraps work so that it runs whenever this process has the duty.
func (d *duties) while(name store.Duty, work ...func(context.Context)) (out []func(context.Context)) {
	if d.among.Self().Name == "" {
		return slices.Clone(work) // no other authority could have it
	}
	for _, f := range work {
		out = append(out, func(ctx context.Context) {
			for d.wait(ctx, name, true) {
				d.turn(ctx, name, f)
			}
		})
	}
	return out
}

// turn runs work until another authority has the duty.
func (d *duties) turn(ctx context.Context, name store.Duty, f func(context.Context)) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		d.wait(ctx, name, false)
		stop()
	}()
	f(ctx)
	if ctx.Err() == nil { // work ended by itself and would end at once again: wait for the duty to pass
		d.wait(ctx, name, false)
	}
}

// wait waits until this process has the duty (has) or has lost it (!has). It returns
// false if ctx ended.
func (d *duties) wait(ctx context.Context, name store.Duty, has bool) bool {
	t := time.NewTicker(250 * time.Millisecond)
	defer t.Stop()
	for d.has(name) != has {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
		}
	}
	return ctx.Err() == nil
}

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
	// dutyFor is how long a duty stays with who says nothing more, dutyEvery how often it
	// is said: a duty of an authority that died goes over within seconds.
	dutyFor   = 8 * time.Second
	dutyEvery = 2 * time.Second
	// dutySpare is how much earlier than the database who has a duty thinks that it ends.
	dutySpare = time.Second
	// dutyDeaf is how long nothing was heard of duties when this process is not ready any
	// more: ten rounds, which a failover of the database may take.
	dutyDeaf = 10 * dutyEvery
)

// duties are the works that this process does for all authorities on the database. What is
// done twice for a moment, because a process that was suspended does not know yet that its
// duty is another's, does no harm: each compares what it read when it writes.
type duties struct {
	among  store.Among
	logger *slog.Logger
	names  []store.Duty

	mu   sync.Mutex
	held map[store.Duty]time.Time // guarded by mu: until when, by the machine's boot clock
	told time.Time                // guarded by mu: when the database last said whose all of them are
}

// openDuties takes what nobody has.
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

// heard is an error where the database has not said for dutyDeaf whose the duties are: what
// is done once for all may be done by nobody.
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
			continue // it ends by its time
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
				_ = d.among.DropDuty(last, name) // or it ends by its time
			}
			return
		}
	}
}

// while runs work as long as this process has a duty, and again when it has it again.
func (d *duties) while(name store.Duty, work ...func(context.Context)) (out []func(context.Context)) {
	if d.among.Self().Name == "" {
		return slices.Clone(work) // nobody else could have it
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

// turn runs work until the duty is another's.
func (d *duties) turn(ctx context.Context, name store.Duty, f func(context.Context)) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		d.wait(ctx, name, false)
		stop()
	}()
	f(ctx)
	if ctx.Err() == nil { // it ended by itself, and would at once again
		d.wait(ctx, name, false)
	}
}

// wait waits until this process has the duty, or has it no more; false where ctx ended.
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

package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
)

// Admit returns the error that every request with this header would get before
// the ledger looks at its card, or nil if such a request would be served. A
// ledger whose disk was full tries a write, because only a write shows whether
// there is room again.
func (l *Ledger) Admit(ctx context.Context, sender time.Time, seen uint64) error {
	if _, err := l.admit(header{sender, seen}); err != nil {
		return err
	}
	l.mu.Lock()
	full := l.full
	l.mu.Unlock()
	if !full {
		return nil
	}
	return l.KeepTime(ctx)
}

// Times are the ledger's high-water time and this machine's wall clock.
func (l *Ledger) Times() clock.Times { return l.clock.Read() }

// Start returns a mark that tells other processes that this ledger runs on the same
// start of the machine as they do; see clock.Clock.Start.
func (l *Ledger) Start() [clock.StartSize]byte { return l.clock.Start() }

// KeepTime makes the ledger's time durable. A crash before it only makes locks
// and waits longer, by the time since the last write, and only if the machine
// was started anew (I-15).
func (l *Ledger) KeepTime(ctx context.Context) error {
	_, err := l.ask(ctx, &op{work: func(b *batch) error {
		if s := l.clock.State(); s.High.After(b.high.High) { // a jump of the time that was accepted is never taken back
			b.high = s
		}
		return nil
	}})
	return err
}

// AcceptTime moves the ledger's time up to the wall clock: locks and waits end
// as if the time in between had passed. The caller has already recorded the
// person who asked for it and the reason. A crash before the write is durable
// leaves the time as it was, and the call can be repeated. Errors:
// clock.ErrNotAhead, clock.ErrBehind.
func (l *Ledger) AcceptTime(ctx context.Context) error { return l.jump(ctx, l.clock.Accept) }

// WitnessTime does the same as AcceptTime, but no person asks for it: the clocks of
// q keepers on other machines must be within a minute of the wall clock; see
// clock.Clock.Witnessed.
func (l *Ledger) WitnessTime(ctx context.Context, others []time.Time, q int) error {
	return l.jump(ctx, func() (clock.State, error) { return l.clock.Witnessed(others, q) })
}

func (l *Ledger) jump(ctx context.Context, to func() (clock.State, error)) error {
	_, err := l.ask(ctx, &op{work: func(b *batch) (err error) {
		b.high, err = to()
		return err
	}})
	if err != nil {
		return fmt.Errorf("ledger: accept the clock: %w", err)
	}
	return nil
}

// keep saves the time while no request does, until the ledger is closed. If it
// cannot write, the next request writes the time, or it is lost without harm.
func (l *Ledger) keep() {
	t := time.NewTicker(keepEvery)
	defer t.Stop()
	for {
		select {
		case <-l.finished:
			return
		case <-t.C:
		}
		if l.clock.Now().Sub(l.Meta().High.High) < keepEvery || l.Poisoned() != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), keepEvery)
		if err := l.KeepTime(ctx); err != nil {
			l.cfg.Logger.Warn("ledger's time not kept", "keeper", l.cfg.Keeper, "err", err)
		}
		cancel()
	}
}

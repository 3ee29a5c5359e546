package authority

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Wrong freeze codes are counted in memory alone, so that whoever sends them
// writes nothing to the disk. What is lost with the process decides nothing: a
// right code works in any case. A wrong one costs one keyed hash and one
// look-up. Its answer is not delayed, because an answer that waits would hold a
// place at the door that others behind the same address need.
const (
	freezePeriod = time.Hour
	// freezeSource is how many wrong freeze codes of one source within the period
	// are answered as wrong. Further wrong ones are told to slow down.
	freezeSource = 10
	// freezeSources bounds the sources that are counted at a time. Those that
	// come later within the period are answered as wrong.
	freezeSources = 1 << 14
	// freezeAlarm is how many wrong freeze codes within the period, from all
	// sources, are an alarm.
	freezeAlarm = 3000
)

// freezeTries counts wrong freeze codes since a time.
type freezeTries struct {
	mu      sync.Mutex
	since   time.Time           // guarded by mu: when the period began
	sources map[vault.Index]int // guarded by mu: by the blind index of the source
	wrong   uint64              // guarded by mu: not in the record yet
	period  uint64              // guarded by mu: within the period
	told    time.Time           // guarded by mu: of the last entry
}

func newFreezeTries() *freezeTries { return &freezeTries{sources: map[vault.Index]int{}} }

// add counts a wrong freeze code. It returns until when its source is slowed, or
// zero, and whether this one made it an alarm.
func (f *freezeTries) add(source vault.Index, now time.Time) (until time.Time, alarm bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.since) >= freezePeriod {
		f.since, f.period = now, 0
		clear(f.sources)
	}
	f.wrong++
	f.period++
	n := f.sources[source]
	if n > 0 || len(f.sources) < freezeSources {
		f.sources[source] = min(n+1, freezeSource+1)
	}
	if n >= freezeSource {
		until = f.since.Add(freezePeriod)
	}
	return until, f.period == freezeAlarm
}

// wrongFreezeCode is the refusal of a wrong freeze code.
func (a *Authority) wrongFreezeCode(source string) error {
	from := a.vault.Index(vault.IndexPhone, "freeze-source\x00"+source)
	until, alarm := a.freezeTries.add(from, a.Now())
	if alarm {
		a.log.Error("ALARM: freeze codes are being guessed", "wrong", freezeAlarm, "within", freezePeriod)
	}
	if !until.IsZero() {
		return &liuma.Error{Code: liuma.CodeFreezeCodeLimit, Until: until}
	}
	return liuma.Fail(liuma.CodeFreezeCodeInvalid, nil)
}

// take takes the number of wrong freeze codes for an entry of the record, once
// in a while; nothing if there were none.
func (f *freezeTries) take(now time.Time, every time.Duration) (wrong uint64, sources int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wrong == 0 || now.Sub(f.told) < every {
		return 0, 0
	}
	wrong, f.wrong, f.told = f.wrong, 0, now
	return wrong, len(f.sources)
}

// tellFreezeTries writes how many freeze codes were wrong, in one entry for all
// of them. A crash, or a failure here, loses their number alone.
func (a *Authority) tellFreezeTries(ctx context.Context, every time.Duration) error {
	wrong, sources := a.freezeTries.take(a.Now(), every)
	if wrong == 0 {
		return nil
	}
	return a.store.Update(ctx, func(store.Tx) (audit.Entry, error) {
		e := a.Entry("holder", audit.FreezeTried, liuma.CardID{}, "", string(liuma.CodeFreezeCodeInvalid))
		e.Note = fmt.Sprintf("wrong=%d;sources=%d", wrong, sources)
		return e, nil
	})
}

package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// The traffic of a channel (verifications, links, pushes, challenges) is counted in
// memory, and the sums are saved each second: writing a sealed row for each of a thousand
// requests a second would cost more than the requests. So a restart loses the counts of
// the last second, and authorities that share a database learn one another's counts a
// second late. Acts that nobody can undo are counted in their own transaction instead
// (Spend).

// countFresh is how long a count relies on the value last read from the store.
const countFresh = 2 * time.Second

// count is one ration as this process counts it.
type count struct {
	caller    Caller
	hour, day uint64    // as the store had them
	until     time.Time // when the ration is no longer spent, by the store
	read      time.Duration
	known     bool
	pending   int64 // counted since then and not saved; negative if more was given back
}

// Taken is one act that was counted in memory.
type Taken struct {
	a    *Authority
	keys []rationKey
}

// GiveBack takes the count back because the act was a repetition or did not take place.
// It does nothing on nil.
func (t *Taken) GiveBack() {
	if t == nil {
		return
	}
	t.a.rations.mu.Lock()
	defer t.a.rations.mu.Unlock()
	for _, k := range t.keys {
		t.a.rations.counts[k].pending--
	}
	t.keys = nil
}

// Take counts one act of a client in memory and, for a sub-channel, for the channel above
// it too. CodeRationSpent: a ration is spent, and nothing was counted.
func (a *Authority) Take(ctx context.Context, c Caller, act Act) (*Taken, error) {
	all, err := payers(c, func(id string) (store.Client, error) { return a.Recall(ctx, id) })
	if err != nil {
		return nil, err
	}
	t := &Taken{a: a}
	for _, c := range all {
		if err := a.takeOf(ctx, c, act); err != nil {
			t.GiveBack()
			return nil, err
		}
		t.keys = append(t.keys, rationKey{c.Client.ID, act})
	}
	return t, nil
}

// takeOf counts one act to a client's own ration.
func (a *Authority) takeOf(ctx context.Context, c Caller, act Act) error {
	k, most := rationKey{c.Client.ID, act}, a.rationOf(c, act)
	for range 2 {
		until, ok, stale := a.tryTake(k, c, most)
		switch {
		case stale:
			if err := a.readCount(ctx, k, c, most); err != nil {
				return liuma.Outward(err)
			}
		case ok:
			return nil
		default:
			return a.rationSpent(c, act, until)
		}
	}
	// The store was so slow that the count just read is too old.
	return liuma.Fail(liuma.CodeUnavailable, errors.New("authority: rations cannot be read in time"))
}

func (a *Authority) tryTake(k rationKey, c Caller, most policy.Ration) (until time.Time, ok, stale bool) {
	a.rations.mu.Lock()
	defer a.rations.mu.Unlock()
	x := a.rations.counts[k]
	if x == nil || !x.known || a.clock.Boot()-x.read >= countFresh {
		return time.Time{}, false, true
	}
	x.caller = c
	if int64(x.hour)+x.pending < int64(most.Hour) && int64(x.day)+x.pending < int64(most.Day) {
		x.pending++
		return time.Time{}, true, false
	}
	// If only unsaved counts spend the ration, the store will know its end in a second.
	return later(x.until, a.Now().Add(time.Second)), false, false
}

// readCount reads what the store has counted.
func (a *Authority) readCount(ctx context.Context, k rationKey, c Caller, most policy.Ration) error {
	a.rations.saving.Lock()
	defer a.rations.saving.Unlock()
	var read count
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		read, err = a.counted(r, k, most)
		return err
	})
	if err != nil {
		return err
	}
	a.rations.mu.Lock()
	defer a.rations.mu.Unlock()
	x := a.rations.counts[k]
	if x == nil {
		x = &count{}
		a.rations.counts[k] = x
	}
	read.caller, read.pending = c, x.pending
	*x = read
	return nil
}

// counted reads a count.
func (a *Authority) counted(r store.Reader, k rationKey, most policy.Ration) (count, error) {
	x := count{known: true, read: a.clock.Boot()}
	kind, key := a.meterOf(k.client, k.act)
	now := a.Now()
	var err1, err2, err3 error
	x.hour, err1 = r.Metered(kind, key, now.Add(-time.Hour))
	x.day, err2 = r.Metered(kind, key, now.Add(-day))
	x.until, err3 = spentUntil(r, kind, key, most)
	return x, errors.Join(err1, err2, err3)
}

// saveCounts saves the counts in memory, outside of all requests. A crash before the
// commit loses the counts since the last save.
func (a *Authority) saveCounts(ctx context.Context) error {
	a.rations.saving.Lock()
	defer a.rations.saving.Unlock()
	unsaved := a.rations.unsaved()
	if len(unsaved) == 0 {
		return nil
	}
	read := map[rationKey]count{}
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		for k, x := range unsaved {
			kind, key := a.meterOf(k.client, k.act)
			if err := tx.Meter(kind, key, a.Now(), uint64(x.pending)); err != nil {
				return audit.Entry{}, err
			}
			now, err := a.counted(tx, k, a.rationOf(x.caller, k.act))
			if err != nil {
				return audit.Entry{}, err
			}
			read[k] = now
		}
		return audit.Entry{}, nil // it only says how often each client came
	})
	if err != nil {
		return err
	}
	a.rations.mu.Lock()
	defer a.rations.mu.Unlock()
	for k, now := range read {
		x := a.rations.counts[k]
		now.caller, now.pending = x.caller, x.pending-unsaved[k].pending
		*x = now
	}
	return nil
}

// unsaved are the counts that the store does not have yet.
func (r *rations) unsaved() map[rationKey]count {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[rationKey]count{}
	for k, x := range r.counts {
		if x.pending > 0 {
			all[k] = *x
		}
	}
	return all
}

// Package ration counts the codes that people type without having signed in, by who sent
// them, in the database: of freeze codes and of the codes of tickets a source may give so many wrong ones
// an hour, and no more.
//
// It guarantees that all authorities on one database together take no more than that of a
// source, also from two at once, and that a restart gives none back: a try is counted in a
// transaction of its own, and of tickets before the code is looked at. What it writes is bounded: a source that is slowed writes nothing, and of those that come after
// Codes.Sources others within an hour none has a row of its own.
//
// It trusts the store's clock (H), and who names the source. Who deletes rows of the
// database gives tries back, as with every meter.
//
// Start here: Codes.Take.
package ration

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Period is what codes are counted for: each hour of the store's clock by itself.
const Period = time.Hour

// Codes is one kind of codes and its ration.
type Codes struct {
	Kind    string // of the meters
	Source  uint64 // wrong ones of one source within the hour
	Sources uint64 // that are counted at a time, each by itself
	// Others is how many all other sources may give together. Zero: they are not counted.
	Others uint64
	// Alarm is how many wrong ones within the hour, from all sources, are an alarm.
	Alarm uint64
}

// others stands for all sources that come after Sources others within the hour.
func others() vault.Index { return vault.Index{} }

// kind is under which the tries of an hour are metered. Each hour has meters of its own, so
// that what is given back late goes to the hour that it was taken from.
func (c Codes) kind(of string, now time.Time) string {
	return fmt.Sprintf("%s%s@%d", c.Kind, of, now.Unix()/int64(Period/time.Second))
}

const (
	tried   = ""         // by source: those that were taken
	right   = ":right"   // by source: those of them that were given back
	sources = ":sources" // how many have a count of their own
	all     = ":all"     // wrong ones of all
)

// over is when the hour of a time ends.
func over(now time.Time) time.Time { return now.UTC().Truncate(Period).Add(Period) }

// Taken is one try that was counted.
type Taken struct {
	kind string
	key  vault.Index
	at   time.Time
}

// standing is how a source stands: under which key it is counted, whether that begins now,
// and how many it may still give. key is nil where it is not counted.
func (c Codes) standing(r store.Reader, source vault.Index, now time.Time) (key *vault.Index, first bool, left uint64, err error) {
	count := func(of string, key vault.Index) (n uint64) {
		if err == nil {
			n, err = r.Metered(c.kind(of, now), key, over(now).Add(-Period))
		}
		return n
	}
	of, most := source, c.Source
	n := count(tried, source)
	if n == 0 {
		if first = count(sources, others()) < c.Sources; !first {
			if c.Others == 0 {
				return nil, false, 0, err
			}
			of, most = others(), c.Others
			n = count(tried, of)
		}
	}
	if n >= most { // otherwise those that were given back change nothing
		n -= min(n, count(right, of))
	}
	return &of, first, most - min(n, most), err
}

// Slowed is until when a source may give no more, or zero, and whether its tries are counted
// at all; for a look that writes nothing.
func (c Codes) Slowed(r store.Reader, source vault.Index, now time.Time) (until time.Time, counted bool, err error) {
	key, _, left, err := c.standing(r, source, now)
	if err != nil || key == nil {
		return time.Time{}, false, err
	}
	if left == 0 {
		until = over(now)
	}
	return until, true, nil
}

// Take counts one try of a source. Until is zero if it was taken; otherwise the source may
// give no more until then, and nothing is written. Two at once, here or at two authorities,
// come one after the other.
//
// A crash before the commit counts nothing, and nobody has looked at the code; after it the
// try stays counted, whatever became of the request.
func (c Codes) Take(tx store.Tx, source vault.Index, now time.Time) (t Taken, until time.Time, err error) {
	key, first, left, err := c.standing(tx, source, now)
	switch {
	case err != nil || key == nil:
		return Taken{}, time.Time{}, err
	case left == 0:
		return Taken{}, over(now), nil
	}
	t = Taken{kind: c.kind(right, now), key: *key, at: now}
	if first {
		if err := tx.Meter(c.kind(sources, now), others(), now, 1); err != nil {
			return Taken{}, time.Time{}, err
		}
	}
	return t, time.Time{}, tx.Meter(c.kind(tried, now), *key, now, 1)
}

// GiveBack takes a try out of the count: its code was right. A crash before the commit
// leaves it counted.
func (t Taken) GiveBack(tx store.Tx) error {
	if t.kind == "" {
		return nil
	}
	return tx.Meter(t.kind, t.key, t.at, 1)
}

// Wrong counts the wrong ones of all sources for the alarm, in memory, and adds them to
// those of other authorities when it is saved. They refuse nobody.
type Wrong struct{ unsaved atomic.Uint64 }

// Add counts one.
func (w *Wrong) Add() { w.unsaved.Add(1) }

// Save adds up what was counted since the last call, and reports whether this made it an
// alarm; of several authorities one hears of it. A crash before the commit loses what was
// counted since the last call.
func (w *Wrong) Save(ctx context.Context, st store.Store, c Codes, now time.Time) (alarm bool, err error) {
	n := w.unsaved.Swap(0)
	if n == 0 {
		return false, nil
	}
	err = st.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		before, err := tx.Metered(c.kind(all, now), others(), over(now).Add(-Period))
		alarm = before < c.Alarm && before+n >= c.Alarm
		if err != nil {
			return audit.Entry{}, err
		}
		return audit.Entry{}, tx.Meter(c.kind(all, now), others(), now, n) // it only says how often something came
	})
	if err != nil {
		w.unsaved.Add(n)
		return false, err
	}
	return alarm, nil
}

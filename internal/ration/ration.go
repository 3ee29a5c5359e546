// Package ration counts the codes that people type without having signed in, by who sent
// them, in the database: of freeze codes and of the codes of tickets a source may give so many wrong ones
// an hour, and no more.
//
// It guarantees that all authorities on one database together take no more than that of a
// source, also from two at once, and that a restart gives none back: a try is counted in
// transactions of its own, and of tickets before the code is looked at. What it writes is bounded: a source that is slowed writes nothing, and of those that come after
// Codes.Sources others within an hour none has a row of its own.
//
// It trusts the store's clock (H), and who names the source. Who deletes rows of the
// database gives tries back, as with every meter.
//
// Start here: Codes.Spend.
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

// place is where a source is counted within an hour.
type place struct {
	key     vault.Index
	most    uint64
	counted bool
	first   bool // it has no row of its own yet
}

func (c Codes) count(r store.Reader, of string, key vault.Index, now time.Time) (uint64, error) {
	return r.Metered(c.kind(of, now), key, over(now).Add(-Period))
}

func (c Codes) placeOf(r store.Reader, source vault.Index, now time.Time) (place, error) {
	n, err := c.count(r, tried, source, now)
	if err != nil || n > 0 {
		return place{key: source, most: c.Source, counted: true}, err
	}
	n, err = c.count(r, sources, others(), now)
	if err != nil || n < c.Sources {
		return place{key: source, most: c.Source, counted: true, first: true}, err
	}
	return place{key: others(), most: c.Others, counted: c.Others > 0}, nil
}

// spent reports whether no more may be given at a place.
func (c Codes) spent(r store.Reader, p place, now time.Time) (bool, error) {
	n, err := c.count(r, tried, p.key, now)
	if err != nil || n < p.most { // those that were given back change nothing
		return false, err
	}
	back, err := c.count(r, right, p.key, now)
	return n-min(n, back) >= p.most, err
}

// Spend counts one try of a source. Until is zero if it was taken; otherwise the source may
// give no more until then, and nothing was written. Two at once, here or at two authorities,
// come one after the other.
//
// A new source is counted among the sources first, in a transaction of its own, since the two
// rows lie in two places. A crash after it leaves a source more than there is, which only has
// others counted together earlier. A crash before the last commit counts nothing, and nobody has
// looked at the code; after it the try stays counted, whatever became of the request.
func (c Codes) Spend(ctx context.Context, st store.Store, source vault.Index, now time.Time) (t Taken, until time.Time, err error) {
	var p place
	over, full := over(now), false
	err = st.View(ctx, func(r store.Reader) (err error) {
		if p, err = c.placeOf(r, source, now); err == nil && p.counted {
			full, err = c.spent(r, p, now)
		}
		return err
	})
	switch {
	case err != nil || !p.counted:
		return Taken{}, time.Time{}, err
	case full:
		return Taken{}, over, nil
	}
	if p.first {
		err = st.Update(ctx, func(tx store.Tx) (_ audit.Entry, err error) {
			if p, err = c.placeOf(tx, source, now); err != nil || !p.first {
				return audit.Entry{}, err
			}
			return audit.Entry{}, tx.Meter(c.kind(sources, now), others(), now, 1) // it only says how many came
		})
		if err != nil || !p.counted {
			return Taken{}, time.Time{}, err
		}
	}
	err = st.Update(ctx, func(tx store.Tx) (_ audit.Entry, err error) {
		if full, err = c.spent(tx, p, now); err != nil || full {
			return audit.Entry{}, err
		}
		return audit.Entry{}, tx.Meter(c.kind(tried, now), p.key, now, 1) // it only says how often something came
	})
	switch {
	case err != nil:
		return Taken{}, time.Time{}, err
	case full:
		return Taken{}, over, nil
	}
	return Taken{kind: c.kind(right, now), key: p.key, at: now}, time.Time{}, nil
}

// Taken is one try that was counted; the zero value is none.
type Taken struct {
	kind string
	key  vault.Index
	at   time.Time
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

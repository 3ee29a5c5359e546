// Package ration limits the codes that people enter without being signed in. It counts them in
// the database by source: a source may enter only so many wrong freeze codes, or wrong codes of
// tickets, an hour.
//
// It guarantees that all authorities on one database together accept no more than that from a
// source, even if two are asked at once, and that a restart gives no try back: a try is counted
// in its own transaction and, for tickets, before the code is looked at. It bounds the rows that
// it writes: a source that is refused writes nothing, and sources that come after Codes.Sources
// others within an hour have no row of their own.
//
// It trusts the store's clock (H), and the caller to name the source. Whoever deletes rows of the
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

// Period is the time for which codes are counted: each hour of the store's clock
// separately.
const Period = time.Hour

// Codes is one kind of codes and its ration.
type Codes struct {
	Kind    string // of the meters
	Source  uint64 // wrong codes allowed from one source within the hour
	Sources uint64 // sources that are counted separately at a time
	// Others is how many wrong codes all other sources together may enter. Zero: they are
	// not counted.
	Others uint64
	// Alarm is how many wrong codes within the hour, from all sources, raise an alarm.
	Alarm uint64
}

// others is the index for all sources that come after Sources others within the hour.
func others() vault.Index { return vault.Index{} }

// kind returns the meter kind for an hour's tries. Each hour has its own meters, so that a
// try that is given back late is given back to the hour in which it was taken.
func (c Codes) kind(of string, now time.Time) string {
	return fmt.Sprintf("%s%s@%d", c.Kind, of, now.Unix()/int64(Period/time.Second))
}

const (
	tried   = ""         // by source: tries that were counted
	right   = ":right"   // by source: tries that were given back because the code was right
	sources = ":sources" // how many sources have their own count
	all     = ":all"     // wrong codes of all sources
)

// over returns when the hour of a time ends.
func over(now time.Time) time.Time { return now.UTC().Truncate(Period).Add(Period) }

// place is the row in which a source is counted within an hour.
type place struct {
	key     vault.Index
	most    uint64
	counted bool
	first   bool // the source has no row of its own yet
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

// spent reports whether no more tries are allowed at a place.
func (c Codes) spent(r store.Reader, p place, now time.Time) (bool, error) {
	n, err := c.count(r, tried, p.key, now)
	if err != nil || n < p.most { // tries that were given back change nothing
		return false, err
	}
	back, err := c.count(r, right, p.key, now)
	return n-min(n, back) >= p.most, err
}

// Spend counts one try of a source. until is zero if the try was counted; otherwise the source
// must wait until then, and nothing was written. Two tries at once, here or at two authorities,
// are handled one after the other.
//
// A new source is first counted among the sources, in a separate transaction, because the two
// rows are in two places. A crash after that counts one source too many, so that later sources
// are counted together a little earlier. A crash before the last commit counts nothing, and
// nobody has looked at the code; after it the try stays counted, whatever becomes of the
// request.
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
			return audit.Entry{}, tx.Meter(c.kind(sources, now), others(), now, 1) // no audit entry: the meter only counts sources
		})
		if err != nil || !p.counted {
			return Taken{}, time.Time{}, err
		}
	}
	err = st.Update(ctx, func(tx store.Tx) (_ audit.Entry, err error) {
		if full, err = c.spent(tx, p, now); err != nil || full {
			return audit.Entry{}, err
		}
		return audit.Entry{}, tx.Meter(c.kind(tried, now), p.key, now, 1) // no audit entry: the meter only counts tries
	})
	switch {
	case err != nil:
		return Taken{}, time.Time{}, err
	case full:
		return Taken{}, over, nil
	}
	return Taken{kind: c.kind(right, now), key: p.key, at: now}, time.Time{}, nil
}

// Taken is one try that was counted; the zero value is no try.
type Taken struct {
	kind string
	key  vault.Index
	at   time.Time
}

// GiveBack removes a try from the count, because its code was right. A crash before the
// commit leaves it counted.
func (t Taken) GiveBack(tx store.Tx) error {
	if t.kind == "" {
		return nil
	}
	return tx.Meter(t.kind, t.key, t.at, 1)
}

// Wrong counts the wrong codes of all sources for the alarm, in memory; Save adds them
// to the counts of other authorities. They do not cause refusals.
type Wrong struct{ unsaved atomic.Uint64 }

// Add counts one wrong code.
func (w *Wrong) Add() { w.unsaved.Add(1) }

// Save saves the number counted since the last call, and reports whether it raises the
// alarm; of several authorities only one gets true. A crash before the commit loses the
// number since the last call.
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
		return audit.Entry{}, tx.Meter(c.kind(all, now), others(), now, n) // no audit entry: the meter only counts wrong codes
	})
	if err != nil {
		w.unsaved.Add(n)
		return false, err
	}
	return alarm, nil
}

// Package tally counts what the record tells of, by hour, channel and region: checks
// of PINs by how they ended, recovered PINs, bound phones that were changed, freezes,
// texts. The staff pages and 'liuma tally' show it.
//
// It guarantees that each entry of the record is counted once, across crashes and
// restarts: what a digest newly covers is added in the transaction that keeps that
// digest, and what no digest covers yet is counted anew by whoever asks. Nothing is
// written when an entry is: a verification pays nothing for it. It keeps no card, no
// person and no business number, regions as prefectures, and the last 32 days. It
// trusts the record for what happened; a count decides nothing.
//
// Start here: Kind, then Count.
package tally

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Kept is how far back tallies are kept: the last 30 days, whatever the time zone, and
// a bit.
const Kept = 32 * 24 * time.Hour

// Kind is what is counted. Its number stands in stored tallies: kinds are added at the
// end and never taken away.
type Kind int

// The kinds. The first five are how a check of a PIN ended, in any act; a change whose
// old PIN was right goes on, and counts as Set.
const (
	Right    Kind = iota
	Wrong         // a wrong PIN
	Locked        // too many wrong ones: shut for a time
	Blocked       // shut until the PIN is recovered
	Refused       // for another reason: frozen, cancelled, no such link, no verdict
	ByFace        // proved by evidence alone, without a PIN
	Enrolled      // cards that were applied for
	Linked        // accounts that were linked to a card
	Set           // PINs that were set: the first of a card, or changed by who knew the old
	Reset         // forgotten PINs that were recovered
	Rebound       // bound phones that were changed
	Frozen        // cards that were frozen
	Reported      // losses that were reported by phone
	Codes         // one-time codes that were asked for and queued
	Sent          // texts that a gateway took, of every kind; by region alone
	Dead          // texts that were given up; by region alone

	kinds // how many
)

// names of the kinds, as commands and answers write them.
var names = [kinds]string{"right", "wrong", "locked", "blocked", "refused", "evidence", "enrolled", "linked", "set", "reset",
	"rebound", "frozen", "reported", "codes", "sent", "dead"}

// String is the kind's name.
func (k Kind) String() string {
	if k < 0 || k >= kinds {
		return ""
	}
	return names[k]
}

// Kinds lists all kinds in their order.
func Kinds() []Kind {
	all := make([]Kind, kinds)
	for k := range all {
		all[k] = Kind(k)
	}
	return all
}

// of are the events that are counted when they went well.
func of(ev audit.Event) (Kind, bool) {
	switch ev {
	case audit.EvidenceProved:
		return ByFace, true
	case audit.CardEnrolled:
		return Enrolled, true
	case audit.CardLinked:
		return Linked, true
	case audit.PINSet:
		return Set, true
	case audit.PINReset:
		return Reset, true
	case audit.PhoneChanged:
		return Rebound, true
	case audit.CardFrozen:
		return Frozen, true
	case audit.LossReported:
		return Reported, true
	case audit.CodeSent:
		return Codes, true
	case audit.MessageSent:
		return Sent, true
	}
	return 0, false
}

// KindsOf says as what an entry counts; most entries count as nothing.
func KindsOf(e audit.Entry) []Kind {
	right := e.Outcome == string(liuma.Right)
	switch e.Event {
	case audit.AttemptDecided, audit.AttemptUndecided:
		return []Kind{ended(e)}
	case audit.MessageDead:
		return []Kind{Dead}
	}
	k, ok := of(e.Event)
	switch {
	case !ok || e.Outcome != "ok" && !right:
		return nil
	case k == Linked && right: // at the native door the check and the link have one entry
		return []Kind{Right, Linked}
	}
	return []Kind{k}
}

// ended is how a check of a PIN ended, by its outcome.
func ended(e audit.Entry) Kind {
	switch e.Outcome {
	case string(liuma.Right), "ok":
		return Right
	case string(liuma.CodeWrong), string(liuma.Wrong):
		return Wrong
	case string(liuma.CodeLocked):
		return Locked
	case string(liuma.CodeBlocked):
		return Blocked
	}
	return Refused
}

// regionDigits is how much of a region is kept: its prefecture. A county's hour would
// often be one person's.
const regionDigits = 4

// Wide is the region that tallies have in place of one.
func Wide(r liuma.Region) liuma.Region { return r[:min(len(r), regionDigits)] }

// cell is where an entry counts.
type cell struct {
	hour    int64 // since 1970
	channel liuma.ChannelID
	region  liuma.Region
}

// Count is a count of entries. The zero Count is empty. It is not safe for concurrent
// use.
type Count struct {
	at map[cell][kinds]uint64
}

// Add counts an entry about a card of a region; empty: not known, or no card.
func (c *Count) Add(e audit.Entry, region liuma.Region) {
	counts := KindsOf(e)
	if len(counts) == 0 {
		return
	}
	if c.at == nil {
		c.at = map[cell][kinds]uint64{}
	}
	at := cell{hourOf(e.At), e.Through(), Wide(region)}
	n := c.at[at]
	for _, k := range counts {
		n[k]++
	}
	c.at[at] = n
}

// AddAll adds another count.
func (c *Count) AddAll(other Count) {
	for at, n := range other.at {
		if c.at == nil {
			c.at = map[cell][kinds]uint64{}
		}
		sum := c.at[at]
		for k := range sum {
			sum[k] += n[k]
		}
		c.at[at] = sum
	}
}

func hourOf(at time.Time) int64 { return at.Unix() / int64(time.Hour/time.Second) }

// Tallies are the count as it is stored: hours in their order, each with its cells in
// the order of channel and region.
func (c *Count) Tallies() []store.Tally {
	byHour := map[int64][]store.TallyCell{}
	for at, n := range c.at {
		counts := store.TallyCounts(n[:])
		for len(counts) > 0 && counts[len(counts)-1] == 0 {
			counts = counts[:len(counts)-1]
		}
		byHour[at.hour] = append(byHour[at.hour], store.TallyCell{Channel: at.channel, Region: at.region, Counts: slices.Clone(counts)})
	}
	var out []store.Tally
	for hour, cells := range byHour {
		slices.SortFunc(cells, func(a, b store.TallyCell) int {
			return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Region, b.Region))
		})
		out = append(out, store.Tally{Hour: time.Unix(hour*3600, 0).UTC(), Cells: cells})
	}
	slices.SortFunc(out, func(a, b store.Tally) int { return a.Hour.Compare(b.Hour) })
	return out
}

// Load adds a stored tally. Kinds of a later release are passed over.
func (c *Count) Load(t store.Tally) {
	for _, x := range t.Cells {
		var n [kinds]uint64
		copy(n[:], x.Counts)
		c.AddAll(Count{map[cell][kinds]uint64{{hourOf(t.Hour), x.Channel, x.Region}: n}})
	}
}

// Keep adds a count to the stored tallies and drops what is older than Kept. It belongs
// into the transaction that keeps the digest which covers the counted entries: a crash
// before the commit leaves neither, and the next digest counts the same entries. Of an
// hour whose row was altered nothing is added, and lost says so: the digest must not
// wait for it.
func Keep(tx store.Tx, c Count, now time.Time) (lost int, err error) {
	oldest := now.Add(-Kept)
	for _, add := range c.Tallies() {
		if !add.Hour.Add(time.Hour).After(oldest) {
			continue
		}
		var sum Count
		there, err := tx.Tally(add.Hour)
		switch {
		case errors.Is(err, store.ErrSeal):
			lost++
			continue
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return lost, err
		}
		sum.Load(there)
		sum.Load(add)
		for _, t := range sum.Tallies() {
			if err := tx.PutTally(t); err != nil {
				return lost, err
			}
		}
	}
	_, err = tx.PruneTallies(oldest)
	return lost, err
}

package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/liuma-pin/liuma"
)

// A repair restores the ledger of a keeper that was lost or rolled back: BeginRepair,
// then Merge with the rows of the other keepers, then Readmit. All three work on a
// ledger that stopped with ErrRolledBack or ErrRepairing; only the keeper's own
// operator calls them. During the repair the file itself says that rows may be missing.
// The repair's writes raise its sequence, so after a crash the sequence could be above
// the highest that senders have seen, and without that note nobody would notice the
// missing rows (I-2).

// BeginRepair stops the ledger until Readmit, even if it is closed and opened again.
func (l *Ledger) BeginRepair(ctx context.Context) error {
	_, err := l.ask(ctx, &op{repair: true, work: func(b *batch) error {
		// A crash before this is durable leaves the ledger as it was; the repair has
		// not begun.
		b.meta.Repairing, b.repaired = true, true
		return nil
	}})
	return err
}

// Merge takes in rows of other keepers. Per card the higher version wins with its verifier; at
// the same version the higher counts win, lane by lane, so a merge never makes a guess free.
// Marks, heads and spent only rise, the tag comes from the higher head, and a card that any
// keeper retired is retired. ErrConflict means that two rows have different verifiers for one
// version; rows before that one may already have been merged.
func (l *Ledger) Merge(ctx context.Context, rows []Row) error {
	for _, r := range rows {
		if err := r.check(); err != nil {
			return fmt.Errorf("%w: %w", ErrRequest, err)
		}
	}
	for chunk := range slices.Chunk(rows, l.cfg.MaxBatch) {
		cards := make([]liuma.CardID, len(chunk))
		for i, r := range chunk {
			cards[i] = r.Card
		}
		_, err := l.ask(ctx, &op{cards: cards, repair: true, work: func(b *batch) error {
			for _, r := range chunk {
				own := b.row(r.Card)
				merged, err := own.merge(r)
				if err != nil {
					return err
				}
				if merged != *own {
					*own = merged
					b.touch(r.Card)
				}
			}
			// A crash from here on leaves rows that count more than before. A ledger
			// that had stopped stays stopped.
			b.meta.Repairing = b.meta.Repairing || l.Poisoned() != nil
			return nil
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// Readmit gives the ledger a fresh incarnation, so that no settlement from before it
// counts, and a sequence above seen, which is the highest that any sender ever received
// from this keeper. A ledger that stopped with ErrRolledBack or ErrRepairing then
// serves again.
func (l *Ledger) Readmit(ctx context.Context, seen uint64) (Meta, error) {
	if seen == math.MaxUint64 {
		return Meta{}, ErrRequest
	}
	var fresh [16]byte
	rand.Read(fresh[:]) // never fails since Go 1.24
	return l.ask(ctx, &op{repair: true, work: func(b *batch) error {
		// A crash before this is durable leaves the old incarnation, and the ledger
		// stops again at the next request; then the repair is done again.
		b.meta.Incarnation = fresh
		b.meta.Sequence = max(b.meta.Sequence, seen)
		b.meta.Repairing, b.repaired = false, true
		return nil
	}})
}

// check refuses rows that no ledger makes.
func (r Row) check() error {
	if r.Card.IsZero() {
		return errors.New("ledger row: no card")
	}
	if err := r.validate(); err != nil {
		return err
	}
	return r.Tally.Validate()
}

// mostTaken is the highest number of spends that a merge takes from another keeper; no
// card ever has so many. With a higher number, this ledger's spend numbers could
// overflow and start again, and then a proof of an old spend would clear a later one
// (I-2).
const mostTaken = 1 << 62

// merge returns r, raised where other is higher.
func (r Row) merge(other Row) (Row, error) {
	other.Tally = other.Tally.within(mostTaken)
	m := r
	m.Mark = max(r.Mark, other.Mark)
	// A tag is changed under a new head (Retag), so the row with the higher head has
	// the newer tag.
	if other.Head > r.Head && !other.Tag.IsZero() || r.Tag.IsZero() {
		m.Tag = other.Tag
	}
	m.Head = max(r.Head, other.Head)
	if other.Retired.After(m.Retired) {
		m.Retired = other.Retired
	}
	switch {
	case other.Version > r.Version:
		m.Version, m.KeySet, m.Verifier = other.Version, other.KeySet, other.Verifier
		m.Tally.Reset() // this ledger's counts belong to an older PIN
		m.Tally = m.Tally.merge(other.Tally)
	case other.Version < r.Version:
		m.Tally.Spent = max(r.Tally.Spent, other.Tally.Spent)
	case other.Verifier != r.Verifier || other.KeySet != r.KeySet:
		return r, ErrConflict
	default:
		m.Tally = r.Tally.merge(other.Tally)
	}
	return m, nil
}

// within returns t with no spend number above most. The caller renumbers the kept spends
// when it merges them.
func (t Tally) within(most uint64) Tally {
	t.Spent = min(t.Spent, most)
	for lane := range t.Cleared {
		t.Cleared[lane] = min(t.Cleared[lane], most)
	}
	return t
}

// merge takes each lane whole from the tally with more failures in it or, if both have
// the same number, from the tally with the newer guess. The kept spends get new
// numbers, above every number that either tally gave out: otherwise a proof for an old
// number could clear another guess that now has that number.
func (t Tally) merge(other Tally) Tally {
	m := Tally{Spent: max(t.Spent, other.Spent)}
	var marks []Mark
	total := uint64(0)
	own := true
	for lane := range m.Failures {
		from := t
		if t.laneBelow(other, Lane(lane)) {
			from, own = other, false
		}
		m.Failures[lane] = from.Failures[lane]
		m.Cleared[lane] = max(t.Cleared[lane], other.Cleared[lane])
		total += uint64(from.Failures[lane])
		for _, mark := range from.Recent[:from.Kept] {
			if mark.Lane == Lane(lane) {
				marks = append(marks, mark)
			}
		}
	}
	if own && m.Spent == t.Spent && m.Cleared == t.Cleared {
		return t // other adds nothing: keep the numbers
	}
	m.Spent += total
	slices.SortStableFunc(marks, func(x, y Mark) int { return x.At.Compare(y.At) })
	for i, mark := range marks {
		mark.S = m.Spent - uint64(len(marks)-1-i)
		m.Recent[i] = mark
	}
	m.Kept = len(marks)
	return m
}

func (t *Tally) laneBelow(other Tally, lane Lane) bool {
	if t.Failures[lane] != other.Failures[lane] {
		return t.Failures[lane] < other.Failures[lane]
	}
	return other.newest(lane).After(t.newest(lane))
}

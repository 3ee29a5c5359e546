package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// importing is one run of Import, in one goroutine.
type importing struct {
	g   *Registry
	c   ImportConfig
	sum Summary
	// there says that most people of the last chunk were in the registry already;
	// then looking first is cheaper than trying to add them.
	there bool
	later []keptRow // rows whose card numbers were other people's; judged again at the end
	last  bool      // the end has come
	left  []fault   // of the present run, not reported yet
}

func (im *importing) reject(line int, reason string) {
	im.sum.Read++
	im.sum.Rejected++
	im.left = append(im.left, fault{line, reason, false})
}

// tell reports the faults of a run, in the order of the file.
func (im *importing) tell() {
	slices.SortStableFunc(im.left, func(a, b fault) int { return cmp.Compare(a.line, b.line) })
	for _, f := range im.left {
		switch {
		case f.cell && im.c.Cell != nil:
			im.c.Cell(f.line, f.reason)
		case !f.cell && im.c.Reject != nil:
			im.c.Reject(f.line, f.reason)
		}
	}
	im.left = im.left[:0]
}

// outcome is the result of a row.
type outcome uint8

const (
	added outcome = iota
	changed
	unchanged
	taken       // the card number belongs to another person
	conflicting // the ID number belongs to another person: an operator decides
	decided     // the same, and an operator has decided
	correcting  // a correction was noted, or waits already
	refused     // a correction was refused, or the number is reserved
)

// tally counts the outcomes of a chunk.
type tally struct {
	of             []outcome
	found          int // people who were in the registry already
	died, replaced int
	listed         int // conflicts that are new on the list, or have changed
	corrections    int // noted now
}

func (t *tally) count(o outcome) (n int) {
	for _, x := range t.of {
		if x == o {
			n++
		}
	}
	return n
}

// errDry rolls back the transaction of a trial.
var errDry = errors.New("registry: a trial")

// keep writes one chunk and its audit entry in one transaction. A crash in it leaves
// all of the chunk or nothing (I-8). Unchanged rows get no entry, so a chunk that is
// kept again is recorded once.
func (im *importing) keep(ctx context.Context, rows []keptRow) error {
	if len(rows) == 0 {
		return nil
	}
	var t tally // made anew each time, because f may run again
	err := im.g.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		t = tally{of: make([]outcome, 0, len(rows))}
		for i := range rows {
			o, err := im.upsert(tx, &rows[i], &t)
			if err != nil {
				return audit.Entry{}, err
			}
			t.of = append(t.of, o)
		}
		if im.c.DryRun {
			return audit.Entry{}, errDry
		}
		kept := t.count(added) + t.count(changed)
		if kept+t.listed+t.corrections == 0 { // nothing was written, so there is nothing to record
			return audit.Entry{}, nil
		}
		return audit.Entry{
			At: im.g.now(), Actor: im.c.Actor, Event: audit.RegistryImported, Outcome: "ok",
			Note: t.note(kept),
		}, nil
	})
	if err != nil && !errors.Is(err, errDry) {
		return err
	}
	im.there = 2*t.found > len(rows)
	im.report(rows, &t)
	return nil
}

func (t *tally) note(kept int) string {
	conflicts := t.count(conflicting) + t.count(decided)
	note := fmt.Sprintf("kept=%d rejected=%d", kept, t.count(taken)+t.count(refused)+conflicts)
	for _, n := range []struct {
		name string
		n    int
	}{{"unchanged", t.count(unchanged)}, {"replaced", t.replaced}, {"died", t.died}, {"conflicts", conflicts}, {"corrections", t.corrections}} {
		if n.n > 0 {
			note += fmt.Sprintf(" %s=%d", n.name, n.n)
		}
	}
	return note
}

func (im *importing) report(rows []keptRow, t *tally) {
	for i, o := range t.of {
		r := &rows[i]
		if o == taken {
			if !im.last && len(im.later) < maxLater {
				r.draft = nil
				im.later = append(im.later, *r)
			} else {
				im.reject(r.line, ReasonCardTaken)
			}
			continue
		}
		if reason, out := o.leavesOut(r); out {
			im.reject(r.line, reason)
			continue
		}
		im.sum.Read++
		im.sum.Kept++
		if o == unchanged {
			im.sum.Unchanged++
		}
		if o == correcting {
			im.sum.Corrections++
		}
		if r.abolished {
			im.sum.Abolished++
		}
		for _, reason := range r.cells {
			im.sum.Cells++
			im.left = append(im.left, fault{r.line, reason, true})
		}
	}
	im.g.logger.Debug("registry: chunk imported", slog.Int("rows", len(rows)), slog.Int("unchanged", t.count(unchanged)), slog.Int("card_taken", t.count(taken)))
}

// leavesOut is the reason why a row was not kept.
func (o outcome) leavesOut(r *keptRow) (string, bool) {
	switch o {
	case refused:
		return r.refusal, true
	case conflicting:
		return ReasonConflict, true
	case decided:
		return ReasonConflictKept, true
	}
	return "", false
}

// upsert writes one person.
func (im *importing) upsert(tx store.Tx, r *keptRow, t *tally) (outcome, error) {
	r.refusal = ""
	if !r.former.IsZero() {
		if o, ends, err := im.correct(tx, r, t); ends || err != nil {
			return o, err
		}
	}
	if !im.there {
		switch err := im.insert(tx, r); {
		case err == nil:
			t.mark(r)
			return added, im.g.followCard(tx, r.person(im.g), false, nil)
		case !errors.Is(err, store.ErrExists):
			return 0, err
		}
	}
	old, err := tx.Person(r.holder)
	switch {
	case errors.Is(err, store.ErrNotFound):
		// Where it was tried first, the number is another person's.
		err := store.ErrExists
		if im.there {
			err = im.insert(tx, r)
		}
		if errors.Is(err, store.ErrExists) {
			return taken, nil
		}
		if err == nil {
			t.mark(r)
			err = im.g.followCard(tx, r.person(im.g), false, nil)
		}
		return added, err
	case err != nil:
		return 0, err
	}
	t.found++
	if nobody(old) {
		return im.overNobody(tx, r, old, t)
	}
	return im.update(tx, r, old, t)
}

// insert adds a person; most rows were prepared before (draft).
func (im *importing) insert(tx store.Tx, r *keptRow) error {
	if r.draft != nil {
		return tx.InsertDraft(r.draft)
	}
	return tx.InsertPerson(r.person(im.g))
}

func (t *tally) mark(r *keptRow) {
	if r.died {
		t.died++
	}
}

// update writes the changes of a row to a registered person.
func (im *importing) update(tx store.Tx, r *keptRow, old store.Person, t *tally) (outcome, error) {
	g := im.g
	oldFacts, err := g.open(old)
	if err != nil {
		return 0, err
	}
	if r.another(old, oldFacts) {
		return im.contest(tx, r, t)
	}
	next, facts, replaced := r.merge(g, old, oldFacts)
	if facts == oldFacts && next.CardNo == old.CardNo && next.Physical == old.Physical && next.Region == old.Region &&
		next.ReplacedBy == old.ReplacedBy && next.Died == old.Died {
		return unchanged, nil
	}
	if next.Sealed, err = g.seal(r.holder, facts); err != nil {
		return 0, err
	}
	next.UpdatedAt = g.now()
	err = tx.UpsertPerson(next)
	if errors.Is(err, store.ErrExists) {
		return taken, nil
	}
	if err != nil {
		return 0, err
	}
	if replaced {
		t.replaced++
	}
	if next.Died && !old.Died {
		t.died++
	}
	return changed, g.followCard(tx, next, replaced, differences(oldFacts, facts))
}

// person is the row of a new person.
func (r *keptRow) person(g *Registry) store.Person {
	p := store.Person{
		Holder: r.holder, CardNo: r.cardNo, Sealed: r.sealed, Region: r.facts.Region, Physical: r.physical, UpdatedAt: g.now(), Died: r.died,
	}
	if r.replacedBy != "" {
		p.CardNo, p.ReplacedBy = r.replacement, r.replacement
	}
	return p
}

// merge is a registered person after a row. It keeps a registry client's reports, and
// everything that the row leaves out. replaced says that this row replaced the card.
func (r *keptRow) merge(g *Registry, old store.Person, oldFacts Facts) (next store.Person, facts Facts, replaced bool) {
	next, facts = old, r.facts
	if r.keepPhone {
		facts.Phone = oldFacts.Phone
	}
	if r.keepRegion {
		facts.Region = oldFacts.Region
	}
	if r.keepBirthDate {
		facts.BirthDate = oldFacts.BirthDate
	}
	if r.keepHousehold {
		facts.Household = oldFacts.Household
	}
	if r.keepAddress {
		facts.Address = oldFacts.Address
	}
	if r.keepPostcode {
		facts.Postcode = oldFacts.Postcode
	}
	next.Region = facts.Region
	byClient := old.ReplacedBy != (vault.Index{}) && old.ReplacedBy == old.CardNo
	switch {
	case r.replacedBy != "" && old.CardNo == r.replacement:
		// The card was replaced before; reports about the new card since then stay.
	case r.replacedBy != "" && old.CardNo == r.cardNo:
		next.CardNo, next.ReplacedBy, replaced = r.replacement, r.replacement, true
		next.Physical = liuma.PhysicalNormal
		if old.Died {
			next.Physical = liuma.PhysicalCancelled
		}
	case byClient && r.cardNo != old.CardNo && !r.died:
		// The row is about a card that the person no longer has.
		facts.CardNo = oldFacts.CardNo
	case byClient && r.cardNo != old.CardNo:
		facts.CardNo = oldFacts.CardNo // cancelled like all others
		next.Physical = raised(old.Physical, r.physical)
	case r.replacedBy != "":
		next.CardNo, next.ReplacedBy = r.replacement, r.replacement
	default:
		next.CardNo = r.cardNo
		if !r.keepStatus {
			next.Physical = raised(old.Physical, r.physical)
		}
	}
	next.Died = old.Died || r.died
	return next, facts, replaced
}

// raised is the more serious of two statuses.
func raised(a, b liuma.PhysicalStatus) liuma.PhysicalStatus {
	if rank(b) > rank(a) {
		return b
	}
	return a
}

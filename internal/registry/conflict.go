package registry

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/internal/written"
)

// Two people with one number: if a row agrees with the registered person neither in
// name nor in phone nor in card number, it is about another person. It changes
// nothing, and is put on a list for an operator to decide.

// Errors of conflicts.
var (
	// ErrNoConflict says that no conflict has this ID, or that it was decided
	// meanwhile.
	ErrNoConflict = errors.New("there is no such conflict; it may have been decided meanwhile")
	// ErrCardTaken says that the row's card number belongs to another person.
	ErrCardTaken = errors.New("the card number of this row is another person's in the registry; correct the source and import it again")
	// ErrAwaited says that a correction to this number is waiting.
	ErrAwaited = errors.New("a correction to this number waits; cancel it first, or wait until it counts ('liuma registry corrections')")
	// ErrNoCorrection says that a correction can no longer be carried out as it was
	// reported.
	ErrNoCorrection = errors.New("the correction that this came from cannot be taken now")
	// ErrAgrees says that the registered person now agrees with the row.
	ErrAgrees = errors.New("the registered person agrees with this row by now; decide 'keep', and import the row again")
)

// MaxConflicts is how many conflicts are listed at once.
const MaxConflicts = 100

// Side is one of the two people of a conflict, as an operator may see them.
type Side struct {
	Name     string               `json:"name"`  // masked
	Phone    string               `json:"phone"` // masked; empty: none
	CardNo   string               `json:"card_no"`
	Region   liuma.Region         `json:"region"`
	Physical liuma.PhysicalStatus `json:"physical"`
	Died     bool                 `json:"died"`
}

// ConflictView shows a conflict. Nothing in it is a whole name or number.
type ConflictView struct {
	ID         string     `json:"id"`
	IDNumber   string     `json:"id_number"` // masked
	At         time.Time  `json:"at"`        // when the row was first imported
	KeptAt     *time.Time `json:"kept_at"`   // when somebody decided for the registered person
	HasCard    bool       `json:"has_card"`  // replacing freezes it
	Registered Side       `json:"registered"`
	Imported   Side       `json:"imported"`
	// Former is the masked present number of the row's person, if the row came as a
	// correction: replacing then begins the correction, and moves the other person
	// out.
	Former string `json:"former_id_number,omitempty"`
}

// Replaced is the result of giving a number to another person.
type Replaced struct {
	// Card is the electronic card under the number. It is frozen now, and only the
	// counter can open it; empty: there is none.
	Card string `json:"card"`
}

// another reports whether a row is about a different person than the registered one.
// An empty phone agrees with nothing.
func (r *keptRow) another(old store.Person, oldFacts Facts) bool {
	return r.cardNo != old.CardNo && (r.replacedBy == "" || r.replacement != old.CardNo) &&
		(r.facts.Phone == "" || r.facts.Phone != oldFacts.Phone) && !SameName(r.facts.Name, oldFacts.Name)
}

// conflictID is the same for the same number, name and card number.
func (g *Registry) conflictID(r *keptRow) string {
	mac := g.vault.RowMAC("conflicts", r.holder[:], []byte(written.NameKey(r.facts.Name)), []byte(r.facts.CardNo))
	return hex.EncodeToString(mac[:8])
}

// contest puts a row on the list, unless it is on it unchanged. A crash keeps it
// together with the rest of its chunk, or not at all.
func (im *importing) contest(tx store.Tx, r *keptRow, t *tally) (outcome, error) {
	return im.list(tx, store.Conflict{ID: im.g.conflictID(r), Person: r.person(im.g), At: im.g.now()}, t)
}

func (im *importing) list(tx store.Tx, next store.Conflict, t *tally) (outcome, error) {
	was, err := tx.Conflict(next.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return 0, err
	case !was.KeptAt.IsZero() && was.Former == next.Former:
		return decided, nil
	case was.KeptAt.IsZero() && was.Former == next.Former && was.FormerCard == next.FormerCard && im.g.sameRow(was.Person, next.Person):
		return conflicting, nil
	default:
		next.At = was.At
	}
	t.listed++
	return conflicting, tx.PutConflict(next)
}

// sameRow compares two rows of one number as they were imported.
func (g *Registry) sameRow(a, b store.Person) bool {
	one, err1 := g.open(a)
	two, err2 := g.open(b)
	return err1 == nil && err2 == nil && one == two && a.Physical == b.Physical && a.Died == b.Died && a.ReplacedBy == b.ReplacedBy
}

// Conflicts lists the undecided conflicts, in the order of their IDs after a given
// one, at most a hundred.
func (g *Registry) Conflicts(ctx context.Context, after string) ([]ConflictView, error) {
	all := []ConflictView{}
	err := g.store.View(ctx, func(r store.Reader) error {
		all = all[:0]
		for {
			page, err := r.Conflicts(after, MaxConflicts)
			if err != nil {
				return err
			}
			for _, c := range page {
				if after = c.ID; !c.KeptAt.IsZero() {
					continue
				}
				v, err := g.conflictView(r, c)
				if err != nil {
					return err
				}
				if all = append(all, v); len(all) == MaxConflicts {
					return nil
				}
			}
			if len(page) < MaxConflicts {
				return nil
			}
		}
	})
	return all, err
}

// Conflict shows one conflict, even if it is decided. ErrNoConflict.
func (g *Registry) Conflict(ctx context.Context, id string) (v ConflictView, err error) {
	err = g.store.View(ctx, func(r store.Reader) error {
		c, err := findConflict(r, id)
		if err != nil {
			return err
		}
		v, err = g.conflictView(r, c)
		return err
	})
	return v, err
}

func findConflict(r store.Reader, id string) (store.Conflict, error) {
	c, err := r.Conflict(id)
	if errors.Is(err, store.ErrNotFound) {
		return c, ErrNoConflict
	}
	return c, err
}

func (g *Registry) conflictView(r store.Reader, c store.Conflict) (ConflictView, error) {
	v := ConflictView{ID: c.ID, At: c.At}
	if !c.KeptAt.IsZero() {
		v.KeptAt = &c.KeptAt
	}
	f, err := g.open(c.Person)
	if err != nil {
		return v, err
	}
	v.IDNumber, v.Imported = f.MaskedIDNumber(), side(c.Person, f)
	if c.Former != (vault.Index{}) {
		switch _, was, err := g.Of(r, c.Former); {
		case err == nil:
			v.Former = was.MaskedIDNumber()
		case !errors.Is(err, store.ErrNotFound):
			return v, err
		}
	}
	whose := c.Person.Holder
	if c.FormerCard != (vault.Index{}) {
		whose = c.Former // the row agrees only in the name with the person of that number
	}
	switch p, f, err := g.Of(r, whose); {
	case err == nil:
		v.Registered = side(p, f)
	case !errors.Is(err, store.ErrNotFound):
		return v, err
	}
	_, err = r.CardByHolder(whose)
	if errors.Is(err, store.ErrNotFound) {
		return v, nil
	}
	v.HasCard = true
	return v, err
}

func side(p store.Person, f Facts) Side {
	s := Side{Name: f.MaskedName(), CardNo: MaskCardNo(f.CardNo), Region: p.Region, Physical: p.Physical, Died: p.Died}
	if f.Phone != "" {
		s.Phone = f.MaskedPhone()
	}
	return s
}

// KeepRegistered decides that the registered person stays. The row is no longer
// listed, and is left out when it is imported again. ErrNoConflict.
func (g *Registry) KeepRegistered(ctx context.Context, actor, id string, reason audit.Reason) error {
	return g.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := findConflict(tx, id)
		if err != nil || !c.KeptAt.IsZero() {
			return audit.Entry{}, err
		}
		c.KeptAt = g.now()
		return g.decidedEntry(actor, audit.ConflictKept, liuma.CardID{}, id, reason), tx.PutConflict(c)
	})
}

func (g *Registry) decidedEntry(actor string, ev audit.Event, card liuma.CardID, id string, reason audit.Reason) audit.Entry {
	return audit.Entry{At: g.now(), Actor: actor, Event: ev, Card: card, Outcome: "ok", Note: reason.Note("conflict=" + id)}
}

// ReplaceRegistered decides that the number belongs to the row's person, who replaces
// the registered one. An electronic card under the number was made by the other
// person, who knows its PIN. So it is frozen until the counter opens it, and its
// bound phone gets a notice. Errors: ErrNoConflict, ErrCardTaken, ErrAgrees.
//
// A crash before the commit leaves the conflict, the person and the card as they
// were; after it the next round of maintenance queues the notice (I-8).
func (g *Registry) ReplaceRegistered(ctx context.Context, actor, id string, reason audit.Reason) (Replaced, error) {
	var out Replaced
	err := g.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		out = Replaced{}
		c, err := findConflict(tx, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if c.Former != (vault.Index{}) {
			return g.decidedEntry(actor, audit.ConflictReplaced, liuma.CardID{}, id, reason), g.correctContested(tx, actor, c)
		}
		old, err := g.registered(tx, c)
		if err != nil {
			return audit.Entry{}, err
		}
		next := c.Person
		next.UpdatedAt = g.now()
		switch err := tx.UpsertPerson(next); {
		case errors.Is(err, store.ErrExists):
			return audit.Entry{}, ErrCardTaken
		case err != nil:
			return audit.Entry{}, err
		}
		if err := reopenConflicts(tx, c); err != nil {
			return audit.Entry{}, err
		}
		card, err := g.contestCard(tx, next, old)
		if !card.IsZero() {
			out.Card = card.String()
		}
		return g.decidedEntry(actor, audit.ConflictReplaced, card, id, reason), err
	})
	return out, err
}

// registered is the person to be replaced, or a zero one.
func (g *Registry) registered(tx store.Tx, c store.Conflict) (store.Person, error) {
	if row, err := tx.Person(c.Person.Holder); err == nil && row.Awaited != (vault.Index{}) {
		return store.Person{}, ErrAwaited
	}
	old, was, err := g.Of(tx, c.Person.Holder)
	if errors.Is(err, store.ErrNotFound) {
		return store.Person{}, nil
	}
	if err != nil {
		return store.Person{}, err
	}
	f, err := g.open(c.Person)
	if err != nil {
		return store.Person{}, err
	}
	row := keptRow{row: row{facts: f}, cardNo: c.Person.CardNo}
	if !row.another(old, was) {
		return store.Person{}, ErrAgrees
	}
	return old, nil
}

// reopenConflicts deletes a decided conflict. Conflicts decided for the old person
// are open again, since the registered person is another one now.
func reopenConflicts(tx store.Tx, c store.Conflict) error {
	if err := tx.DeleteConflict(c.ID); err != nil {
		return err
	}
	others, err := tx.ConflictsOf(c.Person.Holder)
	for _, o := range others {
		if o.KeptAt.IsZero() || o.ID == c.ID {
			continue
		}
		o.KeptAt = time.Time{}
		err = errors.Join(err, tx.PutConflict(o))
	}
	return err
}

// contestCard freezes the card under a number that was given to another person.
func (g *Registry) contestCard(tx store.Tx, p, old store.Person) (liuma.CardID, error) {
	card, err := tx.CardByHolder(p.Holder)
	if errors.Is(err, store.ErrNotFound) {
		return liuma.CardID{}, nil
	}
	if err != nil {
		return liuma.CardID{}, fmt.Errorf("registry: the card of the number: %w", err)
	}
	if card.Version == 0 { // it has no PIN, unless one is being set
		_, err := tx.Intent(card.ID)
		if errors.Is(err, store.ErrNotFound) {
			return liuma.CardID{}, nil
		}
		if err != nil {
			return liuma.CardID{}, err
		}
	}
	if !card.Frozen {
		card.Frozen, card.FrozenAt = true, g.now()
	}
	card.EndCorrection() // a waiting correction stops
	card.Contested, card.Region = true, p.Region
	card.Stops++                // tickets opened for the former person no longer stand
	if card.Retiring.IsZero() { // a retiring card is being stopped for good
		card.Physical = p.Physical
	}
	err = errors.Join(tx.UpdateCard(card), tx.DeleteCodesOf(card.ID))
	if err != nil {
		return liuma.CardID{}, err
	}
	return card.ID, g.noteChange(tx, card, []string{store.ChangedPerson}, old.Sealed)
}

// noteChange notes a change that the holder of a card must be told of.
func (g *Registry) noteChange(tx store.Tx, card store.Card, what []string, was []byte) error {
	c, err := tx.PersonChange(card.ID)
	if errors.Is(err, store.ErrNotFound) {
		c, err = store.PersonChange{Card: card.ID, Holder: card.Holder, At: g.now()}, nil
	}
	if err != nil {
		return err
	}
	for _, w := range what {
		if !slices.Contains(c.What, w) {
			c.What = append(c.What, w)
		}
	}
	if len(c.Sealed) == 0 {
		c.Sealed = was
	}
	return tx.PutPersonChange(c)
}

// Of returns the person of a blind index, and their facts. Cards read their holder's
// facts through it each time, so that a corrected name or number counts at once.
// store.ErrNotFound: there is no such person.
func (g *Registry) Of(rd store.Reader, holder vault.Index) (store.Person, Facts, error) {
	person, err := rd.Person(holder)
	if err == nil && nobody(person) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Person{}, Facts{}, err
	}
	f, err := g.open(person)
	if err != nil {
		return store.Person{}, Facts{}, err
	}
	if g.vault.Index(vault.IndexIDNumber, f.IDNumber) != holder {
		return store.Person{}, Facts{}, fmt.Errorf("registry: of: %w: another person's", ErrFacts)
	}
	return person, f, nil
}

// Was opens the facts of a person who was registered under a number before.
func (g *Registry) Was(c store.PersonChange) (Facts, error) {
	return g.open(store.Person{Holder: c.Holder, Sealed: c.Sealed})
}

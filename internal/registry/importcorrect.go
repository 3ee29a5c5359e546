package registry

import (
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// correct takes a row's former number as a correction. ends says that nothing else of
// the row is taken, because the correction waits or was refused. The rest of the row
// is taken if its correction was carried out before, or its former number is unknown.
func (im *importing) correct(tx store.Tx, r *keptRow, t *tally) (o outcome, ends bool, err error) {
	c, err := im.g.correct(tx, change{
		former: im.g.vault.Index(vault.IndexIDNumber, r.former.Canonical()), number: r.id, actor: im.c.Actor,
		fits: r.onePerson,
		was:  func(p store.Person, f Facts) bool { return !r.another(p, f) },
	})
	if e, ok := errors.AsType[*liuma.Error](err); ok {
		switch e.Code {
		case liuma.CodeNotInRegistry:
			return 0, false, nil
		case liuma.CodeNotFound:
			return im.formerOther(tx, r, t)
		case liuma.CodeCorrectionStopped:
			r.refusal = ReasonStopped
		case liuma.CodeUnavailable:
			return 0, true, err // a row that was altered
		default:
			r.refusal = ReasonCorrection
		}
		return refused, true, nil
	}
	switch {
	case err != nil:
		return 0, true, err
	case c.Done:
		return 0, false, nil
	case c.Contested:
		t.listed++
		return conflicting, true, nil
	case c.Fresh:
		t.corrections++
	}
	return correcting, true, nil
}

// onePerson reports whether a row agrees with a registered person in card number or
// phone. The name is not enough: a correction would give a namesake the other person's
// card and PIN.
func (r *keptRow) onePerson(p store.Person, f Facts) bool {
	return r.cardNo == p.CardNo || r.replacedBy != "" && r.replacement == p.CardNo || r.facts.Phone != "" && r.facts.Phone == f.Phone
}

// formerOther takes a row whose former number is registered for a person with another
// phone and card number. With the same name it may be the same person, whose phone and
// card changed as well, so an operator decides. With another name it is another
// person.
func (im *importing) formerOther(tx store.Tx, r *keptRow, t *tally) (outcome, bool, error) {
	r.refusal = ReasonFormerOther
	former := im.g.vault.Index(vault.IndexIDNumber, r.former.Canonical())
	if _, err := tx.CorrectionOf(former); !errors.Is(err, store.ErrNotFound) {
		return refused, true, err
	}
	p, f, err := im.g.Of(tx, former)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return refused, true, nil
	case err != nil:
		return 0, true, err
	case !SameName(r.facts.Name, f.Name):
		return refused, true, nil
	}
	o, err := im.list(tx, store.Conflict{ID: im.g.conflictID(r), Person: r.person(im.g), At: im.g.now(), Former: former, FormerCard: p.CardNo}, t)
	return o, true, err
}

// overNobody takes a row whose number a correction has left, or is waiting for. A
// wrong number often belongs to another person, who comes with it now; but the person
// who was corrected must not come back under the old number.
func (im *importing) overNobody(tx store.Tx, r *keptRow, old store.Person, t *tally) (outcome, error) {
	if old.Awaited != (vault.Index{}) {
		r.refusal = ReasonAwaited
		return refused, nil
	}
	now, f, err := im.g.corrected(tx, old)
	if err == nil && !r.another(now, f) {
		r.refusal = ReasonCorrected
		return refused, nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	switch err := tx.UpsertPerson(r.person(im.g)); {
	case errors.Is(err, store.ErrExists):
		return taken, nil
	case err != nil:
		return 0, err
	}
	t.mark(r)
	return added, im.g.followCard(tx, r.person(im.g), false, nil)
}

// mostCorrections is how often one person's number may have been corrected.
const mostCorrections = 16

// corrected is the person to whom an old number leads, over any number of corrections.
// store.ErrNotFound: it leads to nobody any more.
func (g *Registry) corrected(rd store.Reader, old store.Person) (store.Person, Facts, error) {
	for range mostCorrections {
		next, err := rd.Person(old.CorrectedTo)
		if err != nil {
			return store.Person{}, Facts{}, err
		}
		if !nobody(next) {
			f, err := g.open(next)
			return next, f, err
		}
		old = next
	}
	return store.Person{}, Facts{}, store.ErrNotFound
}

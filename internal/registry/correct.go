package registry

import (
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A corrected number: the person stays, and is found under another number. The report
// comes from an import, from a registry client or from an operator. All three call
// Correct, which only notes it. The authority carries it out: at once if there is no
// card, else after the holder was told and had time to stop it. Until then the new
// number belongs to nobody, and afterwards the old one.

// ErrMoved says that the registry has changed since a correction was reported, so that
// it can no longer be carried out as it was meant.
var ErrMoved = errors.New("registry: the person or the new number has changed since the correction came")

// Correction asks for the correction of a number.
type Correction struct {
	Former, Number IDNumber
	// CardNo is the person's present card number. It shows that the right person is
	// meant, as in a report about a card.
	CardNo string
	// Insist accepts a correction that an operator cancelled before; only an operator's
	// own report does so.
	Insist bool
	Actor  string
}

// Corrected is the result of a reported correction.
type Corrected struct {
	// Correction is the correction that waits now; its ID is empty if none does. With
	// Done the person has the new number already; with Contested it belongs to another
	// person.
	Correction store.Correction
	Done       bool
	// Contested says that the new number is registered for another person, so that an
	// operator must decide (Conflicts). Nothing else was changed.
	Contested bool
	// Fresh says that something was written.
	Fresh bool
}

// Correct notes a correction, in the caller's transaction. Reporting it again changes
// nothing. Errors: CodeCorrectionSame, CodeNotInRegistry (there is no such person),
// CodeNotFound (not the person's card), CodeCorrectionWaits (another one waits for
// either number), CodeCorrectionStopped, CodeCorrectionHasCard, CodeFrozen,
// CodeCancelled, CodeChangeUnderWay.
//
// A crash before the commit leaves nothing of it; after it the authority's next round
// carries the correction on.
func (g *Registry) Correct(tx store.Tx, q Correction) (Corrected, error) {
	given := g.vault.Index(vault.IndexCardNo, q.CardNo)
	return g.correct(tx, change{
		former: g.vault.Index(vault.IndexIDNumber, q.Former.Canonical()), number: q.Number, actor: q.Actor, insist: q.Insist,
		fits: func(p store.Person, _ Facts) bool { return subtle.ConstantTimeCompare(given[:], p.CardNo[:]) == 1 },
	})
}

// change is a correction in a form common to all three sources.
type change struct {
	former  vault.Index
	number  IDNumber
	actor   string
	insist  bool
	decided bool // an operator decided that the new number belongs to this person
	// fits reports whether a registered person is the person meant.
	fits func(store.Person, Facts) bool
	// was reports whether the person of the new number is the person meant, already
	// corrected; nil: use fits.
	was func(store.Person, Facts) bool
}

func (g *Registry) correct(tx store.Tx, q change) (Corrected, error) {
	number := g.vault.Index(vault.IndexIDNumber, q.number.Canonical())
	if number == q.former {
		return Corrected{}, liuma.FailField(liuma.CodeCorrectionSame, "id_number", nil)
	}
	there, err := tx.CorrectionOf(q.former)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Corrected{}, err
	}
	if err == nil && (there.State != store.CorrectionCancelled || there.Number == number && !q.insist) {
		return g.again(tx, q, there, number)
	}
	person, facts, err := g.toCorrect(tx, q, number)
	if err != nil {
		return Corrected{}, err
	}
	if person.Holder != q.former {
		return Corrected{Done: true}, nil
	}
	card, err := g.correctable(tx, person)
	if err != nil {
		return Corrected{}, err
	}
	facts.IDNumber = q.number.Canonical()
	taken, err := g.reserve(tx, q, person, facts, number)
	if err != nil || taken {
		return Corrected{Contested: taken, Fresh: taken}, err
	}
	c := store.Correction{ID: g.correctionID(q.former), Former: q.former, Number: number, Card: card,
		State: store.CorrectionReceived, Actor: q.actor, At: g.now()}
	if c.Sealed, err = g.seal(number, facts); err != nil {
		return Corrected{}, err
	}
	if c.No, err = nextCorrection(tx, card); err != nil {
		return Corrected{}, err
	}
	return Corrected{Correction: c, Fresh: true}, tx.PutCorrection(c)
}

// nextCorrection counts the correction at the card, if there is one. So the row of an
// earlier correction has no effect if it is put back.
func nextCorrection(tx store.Tx, id liuma.CardID) (uint64, error) {
	if id.IsZero() {
		return 0, nil
	}
	card, err := tx.Card(id)
	if err != nil {
		return 0, err
	}
	card.CorrectionNo++
	return card.CorrectionNo, tx.UpdateCard(card)
}

func (g *Registry) correctionID(former vault.Index) string {
	mac := g.vault.RowMAC("corrections", former[:])
	return hex.EncodeToString(mac[:8])
}

// again returns the answer if there is a correction of the former number already.
func (g *Registry) again(tx store.Tx, q change, there store.Correction, number vault.Index) (Corrected, error) {
	if there.Number != number {
		return Corrected{}, liuma.FailField(liuma.CodeCorrectionWaits, "former_id_number", nil)
	}
	if there.State == store.CorrectionStopped || there.State == store.CorrectionCancelled {
		return Corrected{}, liuma.FailField(liuma.CodeCorrectionStopped, "former_id_number", nil)
	}
	whose := q.former
	fits := q.fits
	if there.State == store.CorrectionMoved {
		whose = number
		if q.was != nil {
			fits = q.was
		}
	}
	p, f, err := g.Of(tx, whose)
	if err != nil {
		return Corrected{}, err
	}
	if !fits(p, f) {
		return Corrected{}, liuma.FailField(liuma.CodeNotFound, "card_no", errors.New("not the person's current card"))
	}
	return Corrected{Correction: there, Done: there.State == store.CorrectionMoved}, nil
}

// toCorrect is the person of the former number or, if the correction was carried out
// before, of the new number.
func (g *Registry) toCorrect(tx store.Tx, q change, number vault.Index) (store.Person, Facts, error) {
	person, facts, err := g.Of(tx, q.former)
	gone := errors.Is(err, store.ErrNotFound)
	if err != nil && !gone {
		return person, facts, err
	}
	if !gone && q.fits(person, facts) {
		return person, facts, nil
	}
	now, f, err := g.Of(tx, number)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return person, facts, err
	}
	was := q.fits
	if q.was != nil {
		was = q.was
	}
	if err == nil && was(now, f) {
		// If the former number is known at all, the correction was carried out before;
		// the number may belong to another person by now.
		if _, err := tx.Person(q.former); !errors.Is(err, store.ErrNotFound) {
			return now, f, err
		}
	}
	if gone {
		return person, facts, liuma.FailField(liuma.CodeNotInRegistry, "former_id_number", nil)
	}
	return person, facts, liuma.FailField(liuma.CodeNotFound, "card_no", errors.New("not the person's current card"))
}

// correctable is the card of a person whose number may be corrected; zero if there is
// none. It refuses a frozen card, because its holder must be heard first, and a card
// whose first PIN is being set.
func (g *Registry) correctable(tx store.Tx, p store.Person) (liuma.CardID, error) {
	card, err := tx.CardByHolder(p.Holder)
	if errors.Is(err, store.ErrNotFound) {
		return liuma.CardID{}, nil
	}
	if err != nil {
		return liuma.CardID{}, fmt.Errorf("registry: the card of the number: %w", err)
	}
	if card.Version == 0 {
		_, err := tx.Intent(card.ID)
		if errors.Is(err, store.ErrNotFound) {
			return liuma.CardID{}, nil // an application that broke off
		}
		return liuma.CardID{}, errors.Join(err, liuma.Fail(liuma.CodeChangeUnderWay, nil))
	}
	card.Physical = raised(card.Physical, p.Physical)
	switch card.Standing(g.now()) {
	case liuma.StandingCancelled:
		return card.ID, liuma.FailField(liuma.CodeCancelled, "former_id_number", nil)
	case liuma.StandingFrozen, liuma.StandingReported:
		return card.ID, liuma.FailField(liuma.CodeFrozen, "former_id_number", nil)
	}
	return card.ID, nil
}

// reserve marks the new number as awaited, so that nobody else is registered or applies
// under it. taken says that it belongs to another person, which was noted for an
// operator.
func (g *Registry) reserve(tx store.Tx, q change, p store.Person, facts Facts, number vault.Index) (taken bool, err error) {
	other, err := tx.CorrectionTo(number)
	if errors.Is(err, store.ErrNotFound) {
		other, err = tx.CorrectionOf(number) // a correction is moving its present person away
	}
	if err == nil && other.State != store.CorrectionCancelled {
		return false, liuma.FailField(liuma.CodeCorrectionWaits, "id_number", nil)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	_, err = tx.CardByHolder(number)
	if err == nil {
		return false, liuma.FailField(liuma.CodeCorrectionHasCard, "id_number", nil)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	next, err := tx.Person(number)
	if errors.Is(err, store.ErrNotFound) {
		next, err = store.Person{Holder: number}, nil
	}
	if err != nil {
		return false, err
	}
	if !nobody(next) && next.Sealed != nil && !q.decided {
		was, err := g.open(next)
		if err != nil {
			return false, err
		}
		if !onePerson(p, facts, next, was) {
			return true, g.contestCorrection(tx, q, p, facts, number)
		}
	}
	next.Awaited, next.UpdatedAt = q.former, g.now()
	return false, tx.UpsertPerson(next)
}

// onePerson reports whether two registered people are the same person, registered
// twice: they have the same phone or card number. The name is not enough here, because
// of namesakes, and the correction would replace the other person.
func onePerson(p store.Person, f Facts, o store.Person, of Facts) bool {
	return p.CardNo == o.CardNo || f.Phone != "" && f.Phone == of.Phone
}

// contestCorrection puts a correction on the list of conflicts if its number belongs to
// another person.
func (g *Registry) contestCorrection(tx store.Tx, q change, p store.Person, facts Facts, number vault.Index) error {
	p.Holder = number
	var err error
	if p.Sealed, err = g.seal(number, facts); err != nil {
		return err
	}
	r := keptRow{row: row{facts: facts}, holder: number, cardNo: p.CardNo}
	c := store.Conflict{ID: g.conflictID(&r), Person: p, At: g.now(), Former: q.former}
	was, err := tx.Conflict(c.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = nil
	case err == nil && was.Former == q.former:
		c.At, c.KeptAt = was.At, was.KeptAt
	}
	if err != nil {
		return err
	}
	return tx.PutConflict(c)
}

// correctContested begins the correction of a conflict that an operator decided for the
// row's person. The registered person of the new number is replaced when it takes
// effect.
func (g *Registry) correctContested(tx store.Tx, actor string, c store.Conflict) error {
	f, err := g.open(c.Person)
	if err != nil {
		return err
	}
	number, err := ParseIDNumber(f.IDNumber)
	if err != nil {
		return err
	}
	card := c.Person.CardNo
	if c.FormerCard != (vault.Index{}) {
		card = c.FormerCard
	}
	_, err = g.correct(tx, change{former: c.Former, number: number, actor: actor, insist: true, decided: true,
		fits: func(p store.Person, _ Facts) bool { return p.CardNo == card }})
	if e, ok := errors.AsType[*liuma.Error](err); ok && e.Code != liuma.CodeUnavailable {
		return fmt.Errorf("%w: %w", ErrNoCorrection, err)
	}
	if err != nil {
		return err
	}
	return reopenConflicts(tx, c)
}

// nobody reports whether a row only keeps a number from being used.
func nobody(p store.Person) bool {
	return p.CorrectedTo != (vault.Index{}) || p.Awaited != (vault.Index{})
}

// Move gives a person the new number, in the transaction that moves the card. The old
// number's row stays, but belongs to nobody. ErrMoved.
func (g *Registry) Move(tx store.Tx, c store.Correction) error {
	person, facts, err := g.Of(tx, c.Former)
	if errors.Is(err, store.ErrNotFound) {
		return ErrMoved
	}
	if err != nil {
		return err
	}
	next, err := tx.Person(c.Number)
	if errors.Is(err, store.ErrNotFound) || err == nil && next.Awaited != c.Former {
		return ErrMoved
	}
	if err != nil {
		return err
	}
	will, err := g.open(store.Person{Holder: c.Number, Sealed: c.Sealed})
	if err != nil {
		return err
	}
	if len(next.Sealed) > 0 && next.CorrectedTo == (vault.Index{}) {
		was, err := g.open(next)
		if err != nil {
			return err
		}
		if onePerson(person, facts, next, was) {
			person.Physical, person.Died = raised(person.Physical, next.Physical), person.Died || next.Died
		}
	}
	facts.IDNumber = will.IDNumber
	person.Holder, person.UpdatedAt = c.Number, g.now()
	if person.Sealed, err = g.seal(c.Number, facts); err != nil {
		return err
	}
	// The old row gives its card number up first, since card numbers are unique.
	err = tx.UpsertPerson(store.Person{Holder: c.Former, CorrectedTo: c.Number, UpdatedAt: g.now()})
	return errors.Join(err, tx.UpsertPerson(person))
}

// Release removes the mark from a new number whose correction will not take place.
func (g *Registry) Release(tx store.Tx, c store.Correction) error {
	p, err := tx.Person(c.Number)
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Awaited != c.Former {
		return nil
	}
	if err != nil {
		return err
	}
	if p.Awaited = (vault.Index{}); len(p.Sealed) == 0 && !nobody(p) {
		return tx.DeletePerson(p.Holder)
	}
	return tx.UpsertPerson(p)
}

package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// conflict is a value with every member set but Sealed.
func conflict(i int) store.Conflict {
	return store.Conflict{ID: fmt.Sprintf("conflict%04d", i), At: at(i), KeptAt: at(i + 1), Person: store.Person{
		Holder: index("holder", i), CardNo: index("no", i), Region: "33", Physical: liuma.PhysicalLost,
		ReplacedBy: index("no", i), UpdatedAt: at(i), Died: true}}
}

func personChange(i int) store.PersonChange {
	return store.PersonChange{Card: cardID(i), Holder: index("holder", i), What: []string{store.ChangedName, store.ChangedPhone}, At: at(i)}
}

// conflicts are found by ID and by number, and listed in order.
func conflicts(t *testing.T, open Open) {
	s, reopen := open(t)
	one, two, other := conflict(1), conflict(2), conflict(3)
	two.Person.Holder = one.Person.Holder
	one.Person.Sealed = []byte("sealed")
	mustUpdate(t, s, func(tx store.Tx) error {
		for _, c := range []store.Conflict{other, one, two} {
			if err := tx.PutConflict(c); err != nil {
				return err
			}
		}
		return nil
	})
	s = reopen()
	list := func(after string, limit int) []store.Conflict {
		return mustGet(t, s, func(r store.Reader) ([]store.Conflict, error) { return r.Conflicts(after, limit) })
	}
	same(t, list("", 2), []store.Conflict{one, two})
	same(t, list(two.ID, 9), []store.Conflict{other})
	same(t, mustGet(t, s, func(r store.Reader) ([]store.Conflict, error) { return r.ConflictsOf(one.Person.Holder) }), []store.Conflict{one, two})
	one.KeptAt = time.Time{}
	mustUpdate(t, s, func(tx store.Tx) error { return tx.PutConflict(one) })
	same(t, mustGet(t, s, func(r store.Reader) (store.Conflict, error) { return r.Conflict(one.ID) }), one)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteConflict(one.ID) })
	same(t, list("", 9), []store.Conflict{two, other})
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteConflict(one.ID) }), store.ErrNotFound)
}

// personChanges has one a card.
func personChanges(t *testing.T, open Open) {
	s, reopen := open(t)
	one, two := personChange(1), personChange(2)
	mustUpdate(t, s, func(tx store.Tx) error {
		if err := tx.PutPersonChange(two); err != nil {
			return err
		}
		return tx.PutPersonChange(one)
	})
	one.What, one.Sealed = []string{store.ChangedCardNo}, []byte("sealed")
	mustUpdate(t, s, func(tx store.Tx) error { return tx.PutPersonChange(one) })
	s = reopen()
	list := func(after liuma.CardID, limit int) []store.PersonChange {
		return mustGet(t, s, func(r store.Reader) ([]store.PersonChange, error) { return r.PersonChanges(after, limit) })
	}
	same(t, list(liuma.CardID{}, 9), []store.PersonChange{one, two})
	same(t, list(one.Card, 9), []store.PersonChange{two})
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeletePersonChange(one.Card) })
	_, err := get(t, s, func(r store.Reader) (store.PersonChange, error) { return r.PersonChange(one.Card) })
	wantErr(t, err, store.ErrNotFound)
}

// correction is a value with every member set but Sealed.
func correction(i int) store.Correction {
	return store.Correction{ID: fmt.Sprintf("correction%04d", i), Former: index("former", i), Number: index("number", i), Card: cardID(i),
		State: store.CorrectionWaiting, Actor: "operator", At: at(i), Until: at(i + 1), Why: "frozen"}
}

// corrections are found by ID and by either number, and there is one to a number
// unless it was cancelled.
func corrections(t *testing.T, open Open) {
	s, reopen := open(t)
	one, two, other := correction(1), correction(2), correction(3)
	one.Sealed = []byte("sealed")
	mustUpdate(t, s, func(tx store.Tx) error {
		for _, c := range []store.Correction{other, one, two} {
			if err := tx.PutCorrection(c); err != nil {
				return err
			}
		}
		return tx.UpsertPerson(store.Person{Holder: one.Former, CorrectedTo: one.Number})
	})
	s = reopen()
	list := func(after string, limit int) []store.Correction {
		return mustGet(t, s, func(r store.Reader) ([]store.Correction, error) { return r.Corrections(after, limit) })
	}
	same(t, list("", 2), []store.Correction{one, two})
	same(t, list(two.ID, 9), []store.Correction{other})
	same(t, mustGet(t, s, func(r store.Reader) (store.Correction, error) { return r.CorrectionOf(one.Former) }), one)
	same(t, mustGet(t, s, func(r store.Reader) (store.Correction, error) { return r.CorrectionTo(two.Number) }), two)
	_, err := get(t, s, func(r store.Reader) (store.Correction, error) { return r.CorrectionTo(one.Former) })
	wantErr(t, err, store.ErrNotFound)
	second := other
	second.Number = one.Number
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.PutCorrection(second) }), store.ErrExists)
	one.State = store.CorrectionCancelled
	mustUpdate(t, s, func(tx store.Tx) error {
		if err := tx.PutCorrection(one); err != nil {
			return err
		}
		return tx.PutCorrection(second)
	})
	same(t, mustGet(t, s, func(r store.Reader) (store.Correction, error) { return r.CorrectionTo(one.Number) }), second)
	same(t, mustGet(t, s, func(r store.Reader) (store.Correction, error) { return r.Correction(one.ID) }), one)
	mustUpdate(t, s, func(tx store.Tx) error {
		if err := tx.DeleteCorrection(two.ID); err != nil {
			return err
		}
		return tx.DeletePerson(one.Former)
	})
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteCorrection(two.ID) }), store.ErrNotFound)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeletePerson(one.Former) }), store.ErrNotFound)
}

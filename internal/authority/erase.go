package authority

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A person is erased in durable steps. A crash between two steps leaves the state of
// the step before, and erasing again goes on from there:
//
//	a cancelled card      nothing was begun
//	Retiring              keepers are asked to stop the card; no report brings it back
//	RetiredAt             every keeper has; the wait runs
//	erased, after it      person, card, links and notices go in one transaction
//
// A person without a card is erased at once, if the registry says that the physical
// card was cancelled and the keepers know of no card.

// EraseWait is how long a card stays after every keeper has retired it. Keepers can
// take a retirement back for thirty days, and hold the person's tag as long; the extra
// day is for their clocks. By then the ceremonies of the card, which hold sealed
// details about it, have been deleted; if the configuration keeps them longer, the
// wait is longer (eraseWait).
const EraseWait = 31 * 24 * time.Hour

// eraseWait is how long this authority waits, so that even ceremonies that ended just
// before the card was retired are gone at the end.
func (a *Authority) eraseWait() time.Duration { return max(EraseWait, a.keepCeremonies+24*time.Hour) }

// Errors of erasing: the reasons why a person cannot be erased. With each of them
// nothing was changed.
var (
	ErrLive     = errors.New("the registry says that this person has a physical card in use; only who has a cancelled one is erased")
	ErrFrozen   = errors.New("the electronic card is frozen: somebody says that it was stolen; it is opened or cancelled at the counter first")
	ErrReported = errors.New("the holder reported by phone that the card was lost; erase when the report has ended, which it does by itself within days, or when the holder has ended it")
	ErrUnderway = errors.New("something about this person is under way: a ceremony, a PIN that is being set, a notice that waits, a correction of the ID number, or a decision of an operator; erase again when it has ended")
	ErrKept     = errors.New("keepers know a card of this person that the database does not; its holder's next application takes it in")
	ErrRetire   = errors.New("not every keeper has retired the card; see 'liuma status', and erase again")
)

// ErasedState says how far a person was erased.
type ErasedState string

// The states.
const (
	EraseNothing ErasedState = "nothing" // nothing is held about the person
	EraseBegun   ErasedState = "begun"   // the keepers have retired the card; the wait runs
	EraseWaiting ErasedState = "waiting" // it was begun before, and the wait has not ended
	EraseReady   ErasedState = "ready"   // of a trial: it would be done now
	EraseDone    ErasedState = "erased"
)

// Erasure is the result of an erasing.
type Erasure struct {
	State ErasedState `json:"state"`
	// Until is when the card can be erased, with begun and waiting.
	Until *time.Time `json:"until,omitempty"`
	// The rows that were erased or, in a trial, would be.
	Card      string `json:"card,omitempty"` // its ID, which stays in the record
	Person    bool   `json:"person"`         // the registry's row
	Links     int    `json:"links"`
	Notices   int    `json:"notices"`
	Conflicts int    `json:"conflicts"`
}

// erasing is everything known about a person before they are erased.
type erasing struct {
	person    store.Person // Holder is zero if the registry has no row
	card      store.Card   // ID is zero if there is no card
	links     int
	notices   []string // IDs of messages that are finished
	conflicts []store.Conflict
	// cancelled is a correction of the person's number that an operator cancelled; its
	// ID is empty if there is none.
	cancelled store.Correction
	tickets   []store.Ticket // that were opened at a counter
}

func (e erasing) none() bool {
	return e.person.Holder == (vault.Index{}) && e.card.ID.IsZero() && len(e.conflicts) == 0 && e.cancelled.ID == "" && len(e.tickets) == 0
}

func (e erasing) view(state ErasedState, gone bool) Erasure {
	v := Erasure{State: state, Links: e.links, Notices: len(e.notices), Conflicts: len(e.conflicts), Person: gone && e.person.Holder != vault.Index{}}
	if !e.card.ID.IsZero() {
		v.Card = e.card.ID.String()
	}
	return v
}

// ErasePerson erases the data held about a person, or begins to. A trial changes
// nothing. Calling it again goes on from where it was, and at last finds nothing.
// Errors: ErrLive, ErrFrozen, ErrReported, ErrUnderway, ErrKept, ErrRetire;
// CodeUnavailable if a card's row was put back.
func (a *Authority) ErasePerson(ctx context.Context, actor string, holder vault.Index, reason audit.Reason, trial bool) (Erasure, error) {
	ctx, release, err := a.HoldHolder(ctx, holder) // nobody applies for a card meanwhile
	if err != nil {
		return Erasure{}, err
	}
	defer release()
	e, err := a.erasingOf(ctx, holder)
	if err != nil {
		return Erasure{}, err
	}
	if e.none() {
		// If keepers know a card that the database does not, the person is not
		// "nothing": the card is reported to its holder when they apply again.
		return e.view(EraseNothing, false), a.notKept(ctx, holder)
	}
	if e.card.ID.IsZero() || e.card.Version == 0 && e.card.Retiring.IsZero() {
		return a.eraseWithoutCard(ctx, actor, holder, e, reason, trial)
	}
	ctx, releaseCard, err := a.HoldCard(ctx, e.card.ID)
	if err != nil {
		return Erasure{}, err
	}
	defer releaseCard()
	return a.eraseCard(ctx, actor, holder, e, reason, trial)
}

func (a *Authority) notKept(ctx context.Context, holder vault.Index) error {
	held, err := a.HeldOf(ctx, holder)
	if err == nil && !held.Card.IsZero() {
		err = ErrKept
	}
	return err
}

func (a *Authority) eraseWithoutCard(ctx context.Context, actor string, holder vault.Index, e erasing, reason audit.Reason, trial bool) (Erasure, error) {
	if !gone(e.person) {
		return Erasure{}, ErrLive
	}
	if err := a.notKept(ctx, holder); err != nil {
		return Erasure{}, err
	}
	if trial {
		return e.view(EraseReady, true), nil
	}
	return a.erase(ctx, actor, holder, e, reason)
}

// gone reports whether the registry lets a person be erased; so it does if the person
// is not registered.
func gone(p store.Person) bool {
	return p.Holder == vault.Index{} || p.Physical == liuma.PhysicalCancelled
}

// eraseCard erases a person with a card as far as possible now. Once keepers were
// asked to retire the card, neither a new physical card nor a freeze brings it back.
func (a *Authority) eraseCard(ctx context.Context, actor string, holder vault.Index, e erasing, reason audit.Reason, trial bool) (Erasure, error) {
	card := e.card
	switch {
	case !card.RetiredAt.IsZero():
		until := card.RetiredAt.Add(a.eraseWait())
		switch {
		case a.Now().Before(until):
			v := e.view(EraseWaiting, gone(e.person))
			v.Until = new(a.ToWall(until))
			return v, nil
		case trial:
			return e.view(EraseReady, gone(e.person)), nil
		}
		return a.erase(ctx, actor, holder, e, reason)
	case card.Retiring.IsZero() && !gone(e.person):
		return Erasure{}, ErrLive
	}
	if err := mayRetire(card, a.Now()); err != nil {
		return Erasure{}, err
	}
	v := e.view(EraseBegun, gone(e.person))
	if trial {
		v.Until = new(a.Wall().Add(a.eraseWait()))
		return v, nil
	}
	if err := a.beginRetiring(ctx, actor, card.ID, reason); err != nil {
		return Erasure{}, err
	}
	if err := a.quorum.Retire(ctx, card.ID); err != nil {
		return Erasure{}, fmt.Errorf("%w: %w", ErrRetire, err)
	}
	at, err := a.endRetiring(ctx, actor, card.ID)
	v.Until = new(a.ToWall(at.Add(a.eraseWait())))
	return v, err
}

// mayRetire refuses to stop a card for good if its holder may still use it, or if a
// freeze or a report by phone says that it was stolen. A card that keepers were
// already asked to retire goes on: a keeper was away, or this process died.
func mayRetire(card store.Card, now time.Time) error {
	switch {
	case !card.Retiring.IsZero():
		return nil
	case card.Physical != liuma.PhysicalCancelled:
		return ErrLive
	case card.Frozen:
		return ErrFrozen
	case card.Reported(now):
		return ErrReported
	}
	return nil
}

// beginRetiring marks the card before any keeper is asked. A crash before the commit
// leaves the card as it was. After it no report brings the card back, and the keepers
// are asked when the operator erases again (I-8).
func (a *Authority) beginRetiring(ctx context.Context, actor string, id liuma.CardID, reason audit.Reason) error {
	return a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		card, err := a.ReadCard(tx, id)
		if err != nil || !card.Retiring.IsZero() {
			return audit.Entry{}, err
		}
		if err := mayRetire(card, a.Now()); err != nil {
			return audit.Entry{}, err
		}
		card.Retiring = a.Now()
		e := a.Entry(actor, audit.CardRetired, id, "", "begun")
		e.Note = reason.Note("")
		return e, tx.UpdateCard(card)
	})
}

// endRetiring starts the wait. A crash before the commit leaves the card retired at
// the keepers and the wait not begun. Erasing again then asks them once more, which
// changes nothing there; the wait only ends later than it could have.
func (a *Authority) endRetiring(ctx context.Context, actor string, id liuma.CardID) (at time.Time, err error) {
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		card, err := a.ReadCard(tx, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if at = card.RetiredAt; !at.IsZero() {
			return audit.Entry{}, nil
		}
		at = a.Now()
		card.RetiredAt = at
		return a.Entry(actor, audit.CardRetired, id, "", "ok"), tx.UpdateCard(card)
	})
	return at, err
}

// erase deletes everything in one transaction, after checking everything once more in
// it. If the person has a physical card again, their registry row stays: it is no
// longer about the erased card. A crash before the commit leaves everything, one after
// it nothing (I-8).
func (a *Authority) erase(ctx context.Context, actor string, holder vault.Index, was erasing, reason audit.Reason) (v Erasure, err error) {
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		e, err := a.readErasing(tx, holder)
		if err != nil {
			return audit.Entry{}, err
		}
		if e.card.ID != was.card.ID || !e.card.RetiredAt.Equal(was.card.RetiredAt) || e.card.Version != was.card.Version {
			return audit.Entry{}, ErrUnderway
		}
		e.notices = was.notices
		let := gone(e.person)
		if !let && e.card.RetiredAt.IsZero() {
			return audit.Entry{}, ErrLive
		}
		if err := a.letGo(tx, e, let); err != nil {
			return audit.Entry{}, err
		}
		if let { // an application that came to nothing may have claimed a card
			if err := tx.DropHolder(holder); err != nil {
				return audit.Entry{}, err
			}
		}
		v = e.view(EraseDone, let)
		out := a.Entry(actor, audit.PersonErased, e.card.ID, "", "ok")
		out.Note = reason.Note("")
		return out, nil
	})
	return v, err
}

func (a *Authority) letGo(tx store.Tx, e erasing, person bool) error {
	for _, id := range e.notices {
		if err := tx.DeleteMessage(id); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if !e.card.ID.IsZero() {
		if err := tx.DeletePersonChange(e.card.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		letters, err := tx.LettersOf(e.card.ID)
		if err != nil {
			return err
		}
		for _, l := range letters {
			if err := tx.DeleteLetter(l.ID); err != nil {
				return err
			}
		}
		if err := tx.EraseCard(e.card.ID, a.Now()); err != nil {
			return err
		}
	}
	if err := dropTickets(tx, e.tickets); err != nil {
		return err
	}
	if !person {
		return nil
	}
	for _, c := range e.conflicts {
		if err := tx.DeleteConflict(c.ID); err != nil {
			return err
		}
	}
	if e.cancelled.ID != "" {
		if err := tx.DeleteCorrection(e.cancelled.ID); err != nil {
			return err
		}
	}
	if e.person.Holder == (vault.Index{}) {
		return nil
	}
	return tx.DeletePerson(e.person.Holder)
}

// erasingOf reads the data held about a person, and refuses if anything is under way.
// It walks through the messages in separate steps, since they are not found by their
// card.
func (a *Authority) erasingOf(ctx context.Context, holder vault.Index) (e erasing, err error) {
	err = a.store.View(ctx, func(r store.Reader) (err error) {
		e, err = a.readErasing(r, holder)
		return err
	})
	if err != nil || e.card.ID.IsZero() {
		return e, err
	}
	const page = 500
	for after, more := "", true; more; {
		var found []store.Message
		err := a.store.View(ctx, func(r store.Reader) (err error) {
			found, err = r.Messages("", after, page)
			return err
		})
		if err != nil {
			return e, err
		}
		for _, m := range found {
			after = m.ID
			switch {
			case m.Card != e.card.ID:
			case m.State == store.MessageWaiting:
				return e, ErrUnderway
			default:
				e.notices = append(e.notices, m.ID)
			}
		}
		more = len(found) == page
	}
	return e, nil
}

// readErasing reads everything except the messages.
func (a *Authority) readErasing(r store.Reader, holder vault.Index) (e erasing, err error) {
	if e.person, err = r.Person(holder); err != nil && !errors.Is(err, store.ErrNotFound) {
		return e, err
	}
	if e.person.CorrectedTo != (vault.Index{}) {
		e.person = store.Person{} // a number that a correction has left: its row leads nowhere
	}
	if e.cancelled, err = a.cancelledCorrection(r, holder); err != nil {
		return e, err
	}
	if e.conflicts, err = r.ConflictsOf(holder); err != nil {
		return e, err
	}
	for _, c := range e.conflicts {
		if c.KeptAt.IsZero() {
			return e, ErrUnderway
		}
	}
	if open, err := r.CeremoniesFor(holder); err != nil || len(open) > 0 {
		return e, errors.Join(err, underway(len(open)))
	}
	if e.tickets, err = r.TicketsFor(holder); err != nil {
		return e, err
	}
	found, err := r.CardByHolder(holder)
	if errors.Is(err, store.ErrNotFound) {
		return e, liveTickets(e.tickets)
	}
	if err != nil {
		return e, err
	}
	if e.card, err = a.ReadCard(r, found.ID); err != nil {
		return e, err
	}
	of, err := r.TicketsOf(found.ID)
	if err != nil {
		return e, err
	}
	before, err := r.TicketsOf(e.card.Follows)
	if err != nil {
		return e, err
	}
	e.tickets = append(append(e.tickets, of...), before...)
	if err := liveTickets(e.tickets); err != nil {
		return e, err
	}
	links, err := r.Links(found.ID)
	if err != nil {
		return e, err
	}
	e.links = len(links)
	open, err := r.CeremoniesOf(found.ID)
	if err != nil || len(open) > 0 {
		return e, errors.Join(err, underway(len(open)))
	}
	if _, err := r.Intent(found.ID); !errors.Is(err, store.ErrNotFound) {
		return e, errors.Join(err, underway(1))
	}
	if _, err := r.PersonChange(found.ID); !errors.Is(err, store.ErrNotFound) {
		return e, errors.Join(err, underway(1)) // the holder is still to be told
	}
	return e, nil
}

// cancelledCorrection is a correction that an operator cancelled, from or to a
// person's number; its ID is empty if there is none. Any other correction from or to
// the number is under way: it carries the card from one number to the other, and
// erasing one of the two would leave half of a person under the other. A stopped
// correction waits for an operator.
func (a *Authority) cancelledCorrection(r store.Reader, holder vault.Index) (c store.Correction, err error) {
	to, err := r.CorrectionTo(holder)
	if err == nil && to.State != store.CorrectionCancelled {
		return c, ErrUnderway
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	of, err := r.CorrectionOf(holder)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return c, nil
	case err != nil:
		return c, err
	case of.State != store.CorrectionCancelled:
		return c, ErrUnderway
	}
	return of, nil
}

// liveTickets refuses while a ticket of the person is open at a counter.
func liveTickets(all []store.Ticket) error {
	if slices.ContainsFunc(all, func(t store.Ticket) bool { return t.Live() }) {
		return ErrUnderway
	}
	return nil
}

func underway(n int) error {
	if n == 0 {
		return nil
	}
	return ErrUnderway
}

package ceremony

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// maySetAtCounter is the rule of I-12 for a PIN that is set at a counter. The ticket must
// stand, which means that two members of staff vouch for the holder. In this browser the
// holder must have proved the phone that is to be bound, and the bound phone unless the
// clerk said that it is not here.
func (s *Ceremonies) maySetAtCounter(r store.Reader, c store.Ceremony, d details) (errand, error) {
	if c.Action != liuma.ActionCounter || Step(c.Step) != StepPIN || !c.Ended.IsZero() {
		return errand{}, liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	of, err := s.errandOf(r, c, d)
	if err != nil {
		return of, err
	}
	kind := of.ticket.Kind
	phoneless := !bindsPhone(kind) || mayLackPhone(kind) && d.NoPhone
	if !phoneless && !d.Proofs.Code.holds(c, s.engine.PhoneIndex(d.NewPhone), s.now()) {
		return of, liuma.Fail(liuma.CodeCeremonyMoved, nil) // no step is skipped
	}
	if kind == liuma.TicketRebind || kind == liuma.TicketUnfreeze {
		return of, liuma.Fail(liuma.CodeCeremonyMoved, nil) // sets no PIN
	}
	return of, s.ownPhoneGiven(r, c, d, of)
}

// setAtCounter sets the PIN of a ticket. The ticket is looked at again in the
// transaction that opens the intent. A crash before it leaves the old PIN, or none, and
// the ceremony at the pad; after it the intent is carried through or abandoned like
// every other (I-7).
func (s *Ceremonies) setAtCounter(ctx context.Context, q asking) (authority.Verification, error) {
	none := authority.Verification{}
	var of errand
	var d details
	err := s.store.View(ctx, func(r store.Reader) error {
		cer, found, err := s.readCeremony(r, q.row.Ceremony)
		if err != nil {
			return err
		}
		d = found
		of, err = s.maySetAtCounter(r, cer, d)
		return err
	})
	if err != nil {
		return none, liuma.Outward(err)
	}
	if !of.card.ID.IsZero() {
		q = s.about(q, of.card)
	}
	chosen, err := s.open(ctx, q, liuma.RoleNew, q.request.New, "new_pin")
	if err != nil {
		return none, err
	}
	defer chosen.Wipe()
	if err := s.engine.JudgePIN(q.policy, chosen, of.judgedBy(d), nil); err != nil {
		return none, liuma.Outward(err)
	}
	ctx, release, err := s.holdAtCounter(ctx, q, of)
	if err != nil {
		return none, err
	}
	defer release()
	in, err := s.openAtCounter(ctx, q)
	if err != nil {
		return none, err
	}
	return none, s.engine.SetPIN(ctx, q.caller, in, chosen)
}

// holdAtCounter keeps other requests off the card. Before there is a card it keeps them
// off the holder, and checks that the keepers know no card of this holder (I-13).
func (s *Ceremonies) holdAtCounter(ctx context.Context, q asking, of errand) (_ context.Context, release func(), err error) {
	if of.ticket.Kind != liuma.TicketEnroll {
		if ctx, release, err = s.engine.HoldCard(ctx, of.card.ID); err != nil {
			return ctx, nil, err
		}
		if err = s.engine.FinishIntent(ctx, of.card.ID); err != nil {
			release()
			return ctx, nil, err
		}
		return ctx, release, nil
	}
	if ctx, release, err = s.engine.HoldHolder(ctx, of.ticket.Holder); err != nil {
		return ctx, nil, err
	}
	if err = s.keptElsewhere(ctx, q, of.applicant()); err != nil {
		release()
		return ctx, nil, err
	}
	return ctx, release, nil
}

func (e errand) applicant() applicant {
	return applicant{holder: e.ticket.Holder, facts: e.facts, person: e.person}
}

// openAtCounter takes the try's number, makes the card of a first PIN, and reserves the
// new version.
func (s *Ceremonies) openAtCounter(ctx context.Context, q asking) (store.Intent, error) {
	var in store.Intent
	err := s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row := q.row
		cer, d, err := s.readCeremony(tx, row.Ceremony)
		if err != nil {
			return audit.Entry{}, err
		}
		of, err := s.maySetAtCounter(tx, cer, d)
		if err != nil {
			return audit.Entry{}, err
		}
		card, fresh := of.card, false
		if of.ticket.Kind == liuma.TicketEnroll {
			if card, fresh, err = s.cardToEnroll(tx, q, row, of.applicant()); err != nil {
				return audit.Entry{}, err
			}
		}
		if err := q.guard(tx, card); err != nil {
			return audit.Entry{}, err
		}
		row.Card = card.ID
		if err := authority.TakeNumber(tx, row); err != nil {
			return audit.Entry{}, err
		}
		if fresh {
			if err := s.insertCard(tx, card); err != nil {
				return audit.Entry{}, err
			}
		}
		if in, err = s.engine.Reserve(tx, &card, row.Channel, row.BusinessNo); err != nil {
			return audit.Entry{}, err
		}
		e := s.engine.VersionEntry(q.caller.Actor(), audit.PINIntended, in, "ok")
		if of.ticket.Kind == liuma.TicketEnroll {
			e = s.engine.Entry(q.caller.Actor(), audit.CardEnrolled, card.ID, row.BusinessNo, "ok")
		}
		return e, tx.UpdateCard(card)
	})
	return in, err
}

// wasSetAtCounter follows the flip, in its transaction. The ticket stood when the version
// was reserved, and a PIN that keepers hold is carried through whatever happened since
// (I-7). If the card was stopped meanwhile, the ticket does nothing else: it binds no
// phone and ends no freeze, and the PIN does not count until the counter sets another.
func (s *Ceremonies) wasSetAtCounter(tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error) {
	cer, d, err := s.readCeremony(tx, row.Ceremony)
	if err != nil {
		return "", err
	}
	known, err := s.toldBefore(tx, card.ID)
	if err != nil {
		return "", err
	}
	t, stopped, err := s.counter.Carry(tx, d.Ticket, card, cer.ID)
	if err != nil {
		return "", err
	}
	card.PINFrom, err = s.countsFrom(tx, t, d, known, stopped)
	if err != nil {
		return "", err
	}
	ev, template, about := audit.PINReset, noticePINReset, map[string]string(nil)
	if mayLackPhone(t.Kind) {
		ev, template = audit.PINSet, noticePINSet
	}
	if !stopped {
		if err := s.settleAtCounter(tx, card, cer, d, t); err != nil {
			return "", err
		}
		if t.Kind == liuma.TicketRebindReset {
			template, about = noticeBoth, map[string]string{"phone": registry.MaskPhone(d.NewPhone)}
		}
	}
	err = errors.Join(tx.DeleteCodesOf(card.ID), tx.DeleteCardTicks(card.ID, authority.TickResetPlanned))
	if err != nil {
		return "", err
	}
	if err := s.endOthers(tx, card.ID, row.Ceremony); err != nil {
		return "", err
	}
	return ev, s.engine.TellIn(tx, *card, template, row.Channel, about) // one text to each number, about all changes
}

// toldBefore reports whether the card has a contact that surely belongs to its holder, so
// that notices reach them. A phone bound less than counterWait ago, other than at an
// enrolment, does not count: it may belong to an impostor who stood at the counter then,
// and a second ticket would end the wait that the first one began.
func (s *Ceremonies) toldBefore(r store.Reader, card liuma.CardID) (bool, error) {
	c, _, err := s.engine.Contact(r, card)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && (c.HoldUntil.IsZero() || s.now().Sub(c.BoundAt) >= counterWait), err
}

// countsFrom is when a PIN that was set at a counter begins to count; zero: at once. If
// the card had a contact before (known), its notice with a freeze code has gone out and
// no wait is needed. At a first PIN the phone in the registry is such a contact, if its
// code was right.
func (s *Ceremonies) countsFrom(r store.Reader, t store.Ticket, d details, known, stopped bool) (time.Time, error) {
	if !known && t.Kind == liuma.TicketEnroll && d.Proofs.Code.open() {
		_, f, err := s.registry.Of(r, t.Holder)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return time.Time{}, err
		}
		known = err == nil && f.Phone != "" && f.Phone == d.NewPhone
	}
	if known && !stopped {
		return time.Time{}, nil
	}
	return s.now().Add(counterWait), nil
}

// settleAtCounter makes the other changes that the kind of ticket allows: it ends a
// freeze and binds the phone.
func (s *Ceremonies) settleAtCounter(tx store.Tx, card *store.Card, cer store.Ceremony, d details, t store.Ticket) error {
	if t.Kind == liuma.TicketOpen {
		*card = card.Thawed()
	}
	if d.NewPhone == "" || !d.Proofs.Code.open() {
		return nil
	}
	hold := later(card.PINFrom, s.now().Add(s.recoveryOf(*card, cer).Hold))
	if t.Kind == liuma.TicketEnroll && card.PINFrom.IsZero() {
		hold = time.Time{} // it is the registry's number, and replaced no phone
	}
	_, err := s.bindUntold(tx, *card, cer, d, d.NewPhone, hold)
	return err
}
